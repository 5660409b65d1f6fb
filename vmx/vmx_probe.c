/* What the machine's VMX has, and what guests cannot have for the lack of it. */
#include "kernel/cpu/x86_asm.h"
#include "kernel/exit_cpuid.h"
#include "kernel/lib/log.h"
#include "kernel/lib/log_ring.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"
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

struct vmx_machine vmx_machine;

/* Absent where nothing of it is supported: it reads 0 then. A CPU without the
 * true ones is refused, so the others need not be read. */
static void read_caps(struct vmx_caps *caps)
{
	const struct {
		uint32_t msr;
		uint64_t *value;
	} rows[] = {
		{ MSR_IA32_FEATURE_CONTROL, &caps->feature_control },
		{ MSR_IA32_VMX_BASIC, &caps->basic },
		{ MSR_IA32_VMX_TRUE_PINBASED_CTLS, &caps->pin },
		{ MSR_IA32_VMX_TRUE_PROCBASED_CTLS, &caps->processor },
		{ MSR_IA32_VMX_PROCBASED_CTLS2, &caps->processor2 },
		{ MSR_IA32_VMX_TRUE_EXIT_CTLS, &caps->exit },
		{ MSR_IA32_VMX_TRUE_ENTRY_CTLS, &caps->entry },
		{ MSR_IA32_VMX_MISC, &caps->misc },
		{ MSR_IA32_VMX_CR0_FIXED0, &caps->cr0_fixed0 },
		{ MSR_IA32_VMX_CR0_FIXED1, &caps->cr0_fixed1 },
		{ MSR_IA32_VMX_CR4_FIXED0, &caps->cr4_fixed0 },
		{ MSR_IA32_VMX_CR4_FIXED1, &caps->cr4_fixed1 },
		{ MSR_IA32_VMX_EPT_VPID_CAP, &caps->ept_vpid },
	};

	caps->has_vmx = x86_cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
	if (!caps->has_vmx)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		x86_rdmsr_safe(rows[i].msr, rows[i].value);
}

bool vmx_probe_other(void)
{
	struct vmx_caps caps = { 0 };

	read_caps(&caps);
	return vmx_caps_match(&vmx_machine.caps, &caps);
}

/* Instructions that are #UD in a guest without a control of ours. */
static void hide_features(const struct vmx_controls *controls)
{
	static const struct {
		uint64_t control;
		uint32_t leaf, subleaf;
		enum cpuid_register reg;
		uint32_t bit;
	} rows[] = {
		{ VMCS_PROC2_RDTSCP, 0x80000001, 0, CPUID_EDX, 27 },
		{ VMCS_PROC2_RDTSCP, 7, 0, CPUID_ECX, 22 }, /* RDPID */
		{ VMCS_PROC2_INVPCID, 7, 0, CPUID_EBX, 10 },
		{ VMCS_PROC2_XSAVES, 0xd, 1, CPUID_EAX, 3 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!(controls->processor2 & rows[i].control))
			cpuid_hide(rows[i].leaf, rows[i].subleaf, rows[i].reg,
				   1U << rows[i].bit);
	}
}

int vmx_probe(struct diag *why)
{
	struct vmx_caps *caps = &vmx_machine.caps;
	char text[LOG_TEXT_MAX - 8];
	int err;

	read_caps(caps);
	if (caps->has_vmx) {
		vmx_caps_print(caps, text, sizeof(text));
		log_info("vmx: %s", text);
	}
	err = vmx_caps_check(caps, why);
	if (err)
		return err;
	vmx_machine.controls = vmx_caps_controls(caps);
	hide_features(&vmx_machine.controls);
	vmx_ops.memory_leaf_level = caps->ept_vpid & VMX_EPT_2M ? 2 : 1;
	return 0;
}
