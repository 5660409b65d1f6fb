/* The Intel back end: SDM 3C chapters 24 to 31. */
#include "vmx/vmx.h"

#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/log.h"
#include "kernel/lib/log_ring.h"
#include "vmx/vmx_caps.h"

/* SDM 3D appendix A */
#define MSR_IA32_VMX_PINBASED_CTLS	 0x481
#define MSR_IA32_VMX_PROCBASED_CTLS	 0x482
#define MSR_IA32_VMX_PROCBASED_CTLS2	 0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP	 0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS	 0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48e

static void read_caps(struct vmx_caps *caps)
{
	bool has_true;

	*caps = (struct vmx_caps){ 0 };
	caps->has_vmx = x86_cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
	if (!caps->has_vmx)
		return;
	x86_rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &caps->feature_control);
	x86_rdmsr_safe(MSR_IA32_VMX_BASIC, &caps->basic);
	has_true = caps->basic & VMX_BASIC_TRUE;
	x86_rdmsr_safe(has_true ? MSR_IA32_VMX_TRUE_PINBASED_CTLS
				: MSR_IA32_VMX_PINBASED_CTLS,
		       &caps->pin);
	x86_rdmsr_safe(has_true ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS
				: MSR_IA32_VMX_PROCBASED_CTLS,
		       &caps->processor);
	/* absent where nothing of them is supported: they read 0 then */
	x86_rdmsr_safe(MSR_IA32_VMX_PROCBASED_CTLS2, &caps->processor2);
	x86_rdmsr_safe(MSR_IA32_VMX_EPT_VPID_CAP, &caps->ept_vpid);
}

int vmx_probe(struct diag *why)
{
	struct vmx_caps caps;
	char text[LOG_TEXT_MAX - 8];

	read_caps(&caps);
	if (caps.has_vmx) {
		vmx_caps_print(&caps, text, sizeof(text));
		log_info("vmx: %s", text);
	}
	return vmx_caps_check(&caps, why);
}
