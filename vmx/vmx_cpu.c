/* The machine's CPUs in VMX operation, and which vCPU each has in itself. */
#include "vmx/vmx_cpu.h"

#include "drivers/pc/lapic.h"
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

/* Of MSRs 0x800 and up. */
#define X2APIC_TPR	0x08
#define X2APIC_EOI	0x0b
#define X2APIC_SELF_IPI 0x3f

PERCPU struct vmx_cpu vmx_cpu;

/* A bit an MSR, reads of both ranges and then writes: SDM 3C 25.6.9 "MSR-Bitmap
 * Address". */
static void allow_msr(uint8_t *map, uint32_t msr, bool is_write)
{
	static const uint32_t first[] = { 0, 0xc0000000 };

	for (uint32_t i = 0; i < ARRAY_SIZE(first); i++) {
		uint32_t bit = msr - first[i];

		if (bit < 0x2000)
			map[is_write * 0x800U + i * 0x400 + bit / 8] &=
				(uint8_t) ~(1U << bit % 8);
	}
}

static void allow_direct(uint8_t *map)
{
	for (uint32_t i = 0; i < msr_direct_count; i++) {
		allow_msr(map, msr_direct[i].msr, false);
		if (msr_direct[i].can_write)
			allow_msr(map, msr_direct[i].msr, true);
	}
}

/* SDM 3C 30.5 "Virtualizing MSR-Based APIC Accesses". What does not exit and the
 * CPU does not do would reach the machine's own registers. */
static void allow_x2apic(uint8_t *map)
{
	static const uint8_t writes[] = { X2APIC_TPR, X2APIC_EOI,
					  X2APIC_SELF_IPI };
	uint64_t reads = BIT(X2APIC_TPR);

	if (vmx_machine.controls.x2apic & VMCS_PROC2_APIC_REGS)
		reads = lapic_page_registers;
	for (uint32_t i = 0; i < 64; i++) {
		if (reads & BIT(i))
			allow_msr(map, MSR_X2APIC_BASE + i, false);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(writes); i++)
		allow_msr(map, MSR_X2APIC_BASE + writes[i], true);
}

static int make_msr_map(hpa_t *map)
{
	*map = frame_alloc(0, cpu_node());
	if (hpa_equals(*map, HPA_NONE))
		return -ENOMEM;
	memset(phys_to_virt(*map), 0xff, PAGE_SIZE);
	allow_direct(phys_to_virt(*map));
	return 0;
}

static int make_msr_maps(void)
{
	if (make_msr_map(&vmx_machine.msr_map) ||
	    make_msr_map(&vmx_machine.msr_map_x2apic))
		return -ENOMEM;
	allow_x2apic(phys_to_virt(vmx_machine.msr_map_x2apic));
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
	    (cpu_number() == 0 && make_msr_maps()))
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
