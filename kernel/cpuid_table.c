/* Making a VM's CPUID: the machine's, by the policy, and what is computed. */
#include "kernel/cpuid_table.h"

#include "kernel/cpu/time.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/cpuid_levels.h"
#include "kernel/cpuid_machine.h"
#include "kernel/cpuid_policy.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/heap.h"

/* Guest memory is walked with four levels. */
#define ADDRESS_BITS_MAX 48

#define LAPIC_TIMER_HZ NS_PER_SEC

/* CPUID.4 and 8000001d: SDM 2A CPUID, "Deterministic Cache Parameters". */
#define CACHE_TYPE	    BITS(4, 0) /* 0: no more */
#define CACHE_LEVEL	    BITS(7, 5)
#define CACHE_SHARING	    BITS(25, 14) /* logical CPUs - 1 */
#define CACHE_CORES	    BITS(31, 26) /* of the package - 1; Intel */
#define CACHE_SUBLEAVES_MAX 8

/* CPUID.80000008:EAX and ECX */
#define SIZES_PHYSICAL	    BITS(7, 0)
#define SIZES_LINEAR	    BITS(15, 8)
#define SIZES_CORES	    BITS(7, 0)
#define SIZES_CORE_ID_WIDTH BITS(15, 12)

/* CPUID.1:EBX */
#define FEATURES_LOGICAL_COUNT BITS(23, 16)

/* As the guest's table says it, or, without one, the machine. */
static uint64_t cr4_mask(const struct cpuid_table *table)
{
	uint64_t mask = CR4_PCE;

	for (uint32_t i = 0; i < cpuid_cr4_bit_count; i++) {
		const struct cpuid_cr4_bit *bit = &cpuid_cr4_bits[i];
		struct cpuid_words words =
			table ? cpuid_leaf(table, bit->leaf, bit->subleaf)
			      : cpuid_machine_leaf(bit->leaf, bit->subleaf);

		if (*cpuid_word(&words, bit->reg) & bit->feature)
			mask |= bit->cr4;
	}
	return mask;
}

uint64_t cpuid_machine_cr4_mask(void)
{
	return cr4_mask(NULL);
}

static uint64_t guest_efer_mask(const struct cpuid_table *table)
{
	uint32_t features = table->extended[1].words.edx;
	uint64_t mask = 0;

	if (features & CPUID_EXT1_EDX_SYSCALL)
		mask |= EFER_SCE;
	if (features & CPUID_EXT1_EDX_LM)
		mask |= EFER_LME | EFER_LMA;
	if (features & CPUID_EXT1_EDX_NX)
		mask |= EFER_NXE;
	if (features & CPUID_EXT1_EDX_FFXSR)
		mask |= EFER_FFXSR;
	return mask;
}

/* The words of @leaf, @subleaf, made if they are new; NULL: no room, and the
 * guest sees 0. */
static struct cpuid_words *words_at(struct cpuid_table *table, uint32_t leaf,
				    uint32_t subleaf)
{
	struct cpuid_entry *entry = cpuid_entry_at(table, leaf);
	struct cpuid_subleaf *sub = table->subleaves;

	if (!entry || !subleaf)
		return entry ? &entry->words : NULL;
	for (uint32_t i = 0; i < table->subleaf_count; i++, sub++) {
		if (sub->leaf == leaf && sub->subleaf == subleaf)
			return &sub->words;
	}
	if (table->subleaf_count == CPUID_SUBLEAVES_MAX)
		return NULL;
	table->subleaf_count++;
	sub->leaf = leaf;
	sub->subleaf = subleaf;
	return &sub->words;
}

static void apply_policy(struct cpuid_table *table,
			 const struct cpuid_policy *policy)
{
	struct cpuid_words *words =
		words_at(table, policy->leaf, policy->subleaf);
	struct cpuid_words machine;
	uint32_t bits = policy->mask;

	if (!words || (table->xcr0_mask & policy->states) != policy->states)
		return;
	if (policy->verdict == CPUID_PASS) {
		machine = cpuid_machine_leaf(policy->leaf, policy->subleaf);
		bits &= *cpuid_word(&machine, policy->reg) &
			cpuid_level_mask(table->level, table->is_amd,
					 policy->leaf, policy->subleaf,
					 policy->reg);
	}
	*cpuid_word(words, policy->reg) |=
		bits &
		~cpuid_hidden(policy->leaf, policy->subleaf, policy->reg);
}

/* What is not a feature: the machine's, or the level's. */
static struct cpuid_words source_leaf(const struct cpuid_table *table,
				      uint32_t leaf, uint32_t subleaf)
{
	if (table->level == CONFIG_CPU_HOST)
		return cpuid_machine_leaf(leaf, subleaf);
	return cpuid_level_words(table->level, table->is_amd, leaf, subleaf);
}

/* Model, name, caches and TLBs; a host's came by the policy. */
static void add_level(struct cpuid_table *table)
{
	static const uint32_t leaves[] = { 1,	       2,	   0x80000001,
					   0x80000002, 0x80000003, 0x80000004,
					   0x80000005, 0x80000006 };

	for (uint32_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_words *words = words_at(table, leaves[i], 0);
		struct cpuid_words level = source_leaf(table, leaves[i], 0);

		words->eax |= level.eax;
		words->ebx |= level.ebx;
		words->ecx |= level.ecx;
		words->edx |= level.edx;
	}
}

/* The caches of one core are its own, the last level is the package's. */
static void set_caches(struct cpuid_table *table, uint32_t leaf)
{
	uint32_t cores = (uint32_t)BIT(table->core_bits) - 1;

	for (uint32_t i = 0; i < CACHE_SUBLEAVES_MAX; i++) {
		struct cpuid_words cache = source_leaf(table, leaf, i);
		struct cpuid_words *words;

		if (!(cache.eax & CACHE_TYPE))
			return;
		words = words_at(table, leaf, i);
		if (!words)
			return;
		*words = cache;
		words->eax &= (uint32_t) ~(CACHE_SHARING | CACHE_CORES);
		if (FIELD_GET(CACHE_LEVEL, cache.eax) >= 3)
			words->eax |= (uint32_t)FIELD_PUT(
				CACHE_SHARING,
				table->is_amd ? table->vcpu_count - 1 : cores);
		if (!table->is_amd)
			words->eax |= (uint32_t)FIELD_PUT(
				CACHE_CORES, cores < 63 ? cores : 63);
	}
}

/* One package of vcpu_count cores of one thread; the APIC id is the core's
 * number. */
static void set_topology(struct cpuid_table *table)
{
	struct cpuid_words *features = &table->basic[1].words;
	struct cpuid_words *sizes = &table->extended[8].words;

	features->ebx |=
		(uint32_t)FIELD_PUT(FEATURES_LOGICAL_COUNT, table->vcpu_count);
	if (table->vcpu_count > 1)
		features->edx |= CPUID_1_EDX_HTT;
	if (!table->is_amd) {
		set_caches(table, 4);
		return;
	}
	if (table->vcpu_count > 1)
		table->extended[1].words.ecx |= CPUID_EXT1_ECX_CMP_LEGACY;
	sizes->ecx =
		(uint32_t)(FIELD_PUT(SIZES_CORES, table->vcpu_count - 1) |
			   FIELD_PUT(SIZES_CORE_ID_WIDTH, table->core_bits));
	if (table->extended[1].words.ecx & CPUID_EXT1_ECX_TOPOEXT)
		set_caches(table, 0x8000001d);
}

static void set_addresses(struct cpuid_table *table)
{
	uint32_t machine = cpuid_machine_leaf(0x80000008, 0).eax;
	bool has_la57 = table->basic[7].words.ecx & CPUID_7_ECX_LA57;
	uint8_t max = table->level == CONFIG_CPU_HOST
			      ? ADDRESS_BITS_MAX
			      : CPUID_LEVEL_ADDRESS_BITS;

	table->address_bits =
		(uint8_t)min_u64(FIELD_GET(SIZES_PHYSICAL, machine), max);
	if (!table->address_bits)
		table->address_bits = 36; /* no leaf: SDM 3A 4.1.4 */
	table->linear_bits = has_la57 ? 57 : 48;
	table->extended[8].words.eax =
		(uint32_t)(FIELD_PUT(SIZES_PHYSICAL, table->address_bits) |
			   FIELD_PUT(SIZES_LINEAR, table->linear_bits));
}

static void set_xsave(struct cpuid_table *table)
{
	table->basic[0xd].words.eax = (uint32_t)table->xcr0_mask;
	table->basic[0xd].words.edx = (uint32_t)(table->xcr0_mask >> 32);
	for (uint32_t i = 2; i < 63; i++) {
		struct cpuid_words *words;

		if (!(table->xcr0_mask & BIT(i)))
			continue;
		words = words_at(table, 0xd, i);
		if (!words)
			continue;
		*words = source_leaf(table, 0xd, i);
		words->ecx &= (uint32_t)XSAVE_STATE_ALIGNED;
	}
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * CPUID.15: the TSC runs at ECX * EBX / EAX, and the local APIC's timer at ECX.
 * Linux multiplies ECX / 1000 by EBX in 32 bits (native_calibrate_tsc), so a
 * ratio that overflows there, or is not exact, is not told at all: leaf
 * 0x40000010 tells the frequency too.
 */
static void set_frequency(struct cpuid_table *table)
{
	uint64_t hz = time_tsc_hz();
	uint64_t divisor = common_divisor(hz, LAPIC_TIMER_HZ);
	uint64_t numerator = hz / divisor;

	table->hypervisor[0x10].words.eax = (uint32_t)(hz / 1000);
	table->hypervisor[0x10].words.ebx = LAPIC_TIMER_HZ / 1000;
	if (numerator > UINT32_MAX / (LAPIC_TIMER_HZ / 1000))
		return;
	table->basic[0x15].words = (struct cpuid_words){
		.eax = (uint32_t)(LAPIC_TIMER_HZ / divisor),
		.ebx = (uint32_t)numerator,
		.ecx = LAPIC_TIMER_HZ,
	};
}

static uint32_t extended_max(const struct cpuid_table *table)
{
	uint32_t machine = cpuid_machine(CPUID_EXTENDED_BASE, 0).eax;
	uint32_t max = CPUID_EXTENDED_BASE + CPUID_EXTENDED_COUNT - 1;

	if (!table->is_amd || table->level != CONFIG_CPU_HOST ||
	    machine < 0x80000008)
		return 0x80000008;
	return machine < max ? machine : max;
}

static void set_ranges(struct cpuid_table *table)
{
	static const char signature[12] = "KVMKVMKVM";
	struct cpuid_words *hypervisor = &table->hypervisor[0].words;

	table->basic[0].words.eax = CPUID_BASIC_COUNT - 1;
	table->extended[0].words.eax = extended_max(table);
	hypervisor->eax = CPUID_HYPERVISOR_BASE + CPUID_HYPERVISOR_COUNT - 1;
	memcpy(&hypervisor->ebx, signature, 4);
	memcpy(&hypervisor->ecx, signature + 4, 4);
	memcpy(&hypervisor->edx, signature + 8, 4);
}

static void set_kinds(struct cpuid_table *table)
{
	table->basic[1].kind = CPUID_KIND_FEATURES;
	table->basic[4].kind = CPUID_KIND_LISTED;
	table->basic[7].kind = CPUID_KIND_STRUCTURED;
	table->basic[0xb].kind = CPUID_KIND_TOPOLOGY;
	table->basic[0xd].kind = CPUID_KIND_XSAVE;
	table->basic[0x1d].kind = CPUID_KIND_LISTED;
	table->basic[0x1e].kind = CPUID_KIND_LISTED;
	table->basic[0x1f].kind = CPUID_KIND_TOPOLOGY;
	table->extended[0x1d].kind = CPUID_KIND_LISTED;
	if (table->extended[1].words.ecx & CPUID_EXT1_ECX_TOPOEXT)
		table->extended[0x1e].kind = CPUID_KIND_AMD_TOPOLOGY;
}

static bool is_machine_amd(void)
{
	uint32_t ebx = cpuid_machine(0, 0).ebx;

	return memcmp(&ebx, "Auth", 4) == 0 || memcmp(&ebx, "Hygo", 4) == 0;
}

/* Everything, of a table that knows its VM and its level. */
static void fill(struct cpuid_table *table)
{
	while (BIT(table->core_bits) < table->vcpu_count)
		table->core_bits++;
	table->is_amd = is_machine_amd();
	if (!(cpuid_hidden(1, 0, CPUID_ECX) & CPUID_1_ECX_XSAVE))
		table->xcr0_mask = cpuid_machine_xcr0_mask() &
				   cpuid_level_states(table->level);
	set_ranges(table);
	for (uint32_t i = 0; i < cpuid_policy_count; i++)
		apply_policy(table, &cpuid_policies[i]);
	if (table->level != CONFIG_CPU_HOST)
		add_level(table);
	else if (cpuid_machine_leaf(7, 0).eax)
		table->basic[7].words.eax = 1; /* subleaves: 0 and 1 */
	set_xsave(table);
	set_addresses(table);
	set_topology(table);
	set_frequency(table);
	set_kinds(table);
	table->cr4_mask = cr4_mask(table);
	table->efer_mask = guest_efer_mask(table);
}

struct cpuid_table *cpuid_table_create(uint32_t vcpu_count,
				       enum config_cpu level, struct diag *why)
{
	struct cpuid_table *table = heap_alloc(sizeof(*table));
	const char *missing;

	if (!table) {
		diag_set(why, -ENOMEM, "not enough memory");
		return NULL;
	}
	table->vcpu_count = vcpu_count;
	table->level = level;
	fill(table);
	missing = level == CONFIG_CPU_HOST ? NULL : cpuid_level_missing(table);
	if (!missing)
		return table;
	diag_set(why, -ENOTSUP, "cpu = \"x86-64-v%u\": this machine has no %s",
		 (unsigned int)(level - CONFIG_CPU_V1 + 1), missing);
	heap_free(table);
	return NULL;
}

void cpuid_table_destroy(struct cpuid_table *table)
{
	heap_free(table);
}
