/* What Intel VMX this CPU has. */
#include "vmx/vmx_caps.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "vmx/vmcs.h"

enum caps_word {
	WORD_BASIC,
	WORD_PIN,
	WORD_PROCESSOR,
	WORD_PROCESSOR2,
	WORD_EXIT,
	WORD_ENTRY,
	WORD_EPT_VPID,
};

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
	{ WORD_BASIC, 55, true, "true-controls" },
	{ WORD_PROCESSOR, 32 + 31, true, "secondary-controls" },
	{ WORD_PIN, 32 + 5, true, "virtual-nmis" },
	{ WORD_EXIT, 32 + 19, true, "exit-load-pat" },
	{ WORD_EXIT, 32 + 21, true, "exit-load-efer" },
	{ WORD_ENTRY, 32 + 14, true, "entry-load-pat" },
	{ WORD_ENTRY, 32 + 15, true, "entry-load-efer" },
	{ WORD_PROCESSOR2, 32 + 1, true, "ept" },
	{ WORD_PROCESSOR2, 32 + 7, true, "unrestricted-guest" },
	{ WORD_EPT_VPID, 6, true, "ept-4-level" },
	{ WORD_EPT_VPID, 14, true, "ept-write-back" },
	{ WORD_EPT_VPID, 20, true, "invept" },
	{ WORD_EPT_VPID, 26, true, "invept-all" },
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
	{ WORD_PROCESSOR2, 32 + 4, false, "x2apic-mode" },
	{ WORD_PROCESSOR2, 32 + 8, false, "apic-regs" },
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
		[WORD_BASIC] = caps->basic,
		[WORD_EXIT] = caps->exit,
		[WORD_ENTRY] = caps->entry,
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

/* Lower half: what must be on; upper half: what may be. */
static uint32_t fit(uint64_t allowed, uint64_t wanted)
{
	return (uint32_t)((wanted | allowed) & allowed >> 32);
}

/* A tag is of use only if tags can be given anew. */
static uint64_t wanted_processor2(const struct vmx_caps *caps)
{
	uint64_t wanted = VMCS_PROC2_EPT | VMCS_PROC2_UNRESTRICTED |
			  VMCS_PROC2_RDTSCP | VMCS_PROC2_WBINVD |
			  VMCS_PROC2_PAUSE_LOOP | VMCS_PROC2_INVPCID |
			  VMCS_PROC2_ENCLS | VMCS_PROC2_XSAVES;

	if ((caps->ept_vpid & VMX_EPT_INVVPID) == VMX_EPT_INVVPID)
		wanted |= VMCS_PROC2_VPID;
	return wanted;
}

/* The CPU keeps CR8, or else every access of it exits. */
static uint32_t fit_processor(const struct vmx_caps *caps)
{
	uint32_t controls =
		fit(caps->processor,
		    VMCS_PROC_HLT | VMCS_PROC_MWAIT | VMCS_PROC_RDPMC |
			    VMCS_PROC_TSC_OFFSET | VMCS_PROC_IO |
			    VMCS_PROC_MONITOR | VMCS_PROC_SECONDARY |
			    VMCS_PROC_MSR_BITMAP | VMCS_PROC_TPR_SHADOW);

	if (!(controls & VMCS_PROC_TPR_SHADOW))
		controls |= VMCS_PROC_CR8_LOAD | VMCS_PROC_CR8_STORE;
	return controls;
}

/* The timer is of use only if it goes on counting across exits: SDM 3C 25.5.1
 * "VMX-Preemption Timer". */
static void fit_timer(struct vmx_controls *controls)
{
	if ((controls->pin & VMCS_PIN_PREEMPTION_TIMER) &&
	    (controls->exit & VMCS_EXIT_SAVE_TIMER))
		return;
	controls->pin &= ~(uint32_t)VMCS_PIN_PREEMPTION_TIMER;
	controls->exit &= ~(uint32_t)VMCS_EXIT_SAVE_TIMER;
}

/* Registers may be read by exits; vectors are what it is for. SDM 3C 27.2.1.1
 * "VM-Execution Control Fields": with them the TPR must be shadowed. */
static uint32_t fit_x2apic(const struct vmx_caps *caps)
{
	const uint64_t needed = VMCS_PROC2_X2APIC | VMCS_PROC2_VIRTUAL_INTR;
	const uint32_t first = VMCS_PROC_TPR_SHADOW | VMCS_PROC_MSR_BITMAP;
	uint64_t allowed = caps->processor2 >> 32;

	if ((allowed & needed) != needed ||
	    (fit_processor(caps) & first) != first)
		return 0;
	return (uint32_t)(needed | (allowed & VMCS_PROC2_APIC_REGS));
}

struct vmx_controls vmx_caps_controls(const struct vmx_caps *caps)
{
	struct vmx_controls controls = {
		.pin = fit(caps->pin, VMCS_PIN_INTERRUPT | VMCS_PIN_NMI |
					      VMCS_PIN_VIRTUAL_NMI |
					      VMCS_PIN_PREEMPTION_TIMER),
		.processor = fit_processor(caps),
		.processor2 = fit(caps->processor2, wanted_processor2(caps)),
		.exit = fit(caps->exit,
			    VMCS_EXIT_SAVE_DEBUG | VMCS_EXIT_HOST_64 |
				    VMCS_EXIT_SAVE_PAT | VMCS_EXIT_LOAD_PAT |
				    VMCS_EXIT_SAVE_EFER | VMCS_EXIT_LOAD_EFER |
				    VMCS_EXIT_SAVE_TIMER),
		.entry = fit(caps->entry, VMCS_ENTRY_LOAD_DEBUG |
						  VMCS_ENTRY_LOAD_PAT |
						  VMCS_ENTRY_LOAD_EFER),
		.x2apic = fit_x2apic(caps),
	};

	fit_timer(&controls);
	return controls;
}

static bool are_equal(const struct vmx_controls *a,
		      const struct vmx_controls *b)
{
	return a->pin == b->pin && a->processor == b->processor &&
	       a->processor2 == b->processor2 && a->exit == b->exit &&
	       a->entry == b->entry && a->x2apic == b->x2apic;
}

bool vmx_caps_match(const struct vmx_caps *boot, const struct vmx_caps *other)
{
	struct vmx_controls here = vmx_caps_controls(boot);
	struct vmx_controls there = vmx_caps_controls(other);
	struct diag why;

	return !vmx_caps_check(other, &why) && are_equal(&here, &there) &&
	       boot->basic == other->basic && boot->misc == other->misc &&
	       boot->ept_vpid == other->ept_vpid &&
	       boot->cr0_fixed0 == other->cr0_fixed0 &&
	       boot->cr0_fixed1 == other->cr0_fixed1 &&
	       boot->cr4_fixed0 == other->cr4_fixed0 &&
	       boot->cr4_fixed1 == other->cr4_fixed1;
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
