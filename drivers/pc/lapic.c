/*
 * The local APIC: reset, modes, and vectors going into and out of service.
 *
 *	               lapic_accept         lapic_take_vector        EOI
 *	(any CPU) ----------------> IRR -----------------------> ISR ------> out
 *	                             if its class is above that of PPR
 */
#include "drivers/pc/lapic.h"

#include "drivers/pc/lapic_state.h"
#include "drivers/pc/pc.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86_regs.h"
#include "mm/heap.h"

#define PV_EOI_NOT_NEEDED BIT(0)

/* Of IA32_APIC_BASE: BSP flag, mode bits, and an address below 2^52. */
#define BASE_ADDRESS BITS(51, 12)
#define BASE_MODE    (APIC_BASE_ENABLE | APIC_BASE_X2APIC)
#define BASE_VALID   (BASE_ADDRESS | BASE_MODE | APIC_BASE_IS_BSP)

static bool has_bit(const uint64_t *words, uint8_t vector)
{
	return __atomic_load_n(&words[vector / 64], __ATOMIC_RELAXED) &
	       BIT(vector % 64);
}

void lapic_publish_route(struct lapic *lapic)
{
	uint64_t base = lapic->vcpu->msr.apic_base;
	uint64_t route = FIELD_PUT(ROUTE_LOGICAL, lapic->ldr >> 24);

	if (base & APIC_BASE_ENABLE)
		route |= ROUTE_ENABLED;
	if (base & APIC_BASE_X2APIC)
		route |= ROUTE_X2APIC;
	if (lapic->svr & SVR_ENABLE)
		route |= ROUTE_SOFTWARE;
	if (!(lapic->dfr >> 28))
		route |= ROUTE_CLUSTER;
	__atomic_store_n(&lapic->route, (uint32_t)route, __ATOMIC_RELAXED);
}

static void forget_requests(struct lapic *lapic)
{
	for (unsigned int i = 0; i < LAPIC_WORDS; i++)
		__atomic_store_n(&lapic->irr[i], 0, __ATOMIC_RELAXED);
}

/* 11.4.7.1 "Local APIC State After Power-Up or Reset". LINT0 of vCPU 0 is as
 * firmware leaves it, because kernels are started without one, too: the 8259's
 * interrupts come through it. */
static void reset_registers(struct lapic *lapic)
{
	lapic_timer_stop(lapic);
	/* others first see that nothing is taken any more */
	lapic->svr = 0xff;
	lapic_publish_route(lapic);
	lapic_settle(lapic, true);
	forget_requests(lapic);
	for (unsigned int i = 0; i < LAPIC_WORDS; i++) {
		__atomic_store_n(&lapic->tmr[i], 0, __ATOMIC_RELAXED);
		lapic->isr[i] = 0;
	}
	lapic->in_service = -1;
	lapic->ldr = 0;
	lapic->dfr = ~0U;
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		__atomic_store_n(&lapic->lvt[i], (uint32_t)LVT_MASKED,
				 __ATOMIC_RELAXED);
	if (lapic->vcpu->number == 0)
		__atomic_store_n(&lapic->lvt[LAPIC_LVT_LINT0],
				 (uint32_t)FIELD_PUT(LVT_DELIVERY, APIC_EXTINT),
				 __ATOMIC_RELAXED);
	__atomic_store_n(&lapic->errors, 0, __ATOMIC_RELAXED);
	lapic->esr = 0;
	lapic->icr = 0;
	lapic->timer_count = 0;
	lapic->timer_divide = 0;
	lapic->vcpu->tpr = 0;
	lapic_mirror(lapic);
}

struct lapic *lapic_create(struct vcpu *vcpu)
{
	struct lapic *lapic = heap_alloc(sizeof(*lapic));

	if (!lapic)
		return NULL;
	lapic->vcpu = vcpu;
	lapic->in_service = -1;
	lapic->deadline = TIME_NEVER;
	lapic_reset(lapic, false);
	return lapic;
}

void lapic_destroy(struct lapic *lapic)
{
	lapic_set_pv_eoi(lapic, (gpa_t){ 0 });
	heap_free(lapic);
}

void lapic_reset(struct lapic *lapic, bool is_init)
{
	struct vcpu *vcpu = lapic->vcpu;

	lapic_set_pv_eoi(lapic, (gpa_t){ 0 });
	reset_registers(lapic);
	if (!is_init)
		vcpu->msr.apic_base = VM_LAPIC_BASE | APIC_BASE_ENABLE |
				      (vcpu->number ? 0 : APIC_BASE_IS_BSP);
	lapic_publish_route(lapic);
	lapic_choose_worker(lapic);
	/* the 8259 may be heard now */
	vcpu_request(vcpu, REQUEST_EVENT);
}

/*
 * 11.12.5 "x2APIC State Transitions": which modes may follow which, as
 * IA32_APIC_BASE[11:10] = enable, extended.
 *
 *	from		to: off	(01)	xAPIC	x2APIC
 *	off		     y	 -	 y	 -
 *	xAPIC		     y	 -	 y	 y
 *	x2APIC		     y	 -	 -	 y
 */
static bool may_follow(uint64_t old, uint64_t new)
{
	static const uint8_t followers[4] = {
		[0] = BIT(0) | BIT(2),
		[2] = BIT(0) | BIT(2) | BIT(3),
		[3] = BIT(0) | BIT(3),
	};

	return followers[FIELD_GET(BASE_MODE, old)] &
	       BIT(FIELD_GET(BASE_MODE, new));
}

bool lapic_write_base(struct lapic *lapic, uint64_t value)
{
	struct vcpu *vcpu = lapic->vcpu;

	if (value & ~BASE_VALID || !may_follow(vcpu->msr.apic_base, value))
		return false;
	/* whoever looked just before it was turned off may have sent since */
	if (!(vcpu->msr.apic_base & APIC_BASE_ENABLE))
		forget_requests(lapic);
	vcpu->msr.apic_base = value;
	/* what was set up before it was turned off is lost: 11.4.3 */
	if (!(value & APIC_BASE_ENABLE))
		reset_registers(lapic);
	lapic_publish_route(lapic);
	lapic_choose_worker(lapic);
	vcpu_request(vcpu, REQUEST_EVENT);
	return true;
}

bool lapic_is_at(const struct lapic *lapic, gpa_t gpa)
{
	uint64_t base = lapic->vcpu->msr.apic_base;

	return (base & BASE_MODE) == APIC_BASE_ENABLE &&
	       ((base ^ gpa.value) & BITS(63, 12)) == 0;
}

/* The highest vector in service is so no longer. */
static void retire(struct lapic *lapic)
{
	unsigned int vector = (unsigned int)lapic->in_service;

	lapic->isr[vector / 64] &= ~BIT(vector % 64);
	lapic->in_service = lapic_highest(lapic->isr);
}

/* Those who sent a level-triggered vector wait for its end. */
void lapic_eoi_done(struct lapic *lapic, uint8_t vector)
{
	if (has_bit(lapic->tmr, vector) && !(lapic->svr & SVR_NO_EOI_BROADCAST))
		pc_end_of_interrupt(lapic->vcpu->vm, vector);
}

void lapic_end_of_interrupt(struct lapic *lapic)
{
	uint8_t vector;

	lapic_settle(lapic, true);
	if (lapic->in_service < 0)
		return;
	vector = (uint8_t)lapic->in_service;
	retire(lapic);
	lapic_eoi_done(lapic, vector);
	if (!lapic_is_empty(lapic->irr))
		vcpu_request(lapic->vcpu, REQUEST_EVENT);
}

static int find_next(struct lapic *lapic)
{
	int vector = lapic_highest(lapic->irr);

	/* what waits needs the exit that a real EOI makes */
	lapic_settle(lapic, vector >= 0);
	if (vector < 0 || !(lapic->route & ROUTE_ENABLED))
		return LAPIC_NONE;
	if ((vector & 0xf0) <= (lapic_priority(lapic) & 0xf0))
		return LAPIC_MASKED;
	return vector;
}

int lapic_next_vector(struct lapic *lapic)
{
	if (!lapic->vcpu->apic.is_on)
		return find_next(lapic);
	lapic_lend(lapic);
	return LAPIC_NONE;
}

bool lapic_has_vector(struct lapic *lapic)
{
	if (lapic->is_lent)
		lapic_take_back(lapic);
	return find_next(lapic) >= 0;
}

/*
 * PV EOI. Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN: a guest
 * that finds bit 0 of its word set clears it instead of writing EOI. Only this
 * thread and the guest on this vCPU write the word, never both at a time.
 *
 *	offered		the vector in service is edge-triggered (nobody else is
 *			told of its EOI), the only one, and none waits
 *	withdrawn	before another may go into service, and where registers
 *			are looked at
 */
static uint32_t *pv_eoi_word(const struct lapic *lapic)
{
	return guest_pin_at(&lapic->pv_eoi, 0);
}

static void offer_pv_eoi(struct lapic *lapic)
{
	uint32_t *word = pv_eoi_word(lapic);

	__atomic_store_n(word, PV_EOI_NOT_NEEDED, __ATOMIC_RELAXED);
	lapic->is_pv_eoi_offered = true;
}

static void settle_pv_eoi(struct lapic *lapic, bool must_withdraw)
{
	uint32_t *word = pv_eoi_word(lapic);
	uint32_t value = __atomic_load_n(word, __ATOMIC_RELAXED);
	if (!(value & PV_EOI_NOT_NEEDED)) {
		lapic->is_pv_eoi_offered = false;
		retire(lapic);
	} else if (must_withdraw) {
		lapic->is_pv_eoi_offered = false;
		__atomic_store_n(word, value & ~(uint32_t)PV_EOI_NOT_NEEDED,
				 __ATOMIC_RELAXED);
	}
}

/* One of the two at the most: what is lent is not offered. */
void lapic_settle(struct lapic *lapic, bool must_withdraw)
{
	if (lapic->is_pv_eoi_offered)
		settle_pv_eoi(lapic, must_withdraw);
	else if (lapic->is_lent)
		lapic_take_back(lapic);
}

/* Pinned, so that looking costs a load. Where it cannot be, bit 0 never gets set,
 * and the guest writes EOIs. */
void lapic_set_pv_eoi(struct lapic *lapic, gpa_t word)
{
	struct guest_mem *memory = &lapic->vcpu->vm->memory;

	lapic_settle(lapic, true);
	if (lapic->pv_eoi.size)
		guest_unpin(memory, &lapic->pv_eoi);
	lapic->pv_eoi.size = 0;
	if (word.value == 0 || !is_aligned(word.value, sizeof(uint32_t)))
		return;
	if (guest_pin(memory, &lapic->pv_eoi, word, sizeof(uint32_t),
		      ACCESS_WRITE))
		lapic->pv_eoi.size = 0;
}

void lapic_take_vector(struct lapic *lapic, uint8_t vector)
{
	bool is_only = lapic->in_service < 0;
	uint64_t bit = BIT(vector % 64);

	__atomic_fetch_and(&lapic->irr[vector / 64], ~bit, __ATOMIC_RELAXED);
	lapic->isr[vector / 64] |= bit;
	lapic->in_service = vector;
	if (lapic->pv_eoi.size && is_only && !has_bit(lapic->tmr, vector) &&
	    lapic_is_empty(lapic->irr))
		offer_pv_eoi(lapic);
}

bool lapic_takes_extint(const struct lapic *lapic)
{
	uint32_t lint0 =
		__atomic_load_n(&lapic->lvt[LAPIC_LVT_LINT0], __ATOMIC_RELAXED);
	uint32_t route = __atomic_load_n(&lapic->route, __ATOMIC_RELAXED);

	if (!(route & ROUTE_ENABLED))
		return true;
	return (lint0 & (LVT_MASKED | LVT_DELIVERY)) ==
	       FIELD_PUT(LVT_DELIVERY, APIC_EXTINT);
}

/* With the local APIC off, LINT1 is the CPU's NMI pin: 11.4.3 "Enabling or
 * Disabling the Local APIC". */
void lapic_signal_nmi_line(struct lapic *lapic)
{
	uint32_t route = __atomic_load_n(&lapic->route, __ATOMIC_RELAXED);

	if (route & ROUTE_ENABLED)
		lapic_signal(lapic, LAPIC_LVT_LINT1);
	else
		vcpu_request(lapic->vcpu, REQUEST_NMI);
}
