/* Which features a guest's CPUID shows, on an AMD and on an Intel machine. */
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
	assert_words(get(0x80000007, 0), 0, 0, 0, 0);
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
	fake_vm.cpuid = fake_cpuid_table(1);
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

static void no_xsave_no_avx(void **state)
{
	struct cpuid_words one = cpuid_machine(1, 0);

	(void)state;
	one.ecx &= (uint32_t)~CPUID_1_ECX_XSAVE;
	fake_cpuid_set(1, 0, one);
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(2);
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
	fake_vm.cpuid = fake_cpuid_table(2);
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
		TEST(no_xsave_no_avx),
		TEST(outside_is_as_the_vendor_says),
		TEST(masks_follow_features),
		INTEL_TEST(intel_masks),
		TEST(the_exit_zero_extends),
		TEST(the_policy_is_disjoint),
		TEST(all_ones_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
