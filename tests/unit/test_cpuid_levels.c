/* Named CPUs: the same to a guest on an old and on a new machine of a vendor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/cpuid_levels.h"
#include "kernel/cpuid_policy.h"
#include "kernel/cpuid_table.h"

static struct diag why;

/* A VM's table on @model. */
static struct cpuid_table *make(enum fake_cpu_model model,
				enum config_cpu level)
{
	struct cpuid_table *table;

	fake_cpuid_use(model);
	table = cpuid_table_create(3, level, &why);
	if (!table)
		fail_msg("%s", why.text);
	return table;
}

static struct cpuid_words leaf(enum fake_cpu_model model, enum config_cpu level,
			       uint32_t number)
{
	struct cpuid_table *table = make(model, level);
	struct cpuid_words words = cpuid_leaf(table, number, 0);

	cpuid_table_destroy(table);
	return words;
}

static void old_and_new_are_the_same(void **state)
{
	static const struct {
		enum fake_cpu_model old, new;
		enum config_cpu last;
	} rows[] = {
		{ FAKE_CPU_AMD_OLD, FAKE_CPU_AMD, CONFIG_CPU_V3 },
		{ FAKE_CPU_INTEL_OLD, FAKE_CPU_INTEL, CONFIG_CPU_V3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (enum config_cpu level = CONFIG_CPU_V1;
		     level <= rows[i].last; level++) {
			struct cpuid_table *old = make(rows[i].old, level);
			struct cpuid_table *new = make(rows[i].new, level);

			assert_memory_equal(old, new, sizeof(*old));
			cpuid_table_destroy(old);
			cpuid_table_destroy(new);
		}
	}
}

/* More of everything than the machine before it. */
static void newer(enum fake_cpu_model model)
{
	static const uint32_t leaves[] = { 2, 5, 6, 0xa, 0x14, 0x1d, 0x1e };
	const struct cpuid_words ones = { ~0U, ~0U, ~0U, ~0U };
	struct cpuid_words words;

	fake_cpuid_use(model);
	words = cpuid_machine(0, 0);
	words.eax = 0x24;
	fake_cpuid_set(0, 0, words);
	words = cpuid_machine(1, 0);
	words = (struct cpuid_words){ 0x00c06f20, words.ebx, ~0U, ~0U };
	fake_cpuid_set(1, 0, words);
	fake_cpuid_set(7, 0, (struct cpuid_words){ 2, ~0U, ~0U, ~0U });
	fake_cpuid_set(7, 1, ones);
	fake_cpuid_set(0xd, 1, ones);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		fake_cpuid_set(leaves[i], 0, ones);
	fake_cpuid_set(0x80000001, 0, ones);
	fake_cpuid_set(0x80000002, 0, ones);
	fake_cpuid_set(0x80000006, 0, ones);
	fake_cpuid_set(0x80000007, 0, ones);
	fake_cpuid_set(0x80000008, 0,
		       (struct cpuid_words){ 0x3934, ~0U, ~0U, ~0U });
	fake_cpuid_set(4, 3, (struct cpuid_words){ 0x7c0fc163, 1, 2, 3 });
	words = cpuid_machine(0xd, 0);
	fake_cpuid_set(0xd, 0,
		       (struct cpuid_words){ words.eax | 0x60000, 0, 0, 0 });
	fake_cpuid_set(0xd, 17, (struct cpuid_words){ 64, 0xac0, 2, 0 });
	fake_cpuid_set(0xd, 18, (struct cpuid_words){ 8192, 0xb00, 6, 0 });
}

/* No bit that only a later machine has comes through. */
static void later_machines_add_nothing(void **state)
{
	static const enum fake_cpu_model models[] = { FAKE_CPU_AMD,
						      FAKE_CPU_INTEL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		for (enum config_cpu level = CONFIG_CPU_V1;
		     level <= CONFIG_CPU_V4; level++) {
			struct cpuid_table *table = make(models[i], level);
			struct cpuid_table *later;

			newer(models[i]);
			later = cpuid_table_create(3, level, &why);
			assert_non_null(later);
			assert_memory_equal(table, later, sizeof(*table));
			cpuid_table_destroy(table);
			cpuid_table_destroy(later);
		}
	}
}

/* The levels of the psABI, table 3.1, as bits of four registers. */
static void has_what_the_psabi_wants(void **state)
{
	static const struct {
		uint32_t edx1, ecx1, ebx7, ecx_ext;
	} wanted[] = {
		[CONFIG_CPU_V1] = { 0x07808101, 0, 0, 0 },
		[CONFIG_CPU_V2] = { 0x07808101, 0x00982201, 0, 0x1 },
		[CONFIG_CPU_V3] = { 0x07808101, 0x34d83201, 0x128, 0x21 },
		[CONFIG_CPU_V4] = { 0x07808101, 0x34d83201, 0xd0030128, 0x21 },
	};
	static const enum fake_cpu_model models[] = { FAKE_CPU_AMD,
						      FAKE_CPU_INTEL };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(wanted); i++) {
		enum config_cpu level = i / 2;
		enum fake_cpu_model model = models[i % 2];

		if (level == CONFIG_CPU_HOST)
			continue;
		assert_int_equal(
			~leaf(model, level, 1).edx & wanted[level].edx1, 0);
		assert_int_equal(
			~leaf(model, level, 1).ecx & wanted[level].ecx1, 0);
		assert_int_equal(
			~leaf(model, level, 7).ebx & wanted[level].ebx7, 0);
		assert_int_equal(~leaf(model, level, 0x80000001).ecx &
					 wanted[level].ecx_ext,
				 0);
		assert_int_not_equal(leaf(model, level, 0x80000001).edx &
					     CPUID_EXT1_EDX_SYSCALL,
				     0);
	}
}

static void assert_words(struct cpuid_words words, uint32_t eax, uint32_t ebx,
			 uint32_t ecx, uint32_t edx)
{
	assert_int_equal(words.eax, eax);
	assert_int_equal(words.ebx, ebx);
	assert_int_equal(words.ecx, ecx);
	assert_int_equal(words.edx, edx);
}

static void v2_whole(void **state)
{
	struct cpuid_table *table = make(FAKE_CPU_INTEL, CONFIG_CPU_V2);
	struct cpuid_words name = cpuid_leaf(table, 0x80000002, 0);

	(void)state;
	assert_words(cpuid_leaf(table, 1, 0), 0x000206c2, 0x00030800,
		     0x83b82203, 0x178bfbfd);
	assert_words(cpuid_leaf(table, 7, 0), 0, CPUID_7_EBX_TSC_ADJUST, 0, 0);
	assert_words(cpuid_leaf(table, 0xd, 0), 0, 0, 0, 0);
	assert_words(cpuid_leaf(table, 0xd, 1), 0, 0, 0, 0);
	assert_words(cpuid_leaf(table, 4, 0), 0x0c000121, 0x01c0003f, 0x3f, 0);
	assert_words(cpuid_leaf(table, 4, 3), 0x0c00c163, 0x03c0003f, 0x3fff,
		     0);
	assert_words(cpuid_leaf(table, 0x80000001, 0), 0, 0, 1, 0x28100800);
	assert_memory_equal(&name, "Basalt x86-64-v2", 16);
	assert_words(cpuid_leaf(table, 0x80000003, 0), 0, 0, 0, 0);
	assert_words(cpuid_leaf(table, 0x80000007, 0), 0, 0, 0, 0);
	assert_words(cpuid_leaf(table, 0x80000008, 0), 0x3027, 0, 0, 0);
	assert_int_equal(cpuid_address_bits(table), 39);
	assert_int_equal(cpuid_xcr0_mask(table), 0);
	assert_false(cpuid_cr4_mask(table) &
		     (CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_FSGSBASE |
		      CR4_PCIDE | CR4_PKE | CR4_UMIP | CR4_VME));
	cpuid_table_destroy(table);
}

static void amd_leaves_end(void **state)
{
	struct cpuid_table *table = make(FAKE_CPU_AMD, CONFIG_CPU_V4);

	(void)state;
	assert_int_equal(cpuid_leaf(table, 0x80000000, 0).eax, 0x80000008);
	assert_words(cpuid_leaf(table, 0x8000001d, 0), 0, 0, 0, 0);
	assert_words(cpuid_leaf(table, 0x80000001, 0), 0x00a10f11, 0, 0x123,
		     0x2d93fbfd);
	assert_words(cpuid_leaf(table, 0x80000008, 0), 0x3027, 0, 0x2002, 0);
	assert_int_equal(cpuid_xcr0_mask(table), 0xe7);
	assert_int_equal(cpuid_linear_bits(table), 48);
	cpuid_table_destroy(table);
}

/* Without @bits of that register on @model, @level fails and names @name. */
static void assert_lacks(enum fake_cpu_model model,
			 const struct cpuid_level_feature *row,
			 enum config_cpu level)
{
	struct cpuid_words words;
	uint32_t *regs[] = { &words.eax, &words.ebx, &words.ecx, &words.edx };
	struct cpuid_table *table;
	char text[DIAG_TEXT_MAX];

	fake_cpuid_use(model);
	words = cpuid_machine(row->leaf, row->subleaf);
	*regs[row->reg] &= ~(row->bits & -row->bits);
	fake_cpuid_set(row->leaf, row->subleaf, words);
	table = cpuid_table_create(3, level, &why);
	if (level < row->level) {
		assert_non_null(table);
		cpuid_table_destroy(table);
		return;
	}
	assert_null(table);
	snprintf(text, sizeof(text),
		 "cpu = \"x86-64-v%u\": this machine has no %s",
		 level - CONFIG_CPU_V1 + 1, row->name);
	assert_string_equal(why.text, text);
}

static void names_what_is_missing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < cpuid_level_feature_count; i++) {
		const struct cpuid_level_feature *row =
			&cpuid_level_features[i];

		for (enum config_cpu level = CONFIG_CPU_V1;
		     level <= CONFIG_CPU_V4; level++) {
			if (row->vendor != CPUID_AMD)
				assert_lacks(FAKE_CPU_INTEL, row, level);
			if (row->vendor != CPUID_INTEL)
				assert_lacks(FAKE_CPU_AMD, row, level);
		}
	}
}

static void assert_refused(enum config_cpu level, const char *text)
{
	assert_null(cpuid_table_create(1, level, &why));
	assert_string_equal(why.text, text);
}

static void old_machines_have_no_v4(void **state)
{
	(void)state;
	fake_cpuid_use(FAKE_CPU_AMD_OLD);
	assert_refused(CONFIG_CPU_V4,
		       "cpu = \"x86-64-v4\": this machine has no AVX512F");
	fake_cpuid_use(FAKE_CPU_INTEL_OLD);
	assert_refused(CONFIG_CPU_V4,
		       "cpu = \"x86-64-v4\": this machine has no AVX512F");
}

static void addresses_and_states_must_fit(void **state)
{
	(void)state;
	fake_cpuid_use(FAKE_CPU_INTEL);
	fake_cpuid_set(0x80000008, 0, (struct cpuid_words){ 0x3027, 0, 0, 0 });
	cpuid_table_destroy(cpuid_table_create(1, CONFIG_CPU_V4, &why));
	fake_cpuid_set(0x80000008, 0, (struct cpuid_words){ 0x3024, 0, 0, 0 });
	assert_refused(CONFIG_CPU_V1, "cpu = \"x86-64-v1\": this machine has "
				      "no 39 bits of physical address");
	fake_cpuid_use(FAKE_CPU_INTEL);
	fake_cpuid_set(0xd, 7, (struct cpuid_words){ 1024, 1408, 0, 0 });
	assert_refused(CONFIG_CPU_V4, "cpu = \"x86-64-v4\": this machine has "
				      "no XSAVE's area in the usual order");
	cpuid_table_destroy(cpuid_table_create(1, CONFIG_CPU_V3, &why));
}

/* A row for what the policy does not let through could never be met. */
static void the_policy_allows_every_feature(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < cpuid_level_feature_count; i++) {
		const struct cpuid_level_feature *row =
			&cpuid_level_features[i];
		uint32_t allowed = 0;

		for (uint32_t j = 0; j < cpuid_policy_count; j++) {
			const struct cpuid_policy *policy = &cpuid_policies[j];

			if (policy->leaf == row->leaf &&
			    policy->subleaf == row->subleaf &&
			    policy->reg == row->reg)
				allowed |= policy->mask;
		}
		assert_int_equal(row->bits & ~allowed, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(old_and_new_are_the_same),
		TEST(later_machines_add_nothing),
		TEST(has_what_the_psabi_wants),
		TEST(v2_whole),
		TEST(amd_leaves_end),
		TEST(names_what_is_missing),
		TEST(old_machines_have_no_v4),
		TEST(addresses_and_states_must_fit),
		TEST(the_policy_allows_every_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
