/* What is computed in a guest's CPUID: cores, caches, sizes, frequencies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/cpuid_policy.h"

static struct cpuid_words get(uint32_t leaf, uint32_t subleaf)
{
	return cpuid_read(cpu, leaf, subleaf);
}

static int setup_intel(void **state)
{
	(void)state;
	cpu_start(FAKE_CPU_INTEL, 2);
	return 0;
}

static void assert_words(struct cpuid_words words, uint32_t eax, uint32_t ebx,
			 uint32_t ecx, uint32_t edx)
{
	assert_int_equal(words.eax, eax);
	assert_int_equal(words.ebx, ebx);
	assert_int_equal(words.ecx, ecx);
	assert_int_equal(words.edx, edx);
}

static void assert_zero(uint32_t leaf)
{
	assert_words(get(leaf, 0), 0, 0, 0, 0);
}

static void one_vcpu_is_no_package(void **state)
{
	(void)state;
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(1);
	assert_false(get(1, 0).edx & CPUID_1_EDX_HTT);
	assert_false(get(0x80000001, 0).ecx & CPUID_EXT1_ECX_CMP_LEGACY);
	assert_words(get(0xb, 1), 0, 1, 0x201, 0);
	assert_int_equal(get(0x80000008, 0).ecx, 0);
}

static void counts_cores(void **state)
{
	static const struct {
		uint32_t count, bits;
	} rows[] = { { 1, 0 },	{ 2, 1 },  { 3, 2 },   { 4, 2 },   { 5, 3 },
		     { 64, 6 }, { 65, 7 }, { 128, 7 }, { 129, 8 }, { 255, 8 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t count = rows[i].count;

		cpuid_table_destroy(fake_vm.cpuid);
		fake_vm.cpuid = fake_cpuid_table(count);
		cpu->number = count - 1;
		for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
			assert_words(get(leaf, 0), 0, 1, 0x100, count - 1);
			assert_words(get(leaf, 1), rows[i].bits, count, 0x201,
				     count - 1);
			assert_words(get(leaf, 2), 0, 0, 2, count - 1);
		}
		assert_int_equal(get(0x80000008, 0).ecx,
				 (count - 1) | rows[i].bits << 12);
		assert_int_equal(get(0x8000001e, 0).eax, count - 1);
		assert_int_equal(get(0x8000001e, 0).ebx, count - 1);
		cpu->number = 0;
		assert_int_equal(get(1, 0).ebx >> 16 & 0xff, count);
	}
}

static void shares_amd_caches(void **state)
{
	(void)state;
	assert_int_equal(get(0x8000001d, 0).eax, 0x121);
	assert_int_equal(get(0x8000001d, 2).eax, 0x143);
	assert_int_equal(get(0x8000001d, 3).eax, 0x4163); /* of two */
	assert_int_equal(get(0x8000001d, 3).ebx, 0x03c0003f);
	assert_int_equal(get(0x8000001d, 4).eax, 0);
	assert_zero(4);
}

static void shares_intel_caches(void **state)
{
	(void)state;
	assert_int_equal(get(4, 0).eax, 0x04000121);
	assert_int_equal(get(4, 3).eax, 0x04004163);
	assert_int_equal(get(4, 3).ecx, 0xdfff);
	assert_int_equal(get(4, 4).eax, 0);
	assert_int_equal(get(2, 0).eax, 0x76036301);
}

/* All vCPUs are cores of one package; leaf 4's counts are what the topology
 * leaves say, as far as its fields go. */
static void counts_intel_cores(void **state)
{
	static const struct {
		uint32_t count, first, last;
	} rows[] = {
		{ 1, 0x00000121, 0x00000163 },	{ 2, 0x04000121, 0x04004163 },
		{ 3, 0x0c000121, 0x0c00c163 },	{ 4, 0x0c000121, 0x0c00c163 },
		{ 5, 0x1c000121, 0x1c01c163 },	{ 64, 0xfc000121, 0xfc0fc163 },
		{ 65, 0xfc000121, 0xfc1fc163 }, { 255, 0xfc000121, 0xfc3fc163 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t count = rows[i].count;

		cpuid_table_destroy(fake_vm.cpuid);
		fake_vm.cpuid = fake_cpuid_table(count);
		assert_int_equal(get(4, 0).eax, rows[i].first);
		assert_int_equal(get(4, 3).eax, rows[i].last);
		assert_int_equal(get(1, 0).ebx >> 16 & 0xff, count);
		assert_int_equal(!(get(1, 0).edx & CPUID_1_EDX_HTT),
				 count == 1);
		assert_words(get(0xb, 0), 0, 1, 0x100, 0);
		assert_int_equal(get(0xb, 1).ebx, count);
		assert_int_equal(get(0x1f, 1).ebx, count);
	}
}

static void sizes_the_xsave_area(void **state)
{
	(void)state;
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0x2e7);
	assert_words(get(0xd, 0), 0x2e7, 576, 0x988, 0);
	/* compacted, without supervisor states */
	assert_words(get(0xd, 1), 0xf, 576, 0, 0);
	cpu->xcr0 = 0x7;
	assert_int_equal(get(0xd, 0).ebx, 0x340);
	assert_int_equal(get(0xd, 1).ebx, 0x340);
	cpu->xcr0 = 0x207;
	assert_int_equal(get(0xd, 0).ebx, 0x988);
	assert_int_equal(get(0xd, 1).ebx, 0x348);
	assert_words(get(0xd, 7), 0x400, 0x580, 0, 0);
	assert_words(get(0xd, 11), 0, 0, 0, 0);
	assert_words(get(0xd, 63), 0, 0, 0, 0);
	assert_words(get(0xd, 0xffffffff), 0, 0, 0, 0);
}

/* The two MPX states and the 128 bytes of processor trace are not for guests. */
static void drops_states(void **state)
{
	(void)state;
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0x2e7);
	assert_words(get(0xd, 3), 0, 0, 0, 0);
	assert_words(get(0xd, 8), 0, 0, 0, 0);
	assert_int_equal(get(0xd, 1).ecx, 0);
}

/* Without a size, or within the legacy area, nobody could save it. */
static void drops_a_state_without_a_place(void **state)
{
	static const struct cpuid_words places[] = {
		{ 0, 0, 0, 0 },
		{ 0, 0xa80, 0, 0 },
		{ 8, 568, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		fake_cpuid_set(0xd, 9, places[i]);
		cpuid_table_destroy(fake_vm.cpuid);
		fake_vm.cpuid = fake_cpuid_table(2);
		assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0xe7);
		assert_false(get(7, 0).ecx & BIT(3)); /* PKU */
	}
}

/* A machine with tiles whose area is of @size bytes. */
static void add_tiles(uint32_t size)
{
	struct cpuid_words seven = cpuid_machine(7, 0);

	seven.edx |= (uint32_t)(BIT(22) | BIT(24) | BIT(25));
	fake_cpuid_set(7, 0, seven);
	fake_cpuid_set(0xd, 0,
		       (struct cpuid_words){ 0x602e7, 576, 0xaf8 + size, 0 });
	fake_cpuid_set(0xd, 17, (struct cpuid_words){ 64, 0xac0, 2, 0 });
	fake_cpuid_set(0xd, 18, (struct cpuid_words){ size, 0xb00, 6, 0 });
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(2);
}

static void shows_tiles_that_fit(void **state)
{
	(void)state;
	add_tiles(8192);
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0x602e7);
	assert_true(get(7, 0).edx & BIT(24));
	assert_int_equal(get(0xd, 18).eax, 8192);
	cpu->xcr0 = 0x60207;
	assert_int_equal(get(0xd, 0).ebx, 0xb00 + 8192);
	assert_int_equal(get(0xd, 1).ebx, 0x380 + 64 + 8192);
	add_tiles(VCPU_XSAVE_SIZE_MAX);
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0x2e7);
	assert_int_equal(get(7, 0).edx & (BIT(22) | BIT(24) | BIT(25)), 0);
	assert_int_equal(get(0xd, 18).eax, 0);
}

static void limits_addresses(void **state)
{
	(void)state;
	/* the machine says 52 bits, guest memory has four levels */
	assert_int_equal(get(0x80000008, 0).eax, 0x3930);
	assert_int_equal(cpuid_address_bits(fake_vm.cpuid), 48);
	assert_int_equal(cpuid_linear_bits(fake_vm.cpuid), 57);
	cpu_stop();
	cpu_start(FAKE_CPU_INTEL, 2);
	assert_int_equal(get(0x80000008, 0).eax, 0x302e);
	assert_int_equal(cpuid_address_bits(fake_vm.cpuid), 46);
	assert_int_equal(cpuid_linear_bits(fake_vm.cpuid), 48);
}

/* @hz as leaf 15 tells it, computed as Linux does, in 32 bits. */
static uint32_t told_khz(uint64_t hz)
{
	struct cpuid_words words;

	fake_tsc_hz = hz;
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(2);
	words = get(0x15, 0);
	assert_int_equal(get(0x40000010, 0).eax, hz / 1000);
	if (!words.eax) {
		assert_zero(0x15);
		return 0;
	}
	assert_int_equal(words.ecx, 1000000000);
	assert_int_equal((uint64_t)words.ecx * words.ebx % words.eax, 0);
	assert_int_equal((uint64_t)words.ecx * words.ebx / words.eax, hz);
	return words.ecx / 1000 * words.ebx / words.eax;
}

static void tells_the_tsc_exactly_or_not(void **state)
{
	(void)state;
	/* never the machine's own words */
	assert_true(cpuid_machine(0x15, 0).ebx == 0xa8 ||
		    cpuid_is_amd(fake_vm.cpuid));
	assert_int_equal(told_khz(1000000000), 1000000);
	assert_int_equal(told_khz(2592000000), 2592000);
	assert_int_equal(told_khz(3600000000), 3600000);
	assert_int_equal(told_khz(100000000), 100000);
	assert_int_equal(told_khz(2595124999), 0);
	assert_int_equal(told_khz(4299000000), 0);
	assert_int_equal(told_khz(5000000000), 5000000);
}

static void judges_xcr0(void **state)
{
	static const struct {
		uint64_t value;
		bool is_sound;
	} rows[] = {
		{ 0, false },	   { 1, true },	       { 2, false },
		{ 3, true },	   { 5, false },       { 7, true },
		{ 0xe7, true },	   { 0xe3, false },    { 0x67, false },
		{ 0x27, false },   { 0x201, true },    { 0x200, false },
		{ 0x207, true },   { 0x20007, false }, { 0x40007, false },
		{ 0x60001, true }, { 0x602e7, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (cpuid_is_xcr0_sound(rows[i].value) != rows[i].is_sound)
			fail_msg("0x%lx", rows[i].value);
	}
}

#define INTEL_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_intel, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_vcpu_is_no_package),
		TEST(counts_cores),
		TEST(shares_amd_caches),
		INTEL_TEST(shares_intel_caches),
		INTEL_TEST(counts_intel_cores),
		TEST(sizes_the_xsave_area),
		INTEL_TEST(drops_states),
		TEST(drops_a_state_without_a_place),
		TEST(shows_tiles_that_fit),
		TEST(limits_addresses),
		TEST(tells_the_tsc_exactly_or_not),
		INTEL_TEST(tells_the_tsc_exactly_or_not),
		TEST(judges_xcr0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
