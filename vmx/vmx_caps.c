/* What Intel VMX this CPU has. */
#include "vmx/vmx_caps.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"

enum caps_word { WORD_PIN, WORD_PROCESSOR, WORD_PROCESSOR2, WORD_EPT_VPID };

/*
 * Features by the bit that says so: an allowed-1 bit (32 up) of the control
 * MSRs, or a bit of IA32_VMX_EPT_VPID_CAP. The needed ones are what the back
 * end cannot do without.
 */
static const struct {
	enum caps_word word;
	uint8_t bit;
	bool is_needed;
	const char *name;
} features[] = {
	{ WORD_PROCESSOR, 32 + 31, true, "secondary-controls" },
	{ WORD_PROCESSOR2, 32 + 1, true, "ept" },
	{ WORD_PROCESSOR2, 32 + 7, true, "unrestricted-guest" },
	{ WORD_EPT_VPID, 6, true, "ept-4-level" },
	{ WORD_EPT_VPID, 14, true, "ept-write-back" },
	{ WORD_EPT_VPID, 20, true, "invept" },
	{ WORD_EPT_VPID, 16, false, "ept-2m" },
	{ WORD_EPT_VPID, 17, false, "ept-1g" },
	{ WORD_EPT_VPID, 21, false, "ept-accessed-dirty" },
	{ WORD_PROCESSOR2, 32 + 5, false, "vpid" },
	{ WORD_EPT_VPID, 32, false, "invvpid" },
	{ WORD_PIN, 32 + 6, false, "preemption-timer" },
	{ WORD_PIN, 32 + 7, false, "posted-interrupts" },
	{ WORD_PROCESSOR, 32 + 28, false, "msr-bitmaps" },
	{ WORD_PROCESSOR, 32 + 21, false, "tpr-shadow" },
	{ WORD_PROCESSOR, 32 + 27, false, "monitor-trap" },
	{ WORD_PROCESSOR2, 32 + 8, false, "apic-register-virtualization" },
	{ WORD_PROCESSOR2, 32 + 9, false, "virtual-interrupts" },
	{ WORD_PROCESSOR2, 32 + 10, false, "pause-loop-exit" },
	{ WORD_PROCESSOR2, 32 + 17, false, "pml" },
	{ WORD_PROCESSOR2, 32 + 20, false, "xsaves" },
	{ WORD_PROCESSOR2, 32 + 25, false, "tsc-scaling" },
};

static bool has_bit(const struct vmx_caps *caps, enum caps_word word,
		    uint8_t bit)
{
	const uint64_t words[] = {
		[WORD_PIN] = caps->pin,
		[WORD_PROCESSOR] = caps->processor,
		[WORD_PROCESSOR2] = caps->processor2,
		[WORD_EPT_VPID] = caps->ept_vpid,
	};

	return words[word] & BIT(bit);
}

int vmx_caps_check(const struct vmx_caps *caps, struct diag *why)
{
	if (!caps->has_vmx)
		return -ENODEV;
	if ((caps->feature_control & FEATURE_CONTROL_LOCK) &&
	    !(caps->feature_control & FEATURE_CONTROL_VMX))
		return diag_set(why, -ENOTSUP,
				"VMX is disabled in the firmware's set-up "
				"(IA32_FEATURE_CONTROL)");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i].is_needed &&
		    !has_bit(caps, features[i].word, features[i].bit))
			return diag_set(why, -ENOTSUP,
					"VMX without %s; Basalt needs it",
					features[i].name);
	}
	return 0;
}

size_t vmx_caps_print(const struct vmx_caps *caps, char *buf, size_t size)
{
	size_t used = fmt_print(buf, size,
				"revision 0x%lx:", caps->basic & 0x7fffffff);

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (has_bit(caps, features[i].word, features[i].bit) &&
		    used < size)
			used += fmt_print(buf + used, size - used, " %s",
					  features[i].name);
	}
	return used;
}
