/*
 * Three vCPUs' local APICs, one of them lent to a CPU in x2APIC mode, an I/O APIC and the 8259s, driven by any sequence of
 * guest accesses, messages, lines and time. After each step: what is cached is
 * what it was made of, and nothing goes in that may not.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/pc/lapic_state.h"
#include "drivers/pc/pc.h"
#include "drivers/pc/vioapic.h"
#include "drivers/pc/vpic.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86_regs.h"
#include "mm/heap.h"
#include "vm_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VCPUS		 3
#define BASE_X2APIC_MODE (APIC_BASE_ENABLE | APIC_BASE_X2APIC)

static struct vioapic ioapic;
static struct vpic pic;

/* Weak: stands in for the PC, as small. */
__attribute__((weak)) void pc_end_of_interrupt(struct vm *vm, uint8_t vector)
{
	spin_lock(&vm->lock);
	vioapic_eoi(&ioapic, vector);
	spin_unlock(&vm->lock);
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* One step: what, to whom, where, and a value. */
struct step {
	uint8_t operation;
	uint8_t vcpu;
	uint16_t where;
	uint64_t value;
} __attribute__((packed));

enum operation {
	MMIO_READ,
	MMIO_WRITE,
	MSR_READ,
	MSR_WRITE,
	BASE_WRITE,
	TSC_DEADLINE,
	WAIT,
	INJECT,
	DELIVER,
	LINE,
	PORT_WRITE,
	PORT_READ,
	IOAPIC_WRITE,
	IOAPIC_READ,
	PV_EOI,
	GUEST_WORD,
	TPR,
	RESET,
	NMI_LINE,
	EXTINT,
	CPU_TAKE,
	CPU_END,
	OPERATIONS
};

/* Of the last vCPU. */
static uint32_t page[1024];

static uint32_t *find_highest(uint32_t group, uint32_t *bit)
{
	for (uint32_t i = 8; i-- > 0;) {
		uint32_t *word = &page[(group + i) * 4];

		if (!*word)
			continue;
		*bit = 1U << (31 - __builtin_clz(*word));
		return word;
	}
	return NULL;
}

static void start(void)
{
	static bool is_started;

	if (is_started)
		return;
	is_started = true;
	fake_vm_reset(VCPUS, MIB);
	heap_init();
	fake_vcpus[VCPUS - 1].apic.page = page;
	for (uint32_t i = 0; i < VCPUS; i++) {
		fake_vcpus[i].lapic = lapic_create(&fake_vcpus[i]);
		require(fake_vcpus[i].lapic);
	}
}

static void begin(void)
{
	start();
	memset(&fake_vm.ports, 0, sizeof(fake_vm.ports));
	memset(&fake_vm.mmio, 0, sizeof(fake_vm.mmio));
	require(!vpic_init(&pic, &fake_vm));
	require(!vioapic_init(&ioapic, &fake_vm));
	for (uint32_t i = 0; i < VCPUS; i++)
		lapic_reset(fake_vcpus[i].lapic, false);
	fake_now = NS_PER_SEC;
}

/* What waits needs a real EOI. */
static int next_vector(struct lapic *lapic)
{
	int vector = lapic_next_vector(lapic);

	if (vector == LAPIC_NONE)
		require(lapic_highest(lapic->irr) < 0);
	else
		require(!lapic->is_pv_eoi_offered);
	return vector;
}

static void inject(struct lapic *lapic)
{
	int vector = next_vector(lapic);

	if (vector < 0)
		return;
	require(vector >= LAPIC_VECTOR_MIN && vector <= 0xff);
	require(vector >> 4 > lapic_priority(lapic) >> 4);
	lapic_take_vector(lapic, (uint8_t)vector);
	require(lapic->in_service == vector);
	require(next_vector(lapic) < 0);
}

/* All that is due comes, and no more than that. */
static void wait(uint64_t ns)
{
	fake_now += ns & BITS(40, 0);
	for (uint32_t i = 0; i < VCPUS; i++) {
		struct lapic *lapic = fake_vcpus[i].lapic;

		lapic_timer_fire(lapic);
		require(lapic->deadline > fake_now);
	}
}

static void deliver(const struct step *step)
{
	struct apic_message message = {
		.destination = (uint32_t)(step->value >> 32),
		.vector = (uint8_t)step->value,
		.delivery = (uint8_t)(step->value >> 8 & 7),
		.is_logical = step->value & BIT(11),
		.is_level = step->value & BIT(15),
	};

	lapic_deliver(&fake_vm, &message);
}

static void set_line(const struct step *step)
{
	spin_lock(&fake_vm.lock);
	vpic_set_line(&pic, step->where, step->value & 1);
	vioapic_set_line(&ioapic, step->where, step->value & 1);
	spin_unlock(&fake_vm.lock);
}

static uint16_t port(uint16_t where)
{
	static const uint16_t ports[] = {
		0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1
	};

	return ports[where % ARRAY_SIZE(ports)];
}

static unsigned int access_size(const struct step *step)
{
	return 1U << (step->vcpu / VCPUS % 4);
}

static void take_extint(void)
{
	spin_lock(&fake_vm.lock);
	if (vpic_has_interrupt(&pic))
		vpic_acknowledge(&pic);
	spin_unlock(&fake_vm.lock);
}

/* The guest runs: what waits goes into service, or what is in service ends. */
static void run_cpu(struct lapic *lapic, bool is_end)
{
	uint32_t bit;
	uint32_t *word;

	if (!lapic->vcpu->apic.is_on)
		return;
	require(lapic_next_vector(lapic) == LAPIC_NONE && lapic->is_lent);
	require(lapic_is_empty(lapic->irr) && !lapic->is_pv_eoi_offered);
	word = find_highest(is_end ? LAPIC_ISR : LAPIC_IRR, &bit);
	if (!word)
		return;
	*word &= ~bit;
	if (!is_end)
		word[(LAPIC_ISR - LAPIC_IRR) * 4] |= bit;
	else
		lapic_eoi_done(lapic, (uint8_t)((word - &page[LAPIC_ISR * 4]) /
							4 * 32 +
						__builtin_ctz(bit)));
}

static void access_lapic(struct lapic *lapic, const struct step *step)
{
	uint64_t value = 0;

	switch (step->operation % OPERATIONS) {
	case MMIO_READ:
		lapic_mmio_read(lapic, step->where & 0xfff, access_size(step));
		break;
	case MMIO_WRITE:
		lapic_mmio_write(lapic, step->where & 0xfff, access_size(step),
				 step->value);
		break;
	case MSR_READ:
		lapic_msr_read(lapic, 0x800 | (step->where & 0xff), &value);
		break;
	case MSR_WRITE:
		lapic_msr_write(lapic, 0x800 | (step->where & 0xff),
				step->value);
		break;
	case BASE_WRITE: lapic_write_base(lapic, step->value); break;
	case TSC_DEADLINE: lapic_write_tsc_deadline(lapic, step->value); break;
	case INJECT: inject(lapic); break;
	case PV_EOI: lapic_set_pv_eoi(lapic, (gpa_t){ step->where }); break;
	case TPR: lapic->vcpu->tpr = (uint8_t)step->value; break;
	case RESET: lapic_reset(lapic, step->value & 1); break;
	case NMI_LINE: lapic_signal_nmi_line(lapic); break;
	case CPU_TAKE: run_cpu(lapic, false); break;
	case CPU_END: run_cpu(lapic, true); break;
	default: break;
	}
}

static void access_others(const struct step *step)
{
	switch (step->operation % OPERATIONS) {
	case WAIT: wait(step->value); break;
	case DELIVER: deliver(step); break;
	case LINE: set_line(step); break;
	case PORT_WRITE:
		io_write(&fake_vm, &fake_vm.ports, port(step->where),
			 access_size(step), step->value);
		break;
	case PORT_READ:
		io_read(&fake_vm, &fake_vm.ports, port(step->where),
			access_size(step));
		break;
	case IOAPIC_WRITE:
		io_write(&fake_vm, &fake_vm.mmio,
			 VM_IOAPIC_BASE + (step->where & 0x5f),
			 access_size(step), step->value);
		break;
	case IOAPIC_READ:
		io_read(&fake_vm, &fake_vm.mmio,
			VM_IOAPIC_BASE + (step->where & 0x5f),
			access_size(step));
		break;
	case GUEST_WORD:
		guest_write(&fake_vm.memory, (gpa_t){ step->where },
			    &step->value, 1);
		break;
	case EXTINT: take_extint(); break;
	default: break;
	}
}

static void check_timer(const struct lapic *lapic)
{
	bool is_armed = lapic->deadline != TIME_NEVER;
	uint64_t tsc_deadline = lapic_read_tsc_deadline(lapic);

	require(lapic->vcpu->lapic_timer.node.deadline == lapic->deadline ||
		!is_armed);
	require(lapic_timer_current(lapic) <= lapic->timer_count);
	switch (lapic_timer_mode(lapic)) {
	case LAPIC_TIMER_TSC_DEADLINE:
		require(is_armed == (tsc_deadline != 0));
		break;
	case LAPIC_TIMER_RESERVED: require(!is_armed); break;
	default: require(!tsc_deadline); break;
	}
}

static void check_lapic(const struct lapic *lapic)
{
	uint64_t mode = lapic->vcpu->msr.apic_base &
			(APIC_BASE_ENABLE | APIC_BASE_X2APIC);

	require(lapic->is_lent ||
		lapic->in_service == lapic_highest(lapic->isr));
	require(!lapic->is_lent || lapic->vcpu->apic.is_on);
	require(!lapic->vcpu->apic.is_on || mode == BASE_X2APIC_MODE);
	require(!(lapic->isr[0] & 0xffff) && !(lapic->irr[0] & 0xffff));
	require(mode != APIC_BASE_X2APIC);
	require(!(lapic->route & ROUTE_ENABLED) == !mode);
	require(!(lapic->route & ROUTE_SOFTWARE) == !(lapic->svr & SVR_ENABLE));
	if (lapic->is_pv_eoi_offered)
		require(lapic->pv_eoi.size && lapic->in_service >= 0);
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		require(lapic->svr & SVR_ENABLE || i == LAPIC_LVT_LINT0 ||
			lapic->lvt[i] & LVT_MASKED);
	check_timer(lapic);
}

static void check_pic(void)
{
	for (unsigned int i = 0; i < VPIC_CHIPS; i++) {
		const struct vpic_chip *chip = &pic.chips[i];

		require(chip->pic == &pic && chip->first < 8);
		require(!(chip->elcr & (i ? 0x21 : 0x07)));
		require((chip->irr & chip->elcr) == (chip->lines & chip->elcr));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	begin();
	for (; size >= sizeof(step); size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		access_lapic(fake_vcpus[step.vcpu % VCPUS].lapic, &step);
		access_others(&step);
		for (uint32_t i = 0; i < VCPUS; i++)
			check_lapic(fake_vcpus[i].lapic);
		check_pic();
	}
	return 0;
}
