/*
 * Interrupt messages: sending them, finding whom they mean, taking them in.
 *
 * Lowest priority is not arbitrated: of n that a message names and that take
 * interrupts, it goes to number (vector mod n). Each vector so has its vCPU,
 * whose caches stay warm, and no other vCPU's priority has to be read.
 */
#include "drivers/pc/lapic.h"

#include "drivers/pc/lapic_state.h"

/* 11.6.1 "Interrupt Command Register (ICR)". */
#define ICR_VECTOR	BITS(7, 0)
#define ICR_DELIVERY	BITS(10, 8)
#define ICR_LOGICAL	BIT(11)
#define ICR_ASSERT	BIT(14)
#define ICR_LEVEL	BIT(15)
#define ICR_SHORTHAND	BITS(19, 18)
#define ICR_DESTINATION BITS(63, 32)

enum icr_shorthand {
	SHORTHAND_NONE,
	SHORTHAND_SELF,
	SHORTHAND_ALL,
	SHORTHAND_OTHERS,
};

#define EVERYBODY ~0U

static uint32_t route_of(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->route, __ATOMIC_RELAXED);
}

static bool takes_interrupts(const struct lapic *lapic)
{
	return (route_of(lapic) & (ROUTE_ENABLED | ROUTE_SOFTWARE)) ==
	       (ROUTE_ENABLED | ROUTE_SOFTWARE);
}

/* The interrupt for errors comes with the first one after ESR was written, so an
 * error entry with an illegal vector ends here. */
void lapic_report_error(struct lapic *lapic, uint32_t error)
{
	if (!__atomic_fetch_or(&lapic->errors, error, __ATOMIC_RELAXED))
		lapic_signal(lapic, LAPIC_LVT_ERROR);
}

/* TMR first: it must be right when the vector is taken out of IRR. A bit that IRR
 * has already brought its request along. False: no interrupts are taken. */
static bool accept(struct lapic *lapic, uint8_t vector, bool is_level)
{
	uint64_t bit = BIT(vector % 64);
	uint64_t *irr = &lapic->irr[vector / 64];
	uint64_t *tmr = &lapic->tmr[vector / 64];

	if (!takes_interrupts(lapic))
		return false;
	if (vector < LAPIC_VECTOR_MIN) {
		lapic_report_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
		return false;
	}
	if (is_level)
		__atomic_fetch_or(tmr, bit, __ATOMIC_RELAXED);
	else if (__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit)
		__atomic_fetch_and(tmr, ~bit, __ATOMIC_RELAXED);
	/* release: pairs with the vCPU's exchange of its requests */
	if (!(__atomic_fetch_or(irr, bit, __ATOMIC_RELEASE) & bit))
		vcpu_request(lapic->vcpu, REQUEST_EVENT);
	return true;
}

void lapic_accept(struct lapic *lapic, uint8_t vector, bool is_level)
{
	accept(lapic, vector, is_level);
}

/* There is no system management mode, and the 8259 has a line of its own. False:
 * nobody will notice. */
static bool take_message(struct lapic *lapic,
			 const struct apic_message *message)
{
	struct vcpu *vcpu = lapic->vcpu;

	switch (message->delivery) {
	case APIC_FIXED:
	case APIC_LOWEST:
		return accept(lapic, message->vector, message->is_level);
	case APIC_NMI: vcpu_request(vcpu, REQUEST_NMI); break;
	case APIC_INIT:
		/* A start-up IPI that nobody has looked at yet came before:
		 * it says nothing to a vCPU that runs, and must not start
		 * the one that waits from now on. */
		__atomic_fetch_and(&vcpu->requests, ~(uint32_t)REQUEST_STARTUP,
				   __ATOMIC_SEQ_CST);
		vcpu_request(vcpu, REQUEST_INIT);
		break;
	case APIC_STARTUP:
		__atomic_store_n(&vcpu->startup_page, message->vector,
				 __ATOMIC_RELEASE);
		vcpu_request(vcpu, REQUEST_STARTUP);
		break;
	default: return false;
	}
	return true;
}

/* 11.6.2.2 "Logical Destination Mode". */
static bool has_logical_xapic_id(uint64_t route, uint32_t destination)
{
	uint64_t own = FIELD_GET(ROUTE_LOGICAL, route);

	if (destination > 0xff)
		return false;
	if (!(route & ROUTE_CLUSTER))
		return own & destination;
	return own >> 4 == destination >> 4 && own & destination & 0xf;
}

/* 11.12.10 "Determining IPI Destination in x2APIC Mode". */
static bool has_logical_x2apic_id(uint32_t id, uint32_t destination)
{
	return destination >> 16 == id >> 4 && destination & 1U << (id & 15);
}

/*
 *	destination	xAPIC mode		x2APIC mode
 *	0xffffffff	matches			matches
 *	0xff		matches			is an id
 *	physical	is the id		is the id
 *	logical		LDR and DFR say		cluster and bit
 */
static bool is_meant(const struct lapic *lapic,
		     const struct apic_message *message)
{
	uint32_t id = lapic->vcpu->number;
	uint32_t destination = message->destination;
	uint32_t route = route_of(lapic);

	if (!(route & ROUTE_ENABLED))
		return false;
	if (destination == EVERYBODY)
		return true;
	if (destination == 0xff && !(route & ROUTE_X2APIC))
		return true;
	if (!message->is_logical)
		return destination == id;
	if (route & ROUTE_X2APIC)
		return has_logical_x2apic_id(id, destination);
	return has_logical_xapic_id(route, destination);
}

/* Numbers [first, end) of vCPUs that @message may mean. */
struct candidates {
	uint32_t first, end;
};

/* For what is not the id of a vCPU: above 0xff it names one x2APIC cluster. */
static struct candidates find_candidates(const struct vm *vm,
					 const struct apic_message *message)
{
	uint32_t destination = message->destination;
	struct candidates found = { 0, vm->vcpu_count };

	if (destination <= 0xff || destination == EVERYBODY)
		return found;
	found.first = destination >> 16 << 4;
	if (found.end > found.first + 16)
		found.end = found.first + 16;
	return found;
}

/* Of those that take interrupts, number @skip; their count if there is none. */
static uint32_t find_lowest(struct vm *vm, const struct apic_message *message,
			    const struct lapic *except, uint32_t skip,
			    struct lapic **lowest)
{
	struct candidates in = find_candidates(vm, message);
	uint32_t count = 0;

	for (uint32_t i = in.first; i < in.end; i++) {
		struct lapic *lapic = vm->vcpus[i]->lapic;

		if (lapic == except || !takes_interrupts(lapic) ||
		    !is_meant(lapic, message))
			continue;
		*lowest = lapic;
		if (count++ == skip)
			break;
	}
	return count;
}

/* Should routes change between the two looks, the last one found has it. */
static bool deliver_lowest(struct vm *vm, const struct apic_message *message,
			   const struct lapic *except)
{
	struct lapic *lapic = NULL;
	uint32_t count = find_lowest(vm, message, except, EVERYBODY, &lapic);

	if (count == 0)
		return false;
	find_lowest(vm, message, except, message->vector % count, &lapic);
	return take_message(lapic, message);
}

static bool deliver_to_some(struct vm *vm, const struct apic_message *message,
			    const struct lapic *except)
{
	struct candidates in = find_candidates(vm, message);
	bool is_anybody = false;

	if (message->delivery == APIC_LOWEST)
		return deliver_lowest(vm, message, except);
	for (uint32_t i = in.first; i < in.end; i++) {
		struct lapic *lapic = vm->vcpus[i]->lapic;

		if (lapic != except && is_meant(lapic, message))
			is_anybody |= take_message(lapic, message);
	}
	return is_anybody;
}

/* @except: the sender, with everybody as destination; or NULL. */
static bool deliver(struct vm *vm, const struct apic_message *message,
		    const struct lapic *except)
{
	struct lapic *lapic;

	if (message->is_logical || message->destination >= vm->vcpu_count)
		return deliver_to_some(vm, message, except);
	/* by id, as most are: no need to look for it */
	lapic = vm->vcpus[message->destination]->lapic;
	return route_of(lapic) & ROUTE_ENABLED && take_message(lapic, message);
}

bool lapic_deliver(struct vm *vm, const struct apic_message *message)
{
	return deliver(vm, message, NULL);
}

/* An INIT level de-assert only synchronised arbitration ids, of buses that are
 * gone: 11.6.1. */
static bool is_deassert(uint64_t icr)
{
	return FIELD_GET(ICR_DELIVERY, icr) == APIC_INIT &&
	       (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL;
}

static bool is_illegal(uint64_t icr)
{
	return FIELD_GET(ICR_DELIVERY, icr) <= APIC_LOWEST &&
	       FIELD_GET(ICR_VECTOR, icr) < LAPIC_VECTOR_MIN;
}

void lapic_send_self_ipi(struct lapic *lapic, uint8_t vector)
{
	if (vector < LAPIC_VECTOR_MIN)
		lapic_report_error(lapic, ESR_SEND_ILLEGAL_VECTOR);
	else
		lapic_accept(lapic, vector, false);
}

/* To whom a fixed IPI to one vCPU goes, as most do; NULL: it is of another kind,
 * or to nobody. */
static struct lapic *find_one(struct lapic *lapic, uint64_t icr)
{
	const struct vm *vm = lapic->vcpu->vm;
	uint64_t destination = FIELD_GET(ICR_DESTINATION, icr);

	if (icr & (ICR_DELIVERY | ICR_LOGICAL))
		return NULL;
	if (FIELD_GET(ICR_SHORTHAND, icr) == SHORTHAND_SELF)
		return lapic;
	if (icr & ICR_SHORTHAND || destination >= vm->vcpu_count)
		return NULL;
	return vm->vcpus[destination]->lapic;
}

static void send_message(struct lapic *lapic, uint64_t icr)
{
	struct apic_message message = {
		.destination = (uint32_t)FIELD_GET(ICR_DESTINATION, icr),
		.vector = (uint8_t)FIELD_GET(ICR_VECTOR, icr),
		.delivery = (uint8_t)FIELD_GET(ICR_DELIVERY, icr),
		.is_logical = icr & ICR_LOGICAL,
	};
	const struct lapic *except = NULL;

	switch ((enum icr_shorthand)FIELD_GET(ICR_SHORTHAND, icr)) {
	case SHORTHAND_SELF: take_message(lapic, &message); return;
	case SHORTHAND_NONE: break;
	case SHORTHAND_OTHERS: except = lapic; /* fall through */
	case SHORTHAND_ALL: message.destination = EVERYBODY; break;
	}
	deliver(lapic->vcpu->vm, &message, except);
}

/* IPIs are edge-triggered whatever the trigger mode says: 11.6.1, table "Valid
 * Combinations for the Pentium 4 and Intel Xeon Processors' Local xAPIC Interrupt
 * Command Register". */
void lapic_send_ipi(struct lapic *lapic, uint64_t icr)
{
	struct lapic *one = find_one(lapic, icr);

	if (is_illegal(icr))
		lapic_report_error(lapic, ESR_SEND_ILLEGAL_VECTOR);
	else if (one)
		accept(one, (uint8_t)FIELD_GET(ICR_VECTOR, icr), false);
	else if (!is_deassert(icr))
		send_message(lapic, icr);
}

/* 11.5.1 "Local Vector Table". Timer and error have no delivery mode: 0 is fixed.
 * ExtINT is not a message: lapic_takes_extint. */
void lapic_signal(struct lapic *lapic, enum lapic_lvt entry)
{
	uint32_t value = __atomic_load_n(&lapic->lvt[entry], __ATOMIC_RELAXED);
	struct apic_message message = {
		.vector = (uint8_t)FIELD_GET(LVT_VECTOR, value),
		.delivery = (uint8_t)FIELD_GET(LVT_DELIVERY, value),
	};

	if (!(value & LVT_MASKED) && message.delivery != APIC_STARTUP)
		take_message(lapic, &message);
}
