/* What goes into the guest next. */
#include "kernel/event.h"

#include "drivers/pc/lapic.h"
#include "drivers/pc/pc.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate.h"
#include "kernel/vm.h"

#define OPCODE_HLT 0xf4

/*
 * What an exception does that comes up while another event is being delivered.
 * SDM 3A 6.15 "Exception and Interrupt Reference", "Interrupt 8—Double Fault
 * Exception", tables "Interrupt and Exception Classes" and "Conditions for
 * Generating a Double Fault"; APM 2 8.2.9 "#DF—Double-Fault Exception".
 *
 *	first \ second	benign	contributory	page fault
 *	benign		first	first		first
 *	contributory	first	#DF		first
 *	page fault	first	#DF		#DF
 *	double fault	first	shutdown	shutdown
 *
 * "first": one after the other. The first event is delivered again, and what
 * came up comes up again by itself, in the CPU.
 */
enum event_class {
	CLASS_BENIGN, /* and all that are no hardware exceptions */
	CLASS_CONTRIBUTORY,
	CLASS_PAGE_FAULT,
	CLASS_DOUBLE_FAULT,
};

enum nesting { NESTING_FIRST, NESTING_DOUBLE_FAULT, NESTING_SHUTDOWN };

static enum event_class classify(uint8_t vector)
{
	switch (vector) {
	case VECTOR_DE:
	case VECTOR_TS:
	case VECTOR_NP:
	case VECTOR_SS:
	case VECTOR_GP:
	case VECTOR_CP: return CLASS_CONTRIBUTORY;
	case VECTOR_PF:
	case VECTOR_VE: return CLASS_PAGE_FAULT;
	case VECTOR_DF: return CLASS_DOUBLE_FAULT;
	default: return CLASS_BENIGN;
	}
}

static enum nesting nest(const struct event *first, uint8_t vector)
{
	enum event_class before = CLASS_BENIGN;
	enum event_class now = classify(vector);

	if (first->kind == EVENT_EXCEPTION)
		before = classify(first->vector);
	if (before == CLASS_BENIGN || now == CLASS_BENIGN)
		return NESTING_FIRST;
	if (before == CLASS_DOUBLE_FAULT)
		return NESTING_SHUTDOWN;
	if (before == CLASS_CONTRIBUTORY && now == CLASS_PAGE_FAULT)
		return NESTING_FIRST;
	return NESTING_DOUBLE_FAULT;
}

/* In real mode exceptions push no error code: SDM 3A 6.13 "Error Code". */
static bool pushes_error(const struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	return mode.cr0 & CR0_PE;
}

static void raise(struct vcpu *vcpu, struct event event)
{
	event.kind = EVENT_EXCEPTION;
	event.has_error = event.has_error && pushes_error(vcpu);
	if (vcpu->event.kind == EVENT_NONE) {
		vcpu->event = event;
		return;
	}
	switch (nest(&vcpu->event, event.vector)) {
	case NESTING_FIRST: break;
	case NESTING_DOUBLE_FAULT:
		vcpu->event = (struct event){ .kind = EVENT_EXCEPTION,
					      .vector = VECTOR_DF,
					      .has_error = pushes_error(vcpu) };
		break;
	case NESTING_SHUTDOWN:
		vcpu->event.kind = EVENT_NONE;
		vm_triple_fault(vcpu);
		break;
	}
}

void event_raise(struct vcpu *vcpu, uint8_t vector)
{
	raise(vcpu, (struct event){ .vector = vector });
}

void event_raise_error(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
	raise(vcpu, (struct event){ .vector = vector,
				    .has_error = true,
				    .error_code = error_code });
}

void event_raise_page_fault(struct vcpu *vcpu, uint64_t address,
			    uint32_t error_code)
{
	raise(vcpu, (struct event){ .vector = VECTOR_PF,
				    .has_error = true,
				    .error_code = error_code,
				    .address = address });
}

static bool has_extint(const struct vcpu *vcpu)
{
	return lapic_takes_extint(vcpu->lapic) && pc_has_extint(vcpu->vm);
}

/*
 * Behind STI or MOV SS nothing is taken before the next instruction is done. If
 * that is HLT there will be no moment to ask for: the CPU would sleep with the
 * interrupt waiting, because not every back end's CPU keeps the shadow across
 * the exit. So the HLT counts as executed, and the interrupt wakes it.
 */
static bool is_past_hlt(struct vcpu *vcpu)
{
	struct cpu_mode mode;
	uint8_t opcode;

	if (!emulate_fetch_byte(vcpu, 0, &opcode) || opcode != OPCODE_HLT)
		return false;
	vcpu_ops->read_mode(vcpu, &mode);
	if (mode.cpl)
		return false;
	vcpu->regs.rip++;
	if (mode.code_size != 8)
		vcpu->regs.rip = (uint32_t)vcpu->regs.rip;
	vcpu->is_shadowed = false;
	return true;
}

static bool can_interrupt(struct vcpu *vcpu)
{
	if (!(vcpu->regs.rflags & RFLAGS_IF))
		return false;
	return !vcpu->is_shadowed || is_past_hlt(vcpu);
}

/* What waits for an exit that says that it can be taken. A vector that the task
 * priority does not hold back waits for an EOI, which is no secret. */
static uint32_t waiting(struct vcpu *vcpu)
{
	int vector = lapic_next_vector(vcpu->lapic);
	uint32_t windows = vcpu->is_nmi_pending ? WINDOW_NMI : 0;

	if (vector >= 0 || has_extint(vcpu))
		windows |= WINDOW_INTERRUPT;
	if (vector == LAPIC_MASKED && vcpu->tpr >> 4)
		windows |= WINDOW_TPR;
	return windows;
}

static bool take_nmi(struct vcpu *vcpu)
{
	if (!vcpu->is_nmi_pending || vcpu->is_shadowed ||
	    vcpu_ops->is_nmi_blocked(vcpu))
		return false;
	vcpu->is_nmi_pending = false;
	vcpu->event = (struct event){ .kind = EVENT_NMI, .vector = VECTOR_NMI };
	return true;
}

static bool take_interrupt(struct vcpu *vcpu)
{
	int vector = lapic_next_vector(vcpu->lapic);
	bool is_extint = vector < 0 && has_extint(vcpu);

	if (vector < 0 && !is_extint)
		return false;
	if (!can_interrupt(vcpu))
		return false;
	if (is_extint)
		vector = pc_take_extint(vcpu->vm);
	else
		lapic_take_vector(vcpu->lapic, (uint8_t)vector);
	vcpu->event = (struct event){ .kind = EVENT_INTERRUPT,
				      .vector = (uint8_t)vector };
	return true;
}

/* Asked again even if it is the same: the back end may only now be able to. */
static void ask(struct vcpu *vcpu, uint32_t windows)
{
	if (!(windows | vcpu->windows))
		return;
	vcpu->windows = (uint8_t)windows;
	vcpu_ops->set_windows(vcpu, windows);
	/* what blocks an NMI may end without an exit of its own: look each time */
	if (windows & WINDOW_NMI)
		vcpu->is_event_due = true;
}

/*
 * An NMI waits and nothing blocks it, but something else goes in first: no window
 * opens that would tell. So come out again as soon as that is in.
 */
static void come_back_for_nmi(struct vcpu *vcpu)
{
	if (vcpu->is_nmi_pending && !vcpu_ops->is_nmi_blocked(vcpu))
		vcpu_request(vcpu, REQUEST_EVENT);
}

void event_prepare(struct vcpu *vcpu)
{
	if (vcpu->event.kind != EVENT_NONE || take_nmi(vcpu) ||
	    take_interrupt(vcpu)) {
		vcpu_ops->inject(vcpu, &vcpu->event);
		vcpu->event.kind = EVENT_NONE;
		come_back_for_nmi(vcpu);
	}
	ask(vcpu, waiting(vcpu));
}

bool event_is_waking(const struct vcpu *vcpu)
{
	if (vcpu->event.kind != EVENT_NONE)
		return true;
	if (vcpu->is_nmi_pending && !vcpu_ops->is_nmi_blocked(vcpu))
		return true;
	return (vcpu->regs.rflags & RFLAGS_IF) &&
	       (lapic_has_vector(vcpu->lapic) || has_extint(vcpu));
}
