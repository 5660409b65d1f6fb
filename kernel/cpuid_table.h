/*
 * A VM's CPUID, made once by cpuid_table.c and read by exit_cpuid.c. [pure]
 *
 * Leaves lie in arrays by number, so that the usual question is an index and a
 * look at `kind`.
 */
#ifndef KERNEL_CPUID_TABLE_H
#define KERNEL_CPUID_TABLE_H

#include "kernel/exit_cpuid.h"

#define CPUID_BASIC_COUNT      0x20
#define CPUID_HYPERVISOR_BASE  0x40000000U
#define CPUID_HYPERVISOR_COUNT 0x11
#define CPUID_EXTENDED_BASE    0x80000000U
#define CPUID_EXTENDED_COUNT   0x22
#define CPUID_SUBLEAVES_MAX    48

/* What is done to a leaf's words before a vCPU sees them. */
enum cpuid_kind {
	CPUID_KIND_PLAIN,
	CPUID_KIND_FEATURES,	/* 1: APIC id, APIC, OSXSAVE */
	CPUID_KIND_LISTED,	/* words by subleaf */
	CPUID_KIND_STRUCTURED,	/* 7: OSPKE */
	CPUID_KIND_TOPOLOGY,	/* 0xb, 0x1f */
	CPUID_KIND_XSAVE,	/* 0xd: sizes */
	CPUID_KIND_AMD_TOPOLOGY /* 0x8000001e */
};

struct cpuid_entry {
	struct cpuid_words words; /* of subleaf 0 */
	uint32_t kind;		  /* enum cpuid_kind */
};

/* Subleaves other than 0. */
struct cpuid_subleaf {
	uint32_t leaf;
	uint32_t subleaf;
	struct cpuid_words words;
};

struct cpuid_table {
	struct cpuid_entry basic[CPUID_BASIC_COUNT];
	struct cpuid_entry hypervisor[CPUID_HYPERVISOR_COUNT];
	struct cpuid_entry extended[CPUID_EXTENDED_COUNT];
	struct cpuid_subleaf subleaves[CPUID_SUBLEAVES_MAX];
	uint32_t subleaf_count;
	uint32_t vcpu_count;
	uint32_t core_bits; /* of the APIC id */
	enum config_cpu level;
	bool is_amd;
	uint8_t address_bits, linear_bits;
	uint64_t cr4_mask, efer_mask, xcr0_mask;
};

/* NULL: the VM has no such leaf. */
static inline struct cpuid_entry *cpuid_entry_at(struct cpuid_table *table,
						 uint32_t leaf)
{
	if (leaf < CPUID_BASIC_COUNT)
		return &table->basic[leaf];
	if (leaf - CPUID_HYPERVISOR_BASE < CPUID_HYPERVISOR_COUNT)
		return &table->hypervisor[leaf - CPUID_HYPERVISOR_BASE];
	if (leaf >= CPUID_EXTENDED_BASE && leaf <= table->extended[0].words.eax)
		return &table->extended[leaf - CPUID_EXTENDED_BASE];
	return NULL;
}

#endif
