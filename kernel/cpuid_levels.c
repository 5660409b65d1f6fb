/*
 * Named CPUs: the micro-architecture levels of the x86-64 psABI (its table 3.1).
 *
 * Each has, beside what the psABI asks for, what all servers that Basalt runs on
 * have by that level and Linux makes use of. These are, because of nested paging:
 *
 *	      Intel (with unrestricted guests)	AMD
 *	v1    Westmere				Barcelona (family 10h)
 *	v2    Westmere				Bulldozer, Jaguar
 *	v3    Haswell				Excavator
 *	v4    Skylake-SP			Zen 4
 *
 * An invariant TSC is at no level: a guest that trusts its TSC more than the
 * kvm-clock would go wrong on a host with another frequency. VME is at none for
 * the sake of QEMU, which has no such thing without KVM, nor is PKU, which the
 * desktop CPUs of Skylake-SP's family lack.
 */
#include "kernel/cpuid_levels.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/cpuid_machine.h"
#include "kernel/cpuid_table.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

/* CPUID.80000001:EDX repeats these of CPUID.1:EDX on AMD's CPUs. */
#define REPEATED (BIT(0) | BITS(9, 2) | BITS(17, 12) | BIT(23) | BIT(24))

#define V1 CONFIG_CPU_V1
#define V2 CONFIG_CPU_V2
#define V3 CONFIG_CPU_V3
#define V4 CONFIG_CPU_V4

/* leaf, subleaf, register, vendor, from which level, bits, name */
const struct cpuid_level_feature cpuid_level_features[] = {
	/* clang-format off */
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(0), "FPU" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(2), "DE" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(3), "PSE" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(4), "TSC" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(5), "MSR" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(6), "PAE" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(7), "MCE" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(8), "CMPXCHG8B" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(11), "SYSENTER" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(13), "PGE" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(14), "MCA" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(15), "CMOV" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(16), "PAT" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(17), "PSE-36" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(19), "CLFLUSH" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(23), "MMX" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(24), "FXSR" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(25), "SSE" },
	{ 1, 0, CPUID_EDX, CPUID_ANY, V1, BIT(26), "SSE2" },
	{ 0x80000001, 0, CPUID_EDX, CPUID_AMD, V1, REPEATED, "AMD's copy of CPUID.1:EDX" },
	{ 0x80000001, 0, CPUID_EDX, CPUID_ANY, V1, BIT(11), "SYSCALL" },
	{ 0x80000001, 0, CPUID_EDX, CPUID_ANY, V1, BIT(20), "NX" },
	{ 0x80000001, 0, CPUID_EDX, CPUID_ANY, V1, BIT(27), "RDTSCP" },
	{ 0x80000001, 0, CPUID_EDX, CPUID_ANY, V1, BIT(29), "long mode" },

	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(0), "SSE3" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(1), "PCLMULQDQ" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(9), "SSSE3" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(13), "CMPXCHG16B" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(19), "SSE4.1" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(20), "SSE4.2" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(23), "POPCNT" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V2, BIT(25), "AES" },
	{ 0x80000001, 0, CPUID_ECX, CPUID_ANY, V2, BIT(0), "LAHF" },

	{ 1, 0, CPUID_ECX, CPUID_ANY, V3, BIT(26), "XSAVE" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V3, BIT(28), "AVX" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V3, BIT(5), "AVX2" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V3, BIT(12), "FMA" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V3, BIT(29), "F16C" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V3, BIT(3), "BMI1" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V3, BIT(8), "BMI2" },
	{ 0x80000001, 0, CPUID_ECX, CPUID_ANY, V3, BIT(5), "LZCNT" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V3, BIT(22), "MOVBE" },
	{ 1, 0, CPUID_ECX, CPUID_ANY, V3, BIT(30), "RDRAND" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V3, BIT(0), "FSGSBASE" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V3, BIT(7), "SMEP" },
	{ 0xd, 1, CPUID_EAX, CPUID_ANY, V3, BIT(0), "XSAVEOPT" },
	{ 0x80000001, 0, CPUID_EDX, CPUID_ANY, V3, BIT(26), "1 GiB pages" },
	{ 1, 0, CPUID_ECX, CPUID_INTEL, V3, BIT(17), "PCID" },
	{ 7, 0, CPUID_EBX, CPUID_INTEL, V3, BIT(9), "ERMS" },
	{ 7, 0, CPUID_EBX, CPUID_INTEL, V3, BIT(10), "INVPCID" },

	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(16), "AVX512F" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(17), "AVX512DQ" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(28), "AVX512CD" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(30), "AVX512BW" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(31), "AVX512VL" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(18), "RDSEED" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(19), "ADX" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(20), "SMAP" },
	{ 7, 0, CPUID_EBX, CPUID_ANY, V4, BIT(23), "CLFLUSHOPT" },
	{ 0xd, 1, CPUID_EAX, CPUID_ANY, V4, BIT(1), "XSAVEC" },
	{ 0xd, 1, CPUID_EAX, CPUID_ANY, V4, BIT(2), "XGETBV of XINUSE" },
	{ 0xd, 1, CPUID_EAX, CPUID_ANY, V4, BIT(3), "XSAVES" },
	{ 0x80000001, 0, CPUID_ECX, CPUID_ANY, V4, BIT(8), "PREFETCHW" },
	{ 1, 0, CPUID_ECX, CPUID_AMD, V4, BIT(17), "PCID" },
	{ 7, 0, CPUID_EBX, CPUID_AMD, V4, BIT(9), "ERMS" },
	{ 7, 0, CPUID_EBX, CPUID_AMD, V4, BIT(10), "INVPCID" },
	{ 7, 0, CPUID_ECX, CPUID_AMD, V4, BIT(2), "UMIP" },
	/* clang-format on */
};
const uint32_t cpuid_level_feature_count = ARRAY_SIZE(cpuid_level_features);

/*
 * What is not a feature. Models are the first server's of the level, so that a
 * guest works around what is wrong with that one: AMD's from Zen on, because
 * Linux wants more of older families than they need. Caches are of usual sizes;
 * how many CPUs share them is computed. The layout of XSAVE's area has always been
 * the same on all CPUs of one vendor.
 */
static const struct {
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t vendor;	     /* enum cpuid_vendor */
	uint8_t first, last; /* enum config_cpu */
	struct cpuid_words words;
} level_words[] = {
	/* clang-format off */
	/* model; CLFLUSH of 64 bytes */
	{ 1, 0, CPUID_INTEL, V1, V2, { 0x000206c2, 0x0800, 0, 0 } },
	{ 1, 0, CPUID_INTEL, V3, V3, { 0x000306f2, 0x0800, 0, 0 } },
	{ 1, 0, CPUID_INTEL, V4, V4, { 0x00050654, 0x0800, 0, 0 } },
	{ 1, 0, CPUID_AMD, V1, V3, { 0x00800f12, 0x0800, 0, 0 } },
	{ 1, 0, CPUID_AMD, V4, V4, { 0x00a10f11, 0x0800, 0, 0 } },
	{ 0x80000001, 0, CPUID_AMD, V1, V3, { 0x00800f12, 0, 0, 0 } },
	{ 0x80000001, 0, CPUID_AMD, V4, V4, { 0x00a10f11, 0, 0, 0 } },

	/* TLBs; L1 of 32 KiB each, L2 of 512 KiB, L3 of 16 MiB */
	{ 2, 0, CPUID_INTEL, V1, V4, { 0x76036301, 0x00f0b5ff, 0, 0x00c30000 } },
	{ 4, 0, CPUID_INTEL, V1, V4, { 0x121, 0x01c0003f, 0x3f, 0 } },
	{ 4, 1, CPUID_INTEL, V1, V4, { 0x122, 0x01c0003f, 0x3f, 0 } },
	{ 4, 2, CPUID_INTEL, V1, V4, { 0x143, 0x01c0003f, 0x3ff, 0 } },
	{ 4, 3, CPUID_INTEL, V1, V4, { 0x163, 0x03c0003f, 0x3fff, 0 } },
	{ 0x80000005, 0, CPUID_AMD, V1, V4, { 0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140 } },
	{ 0x80000006, 0, CPUID_INTEL, V1, V4, { 0, 0, 0x02006040, 0 } },
	{ 0x80000006, 0, CPUID_AMD, V1, V4, { 0x26006400, 0x66006400, 0x02006140, 0x00808140 } },

	/* AVX, AVX-512: size and place */
	{ 0xd, 2, CPUID_ANY, V3, V4, { 256, 576, 0, 0 } },
	{ 0xd, 5, CPUID_INTEL, V4, V4, { 64, 1088, 0, 0 } },
	{ 0xd, 6, CPUID_INTEL, V4, V4, { 512, 1152, 0, 0 } },
	{ 0xd, 7, CPUID_INTEL, V4, V4, { 1024, 1664, 0, 0 } },
	{ 0xd, 5, CPUID_AMD, V4, V4, { 64, 832, 0, 0 } },
	{ 0xd, 6, CPUID_AMD, V4, V4, { 512, 896, 0, 0 } },
	{ 0xd, 7, CPUID_AMD, V4, V4, { 1024, 1408, 0, 0 } },
	/* clang-format on */
};

static bool is_for(uint8_t vendor, bool is_amd)
{
	return vendor == CPUID_ANY || (vendor == CPUID_AMD) == is_amd;
}

static bool is_at(const struct cpuid_level_feature *row, enum config_cpu level,
		  bool is_amd)
{
	return row->level <= level && is_for(row->vendor, is_amd);
}

uint32_t cpuid_level_mask(enum config_cpu level, bool is_amd, uint32_t leaf,
			  uint32_t subleaf, enum cpuid_register reg)
{
	uint32_t mask = 0;

	if (level == CONFIG_CPU_HOST || leaf == 0 ||
	    leaf == CPUID_EXTENDED_BASE)
		return UINT32_MAX;
	for (uint32_t i = 0; i < cpuid_level_feature_count; i++) {
		const struct cpuid_level_feature *row =
			&cpuid_level_features[i];

		if (row->leaf == leaf && row->subleaf == subleaf &&
		    row->reg == reg && is_at(row, level, is_amd))
			mask |= row->bits;
	}
	return mask;
}

uint64_t cpuid_level_states(enum config_cpu level)
{
	const uint64_t avx = XCR0_X87 | XCR0_SSE | XCR0_AVX;

	switch (level) {
	case CONFIG_CPU_HOST: return UINT64_MAX;
	case CONFIG_CPU_V3: return avx;
	case CONFIG_CPU_V4:
		return avx | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM;
	default: return 0;
	}
}

/* The 48 bytes of three leaves. */
static struct cpuid_words name_words(enum config_cpu level, uint32_t index)
{
	char name[3 * sizeof(struct cpuid_words)] = { 0 };
	struct cpuid_words words;

	fmt_print(name, sizeof(name), "Basalt x86-64-v%u",
		  (unsigned int)(level - CONFIG_CPU_V1 + 1));
	memcpy(&words, name + index * sizeof(words), sizeof(words));
	return words;
}

struct cpuid_words cpuid_level_words(enum config_cpu level, bool is_amd,
				     uint32_t leaf, uint32_t subleaf)
{
	if (leaf - 0x80000002 < 3)
		return name_words(level, leaf - 0x80000002);
	for (uint32_t i = 0; i < ARRAY_SIZE(level_words); i++) {
		if (level_words[i].leaf == leaf &&
		    level_words[i].subleaf == subleaf &&
		    level_words[i].first <= level &&
		    level <= level_words[i].last &&
		    is_for(level_words[i].vendor, is_amd))
			return level_words[i].words;
	}
	return (struct cpuid_words){ 0 };
}

/* The CPU puts each state where it will: no table can move it. */
static bool is_area_usual(const struct cpuid_table *table)
{
	for (uint64_t states = table->xcr0_mask & ~(XCR0_X87 | XCR0_SSE);
	     states; states &= states - 1) {
		uint32_t state = (uint32_t)__builtin_ctzl(states);
		struct cpuid_words has = cpuid_machine_leaf(0xd, state);
		struct cpuid_words level = cpuid_level_words(
			table->level, table->is_amd, 0xd, state);

		if (has.eax != level.eax || has.ebx != level.ebx ||
		    (has.ecx & XSAVE_STATE_ALIGNED) != level.ecx)
			return false;
	}
	return true;
}

const char *cpuid_level_missing(const struct cpuid_table *table)
{
	for (uint32_t i = 0; i < cpuid_level_feature_count; i++) {
		const struct cpuid_level_feature *row =
			&cpuid_level_features[i];
		struct cpuid_words words =
			cpuid_leaf(table, row->leaf, row->subleaf);

		if (is_at(row, table->level, table->is_amd) &&
		    (*cpuid_word(&words, row->reg) & row->bits) != row->bits)
			return row->name;
	}
	if (table->address_bits < CPUID_LEVEL_ADDRESS_BITS)
		return "39 bits of physical address";
	if (!is_area_usual(table))
		return "XSAVE's area in the usual order";
	return NULL;
}
