/* What the boot CPU can do, and setting up each CPU the same way. */
#ifndef KERNEL_CPU_CPU_H
#define KERNEL_CPU_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/speculation.h"

struct cpu_features {
	char vendor[13];      /* CPUID's twelve letters */
	char model[49];	      /* brand string, trimmed */
	uint8_t address_bits; /* of machine addresses */
	bool has_1gib_pages;
	bool has_x2apic;
	bool has_tsc_deadline;
	bool has_invariant_tsc;
	bool has_smep;
	bool has_smap;
	bool has_umip;
	bool has_pge;
	struct speculation speculation;
};

/* Written once by cpu_detect. */
extern struct cpu_features cpu_features;

void cpu_detect(void);

/* Control registers, EFER and PAT of this CPU: no-execute, write protection,
 * SMEP, SMAP and UMIP where present. */
void cpu_init(void);

/* A CPU that lacks what the boot CPU has cannot run the same kernel: the name
 * of the first such feature, or NULL. */
const char *cpu_missing_feature(void);

#endif
