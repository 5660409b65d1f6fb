/* What a guest's CPUID shows, on an AMD and on an Intel machine. */
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

static void shows_kvm(void **state)
{
	struct cpuid_words words = get(0x40000000, 0);

	(void)state;
	fake_tsc_hz = 1000000000;
	assert_int_equal(words.eax, 0x40000010);
	assert_memory_equal(&words.ebx, "KVMK", 4);
	assert_memory_equal(&words.ecx, "VMKV", 4);
	assert_memory_equal(&words.edx, "M\0\0\0", 4);
	assert_words(get(0x40000001, 0), 0x0100804b, 0, 0, 0);
	for (uint32_t leaf = 0x40000002; leaf < 0x40000010; leaf++)
		assert_zero(leaf);
	assert_words(get(0x40000010, 0), 1000000, 1000000, 0, 0);
}

static void hides_what_does_not_work(void **state)
{
	struct cpuid_words one = get(1, 0);
	struct cpuid_words seven = get(7, 0);

	(void)state;
	/* MONITOR, VMX, SMX, EST, TM2, PDCM, DTES64, DS-CPL, OSXSAVE */
	assert_int_equal(one.ecx & 0x080481fc, 0);
	/* DS, ACPI, TM, PBE, PSN */
	assert_int_equal(one.edx & 0xa0640000, 0);
	/* SGX, HLE, RDT, RTM, MPX, PT */
	assert_int_equal(seven.ebx & 0x0240d814, 0x00000000);
	/* WAITPKG, CET_SS, OSPKE, bus lock, PKS */
	assert_int_equal(seven.ecx & 0x810000b0, 0);
	/* UINTR, CET_IBT, the SPEC_CTRL family, ARCH_CAPABILITIES */
	assert_int_equal(seven.edx & 0xfc100020, 0);
	assert_zero(5);
	assert_zero(0xa);
	assert_zero(0xf);
	assert_zero(0x10);
	assert_zero(0x12);
	assert_zero(0x14);
	assert_zero(0x16);
	assert_words(get(6, 0), CPUID_6_EAX_ARAT, 0, 0, 0);
}

static void hides_amd_features(void **state)
{
	struct cpuid_words words = get(0x80000001, 0);

	(void)state;
	/* SVM, ExtApic, CR8 legacy, OSVW, IBS, SKINIT, WDT, counters, MONITORX */
	assert_int_equal(words.ecx & 0x75803e1c & ~0x00400000U, 0);
	assert_true(words.ecx & CPUID_EXT1_ECX_TOPOEXT);
	assert_zero(0x8000000a);
	assert_zero(0x8000001b);
	assert_zero(0x8000001f);
	assert_zero(0x80000022);
	assert_words(get(0x80000007, 0), 0, 0, 0, BIT(8));
	/* no IBPB, IBRS, STIBP, SSBD, RDPRU, WBNOINVD */
	assert_int_equal(get(0x80000008, 0).ebx, 0x5);
	assert_int_equal(get(0x80000021, 0).eax, 0xc45);
}

static void shows_what_is_emulated(void **state)
{
	(void)state;
	fake_cpuid_set(1, 0, (struct cpuid_words){ .ecx = 0, .edx = 0x3 });
	fake_cpuid_set(7, 0, (struct cpuid_words){ 0 });
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = cpuid_table_create(1);
	assert_int_equal(get(1, 0).ecx, 0x81200000);
	assert_int_equal(get(1, 0).edx, 0x1203);
	assert_int_equal(get(7, 0).ebx, CPUID_7_EBX_TSC_ADJUST);
}

static void follows_the_vcpu(void **state)
{
	struct vcpu *second = &fake_vcpus[1];
	struct cpuid_words words = cpuid_read(second, 1, 0);

	(void)state;
	assert_int_equal(words.ebx >> 24, 1);
	assert_int_equal(words.ebx >> 16 & 0xff, 2);
	assert_int_equal(words.ebx & 0xffff, 0x0800);
	assert_true(words.edx & CPUID_1_EDX_HTT);
	assert_true(words.edx & CPUID_1_EDX_APIC);
	second->msr.apic_base = 0;
	assert_false(cpuid_read(second, 1, 0).edx & CPUID_1_EDX_APIC);
	fake_backends[1].state.cr4 |= CR4_OSXSAVE | CR4_PKE;
	assert_true(cpuid_read(second, 1, 0).ecx & CPUID_1_ECX_OSXSAVE);
	assert_true(cpuid_read(second, 7, 0).ecx & CPUID_7_ECX_OSPKE);
	assert_false(cpuid_read(second, 7, 1).ecx & CPUID_7_ECX_OSPKE);
	assert_false(get(1, 0).ecx & CPUID_1_ECX_OSXSAVE);
}

static void one_vcpu_is_no_package(void **state)
{
	(void)state;
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = cpuid_table_create(1);
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
		fake_vm.cpuid = cpuid_table_create(count);
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
	fake_vm.cpuid = cpuid_table_create(2);
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

static void no_xsave_no_avx(void **state)
{
	struct cpuid_words one = cpuid_machine(1, 0);

	(void)state;
	one.ecx &= (uint32_t)~CPUID_1_ECX_XSAVE;
	fake_cpuid_set(1, 0, one);
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = cpuid_table_create(2);
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0);
	assert_int_equal(get(1, 0).ecx & (BIT(26) | BIT(28) | BIT(12)), 0);
	assert_int_equal(get(7, 0).ebx & (BIT(5) | BIT(16)), 0);
	assert_zero(0xd);
	assert_words(get(0xd, 1), 0, 0, 0, 0);
	assert_false(cpuid_cr4_mask(fake_vm.cpuid) & CR4_OSXSAVE);
}

static void outside_is_as_the_vendor_says(void **state)
{
	static const uint32_t leaves[] = { 0x20, 0x3fffffff, 0x80000022,
					   0x8fffffff, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		assert_zero(leaves[i]);
	assert_zero(0x40000011);
	cpu_stop();
	cpu_start(FAKE_CPU_INTEL, 2);
	assert_int_equal(get(0, 0).eax, 0x1f);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		assert_words(get(leaves[i], 1), 1, 2, 0x201, 0);
	assert_words(get(0x80000009, 1), 1, 2, 0x201, 0);
	assert_zero(0x40000011);
	assert_zero(0x40000100);
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
	fake_vm.cpuid = cpuid_table_create(2);
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
	assert_int_equal(told_khz(1000000000), 1000000);
	assert_int_equal(told_khz(2592000000), 2592000);
	assert_int_equal(told_khz(3600000000), 3600000);
	assert_int_equal(told_khz(100000000), 100000);
	assert_int_equal(told_khz(2595124999), 0);
	assert_int_equal(told_khz(4299000000), 0);
	assert_int_equal(told_khz(5000000000), 5000000);
}

static void masks_follow_features(void **state)
{
	uint64_t cr4 = cpuid_cr4_mask(fake_vm.cpuid);

	(void)state;
	assert_int_equal(cr4, CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE |
				      CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |
				      CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP |
				      CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE |
				      CR4_OSXSAVE | CR4_SMEP | CR4_SMAP |
				      CR4_PKE);
	/* the machine's differ by what is hidden */
	assert_int_equal(cpuid_machine_cr4_mask(), cr4 | CR4_CET);
	assert_int_equal(cpuid_efer_mask(fake_vm.cpuid),
			 EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE |
				 EFER_FFXSR);
}

static void intel_masks(void **state)
{
	(void)state;
	assert_int_equal(cpuid_machine_cr4_mask() &
				 ~cpuid_cr4_mask(fake_vm.cpuid),
			 CR4_VMXE | CR4_SMXE);
	assert_int_equal(cpuid_efer_mask(fake_vm.cpuid),
			 EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	assert_false(cpuid_is_amd(fake_vm.cpuid));
	assert_int_equal(get(0x80000000, 0).eax, 0x80000008);
	assert_int_equal(get(0x80000008, 0).ecx, 0);
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

static void the_exit_zero_extends(void **state)
{
	(void)state;
	memset(cpu->regs.gpr, 0xff, sizeof(cpu->regs.gpr));
	cpu->regs.gpr[GPR_RAX] = 0xdead00000000;
	exit_cpuid(cpu);
	assert_skipped(cpu);
	assert_int_equal(cpu->regs.gpr[GPR_RAX], 0x1f);
	assert_int_equal(cpu->regs.gpr[GPR_RBX], 0x68747541);
	assert_int_equal(cpu->regs.gpr[GPR_RCX], 0x444d4163);
	assert_int_equal(cpu->regs.gpr[GPR_RDX], 0x69746e65);
	assert_int_equal(cpu->regs.gpr[GPR_RSI], UINT64_MAX);
}

/* A row that is twice there, or that gives a bit that is always hidden. */
static void the_policy_is_disjoint(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < cpuid_policy_count; i++) {
		const struct cpuid_policy *a = &cpuid_policies[i];

		assert_int_not_equal(a->mask, 0);
		for (uint32_t j = 0; j < i; j++) {
			const struct cpuid_policy *b = &cpuid_policies[j];

			if (a->leaf == b->leaf && a->subleaf == b->subleaf &&
			    a->reg == b->reg && (a->mask & b->mask))
				fail_msg("rows %u and %u", i, j);
		}
	}
}

/* Nothing a machine says may reach a guest unless a row lets it. */
static void all_ones_machine(void **state)
{
	static const uint32_t leaves[] = { 3,	 5,    9,    0xa,	0xc,
					   0xf,	 0x10, 0x12, 0x14,	0x16,
					   0x17, 0x19, 0x1a, 0x8000000a };
	const struct cpuid_words ones = { ~0U, ~0U, ~0U, ~0U };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		fake_cpuid_set(leaves[i], 0, ones);
	fake_cpuid_set(1, 0, ones);
	fake_cpuid_set(7, 0, ones);
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = cpuid_table_create(2);
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		assert_zero(leaves[i]);
	hides_what_does_not_work(state);
	assert_int_equal(get(7, 0).eax, 1);
}

#define INTEL_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_intel, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shows_kvm),
		TEST(hides_what_does_not_work),
		INTEL_TEST(hides_what_does_not_work),
		TEST(hides_amd_features),
		TEST(shows_what_is_emulated),
		TEST(follows_the_vcpu),
		TEST(one_vcpu_is_no_package),
		TEST(counts_cores),
		TEST(shares_amd_caches),
		INTEL_TEST(shares_intel_caches),
		TEST(sizes_the_xsave_area),
		INTEL_TEST(drops_states),
		TEST(shows_tiles_that_fit),
		TEST(no_xsave_no_avx),
		TEST(outside_is_as_the_vendor_says),
		TEST(limits_addresses),
		TEST(tells_the_tsc_exactly_or_not),
		TEST(masks_follow_features),
		INTEL_TEST(intel_masks),
		TEST(judges_xcr0),
		TEST(the_exit_zero_extends),
		TEST(the_policy_is_disjoint),
		TEST(all_ones_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
