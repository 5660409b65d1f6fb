/* What this machine's CPUID says, and what of it the back end cannot run. */
#include "kernel/cpuid_machine.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/cpuid_table.h"
#include "kernel/lib/panic.h"

#define HIDDEN_MAX 16

/* Written once, while the back end is probed. */
static struct {
	uint32_t leaf, subleaf;
	enum cpuid_register reg;
	uint32_t bits;
} hidden[HIDDEN_MAX];
static uint32_t hidden_count;

void cpuid_hide(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg,
		uint32_t bits)
{
	CHECK(hidden_count < HIDDEN_MAX);
	hidden[hidden_count].leaf = leaf;
	hidden[hidden_count].subleaf = subleaf;
	hidden[hidden_count].reg = reg;
	hidden[hidden_count].bits = bits;
	hidden_count++;
}

uint32_t cpuid_hidden(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < hidden_count; i++) {
		if (hidden[i].leaf == leaf && hidden[i].subleaf == subleaf &&
		    hidden[i].reg == reg)
			bits |= hidden[i].bits;
	}
	return bits;
}

uint32_t *cpuid_word(struct cpuid_words *words, enum cpuid_register reg)
{
	switch (reg) {
	case CPUID_EAX: return &words->eax;
	case CPUID_EBX: return &words->ebx;
	case CPUID_ECX: return &words->ecx;
	default: return &words->edx;
	}
}

struct cpuid_words cpuid_machine_leaf(uint32_t leaf, uint32_t subleaf)
{
	if (cpuid_machine(leaf & CPUID_EXTENDED_BASE, 0).eax < leaf)
		return (struct cpuid_words){ 0 };
	if (leaf == 7 && subleaf && cpuid_machine(7, 0).eax < subleaf)
		return (struct cpuid_words){ 0 };
	return cpuid_machine(leaf, subleaf);
}

/* States that come together or not at all, and on what: SDM 1 13.3 "Enabling the
 * XSAVE Feature Set and XSAVE-Enabled Features". */
static const struct {
	uint64_t group, needs;
} state_groups[] = {
	{ XCR0_X87, 0 },
	{ XCR0_SSE, XCR0_X87 },
	{ XCR0_AVX, XCR0_SSE },
	{ XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM, XCR0_AVX },
	{ XCR0_PKRU, XCR0_X87 },
	{ XCR0_TILECFG | XCR0_TILEDATA, XCR0_X87 },
};

/* Bochs 2.7 has PKRU and tells no place of it: guests would have it saved behind
 * what they reserved. */
static bool fits_area(uint64_t group)
{
	for (uint32_t i = 2; i < 63; i++) {
		struct cpuid_words words;

		if (!(group & BIT(i)))
			continue;
		words = cpuid_machine_leaf(0xd, i);
		if (!words.eax || words.ebx < XSAVE_BEGIN ||
		    !range_fits(words.ebx, words.eax, VCPU_XSAVE_SIZE_MAX))
			return false;
	}
	return true;
}

uint64_t cpuid_machine_xcr0_mask(void)
{
	struct cpuid_words words = cpuid_machine_leaf(0xd, 0);
	uint64_t has = (uint64_t)words.edx << 32 | words.eax;
	uint64_t mask = 0;

	if (!(cpuid_machine_leaf(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(state_groups); i++) {
		uint64_t group = state_groups[i].group;
		uint64_t needs = state_groups[i].needs;

		if ((has & group) == group && (mask & needs) == needs &&
		    fits_area(group))
			mask |= group;
	}
	return mask;
}

bool cpuid_is_xcr0_sound(uint64_t value)
{
	if (!(value & XCR0_X87))
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(state_groups); i++) {
		uint64_t group = value & state_groups[i].group;
		uint64_t needs = state_groups[i].needs;

		if (group && (group != state_groups[i].group ||
			      (value & needs) != needs))
			return false;
	}
	return true;
}
