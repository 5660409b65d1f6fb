/* The machine's CPUs in VMX operation, and which vCPU each has in itself. */
#include "vmx/vmx_cpu.h"

#include "kernel/exit_msr.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "vmx/vmx.h"
#include "vmx/vmx_asm.h"

#define VPID_COUNT 0x10000

PERCPU struct vmx_cpu vmx_cpu;

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
	vmx_machine.msr_map = frame_alloc(0, cpu_node());
	if (hpa_equals(vmx_machine.msr_map, HPA_NONE))
		return -ENOMEM;
	memset(phys_to_virt(vmx_machine.msr_map), 0xff, PAGE_SIZE);
	for (uint32_t i = 0; i < msr_direct_count; i++)
		allow_msr(phys_to_virt(vmx_machine.msr_map), &msr_direct[i]);
	return 0;
}

hpa_t vmx_region_alloc(void)
{
	hpa_t region = frame_alloc_zeroed(0, cpu_node());

	if (!hpa_equals(region, HPA_NONE))
		*(uint32_t *)phys_to_virt(region) =
			(uint32_t)(vmx_machine.caps.basic & VMX_BASIC_REVISION);
	return region;
}

/* The firmware may have left it to us: SDM 3C 24.7 "Enabling and Entering VMX
 * Operation". */
static void unlock(void)
{
	uint64_t value;

	if (x86_rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &value) &&
	    !(value & FEATURE_CONTROL_LOCK))
		x86_wrmsr(MSR_IA32_FEATURE_CONTROL,
			  FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
}

int vmx_cpu_start(void)
{
	struct vmx_cpu *cpu = this_cpu(vmx_cpu);
	hpa_t region = vmx_region_alloc();

	if (hpa_equals(region, HPA_NONE) ||
	    (cpu_number() == 0 && make_msr_map()))
		return -ENOMEM;
	unlock();
	/* firmware may have locked VMX off on some CPUs: VMXON is #GP there */
	if (!vmx_probe_other())
		return -ENOTSUP;
	x86_write_cr0(x86_read_cr0() | vmx_machine.caps.cr0_fixed0);
	x86_write_cr4(x86_read_cr4() | vmx_machine.caps.cr4_fixed0 | CR4_VMXE);
	if (!vmx_vmxon(region))
		return -EIO;
	cpu->vpid_generation = 1;
	cpu->next_vpid = 1; /* 0 is the hypervisor's */
	/* what ran here before us */
	vmx_invept(VMX_ALL_CONTEXTS, 0);
	if (vmx_machine.controls.processor2 & VMCS_PROC2_VPID)
		vmx_invvpid(VMX_ALL_CONTEXTS, 0);
	return 0;
}

#ifdef DEBUG
PERCPU struct vmcs_count vmcs_count;

static void log_count(void)
{
	const struct vmcs_count *count = this_cpu(vmcs_count);

	log_info("vmx: CPU %u: %lu VMREADs, %lu VMWRITEs in %lu runs",
		 cpu_number(), count->reads, count->writes, count->runs);
}
#else
static void log_count(void)
{
}
#endif

/* No CPU's any more; runs on the one that has it. */
static void leave_cpu(void *argument)
{
	struct vmx_vcpu *vmx = argument;
	struct vmx_cpu *cpu = this_cpu(vmx_cpu);

	if (cpu->live == vmx) {
		vmx_live_unload(cpu);
		log_count();
	}
	if (cpu->current == vmx)
		cpu->current = NULL;
	vmx_vmclear(vmx->vmcs);
	vmx->active_cpu = VMX_NO_CPU;
	vmx->enter_flags &= ~VMX_ENTER_LAUNCHED;
	vmx->is_host_set = false;
}

void vmx_leave(struct vmx_vcpu *vmx)
{
	if (vmx->active_cpu != VMX_NO_CPU)
		smp_call(vmx->active_cpu, leave_cpu, vmx);
}

void vmx_open(const struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);
	struct vmx_cpu *cpu = this_cpu(vmx_cpu);

	if (cpu->current == vmx)
		return;
	if (vmx->active_cpu != cpu_number())
		vmx_leave(vmx);
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

void vmx_give_vpid(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
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

void vmx_flush(struct vmx_vcpu *vmx)
{
	vmx->is_flush_due = false;
	if (vmx_machine.caps.ept_vpid & VMX_EPT_INVEPT_ONE)
		vmx_invept(VMX_ONE_CONTEXT, vmx->eptp);
	else
		vmx_invept(VMX_ALL_CONTEXTS, 0);
}
