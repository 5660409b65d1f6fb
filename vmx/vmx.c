/*
 * The Intel back end: SDM 3C chapters 24 to 31.
 *
 *	vmx.c		CPUs, control blocks, the run operation
 *	vmx_entry.asm	the world switch
 *	vmx_exit.c	exit reasons in neutral words
 *	vmx_event.c	injection and windows
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

#include "kernel/cpu/time.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/exit_cpuid.h"
#include "kernel/exit_msr.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"
#include "kernel/lib/log_ring.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "vmx/ept.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_check.h"
#include "vmx/vmx_cpu.h"

/* SDM 3D appendix A */
#define MSR_IA32_VMX_MISC		 0x485
#define MSR_IA32_VMX_CR0_FIXED0		 0x486
#define MSR_IA32_VMX_CR0_FIXED1		 0x487
#define MSR_IA32_VMX_CR4_FIXED0		 0x488
#define MSR_IA32_VMX_CR4_FIXED1		 0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2	 0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP	 0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS	 0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS	 0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS	 0x490

#define EPTP_WRITE_BACK 6
#define EPTP_LEVELS	FIELD_PUT(BITS(5, 3), 4 - 1)

#define VIRTUAL_APIC_TPR 0x80
#define VPID_COUNT	 0x10000

/* Written once by vmx_probe and the boot CPU's vmx_cpu_start. */
static struct vmx_caps caps;
static struct vmx_controls controls;
static hpa_t msr_map; /* the same for all guests: but msr_direct all exit */

PERCPU struct vmx_cpu vmx_cpu;

/* vmx_entry.asm */
bool vmx_enter(struct vcpu_regs *regs, uint64_t *host_rsp, bool is_launched);
void vmx_exited(void);

/* Absent where nothing of it is supported: it reads 0 then. A CPU without the
 * true ones is refused, so the others need not be read. */
static void read_caps(void)
{
	const struct {
		uint32_t msr;
		uint64_t *value;
	} rows[] = {
		{ MSR_IA32_FEATURE_CONTROL, &caps.feature_control },
		{ MSR_IA32_VMX_BASIC, &caps.basic },
		{ MSR_IA32_VMX_TRUE_PINBASED_CTLS, &caps.pin },
		{ MSR_IA32_VMX_TRUE_PROCBASED_CTLS, &caps.processor },
		{ MSR_IA32_VMX_PROCBASED_CTLS2, &caps.processor2 },
		{ MSR_IA32_VMX_TRUE_EXIT_CTLS, &caps.exit },
		{ MSR_IA32_VMX_TRUE_ENTRY_CTLS, &caps.entry },
		{ MSR_IA32_VMX_MISC, &caps.misc },
		{ MSR_IA32_VMX_CR0_FIXED0, &caps.cr0_fixed0 },
		{ MSR_IA32_VMX_CR0_FIXED1, &caps.cr0_fixed1 },
		{ MSR_IA32_VMX_CR4_FIXED0, &caps.cr4_fixed0 },
		{ MSR_IA32_VMX_CR4_FIXED1, &caps.cr4_fixed1 },
		{ MSR_IA32_VMX_EPT_VPID_CAP, &caps.ept_vpid },
	};

	caps.has_vmx = x86_cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
	if (!caps.has_vmx)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		x86_rdmsr_safe(rows[i].msr, rows[i].value);
}

int vmx_probe(struct diag *why)
{
	char text[LOG_TEXT_MAX - 8];
	int err;

	read_caps();
	if (caps.has_vmx) {
		vmx_caps_print(&caps, text, sizeof(text));
		log_info("vmx: %s", text);
	}
	err = vmx_caps_check(&caps, why);
	if (!err)
		controls = vmx_caps_controls(&caps);
	return err;
}

/* A bit an MSR, reads of both ranges and then writes: SDM 3C 25.6.9 "MSR-Bitmap
 * Address". */
static void allow_msr(uint8_t *map, const struct msr_direct *direct)
{
	static const uint32_t first[] = { 0, 0xc0000000 };

	for (uint32_t i = 0; i < ARRAY_SIZE(first); i++) {
		uint32_t bit = direct->msr - first[i];

		if (bit >= 0x2000)
			continue;
		map[i * 0x400 + bit / 8] &= (uint8_t) ~(1U << bit % 8);
		if (direct->can_write)
			map[0x800 + i * 0x400 + bit / 8] &=
				(uint8_t) ~(1U << bit % 8);
	}
}

static int make_msr_map(void)
{
	msr_map = frame_alloc(0, cpu_node());
	if (hpa_equals(msr_map, HPA_NONE))
		return -ENOMEM;
	memset(phys_to_virt(msr_map), 0xff, PAGE_SIZE);
	for (uint32_t i = 0; i < msr_direct_count; i++)
		allow_msr(phys_to_virt(msr_map), &msr_direct[i]);
	return 0;
}

/* A frame that begins with the revision of the CPU's VMCS format. */
static hpa_t make_region(void)
{
	hpa_t region = frame_alloc_zeroed(0, cpu_node());

	if (!hpa_equals(region, HPA_NONE))
		*(uint32_t *)phys_to_virt(region) =
			(uint32_t)(caps.basic & VMX_BASIC_REVISION);
	return region;
}

/* The firmware may have left it to us: SDM 3C 24.7 "Enabling and Entering VMX
 * Operation". */
static void unlock(void)
{
	if (!(x86_rdmsr(MSR_IA32_FEATURE_CONTROL) & FEATURE_CONTROL_LOCK))
		x86_wrmsr(MSR_IA32_FEATURE_CONTROL,
			  FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
}

static int vmx_cpu_start(void)
{
	struct vmx_cpu *cpu = this_cpu(vmx_cpu);
	hpa_t region = make_region();

	if (hpa_equals(region, HPA_NONE) ||
	    (cpu_number() == 0 && make_msr_map()))
		return -ENOMEM;
	unlock();
	x86_write_cr0(x86_read_cr0() | caps.cr0_fixed0);
	x86_write_cr4(x86_read_cr4() | caps.cr4_fixed0 | CR4_VMXE);
	if (!vmx_vmxon(region))
		return -EIO;
	cpu->vpid_generation = 1;
	cpu->next_vpid = 1; /* 0 is the hypervisor's */
	/* what ran here before us */
	vmx_invept(VMX_ALL_CONTEXTS, 0);
	if (controls.processor2 & VMCS_PROC2_VPID)
		vmx_invvpid(VMX_ALL_CONTEXTS, 0);
	return 0;
}

static uint8_t vmx_memory_leaf_level(void)
{
	return caps.ept_vpid & VMX_EPT_2M ? 2 : 1;
}

/* No CPU's any more; runs on the one that has it. */
static void leave_cpu(void *argument)
{
	struct vmx_vcpu *vmx = argument;
	struct vmx_cpu *cpu = this_cpu(vmx_cpu);

	if (cpu->live == vmx)
		vmx_live_unload(cpu);
	if (cpu->current == vmx)
		cpu->current = NULL;
	vmx_vmclear(vmx->vmcs);
	vmx->active_cpu = VMX_NO_CPU;
	vmx->is_launched = false;
	vmx->is_host_set = false;
}

void vmx_open(const struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);
	struct vmx_cpu *cpu = this_cpu(vmx_cpu);

	if (cpu->current == vmx)
		return;
	if (vmx->active_cpu != VMX_NO_CPU && vmx->active_cpu != cpu_number())
		smp_call(vmx->active_cpu, leave_cpu, vmx);
	if (!vmx_vmptrld(vmx->vmcs))
		panic("vmx: the CPU refused a VMCS");
	cpu->current = vmx;
	vmx->active_cpu = cpu_number();
}

void vmx_close(const struct vcpu *vcpu)
{
	if (vcpu->cpu != cpu_number())
		leave_cpu(vmx_of(vcpu));
}

/*
 * What always exits. #DB and #AC because a guest can make the CPU raise them
 * without end, which no interrupt would end (CVE-2015-8104, CVE-2015-5307); #UD
 * because VMMCALL is a hypercall here too; #MC is the machine's.
 */
#define EXCEPTIONS \
	(BIT(VECTOR_DB) | BIT(VECTOR_UD) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

/* Spins of PAUSEs no more than so many cycles apart exit after so many. */
#define PAUSE_GAP    128
#define PAUSE_WINDOW 4096

static void write_controls(struct vmx_vcpu *vmx)
{
	vmcs_write(VMCS_PIN_CONTROLS, vmx->controls.pin);
	vmcs_write(VMCS_PROC_CONTROLS, vmx->controls.processor);
	vmcs_write(VMCS_PROC2_CONTROLS, vmx->controls.processor2);
	vmcs_write(VMCS_EXIT_CONTROLS, vmx->controls.exit);
	vmcs_write(VMCS_ENTRY_CONTROLS, vmx->controls.entry);
	vmcs_write(VMCS_EXCEPTION_BITMAP, EXCEPTIONS);
	vmcs_write(VMCS_PF_ERROR_MASK, 0);
	vmcs_write(VMCS_PF_ERROR_MATCH, 0);
	vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write(VMCS_LINK_POINTER, UINT64_MAX);
	vmcs_write(VMCS_EPTP, vmx->eptp);
	vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
}

/* Fields that exist only where the CPU has the feature. */
static void write_optional(struct vmx_vcpu *vmx)
{
	uint32_t second = vmx->controls.processor2;

	if (vmx->controls.processor & VMCS_PROC_MSR_BITMAP)
		vmcs_write(VMCS_MSR_BITMAP, msr_map.value);
	if (vmx->controls.processor & VMCS_PROC_TPR_SHADOW) {
		vmcs_write(VMCS_VIRTUAL_APIC_PAGE,
			   virt_to_phys(vmx->virtual_apic).value);
		vmcs_write(VMCS_TPR_THRESHOLD, 0);
	}
	if (second & VMCS_PROC2_PAUSE_LOOP) {
		vmcs_write(VMCS_PLE_GAP, PAUSE_GAP);
		vmcs_write(VMCS_PLE_WINDOW, PAUSE_WINDOW);
	}
	if (second & VMCS_PROC2_ENCLS)
		vmcs_write(VMCS_ENCLS_EXITING_BITMAP, UINT64_MAX);
	if (second & VMCS_PROC2_XSAVES)
		vmcs_write(VMCS_XSS_EXITING_BITMAP, 0);
}

/* 10 ms. */
static uint32_t run_ticks(void)
{
	uint64_t shift = FIELD_GET(VMX_MISC_TIMER_SHIFT, caps.misc);

	return (uint32_t)min_u64(time_tsc_hz() / 100 >> shift, UINT32_MAX);
}

/*
 * CR0: the CPU wants NE; CD and NW would be the machine's. CR4: the CPU wants
 * VMXE; MCE is the machine's; what CPUID does not show must not be set.
 */
static void set_control_registers(struct vmx_vcpu *vmx, const struct vcpu *vcpu)
{
	uint64_t cr0_needed = caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
	uint64_t machine_cr4 = x86_read_cr4() & (CR4_VMXE | CR4_MCE);

	vmx->cr0_mask = cr0_needed | ~caps.cr0_fixed1 | CR0_CD | CR0_NW;
	vmx->cr0_fixed = cr0_needed;
	vmx->cr4_mask = caps.cr4_fixed0 | ~caps.cr4_fixed1 | CR4_VMXE |
			CR4_MCE | ~cpuid_cr4_mask(vcpu->vm->cpuid);
	vmx->cr4_fixed = caps.cr4_fixed0 | machine_cr4;
	vmcs_write(VMCS_CR0_MASK, vmx->cr0_mask);
	vmcs_write(VMCS_CR4_MASK, vmx->cr4_mask);
}

static int allocate(struct vmx_vcpu *vmx)
{
	hpa_t virtual_apic = frame_alloc_zeroed(0, cpu_node());

	if (hpa_equals(virtual_apic, HPA_NONE))
		return -ENOMEM;
	vmx->vmcs = make_region();
	if (hpa_equals(vmx->vmcs, HPA_NONE)) {
		frame_free(virtual_apic, 0);
		return -ENOMEM;
	}
	vmx->virtual_apic = phys_to_virt(virtual_apic);
	return 0;
}

static int vmx_create(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = heap_alloc(sizeof(*vmx));

	if (!vmx)
		return -ENOMEM;
	if (allocate(vmx)) {
		heap_free(vmx);
		return -ENOMEM;
	}
	vcpu->backend = vmx;
	vmx->active_cpu = VMX_NO_CPU;
	vmx->controls = controls;
	vmx->run_ticks = run_ticks();
	vmx->eptp = vcpu->vm->memory.table.root.value | EPTP_WRITE_BACK |
		    EPTP_LEVELS;
	vmx_vmclear(vmx->vmcs);
	vmx_open(vcpu);
	write_controls(vmx);
	write_optional(vmx);
	if (controls.pin & VMCS_PIN_PREEMPTION_TIMER)
		vmcs_write(VMCS_PREEMPTION_TIMER, vmx->run_ticks);
	set_control_registers(vmx, vcpu);
	vmx_close(vcpu);
	return 0;
}

static void vmx_destroy(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	if (vmx->active_cpu != VMX_NO_CPU)
		smp_call(vmx->active_cpu, leave_cpu, vmx);
	frame_free(virt_to_phys(vmx->virtual_apic), 0);
	frame_free(vmx->vmcs, 0);
	heap_free(vmx);
	vcpu->backend = NULL;
}

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

static void give_vpid(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
{
	if (!(vmx->controls.processor2 & VMCS_PROC2_VPID))
		return;
	if (cpu->next_vpid == VPID_COUNT) {
		cpu->next_vpid = 1;
		cpu->vpid_generation++;
		vmx_invvpid(VMX_ALL_CONTEXTS, 0);
	}
	vmcs_write(VMCS_VPID, cpu->next_vpid++);
	vmx->vpid_generation = cpu->vpid_generation;
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

static __attribute__((noinline)) void flush(struct vmx_vcpu *vmx)
{
	vmx->is_flush_due = false;
	if (caps.ept_vpid & VMX_EPT_INVEPT_ONE)
		vmx_invept(VMX_ONE_CONTEXT, vmx->eptp);
	else
		vmx_invept(VMX_ALL_CONTEXTS, 0);
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
		give_vpid(vmx, cpu);
	if (vmx->is_flush_due)
		flush(vmx);
	write_regs(vcpu, vmx);
	if (!vcpu->is_shadowed)
		vmx->blocking &= ~(uint32_t)VMCS_SHADOW;
	if (vmx->blocking != vmx->interruptibility ||
	    (vmx->blocking & VMCS_SHADOW))
		vmx_write_blocking(vcpu);
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
	struct vmx_check_limits limits = {
		.physical_width = cpuid_address_bits(vcpu->vm->cpuid),
		.linear_width = cpuid_linear_bits(vcpu->vm->cpuid),
		.cr0_fixed0 = caps.cr0_fixed0,
		.cr0_fixed1 = caps.cr0_fixed1,
		.cr4_fixed0 = caps.cr4_fixed0,
		.cr4_fixed1 = caps.cr4_fixed1,
		.misc = caps.misc,
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

	before_entry(vcpu, vmx, this_cpu(vmx_cpu));
	if (!vmx_enter(&vcpu->regs, &vmx->host_rsp, vmx->is_launched)) {
		not_entered(vcpu);
		return;
	}
	vmx->is_launched = true;
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

const struct vcpu_ops vmx_ops = {
	.name = "vmx",
	.memory_format = &pt_format_ept,
	.cpu_start = vmx_cpu_start,
	.memory_leaf_level = vmx_memory_leaf_level,
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
