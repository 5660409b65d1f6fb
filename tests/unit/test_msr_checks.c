/* MSRs: which values may be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/cpu/time.h"
#include "kernel/cpuid_machine.h"
#include "kernel/msr_policy.h"

#define NON_CANONICAL 0x0800000000000000UL
#define CANONICAL     0xffff800000001000UL

static int setup_intel(void **state)
{
	(void)state;
	cpu_start(FAKE_CPU_INTEL, 2);
	return 0;
}

static uint64_t get(uint32_t msr)
{
	uint64_t value = 0xdeadbeef;

	if (!msr_read(cpu, msr, &value))
		fail_msg("0x%x: #GP", msr);
	return value;
}

static bool faults(uint32_t msr)
{
	uint64_t value;

	return !msr_read(cpu, msr, &value);
}

static bool set(uint32_t msr, uint64_t value)
{
	return msr_write(cpu, msr, value);
}

static void assert_keeps(uint32_t msr, uint64_t value)
{
	assert_true(set(msr, value));
	assert_int_equal(get(msr), value);
}

static void addresses_are_canonical(void **state)
{
	static const uint32_t msrs[] = { MSR_FS_BASE,
					 MSR_GS_BASE,
					 MSR_KERNEL_GS_BASE,
					 MSR_LSTAR,
					 MSR_CSTAR,
					 MSR_IA32_SYSENTER_ESP,
					 MSR_IA32_SYSENTER_EIP };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		assert_keeps(msrs[i], CANONICAL);
		assert_keeps(msrs[i], 0x7fffffffffff);
		assert_false(set(msrs[i], NON_CANONICAL));
		assert_int_equal(get(msrs[i]), 0x7fffffffffff);
		/* this CPU has 57 bits, whatever CR4 says */
		assert_true(set(msrs[i], 0x00f0000000000000));
	}
	assert_int_equal(backend->state.segments[SEGMENT_FS].base,
			 0x00f0000000000000);
}

static void addresses_of_48_bits(void **state)
{
	(void)state;
	assert_false(set(MSR_FS_BASE, 0x0000800000000000));
	assert_false(set(MSR_FS_BASE, 0x00f0000000000000));
	assert_true(set(MSR_FS_BASE, 0xffff800000000000));
}

static void drops_upper_halves(void **state)
{
	(void)state;
	assert_true(set(MSR_SFMASK, 0xffffffff00047700));
	assert_int_equal(get(MSR_SFMASK), 0x47700);
	assert_true(set(MSR_IA32_SYSENTER_CS, 0xffffffff00000010));
	assert_int_equal(get(MSR_IA32_SYSENTER_CS), 0x10);
}

static void efer_keeps_its_rules(void **state)
{
	const uint64_t old = backend->state.efer;

	(void)state;
	/* paging is on: LME stays, LMA is not the guest's */
	assert_false(set(MSR_EFER, old & ~EFER_LME));
	assert_true(set(MSR_EFER, old & ~EFER_LMA));
	assert_int_equal(get(MSR_EFER), old);
	assert_false(set(MSR_EFER, old | EFER_SVME));
	assert_false(set(MSR_EFER, old | BIT(13)));
	assert_false(set(MSR_EFER, old | BIT(15)));
	assert_false(set(MSR_EFER, old | BIT(63)));
	assert_int_equal(get(MSR_EFER), old);
	assert_int_equal(backend->flush_count, 0);
	assert_keeps(MSR_EFER, old & ~EFER_NXE);
	assert_int_equal(backend->flush_count, 1);
	fake_ops_protected_mode(cpu, 0);
	assert_true(set(MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE));
	assert_int_equal(get(MSR_EFER), EFER_LME | EFER_SCE);
}

static void pat_has_types(void **state)
{
	(void)state;
	assert_keeps(MSR_IA32_PAT, 0x0706050401000706);
	assert_int_equal(vcpu_ops->read_msr(cpu, MSR_IA32_PAT),
			 0x0706050401000706);
	for (unsigned int i = 0; i < 64; i += 8) {
		assert_false(set(MSR_IA32_PAT, 2UL << i));
		assert_false(set(MSR_IA32_PAT, 3UL << i));
		assert_false(set(MSR_IA32_PAT, 8UL << i));
		assert_false(set(MSR_IA32_PAT, 0x80UL << i));
	}
	assert_int_equal(get(MSR_IA32_PAT), 0x0706050401000706);
}

static void mtrrs_are_checked(void **state)
{
	(void)state;
	assert_keeps(MSR_IA32_MTRR_DEF_TYPE, 0xc06);
	assert_false(set(MSR_IA32_MTRR_DEF_TYPE, 0x1006));
	assert_false(set(MSR_IA32_MTRR_DEF_TYPE, 0xc02));
	assert_false(set(MSR_IA32_MTRR_DEF_TYPE, 0xc07));
	assert_keeps(MSR_IA32_MTRR_PHYSBASE0, 0x80000006);
	assert_keeps(MSR_IA32_MTRR_PHYSMASK7, 0x0000ffff80000800);
	assert_false(set(MSR_IA32_MTRR_PHYSBASE0, 0x80000002));
	assert_false(set(MSR_IA32_MTRR_PHYSBASE0, 0x80000106));
	assert_false(set(MSR_IA32_MTRR_PHYSBASE0, BIT(48)));
	assert_false(set(MSR_IA32_MTRR_PHYSMASK7, 0x801));
	assert_false(set(MSR_IA32_MTRR_PHYSMASK7, BIT(48) | 0x800));
	for (uint32_t msr = MSR_IA32_MTRR_PHYSBASE0; msr < 0x210; msr++)
		assert_true(set(msr, (uint64_t)(msr & 0xff) << 12));
	for (uint32_t msr = MSR_IA32_MTRR_PHYSBASE0; msr < 0x210; msr++)
		assert_int_equal(get(msr), (uint64_t)(msr & 0xff) << 12);
	assert_false(set(MSR_IA32_MTRRCAP, 0x508));
	assert_true(faults(0x210));
}

static void fixed_mtrrs_have_eleven_words(void **state)
{
	static const uint32_t msrs[] = { 0x250, 0x258, 0x259, 0x268,
					 0x269, 0x26a, 0x26b, 0x26c,
					 0x26d, 0x26e, 0x26f };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		assert_true(set(msrs[i], i < 7 ? 6 : 5));
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		assert_int_equal(get(msrs[i]), i < 7 ? 6 : 5);
		assert_int_equal(cpu->msr.mtrr_fixed[i], i < 7 ? 6 : 5);
		assert_false(set(msrs[i], 0x0200000000000000));
		assert_false(set(msrs[i], 7));
	}
	assert_true(faults(0x251));
	assert_true(faults(0x270));
}

static void hwcr_takes_what_kernels_write(void **state)
{
	(void)state;
	assert_keeps(MSR_HWCR, BIT(24) | BIT(18));
	assert_true(set(MSR_HWCR, BIT(24) | BIT(3) | BIT(6) | BIT(8)));
	assert_int_equal(get(MSR_HWCR), BIT(24));
	assert_false(set(MSR_HWCR, BIT(30)));
}

static void fixed_values_stay(void **state)
{
	(void)state;
	assert_true(set(MSR_IA32_MISC_ENABLE, 0));
	assert_int_equal(get(MSR_IA32_MISC_ENABLE), 0x1800);
	assert_true(set(MSR_IA32_MISC_ENABLE, UINT64_MAX));
	assert_int_equal(get(MSR_IA32_MISC_ENABLE), 0x1801);
	assert_true(set(MSR_IA32_BIOS_SIGN_ID, 0));
	assert_int_equal(get(MSR_IA32_BIOS_SIGN_ID), BIT(32));
	assert_true(set(MSR_IA32_DEBUGCTL, 0));
	assert_true(set(MSR_IA32_DEBUGCTL, 3)); /* LBR, BTF */
	assert_int_equal(get(MSR_IA32_DEBUGCTL), 0);
	assert_false(set(MSR_IA32_DEBUGCTL, 4));
	assert_keeps(MSR_IA32_MCG_STATUS, 7);
	assert_false(set(MSR_IA32_MCG_STATUS, 8));
}

/* MSRs that kernels use on Intel's CPUs if CPUID says so: it does not, and they
 * are not there. */
static void what_cpuid_hides_faults(void **state)
{
	static const struct {
		uint32_t msr, leaf;
		uint8_t subleaf;
		enum cpuid_register reg;
		uint32_t bit;
	} rows[] = {
		{ 0x033, 7, 0, CPUID_EDX, 30 },	 /* TEST_CTRL */
		{ 0x048, 7, 0, CPUID_EDX, 26 },	 /* SPEC_CTRL */
		{ 0x049, 7, 0, CPUID_EDX, 26 },	 /* PRED_CMD */
		{ 0x0cf, 7, 0, CPUID_EDX, 30 },	 /* CORE_CAPABILITIES */
		{ 0x0e1, 7, 0, CPUID_ECX, 5 },	 /* UMWAIT_CONTROL */
		{ 0x0e7, 6, 0, CPUID_ECX, 0 },	 /* MPERF */
		{ 0x0e8, 6, 0, CPUID_ECX, 0 },	 /* APERF */
		{ 0x10a, 7, 0, CPUID_EDX, 29 },	 /* ARCH_CAPABILITIES */
		{ 0x10b, 7, 0, CPUID_EDX, 28 },	 /* FLUSH_CMD */
		{ 0x10f, 7, 0, CPUID_EDX, 13 },	 /* TSX_FORCE_ABORT */
		{ 0x122, 7, 0, CPUID_EDX, 29 },	 /* TSX_CTRL */
		{ 0x123, 7, 0, CPUID_EDX, 9 },	 /* MCU_OPT_CTRL */
		{ 0x19a, 1, 0, CPUID_EDX, 22 },	 /* CLOCK_MODULATION */
		{ 0x19b, 1, 0, CPUID_EDX, 22 },	 /* THERM_INTERRUPT */
		{ 0x19c, 1, 0, CPUID_EDX, 22 },	 /* THERM_STATUS */
		{ 0x1a2, 6, 0, CPUID_EAX, 0 },	 /* TEMPERATURE_TARGET */
		{ 0x1b0, 6, 0, CPUID_ECX, 3 },	 /* ENERGY_PERF_BIAS */
		{ 0x1b1, 6, 0, CPUID_EAX, 6 },	 /* PACKAGE_THERM_STATUS */
		{ 0x1c4, 0xd, 1, CPUID_EAX, 4 }, /* XFD */
		{ 0x345, 1, 0, CPUID_ECX, 15 },	 /* PERF_CAPABILITIES */
		{ 0x38f, 0xa, 0, CPUID_EAX, 1 }, /* PERF_GLOBAL_CTRL */
		{ 0x480, 1, 0, CPUID_ECX, 5 },	 /* VMX_BASIC */
		{ 0x570, 7, 0, CPUID_EBX, 25 },	 /* RTIT_CTL */
		{ 0x600, 1, 0, CPUID_EDX, 21 },	 /* DS_AREA */
		{ 0x6a0, 7, 0, CPUID_ECX, 7 },	 /* U_CET */
		{ 0x770, 6, 0, CPUID_EAX, 7 },	 /* PM_ENABLE */
		{ 0xc8f, 7, 0, CPUID_EBX, 12 },	 /* PQR_ASSOC */
		{ 0xd90, 7, 0, CPUID_EBX, 14 },	 /* BNDCFGS */
		{ 0xd93, 7, 0, CPUID_ECX, 29 },	 /* PASID */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpuid_words words =
			cpuid_read(cpu, rows[i].leaf, rows[i].subleaf);

		if (*cpuid_word(&words, rows[i].reg) & BIT(rows[i].bit) ||
		    !faults(rows[i].msr) || set(rows[i].msr, 0))
			fail_msg("0x%x", rows[i].msr);
	}
}

/* What they use by model alone is there. */
static void what_models_have_is_there(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} rows[] = {
		{ MSR_IA32_PLATFORM_ID, 0 },
		{ MSR_IA32_FEATURE_CONTROL, 1 },
		{ MSR_IA32_BIOS_SIGN_ID, BIT(32) },
		{ MSR_PLATFORM_INFO, 0 },
		{ MSR_MISC_FEATURES_ENABLES, 0 },
		{ MSR_IA32_MCG_CAP, 0 },
		{ MSR_IA32_PERF_CTL, 0 },
		{ MSR_IA32_MISC_ENABLE, 0x1801 },
		{ MSR_RAPL_POWER_UNIT, 0 },
		{ MSR_PKG_ENERGY_STATUS, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(get(rows[i].msr), rows[i].value);
	assert_true(set(MSR_MISC_FEATURES_ENABLES, 0));
	assert_false(set(MSR_MISC_FEATURES_ENABLES, 1));
	assert_int_equal(get(MSR_IA32_PERF_STATUS) & 0xffff, 1000);
}

static void pv_eoi_has_a_flag_and_an_address(void **state)
{
	(void)state;
	assert_keeps(MSR_KVM_PV_EOI_EN, 0x3001);
	assert_false(set(MSR_KVM_PV_EOI_EN, 0x3003));
	assert_false(set(MSR_KVM_PV_EOI_EN, 0x3002));
	assert_keeps(MSR_KVM_PV_EOI_EN, 0);
	assert_keeps(MSR_KVM_PV_EOI_EN, UINT64_MAX & ~2UL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(addresses_are_canonical),
		cmocka_unit_test_setup_teardown(addresses_of_48_bits,
						setup_intel, teardown),
		TEST(drops_upper_halves),
		TEST(efer_keeps_its_rules),
		TEST(pat_has_types),
		TEST(mtrrs_are_checked),
		TEST(fixed_mtrrs_have_eleven_words),
		TEST(hwcr_takes_what_kernels_write),
		TEST(fixed_values_stay),
		cmocka_unit_test_setup_teardown(what_cpuid_hides_faults,
						setup_intel, teardown),
		cmocka_unit_test_setup_teardown(what_models_have_is_there,
						setup_intel, teardown),
		TEST(pv_eoi_has_a_flag_and_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
