/*
 * What the CPU does of the local APIC's work. SDM 3C chapter 30 "APIC
 * Virtualization and Virtual Interrupts".
 */
#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

/* Groups of 8 registers in the page, each the first 4 bytes of 16. */
#define GROUP_ISR (0x100 / 4)
#define GROUP_IRR (0x200 / 4)

/* 0: none, as the CPU has it. */
static uint64_t highest(const uint32_t *group)
{
	for (int i = 7; i >= 0; i--) {
		uint32_t word = group[i * 4];

		if (word)
			return (uint64_t)(i * 32 + 31 - __builtin_clz(word));
	}
	return 0;
}

static void set_mode(struct vmx_vcpu *vmx, bool is_on)
{
	if (vmx->is_apic_on == is_on)
		return;
	vmx->is_apic_on = is_on;
	vmcs_write(VMCS_PROC2_CONTROLS,
		   vmx->controls.processor2 |
			   (is_on ? vmx->controls.x2apic : 0));
	vmcs_write(VMCS_MSR_BITMAP,
		   is_on ? vmx->msr_map_x2apic.value : vmx->msr_map.value);
}

static void set_eoi_exits(struct vmx_vcpu *vmx, const struct vcpu_apic *apic)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(vmx->eoi_exits); i++) {
		if (vmx->eoi_exits[i] == apic->eoi_exits[i])
			continue;
		vmx->eoi_exits[i] = apic->eoi_exits[i];
		vmcs_write(VMCS_EOI_EXIT_BITMAP0 + VMCS_FIELD_STEP * i,
			   apic->eoi_exits[i]);
	}
}

void vmx_apic_load(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);
	struct vcpu_apic *apic = &vcpu->apic;

	apic->is_changed = false;
	set_mode(vmx, apic->is_on);
	if (!apic->is_on)
		return;
	set_eoi_exits(vmx, apic);
	vmcs_write(VMCS_GUEST_INTERRUPT_STATUS,
		   highest(&apic->page[GROUP_IRR]) |
			   highest(&apic->page[GROUP_ISR]) << 8);
}
