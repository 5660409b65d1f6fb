/* What this machine's CPUID says, for those who make a VM's. [pure] */
#ifndef KERNEL_CPUID_MACHINE_H
#define KERNEL_CPUID_MACHINE_H

#include "kernel/exit_cpuid.h"

/* CPUID.(0xd,2 and up):ECX; its other bits are of supervisor states and XFD. */
#define XSAVE_STATE_ALIGNED BIT(1)

#define XSAVE_BEGIN 576U /* legacy area and header: SDM 1 13.4 "XSAVE Area" */

/* The register @reg of @words. */
uint32_t *cpuid_word(struct cpuid_words *words, enum cpuid_register reg);

/* The machine's words. All 0 where it has no such leaf: Intel's CPUs answer those
 * with another one. */
struct cpuid_words cpuid_machine_leaf(uint32_t leaf, uint32_t subleaf);

/* The bits that cpuid_hide was told of. */
uint32_t cpuid_hidden(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg);

#endif
