/*
 * Named CPUs: a VM that was started at a level sees the same CPUID on every host
 * of one vendor that has what the level needs, and so can move between them. Only
 * the frequency of the TSC is the host's own. [pure]
 */
#ifndef KERNEL_CPUID_LEVELS_H
#define KERNEL_CPUID_LEVELS_H

#include "kernel/exit_cpuid.h"

/* What a guest of any level has for physical addresses: Intel's desktop CPUs have
 * no more since 2013, its servers since 2010, AMD's have at least 40. */
#define CPUID_LEVEL_ADDRESS_BITS 39

/* Whose machines a row is about. */
enum cpuid_vendor { CPUID_ANY, CPUID_INTEL, CPUID_AMD };

/* From @level on, guests are shown @bits, and hosts must have them. */
struct cpuid_level_feature {
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg;	/* enum cpuid_register */
	uint8_t vendor; /* enum cpuid_vendor */
	uint8_t level;	/* enum config_cpu */
	uint32_t bits;
	const char *name;
};

extern const struct cpuid_level_feature cpuid_level_features[];
extern const uint32_t cpuid_level_feature_count;

/* The bits of that register that guests at @level may be shown. Of CONFIG_CPU_HOST
 * and of the vendor's name: all. */
uint32_t cpuid_level_mask(enum config_cpu level, bool is_amd, uint32_t leaf,
			  uint32_t subleaf, enum cpuid_register reg);

/* The states of XCR0 that guests at @level may have. */
uint64_t cpuid_level_states(enum config_cpu level);

/* What guests at @level see in @leaf, @subleaf beside features: name, model,
 * caches, XSAVE states. All 0: nothing. */
struct cpuid_words cpuid_level_words(enum config_cpu level, bool is_amd,
				     uint32_t leaf, uint32_t subleaf);

/* The first thing of its level that the machine of the finished @table lacks;
 * NULL: it has them all. */
const char *cpuid_level_missing(const struct cpuid_table *table);

#endif
