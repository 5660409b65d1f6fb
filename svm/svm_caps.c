/* What AMD SVM this CPU has. */
#include "svm/svm_caps.h"

#include "kernel/lib/bits.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"

static const struct {
	uint8_t bit;
	const char *name;
} features[] = {
	{ 0, "nested-paging" }, { 1, "lbr-virtualization" },
	{ 2, "svm-lock" },	{ 3, "nrip-save" },
	{ 4, "tsc-ratio" },	{ 5, "vmcb-clean" },
	{ 6, "flush-by-asid" }, { 7, "decode-assists" },
	{ 10, "pause-filter" }, { 12, "pause-threshold" },
	{ 13, "avic" },		{ 15, "virtual-vmload" },
	{ 16, "virtual-gif" },	{ 17, "gmet" },
	{ 18, "x2avic" },	{ 20, "spec-ctrl" },
	{ 25, "virtual-nmi" },	{ 28, "svme-address-check" },
};

int svm_caps_check(const struct svm_caps *caps, struct diag *why)
{
	if (!caps->has_svm)
		return -ENODEV;
	if (caps->vm_cr & VM_CR_SVMDIS)
		return diag_set(why, -ENOTSUP,
				"SVM is disabled in the firmware's set-up "
				"(VM_CR.SVMDIS)");
	if (!(caps->features & SVM_FEATURE_NESTED_PAGING))
		return diag_set(why, -ENOTSUP,
				"SVM without nested paging; Basalt needs it");
	if (caps->asid_count < 2)
		return diag_set(why, -ENOTSUP,
				"SVM with %u ASIDs; Basalt needs 2",
				caps->asid_count);
	return 0;
}

size_t svm_caps_print(const struct svm_caps *caps, char *buf, size_t size)
{
	size_t used =
		fmt_print(buf, size, "revision %u, %u ASIDs:", caps->revision,
			  caps->asid_count);

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if ((caps->features & BIT(features[i].bit)) && used < size)
			used += fmt_print(buf + used, size - used, " %s",
					  features[i].name);
	}
	return used;
}
