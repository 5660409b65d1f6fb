/* The CPUID instruction of host tests: recorded answers of four CPUs. */
#ifndef FAKE_CPUID_H
#define FAKE_CPUID_H

#include "kernel/exit_cpuid.h"

enum fake_cpu_model {
	FAKE_CPU_AMD,	    /* Zen 5 server */
	FAKE_CPU_INTEL,	    /* Skylake server */
	FAKE_CPU_AMD_OLD,   /* Zen server */
	FAKE_CPU_INTEL_OLD, /* Haswell server */
};

/* cpuid_machine() is this CPU's; what fake_cpuid_set changed is forgotten. It is
 * FAKE_CPU_AMD from the start. */
void fake_cpuid_use(enum fake_cpu_model model);

/* From now to fake_cpuid_use the answer to @leaf, @subleaf. */
void fake_cpuid_set(uint32_t leaf, uint32_t subleaf, struct cpuid_words words);

/* A VM's table of all that the policy allows. */
struct cpuid_table *fake_cpuid_table(uint32_t vcpu_count);

#endif
