/*
 * Which bits of CPUID a guest may have: one row a feature. What has no row is 0.
 * [pure]
 */
#ifndef KERNEL_CPUID_POLICY_H
#define KERNEL_CPUID_POLICY_H

#include "kernel/exit_cpuid.h"

enum cpuid_verdict {
	CPUID_PASS,   /* if the machine has it */
	CPUID_ALWAYS, /* Basalt does it */
};

struct cpuid_policy {
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg;	 /* enum cpuid_register */
	uint8_t verdict; /* enum cpuid_verdict */
	uint32_t mask;
	uint32_t states; /* bits of XCR0 that it works with */
};

/* What is computed (topology, sizes, addresses) is not here: cpuid_table.c. */
extern const struct cpuid_policy cpuid_policies[];
extern const uint32_t cpuid_policy_count;

/* The bits of CR4 that a feature lets be set; leaves 1 and 7. */
struct cpuid_cr4_bit {
	uint8_t leaf;
	uint8_t subleaf;
	uint8_t reg; /* enum cpuid_register */
	uint32_t feature;
	uint64_t cr4;
};

extern const struct cpuid_cr4_bit cpuid_cr4_bits[];
extern const uint32_t cpuid_cr4_bit_count;

#endif
