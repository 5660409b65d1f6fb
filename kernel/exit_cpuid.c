/* CPUID as a vCPU sees it. */
#include "kernel/exit_cpuid.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/cpuid_machine.h"
#include "kernel/cpuid_table.h"
#include "kernel/vm.h"

/* CPUID.1:EBX */
#define FEATURES_APIC_ID BITS(31, 24)

/* CPUID.0xb and 0x1f: SDM 2A CPUID, "Extended Topology Enumeration Leaf". */
#define TOPOLOGY_THREADS BIT(8)
#define TOPOLOGY_CORES	 FIELD_PUT(BITS(15, 8), 2)

/* CPUID.(0xd,1):EAX */
#define XSAVE_HAS_COMPACT (BIT(1) | BIT(3))

#define XSAVE_EXTENDED BITS(62, 2)

static struct cpuid_words subleaf_words(const struct cpuid_table *table,
					uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < table->subleaf_count; i++) {
		const struct cpuid_subleaf *sub = &table->subleaves[i];

		if (sub->leaf == leaf && sub->subleaf == subleaf)
			return sub->words;
	}
	return (struct cpuid_words){ 0 };
}

struct cpuid_words cpuid_leaf(const struct cpuid_table *table, uint32_t leaf,
			      uint32_t subleaf)
{
	const struct cpuid_entry *entry =
		cpuid_entry_at((struct cpuid_table *)table, leaf);

	if (!entry)
		return (struct cpuid_words){ 0 };
	if (subleaf && entry->kind != CPUID_KIND_PLAIN)
		return subleaf_words(table, leaf, subleaf);
	return entry->words;
}

static uint64_t read_cr4(const struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	return mode.cr4;
}

static struct cpuid_words features(const struct vcpu *vcpu,
				   struct cpuid_words words)
{
	words.ebx |= (uint32_t)FIELD_PUT(FEATURES_APIC_ID, vcpu->number);
	if (read_cr4(vcpu) & CR4_OSXSAVE)
		words.ecx |= CPUID_1_ECX_OSXSAVE;
	if (!(vcpu->msr.apic_base & APIC_BASE_ENABLE))
		words.edx &= (uint32_t)~CPUID_1_EDX_APIC;
	return words;
}

static struct cpuid_words structured(const struct vcpu *vcpu, uint32_t subleaf)
{
	struct cpuid_words words = cpuid_leaf(vcpu->vm->cpuid, 7, subleaf);

	if (subleaf == 0 && (read_cr4(vcpu) & CR4_PKE))
		words.ecx |= CPUID_7_ECX_OSPKE;
	return words;
}

static struct cpuid_words topology(const struct vcpu *vcpu, uint32_t subleaf)
{
	const struct cpuid_table *table = vcpu->vm->cpuid;
	struct cpuid_words words = { .ecx = subleaf & 0xff,
				     .edx = vcpu->number };

	if (subleaf == 0) {
		words.ebx = 1;
		words.ecx |= TOPOLOGY_THREADS;
	} else if (subleaf == 1) {
		words.eax = table->core_bits;
		words.ebx = table->vcpu_count;
		words.ecx |= TOPOLOGY_CORES;
	}
	return words;
}

/* Bytes of an XSAVE area with @states, in standard format. */
static uint32_t xsave_size(const struct cpuid_table *table, uint64_t states)
{
	uint32_t size = XSAVE_BEGIN;

	for (states &= XSAVE_EXTENDED; states; states &= states - 1) {
		struct cpuid_words words = subleaf_words(
			table, 0xd, (uint32_t)__builtin_ctzl(states));

		if (words.ebx + words.eax > size)
			size = words.ebx + words.eax;
	}
	return size;
}

/* The same in compacted format: SDM 1 13.4.3 "Extended Region of an XSAVE
 * Area". */
static uint32_t xsave_size_compact(const struct cpuid_table *table,
				   uint64_t states)
{
	uint32_t size = XSAVE_BEGIN;

	for (states &= XSAVE_EXTENDED; states; states &= states - 1) {
		struct cpuid_words words = subleaf_words(
			table, 0xd, (uint32_t)__builtin_ctzl(states));

		if (words.ecx & XSAVE_STATE_ALIGNED)
			size = (uint32_t)align_up(size, 64);
		size += words.eax;
	}
	return size;
}

static struct cpuid_words xsave(const struct vcpu *vcpu, uint32_t subleaf)
{
	const struct cpuid_table *table = vcpu->vm->cpuid;
	struct cpuid_words words = cpuid_leaf(table, 0xd, subleaf);

	if (!table->xcr0_mask)
		return (struct cpuid_words){ 0 };
	if (subleaf == 0) {
		words.ebx = xsave_size(table, vcpu_read_xcr0(vcpu));
		words.ecx = xsave_size(table, table->xcr0_mask);
	} else if (subleaf == 1 && (words.eax & XSAVE_HAS_COMPACT)) {
		words.ebx = xsave_size_compact(table, vcpu_read_xcr0(vcpu) |
							      vcpu->xss);
	}
	return words;
}

/* What is beyond the last leaf: AMD's CPUs say 0, Intel's what their highest
 * basic leaf says (SDM 2A CPUID). Nobody asks for hypervisors but to see whether
 * there is another one: 0. */
static struct cpuid_words outside(struct vcpu *vcpu, uint32_t leaf,
				  uint32_t subleaf)
{
	const struct cpuid_table *table = vcpu->vm->cpuid;

	if (table->is_amd || leaf >> 28 == CPUID_HYPERVISOR_BASE >> 28)
		return (struct cpuid_words){ 0 };
	return cpuid_read(vcpu, table->basic[0].words.eax, subleaf);
}

static struct cpuid_words computed(struct vcpu *vcpu,
				   const struct cpuid_entry *entry,
				   uint32_t leaf, uint32_t subleaf)
{
	switch (entry->kind) {
	case CPUID_KIND_FEATURES: return features(vcpu, entry->words);
	case CPUID_KIND_STRUCTURED: return structured(vcpu, subleaf);
	case CPUID_KIND_TOPOLOGY: return topology(vcpu, subleaf);
	case CPUID_KIND_XSAVE: return xsave(vcpu, subleaf);
	case CPUID_KIND_AMD_TOPOLOGY:
		return (struct cpuid_words){ .eax = vcpu->number,
					     .ebx = vcpu->number & 0xff };
	default: return cpuid_leaf(vcpu->vm->cpuid, leaf, subleaf);
	}
}

struct cpuid_words cpuid_read(struct vcpu *vcpu, uint32_t leaf,
			      uint32_t subleaf)
{
	const struct cpuid_entry *entry = cpuid_entry_at(vcpu->vm->cpuid, leaf);

	if (!entry)
		return outside(vcpu, leaf, subleaf);
	if (entry->kind == CPUID_KIND_PLAIN)
		return entry->words;
	return computed(vcpu, entry, leaf, subleaf);
}

void exit_cpuid(struct vcpu *vcpu)
{
	uint64_t *gpr = vcpu->regs.gpr;
	struct cpuid_words words = cpuid_read(vcpu, (uint32_t)gpr[GPR_RAX],
					      (uint32_t)gpr[GPR_RCX]);

	gpr[GPR_RAX] = words.eax;
	gpr[GPR_RBX] = words.ebx;
	gpr[GPR_RCX] = words.ecx;
	gpr[GPR_RDX] = words.edx;
	vcpu_skip_insn(vcpu);
}

uint64_t cpuid_cr4_mask(const struct cpuid_table *table)
{
	return table->cr4_mask;
}

uint64_t cpuid_efer_mask(const struct cpuid_table *table)
{
	return table->efer_mask;
}

uint64_t cpuid_xcr0_mask(const struct cpuid_table *table)
{
	return table->xcr0_mask;
}

uint8_t cpuid_address_bits(const struct cpuid_table *table)
{
	return table->address_bits;
}

uint8_t cpuid_linear_bits(const struct cpuid_table *table)
{
	return table->linear_bits;
}

bool cpuid_is_amd(const struct cpuid_table *table)
{
	return table->is_amd;
}
