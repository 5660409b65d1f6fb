/*
 * CPUID: what the guest is shown, by policy. [pure]
 *
 * A VM's table is made once: of the machine's CPUID, the policy (which bits of
 * which leaf a guest may have: those whose feature works) and the VM (topology).
 * What differs between vCPUs or changes (APIC ids, OSXSAVE, XSAVE size) is put in
 * when it is asked for.
 */
#ifndef KERNEL_EXIT_CPUID_H
#define KERNEL_EXIT_CPUID_H

#include "boot/config.h"
#include "kernel/vcpu.h"

struct cpuid_words {
	uint32_t eax, ebx, ecx, edx;
};

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* The machine's own CPUID instruction; a pure file cannot execute it. */
struct cpuid_words cpuid_machine(uint32_t leaf, uint32_t subleaf);

/*
 * The back end cannot run what @bits of that register promise, such as INVPCID
 * without VMX's control for it: no guest is shown them, nor gets what they allow
 * in CR4. While the back end is probed, at most 16 times.
 */
void cpuid_hide(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg,
		uint32_t bits);

/* For a VM of @vcpu_count vCPUs that see the CPU @level. NULL, and @why: no memory,
 * or the machine lacks what the level has. */
struct cpuid_table *cpuid_table_create(uint32_t vcpu_count,
				       enum config_cpu level, struct diag *why);
void cpuid_table_destroy(struct cpuid_table *table);

/* What @vcpu sees in @leaf, @subleaf. */
struct cpuid_words cpuid_read(struct vcpu *vcpu, uint32_t leaf,
			      uint32_t subleaf);

/* The exit: RAX..RDX from RAX, RCX, and skip. */
void exit_cpuid(struct vcpu *vcpu);

/* Bits that the guest may set, as its CPUID says: of CR4, of EFER, of XCR0. */
uint64_t cpuid_cr4_mask(const struct cpuid_table *table);
uint64_t cpuid_efer_mask(const struct cpuid_table *table);
uint64_t cpuid_xcr0_mask(const struct cpuid_table *table);
/* Width of guest-physical and of linear addresses. */
uint8_t cpuid_address_bits(const struct cpuid_table *table);
uint8_t cpuid_linear_bits(const struct cpuid_table *table);

/* What this machine would let be set in CR4, and the most that any guest may set
 * in XCR0. */
uint64_t cpuid_machine_cr4_mask(void);
uint64_t cpuid_machine_xcr0_mask(void);

/* Do the bits of @value make a possible XCR0, whichever there are? SDM 2D
 * "XSETBV". */
bool cpuid_is_xcr0_sound(uint64_t value);

/* AMD or one that follows it: VMMCALL, and the MSRs of that family. */
bool cpuid_is_amd(const struct cpuid_table *table);

/* @leaf, @subleaf as the table has it, before what differs between vCPUs is put
 * in. */
struct cpuid_words cpuid_leaf(const struct cpuid_table *table, uint32_t leaf,
			      uint32_t subleaf);

#endif
