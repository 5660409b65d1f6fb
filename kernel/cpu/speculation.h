/*
 * What a CPU leaks to those that it runs in turn, and what stops it. Intel
 * "Speculative Execution Side Channel Mitigations" and the pages on L1TF, MDS, TAA,
 * MMIO stale data, RFDS and machine checks on page size changes; AMD "Indirect Branch
 * Control Extension". [pure]
 */
#ifndef KERNEL_CPU_SPECULATION_H
#define KERNEL_CPU_SPECULATION_H

#include <stdbool.h>
#include <stdint.h>

/* As the CPU says it; 0 where it does not have one. */
struct speculation_words {
	bool is_intel;
	uint32_t structured; /* CPUID.7:EDX */
	uint32_t sizes;	     /* CPUID.80000008:EBX */
	uint64_t arch_capabilities;
};

struct speculation {
	bool has_ibpb;	    /* branch predictions can be forgotten */
	bool has_l1d_flush; /* L1TF: the L1 cache has to be, and can be */
	bool needs_verw;    /* MDS and its kin: buffers, before each entry */
	bool has_large_code_bug; /* CVE-2018-12207: a guest that executes a
				    large page while its size changes stops the
				    machine */
};

struct speculation speculation_of(const struct speculation_words *words);

#endif
