/*
 * Injection, and the exits that say when it is possible. APM 2 15.20 "Event
 * Injection", 15.21 "Interrupt and Local APIC Support".
 *
 * NMIs are blocked from one's delivery to the guest's IRET. SVM exits before the
 * IRET, so the block lasts until that instruction has been executed: if an NMI
 * waits, the IRET is single-stepped, else a later exit at another RIP shows it. An
 * NMI that comes behind STI or MOV SS waits in the same way.
 */
#include "kernel/cpu/x86_regs.h"
#include "svm/svm_vcpu.h"

static void set_intercept1(struct vmcb *vmcb, uint32_t bits, bool on)
{
	if (on)
		vmcb->control.intercept1 |= bits;
	else
		vmcb->control.intercept1 &= ~bits;
	vmcb->control.clean &= ~VMCB_CLEAN_INTERCEPTS;
}

void svm_inject(struct vcpu *vcpu, const struct event *event)
{
	static const uint8_t types[] = {
		[EVENT_INTERRUPT] = VMCB_EVENT_INTERRUPT,
		[EVENT_NMI] = VMCB_EVENT_NMI,
		[EVENT_EXCEPTION] = VMCB_EVENT_EXCEPTION,
	};
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	vmcb->control.event_inj =
		event->vector | FIELD_PUT(VMCB_EVENT_TYPE, types[event->kind]) |
		VMCB_EVENT_VALID |
		(event->has_error
			 ? VMCB_EVENT_HAS_ERROR | FIELD_PUT(VMCB_EVENT_ERROR,
							    event->error_code)
			 : 0);
	if (event->kind == EVENT_EXCEPTION && event->vector == VECTOR_PF) {
		vmcb->save.cr2 = event->address;
		vmcb->control.clean &= ~VMCB_CLEAN_CR2;
	}
	if (event->kind == EVENT_EXCEPTION && event->vector == VECTOR_DB) {
		/* the handler may use DR7: SDM 3B 17.2.4 "Debug Control
		 * Register (DR7)", GD */
		vmcb->save.dr7 &= ~DR7_GD;
		vmcb->control.clean &= ~VMCB_CLEAN_DR;
	}
	if (event->kind == EVENT_NMI) {
		svm->is_nmi_blocked = true;
		svm->is_iret_seen = false;
		set_intercept1(vmcb, VMCB_IRET, true);
	}
}

/* The virtual interrupt is only a bell: its VINTR exit says that the guest takes
 * interrupts now; what is injected then is chosen then. */
static void set_interrupt_window(struct vmcb *vmcb, bool on)
{
	if (on)
		vmcb->control.v_intr |= VMCB_V_IRQ | VMCB_V_IGN_TPR;
	else
		vmcb->control.v_intr &= ~(VMCB_V_IRQ | VMCB_V_IGN_TPR);
	vmcb->control.clean &= ~VMCB_CLEAN_TPR;
	set_intercept1(vmcb, VMCB_VINTR, on);
}

/* An NMI waits for the end of one instruction: of the IRET, or of the one behind
 * STI or MOV SS. While something else goes in there is nothing to step. */
static void step(struct vcpu *vcpu, struct svm_vcpu *svm)
{
	if (svm->vmcb->control.event_inj ||
	    (!svm->is_iret_seen && !vcpu->is_shadowed))
		return;
	svm->is_stepping = true;
	svm->step_rip = vcpu->regs.rip;
}

void svm_set_windows(struct vcpu *vcpu, uint32_t windows)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	set_interrupt_window(vmcb, windows & WINDOW_INTERRUPT);
	if (windows & WINDOW_TPR)
		vmcb->control.intercept_cr |= VMCB_CR_WRITE(8);
	else
		vmcb->control.intercept_cr &= ~(uint32_t)VMCB_CR_WRITE(8);
	if (windows & WINDOW_NMI)
		step(vcpu, svm);
}

bool svm_is_nmi_blocked(const struct vcpu *vcpu)
{
	return svm_of(vcpu)->is_nmi_blocked;
}

/* An exit at the IRET. */
void svm_note_iret(struct svm_vcpu *svm)
{
	svm->is_iret_seen = true;
	svm->step_rip = svm->vmcb->save.rip;
	set_intercept1(svm->vmcb, VMCB_IRET, false);
}

/*
 * What goes in pushes the flags, which are not to have our TF. And an instruction
 * that was executed in software needs no step any more. RF: the breakpoint there,
 * if there is one, has had its turn.
 */
void svm_begin_step(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);

	if (svm->vmcb->control.event_inj || vcpu->regs.rip != svm->step_rip)
		svm->is_stepping = false;
	else
		svm->vmcb->save.rflags |= RFLAGS_TF | RFLAGS_RF;
}

void svm_check_step(struct svm_vcpu *svm)
{
	if (svm->vmcb->save.rip == svm->step_rip)
		return;
	if (svm->is_iret_seen)
		svm->is_nmi_blocked = false;
	svm->is_iret_seen = false;
	svm->is_stepping = false;
}

void svm_reset_events(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);

	svm->is_nmi_blocked = false;
	svm->is_iret_seen = false;
	svm->is_stepping = false;
	svm->vmcb->control.event_inj = 0;
	set_intercept1(svm->vmcb, VMCB_IRET, false);
	svm_set_windows(vcpu, 0);
}
