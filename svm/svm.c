/* The AMD back end: APM 2 chapter 15 "Secure Virtual Machine". */
#include "svm/svm.h"

#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/log.h"
#include "svm/svm_caps.h"

static void read_caps(struct svm_caps *caps)
{
	struct cpuid leaf = x86_cpuid_or_zero(0x8000000a, 0);

	*caps = (struct svm_caps){ 0 };
	caps->has_svm = x86_cpuid(0x80000001, 0).ecx & CPUID_EXT1_ECX_SVM;
	if (!caps->has_svm)
		return;
	caps->revision = leaf.eax & 0xff;
	caps->asid_count = leaf.ebx;
	caps->features = leaf.edx;
	x86_rdmsr_safe(MSR_VM_CR, &caps->vm_cr);
}

int svm_probe(struct diag *why)
{
	struct svm_caps caps;
	char text[200];

	read_caps(&caps);
	if (caps.has_svm) {
		svm_caps_print(&caps, text, sizeof(text));
		log_info("svm: %s", text);
	}
	return svm_caps_check(&caps, why);
}
