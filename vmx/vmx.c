/*
 * The Intel back end: SDM 3C chapters 24 to 31.
 *
 *	vmx.c		the run operation
 *	vmx_probe.c	what the machine has
 *	vmx_cpu.c	CPUs: turning it on, tags, whose VMCS is current
 *	vmx_create.c	control blocks
 *	vmx_entry.asm	the world switch
 *	vmx_exit.c	exit reasons in neutral words
 *	vmx_event.c	injection and windows
 *	vmx_apic.c	what the CPU does of the local APIC's work
 *	vmx_state.c	registers and MSRs in the VMCS
 *	vmx_live.c	registers that no VMCS keeps
 *	vmx_host.c	the host's part of the VMCS
 *	vmx_caps.c	what the CPU has, and the controls made of it
 *	vmx_check.c	why an entry was refused
 *	ept.c		format of the extended page tables
 *
 * VPIDs belong to a CPU, as SVM's ASIDs do: a vCPU gets one when it is loaded;
 * when the CPU has none left, it forgets all and begins again with the next
 * generation. What a vCPU's translations of guest memory are worth is the EPT
 * tables' matter: INVEPT forgets them for all VPIDs.
 */
#include "vmx/vmx.h"

#include "kernel/lib/log.h"
#include "kernel/lib/panic.h"
#include "kernel/vm.h"
#include "vmx/ept.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_check.h"
#include "vmx/vmx_cpu.h"

#define VIRTUAL_APIC_TPR 0x80

/* vmx_entry.asm */
bool vmx_enter(struct vcpu_regs *regs, uint64_t *host_rsp, uint32_t flags);
void vmx_exited(void);

static void vmx_flush_tlb(struct vcpu *vcpu)
{
	vmx_of(vcpu)->is_flush_due = true;
}

static void vmx_reset(struct vcpu *vcpu)
{
	vmx_reset_events(vcpu);
	vmx_flush_tlb(vcpu);
}

static void vmx_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	vmx_open(vcpu);
	vmcs_write(VMCS_TSC_OFFSET, offset);
	vmx_close(vcpu);
}

/* On the CPU where the vCPU's thread runs, after it was anywhere else. */
static __attribute__((noinline)) void load(struct vcpu *vcpu,
					   struct vmx_vcpu *vmx,
					   struct vmx_cpu *cpu)
{
	vmx_open(vcpu);
	if (cpu->live != vmx)
		vmx_live_load(cpu, vmx);
	if (vmx->is_host_set)
		return;
	vmx_host_write(vmx_exited);
	vmx->is_host_set = true;
	vmx->host_rsp = 0;
	vmx->vpid_generation = 0;
	/* what is remembered of the guest's fields may be another CPU's */
	vmx->rip = ~vcpu->regs.rip;
	vmx->rsp = ~vcpu->regs.gpr[GPR_RSP];
	vmx->rflags = ~vcpu->regs.rflags;
}

static void write_regs(const struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
	if (vmx->rip != vcpu->regs.rip)
		vmcs_write(VMCS_GUEST_RIP, vcpu->regs.rip);
	if (vmx->rsp != vcpu->regs.gpr[GPR_RSP])
		vmcs_write(VMCS_GUEST_RSP, vcpu->regs.gpr[GPR_RSP]);
	if (vmx->rflags != vcpu->regs.rflags)
		vmcs_write(VMCS_GUEST_RFLAGS, vcpu->regs.rflags);
}

static void before_entry(struct vcpu *vcpu, struct vmx_vcpu *vmx,
			 struct vmx_cpu *cpu)
{
	if (cpu->current != vmx || cpu->live != vmx || !vmx->is_host_set)
		load(vcpu, vmx, cpu);
	if (vmx->vpid_generation != cpu->vpid_generation)
		vmx_give_vpid(vmx, cpu);
	if (vmx->is_flush_due)
		vmx_flush(vmx);
	write_regs(vcpu, vmx);
	if (!vcpu->is_shadowed)
		vmx->blocking &= ~(uint32_t)VMCS_SHADOW;
	if (vmx->blocking != vmx->interruptibility ||
	    (vmx->blocking & VMCS_SHADOW))
		vmx_write_blocking(vcpu);
	if (vcpu->apic.is_changed)
		vmx_apic_load(vcpu);
	vmx->virtual_apic[VIRTUAL_APIC_TPR] = vcpu->tpr;
}

/* Only an NMI that we injected blocks others. Bochs 2.7 shows a guest the block of
 * the one that ran before it. */
static uint32_t true_blocking(struct vmx_vcpu *vmx)
{
	vmx->nmi_block &= vmx->interruptibility;
	return (vmx->interruptibility & ~(uint32_t)VMCS_BLOCKED_BY_NMI) |
	       vmx->nmi_block;
}

static void after_exit(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
	vmx->rip = vcpu->regs.rip = vmcs_read(VMCS_GUEST_RIP);
	vmx->rsp = vcpu->regs.gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
	vmx->rflags = vcpu->regs.rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	vmx->interruptibility =
		(uint32_t)vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
	vmx->blocking = true_blocking(vmx);
	vcpu->is_shadowed = vmx->blocking & VMCS_SHADOW;
	vcpu->tpr = vmx->virtual_apic[VIRTUAL_APIC_TPR];
}

/* The rule that a state breaks is found by hand, because the CPU tells none. */
static __attribute__((noinline)) void refused(struct vcpu *vcpu,
					      const char *reason)
{
	uint32_t widths = x86_cpuid_or_zero(0x80000008, 0).eax;
	struct vmx_check_limits limits = {
		.physical_width = (uint8_t)widths,
		.linear_width = (uint8_t)(widths >> 8),
		.cr0_fixed0 = vmx_machine.caps.cr0_fixed0,
		.cr0_fixed1 = vmx_machine.caps.cr0_fixed1,
		.cr4_fixed0 = vmx_machine.caps.cr4_fixed0,
		.cr4_fixed1 = vmx_machine.caps.cr4_fixed1,
		.misc = vmx_machine.caps.misc,
	};
	const char *rule = vmx_check_controls(&limits);

	if (!rule)
		rule = vmx_check_guest_state(&limits);

	log_error("vmx: vm %s vCPU %u: %s: %s", vcpu->vm->name, vcpu->number,
		  reason, rule ? rule : "it breaks no known rule");
}

static __attribute__((noinline)) void not_entered(struct vcpu *vcpu)
{
	uint32_t error = (uint32_t)vmcs_read(VMCS_INSN_ERROR);

	vcpu->exit.reason = EXIT_REFUSED;
	vcpu->exit.code = error;
	refused(vcpu, vmx_insn_error_name(error));
}

static void vmx_run(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);
	uint32_t reason;

	VMCS_COUNT(runs);
	before_entry(vcpu, vmx, this_cpu(vmx_cpu));
	if (!vmx_enter(&vcpu->regs, &vmx->host_rsp, vmx->enter_flags)) {
		not_entered(vcpu);
		return;
	}
	vmx->enter_flags |= VMX_ENTER_LAUNCHED;
	after_exit(vcpu, vmx);
	reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);
	if (reason == VMCS_EXIT_MACHINE_CHECK)
		panic("machine check while a guest was entered");
	vmx_decode_exit(vcpu, reason);
	if (vcpu->exit.reason == EXIT_NMI)
		vmx_take_nmi();
	else if (vcpu->exit.reason == EXIT_REFUSED)
		refused(vcpu, "state refused");
}

struct vcpu_ops vmx_ops = {
	.name = "vmx",
	.memory_format = &pt_format_ept,
	.cpu_start = vmx_cpu_start,
	.create = vmx_create,
	.destroy = vmx_destroy,
	.reset = vmx_reset,
	.run = vmx_run,
	.inject = vmx_inject,
	.set_windows = vmx_set_windows,
	.is_nmi_blocked = vmx_is_nmi_blocked,
	.read_mode = vmx_read_mode,
	.read_segment = vmx_read_segment,
	.read_state = vmx_read_state,
	.write_state = vmx_write_state,
	.read_msr = vmx_read_msr,
	.write_msr = vmx_write_msr,
	.set_tsc_offset = vmx_set_tsc_offset,
	.flush_tlb = vmx_flush_tlb,
};
