/*
 * Injection, and the exits that say when it is possible. SDM 3C 27.6 "Event
 * Injection", 26.2 "Other Causes of VM Exits".
 */
#include "kernel/cpu/x86_regs.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

/* The entry blocks NMIs, and is refused if they are blocked already: SDM 3C
 * 27.3.1.5 "Checks on Guest Non-Register State". */
static void block_by_nmi(struct vmx_vcpu *vmx)
{
	vmx->blocking &= ~(uint32_t)VMCS_BLOCKED_BY_NMI;
	vmx->nmi_block = VMCS_BLOCKED_BY_NMI;
}

void vmx_inject(struct vcpu *vcpu, const struct event *event)
{
	static const uint8_t types[] = {
		[EVENT_INTERRUPT] = VMCS_EVENT_INTERRUPT,
		[EVENT_NMI] = VMCS_EVENT_NMI,
		[EVENT_EXCEPTION] = VMCS_EVENT_EXCEPTION,
	};
	bool is_exception = event->kind == EVENT_EXCEPTION;

	vmx_open(vcpu);
	vmcs_write(VMCS_ENTRY_EVENT,
		   event->vector |
			   FIELD_PUT(VMCS_EVENT_TYPE, types[event->kind]) |
			   (event->has_error ? VMCS_EVENT_HAS_ERROR : 0) |
			   VMCS_EVENT_VALID);
	if (event->has_error)
		vmcs_write(VMCS_ENTRY_ERROR_CODE, event->error_code);
	if (event->kind == EVENT_NMI)
		block_by_nmi(vmx_of(vcpu));
	if (is_exception && event->vector == VECTOR_PF)
		vmx_live_write(vcpu, VMX_LIVE_CR2, event->address);
	/* the handler may use DR7: SDM 3B 18.2.4 "Debug Control Register
	 * (DR7)", GD */
	if (is_exception && event->vector == VECTOR_DB)
		vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~DR7_GD);
	vmx_close(vcpu);
}

/*
 * Behind STI some CPUs open the NMI window at once and refuse an NMI then (SDM 3C
 * 27.3.1.5 "Checks on Guest Non-Register State"), so there the interrupt window
 * has to do.
 */
static uint32_t window_bits(const struct vcpu *vcpu, uint32_t windows)
{
	bool is_behind_sti = vcpu->is_shadowed &&
			     (vmx_of(vcpu)->blocking & VMCS_BLOCKED_BY_STI);
	uint64_t bits = 0;

	if (windows & WINDOW_INTERRUPT)
		bits |= VMCS_PROC_INTERRUPT_WINDOW;
	if (windows & WINDOW_NMI)
		bits |= is_behind_sti ? VMCS_PROC_INTERRUPT_WINDOW
				      : VMCS_PROC_NMI_WINDOW;
	if (windows & WINDOW_TPR)
		bits |= VMCS_PROC_CR8_LOAD;
	return (uint32_t)bits;
}

void vmx_set_windows(struct vcpu *vcpu, uint32_t windows)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	vmx_open(vcpu);
	vmcs_write(VMCS_PROC_CONTROLS,
		   vmx->controls.processor | window_bits(vcpu, windows));
	vmx_close(vcpu);
}

bool vmx_is_nmi_blocked(const struct vcpu *vcpu)
{
	return vmx_of(vcpu)->blocking & VMCS_BLOCKED_BY_NMI;
}

/*
 * Who steps (RFLAGS.TF) is owed a #DB behind the shadow, and the CPU refuses a
 * state in which it is not pending: SDM 3C 27.3.1.5. Without the shadow that is not
 * owed, because who executed the instruction in software has raised it; breakpoints
 * that MOV SS met still are.
 */
static uint64_t pending_debug(const struct vcpu *vcpu, uint32_t blocking)
{
	uint64_t pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG);

	if (!(blocking & VMCS_SHADOW))
		return pending & ~VMCS_PENDING_BS;
	return vcpu->regs.rflags & RFLAGS_TF ? pending | VMCS_PENDING_BS
					     : pending;
}

void vmx_write_blocking(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	if ((vmx->blocking | vmx->interruptibility) & VMCS_SHADOW)
		vmcs_write(VMCS_GUEST_PENDING_DEBUG,
			   pending_debug(vcpu, vmx->blocking));
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, vmx->blocking);
	vmx->interruptibility = vmx->blocking;
}

void vmx_reset_events(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	vmx_open(vcpu);
	vmx->blocking = 0;
	vmx->nmi_block = 0;
	vmx->interruptibility = 0;
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_write(VMCS_GUEST_ACTIVITY, 0);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmx_close(vcpu);
	vmx_set_windows(vcpu, 0);
}
