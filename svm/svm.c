/*
 * The AMD back end: APM 2 chapter 15 "Secure Virtual Machine".
 *
 *	svm.c		CPUs, control blocks, the run operation
 *	svm_entry.asm	the world switch
 *	svm_exit.c	exit codes in neutral words
 *	svm_event.c	injection and windows
 *	svm_state.c	registers and MSRs in the VMCB
 *	npt.c		format of the nested page tables
 *
 * ASIDs belong to a CPU: a vCPU gets one when it is loaded, and a new one when
 * its translations must go; when the CPU has none left, it flushes all and
 * begins again with the next generation. VMCB clean bits follow writes to the
 * VMCB.
 */
#include "svm/svm.h"

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/exit_cpuid.h"
#include "kernel/exit_msr.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "svm/npt.h"
#include "svm/svm_asm.h"
#include "svm/svm_caps.h"
#include "svm/svm_vcpu.h"

/* Written once by svm_probe. */
static struct svm_caps caps;

/* The same for all guests: all ports exit; MSRs but those of msr_direct. */
#define IO_MAP_ORDER  2 /* 12 KiB */
#define MSR_MAP_ORDER 1 /* 8 KiB */
static hpa_t io_map, msr_map;

/* Legend: only the CPU itself. */
struct svm_cpu {
	hpa_t host_vmcb; /* what VMLOAD gives us back */
	uint64_t asid_generation;
	uint32_t next_asid;
	bool is_flush_needed; /* at the first entry of the generation */
};

static PERCPU struct svm_cpu svm_cpu;

/* svm_entry.asm */
void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host_vmcb);

static void read_caps(void)
{
	struct cpuid leaf = x86_cpuid_or_zero(0x8000000a, 0);

	caps.has_svm = x86_cpuid(0x80000001, 0).ecx & CPUID_EXT1_ECX_SVM;
	if (!caps.has_svm)
		return;
	caps.revision = leaf.eax & 0xff;
	caps.asid_count = leaf.ebx;
	caps.features = leaf.edx;
	x86_rdmsr_safe(MSR_VM_CR, &caps.vm_cr);
}

int svm_probe(struct diag *why)
{
	char text[200];

	read_caps();
	if (caps.has_svm) {
		svm_caps_print(&caps, text, sizeof(text));
		log_info("svm: %s", text);
	}
	return svm_caps_check(&caps, why);
}

/* Two bits an MSR, read and write: APM 2 15.11 "MSR Intercepts". */
static void allow_msr(uint8_t *map, const struct msr_direct *direct)
{
	static const uint32_t first[] = { 0, 0xc0000000, 0xc0010000 };

	for (uint32_t i = 0; i < ARRAY_SIZE(first); i++) {
		uint32_t bit = (direct->msr - first[i]) * 2;

		if (direct->msr - first[i] >= 0x2000)
			continue;
		map[i * 0x800 + bit / 8] &=
			(uint8_t) ~((direct->can_write ? 3U : 1U) << bit % 8);
	}
}

static int make_maps(void)
{
	io_map = frame_alloc(IO_MAP_ORDER, cpu_node());
	msr_map = frame_alloc(MSR_MAP_ORDER, cpu_node());
	if (hpa_equals(io_map, HPA_NONE) || hpa_equals(msr_map, HPA_NONE))
		return -ENOMEM;
	memset(phys_to_virt(io_map), 0xff, PAGE_SIZE << IO_MAP_ORDER);
	memset(phys_to_virt(msr_map), 0xff, PAGE_SIZE << MSR_MAP_ORDER);
	for (uint32_t i = 0; i < msr_direct_count; i++)
		allow_msr(phys_to_virt(msr_map), &msr_direct[i]);
	return 0;
}

static int svm_cpu_start(void)
{
	struct svm_cpu *cpu = this_cpu(svm_cpu);
	hpa_t save_area = frame_alloc_zeroed(0, cpu_node());

	cpu->host_vmcb = frame_alloc_zeroed(0, cpu_node());
	if (hpa_equals(save_area, HPA_NONE) ||
	    hpa_equals(cpu->host_vmcb, HPA_NONE))
		return -ENOMEM;
	if (cpu_number() == 0 && make_maps())
		return -ENOMEM;
	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_SVME);
	x86_wrmsr(MSR_VM_HSAVE_PA, save_area.value);
	svm_vmsave(cpu->host_vmcb);
	cpu->asid_generation = 1;
	cpu->next_asid = 1;
	cpu->is_flush_needed = true; /* what ran here before us */
	return 0;
}

/*
 * What always exits. #DB and #AC because a guest can make the CPU raise them
 * without end, which no interrupt would end (CVE-2015-8104, CVE-2015-5307); #UD
 * because VMCALL is a hypercall here too; #MC is the machine's.
 */
static void set_intercepts(struct vmcb_control *control)
{
	control->intercept_exceptions = BIT(VECTOR_DB) | BIT(VECTOR_UD) |
					BIT(VECTOR_AC) | BIT(VECTOR_MC);
	control->intercept1 = VMCB_INTR | VMCB_NMI | VMCB_SMI | VMCB_INIT |
			      VMCB_RDPMC | VMCB_CPUID | VMCB_INVD | VMCB_HLT |
			      VMCB_INVLPGA | VMCB_IOIO | VMCB_MSR |
			      VMCB_FERR_FREEZE | VMCB_SHUTDOWN;
	control->intercept2 = VMCB_VMRUN | VMCB_VMMCALL | VMCB_VMLOAD |
			      VMCB_VMSAVE | VMCB_STGI | VMCB_CLGI |
			      VMCB_SKINIT | VMCB_WBINVD | VMCB_MONITOR |
			      VMCB_MWAIT | VMCB_XSETBV | VMCB_RDPRU;
	control->intercept3 = VMCB_INVLPGB | VMCB_INVLPGB_ILLEGAL |
			      VMCB_MCOMMIT | VMCB_TLBSYNC;
}

/* Spins of so many PAUSEs without a break of more than the threshold's cycles
 * exit: a waiting vCPU gives way. */
#define PAUSE_COUNT	3000
#define PAUSE_THRESHOLD 128

static void set_pause_filter(struct vmcb_control *control)
{
	if (!(caps.features & SVM_FEATURE_PAUSE_FILTER))
		return;
	control->intercept1 |= VMCB_PAUSE;
	control->pause_filter_count = PAUSE_COUNT;
	if (caps.features & SVM_FEATURE_PAUSE_THRESHOLD)
		control->pause_filter_threshold = PAUSE_THRESHOLD;
}

static int svm_create(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = heap_alloc(sizeof(*svm));
	struct vmcb_control *control;

	if (!svm)
		return -ENOMEM;
	svm->vmcb_hpa = frame_alloc_zeroed(0, cpu_node());
	if (hpa_equals(svm->vmcb_hpa, HPA_NONE)) {
		heap_free(svm);
		return -ENOMEM;
	}
	svm->vmcb = phys_to_virt(svm->vmcb_hpa);
	vcpu->backend = svm;
	control = &svm->vmcb->control;
	set_intercepts(control);
	set_pause_filter(control);
	if (cpuid_cr4_mask(vcpu->vm->cpuid) != cpuid_machine_cr4_mask())
		control->intercept_cr = VMCB_CR_WRITE(4);
	control->iopm_base = io_map.value;
	control->msrpm_base = msr_map.value;
	control->v_intr = VMCB_V_INTR_MASKING;
	control->nested_control = VMCB_NESTED_PAGING;
	control->nested_cr3 = vcpu->vm->memory.table.root.value;
	return 0;
}

static void svm_destroy(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);

	frame_free(svm->vmcb_hpa, 0);
	heap_free(svm);
	vcpu->backend = NULL;
}

static void give_asid(struct svm_vcpu *svm)
{
	struct svm_cpu *cpu = this_cpu(svm_cpu);

	if (cpu->next_asid == caps.asid_count) {
		cpu->next_asid = 1; /* 0 is the hypervisor's */
		cpu->asid_generation++;
		cpu->is_flush_needed = true;
	}
	svm->vmcb->control.asid = cpu->next_asid++;
	svm->asid_generation = cpu->asid_generation;
	svm->vmcb->control.clean &= ~VMCB_CLEAN_ASID;
	if (!cpu->is_flush_needed)
		return;
	cpu->is_flush_needed = false;
	svm->vmcb->control.tlb_control = VMCB_TLB_FLUSH_ALL;
}

/* The next entry looks, and finds an ASID of no CPU's. */
static void svm_flush_tlb(struct vcpu *vcpu)
{
	svm_of(vcpu)->asid_generation = 0;
}

static void svm_reset(struct vcpu *vcpu)
{
	svm_reset_events(vcpu);
	svm_flush_tlb(vcpu);
}

static void svm_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;

	vmcb->control.tsc_offset = offset;
	vmcb->control.clean &= ~VMCB_CLEAN_INTERCEPTS;
}

static void before_entry(struct vcpu *vcpu, struct svm_vcpu *svm,
			 struct svm_cpu *cpu)
{
	struct vmcb *vmcb = svm->vmcb;

	vmcb->save.rax = vcpu->regs.gpr[GPR_RAX];
	vmcb->save.rsp = vcpu->regs.gpr[GPR_RSP];
	vmcb->save.rip = vcpu->regs.rip;
	vmcb->save.rflags = vcpu->regs.rflags;
	if (svm->is_stepping)
		svm_begin_step(vcpu);
	vmcb->control.interrupt_state = vcpu->is_shadowed;
	if ((vmcb->control.v_intr & VMCB_V_TPR) != vcpu->tpr >> 4) {
		vmcb->control.v_intr ^=
			(vmcb->control.v_intr & VMCB_V_TPR) ^ vcpu->tpr >> 4;
		vmcb->control.clean &= ~VMCB_CLEAN_TPR;
	}
	if (svm->asid_generation != cpu->asid_generation)
		give_asid(svm);
}

/*
 * TCG's VMRUN does not load the shadow of STI or MOV SS. Two consequences, or an
 * interrupt would go in between STI and HLT, and the HLT wait for the next one:
 * if an interrupt of the machine ended the run before the guest's next
 * instruction, the shadow is still there, whatever the CPU says; and event.c has
 * to look at what waits before the guest runs on, not at the next window.
 */
static bool is_still_shadowed(const struct vcpu *vcpu, const struct vmcb *vmcb)
{
	return vcpu->is_shadowed && vmcb->save.rip == vcpu->regs.rip &&
	       vmcb->control.exit_code == VMCB_EXIT_INTR;
}

static void after_exit(struct vcpu *vcpu, struct svm_vcpu *svm)
{
	struct vmcb *vmcb = svm->vmcb;
	uint64_t tpr_class = vmcb->control.v_intr & VMCB_V_TPR;

	/* stepping, and not a step done: the flags are still ours */
	if (svm->is_stepping && vmcb->save.rip == svm->step_rip)
		vmcb->save.rflags =
			(vmcb->save.rflags & ~(RFLAGS_TF | RFLAGS_RF)) |
			(vcpu->regs.rflags & (RFLAGS_TF | RFLAGS_RF));
	vcpu->is_shadowed =
		(vmcb->control.interrupt_state & VMCB_INTERRUPT_SHADOW) ||
		is_still_shadowed(vcpu, vmcb);
	if (vcpu->is_shadowed)
		vcpu->is_event_due = true;
	vcpu->regs.gpr[GPR_RAX] = vmcb->save.rax;
	vcpu->regs.gpr[GPR_RSP] = vmcb->save.rsp;
	vcpu->regs.rip = vmcb->save.rip;
	vcpu->regs.rflags = vmcb->save.rflags;
	if (tpr_class != vcpu->tpr >> 4)
		vcpu->tpr = (uint8_t)(tpr_class << 4);
	vmcb->control.event_inj = 0;
	vmcb->control.tlb_control = 0;
	vmcb->control.clean = VMCB_CLEAN_ALL;
}

static void svm_run(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct svm_cpu *cpu = this_cpu(svm_cpu);

	before_entry(vcpu, svm, cpu);
	svm_enter(&vcpu->regs, svm->vmcb_hpa.value, cpu->host_vmcb.value);
	after_exit(vcpu, svm);
	svm_decode_exit(vcpu);
}

const struct vcpu_ops svm_ops = {
	.name = "svm",
	.memory_format = &pt_format_npt,
	.cpu_start = svm_cpu_start,
	.memory_leaf_level = 2,
	.create = svm_create,
	.destroy = svm_destroy,
	.reset = svm_reset,
	.run = svm_run,
	.inject = svm_inject,
	.set_windows = svm_set_windows,
	.is_nmi_blocked = svm_is_nmi_blocked,
	.read_mode = svm_read_mode,
	.read_segment = svm_read_segment,
	.read_state = svm_read_state,
	.write_state = svm_write_state,
	.read_msr = svm_read_msr,
	.write_msr = svm_write_msr,
	.set_tsc_offset = svm_set_tsc_offset,
	.flush_tlb = svm_flush_tlb,
};
