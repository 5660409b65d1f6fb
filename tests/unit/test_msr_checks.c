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
#include "kernel/exit_cpuid.h"
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
		TEST(pv_eoi_has_a_flag_and_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
