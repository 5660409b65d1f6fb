/* Control blocks: what of them stays as it is while a guest lives. */
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/time.h"
#include "kernel/exit_cpuid.h"
#include "kernel/lib/errno.h"
#include "kernel/smp.h"
#include "kernel/vm.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_cpu.h"

#define EPTP_WRITE_BACK 6
#define EPTP_LEVELS	FIELD_PUT(BITS(5, 3), 4 - 1)

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
		vmcs_write(VMCS_MSR_BITMAP, vmx->msr_map.value);
	if (vmx->controls.processor & VMCS_PROC_TPR_SHADOW) {
		vmcs_write(VMCS_VIRTUAL_APIC_PAGE,
			   virt_to_phys(vmx->virtual_apic).value);
		vmcs_write(VMCS_TPR_THRESHOLD, 0);
	}
	if (vmx->controls.x2apic) {
		for (unsigned int i = 0; i < ARRAY_SIZE(vmx->eoi_exits); i++)
			vmcs_write(VMCS_EOI_EXIT_BITMAP0 + VMCS_FIELD_STEP * i,
				   0);
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
	uint64_t shift = FIELD_GET(VMX_MISC_TIMER_SHIFT, vmx_machine.caps.misc);

	return (uint32_t)min_u64(time_tsc_hz() / 100 >> shift, UINT32_MAX);
}

/*
 * CR0: the CPU wants NE; CD and NW would be the machine's. CR4: the CPU wants
 * VMXE; MCE is the machine's; what CPUID does not show must not be set.
 */
static void set_control_registers(struct vmx_vcpu *vmx, const struct vcpu *vcpu)
{
	uint64_t cr0_needed = vmx_machine.caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
	uint64_t machine_cr4 = x86_read_cr4() & (CR4_VMXE | CR4_MCE);

	vmx->cr0_mask =
		cr0_needed | ~vmx_machine.caps.cr0_fixed1 | CR0_CD | CR0_NW;
	vmx->cr0_fixed = cr0_needed;
	vmx->cr4_mask = vmx_machine.caps.cr4_fixed0 |
			~vmx_machine.caps.cr4_fixed1 | CR4_VMXE | CR4_MCE |
			~cpuid_cr4_mask(vcpu->vm->cpuid);
	vmx->cr4_fixed = vmx_machine.caps.cr4_fixed0 | machine_cr4;
	vmcs_write(VMCS_CR0_MASK, vmx->cr0_mask);
	vmcs_write(VMCS_CR4_MASK, vmx->cr4_mask);
}

static int allocate(struct vmx_vcpu *vmx)
{
	hpa_t virtual_apic = frame_alloc_zeroed(0, cpu_node());

	if (hpa_equals(virtual_apic, HPA_NONE))
		return -ENOMEM;
	vmx->vmcs = vmx_region_alloc();
	if (hpa_equals(vmx->vmcs, HPA_NONE)) {
		frame_free(virtual_apic, 0);
		return -ENOMEM;
	}
	vmx->virtual_apic = phys_to_virt(virtual_apic);
	return 0;
}

int vmx_create(struct vcpu *vcpu)
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
	vmx->enter_flags =
		cpu_features.speculation.needs_verw ? VMX_ENTER_VERW : 0;
	vmx->controls = vmx_machine.controls;
	if (!vcpu->vm->config->has_virtual_interrupts)
		vmx->controls.x2apic = 0;
	vmx->msr_map = vmx_machine.msr_map;
	vmx->msr_map_x2apic = vmx_machine.msr_map_x2apic;
	if (vmx->controls.x2apic)
		vcpu->apic.page = (uint32_t *)(void *)vmx->virtual_apic;
	vmx->run_ticks = run_ticks();
	vmx->eptp = vcpu->vm->memory.table.root.value | EPTP_WRITE_BACK |
		    EPTP_LEVELS;
	vmx_vmclear(vmx->vmcs);
	vmx_open(vcpu);
	write_controls(vmx);
	write_optional(vmx);
	if (vmx_machine.controls.pin & VMCS_PIN_PREEMPTION_TIMER)
		vmcs_write(VMCS_PREEMPTION_TIMER, vmx->run_ticks);
	set_control_registers(vmx, vcpu);
	vmx_close(vcpu);
	return 0;
}

void vmx_destroy(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	vmx_leave(vmx);
	frame_free(virt_to_phys(vmx->virtual_apic), 0);
	frame_free(vmx->vmcs, 0);
	heap_free(vmx);
	vcpu->backend = NULL;
}
