/* What a back end cannot run is hidden from all guests of the machine. Nothing is
 * ever shown again, so each test hides something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/cpu/time.h"

static int setup_intel(void **state)
{
	(void)state;
	cpu_start(FAKE_CPU_INTEL, 2);
	return 0;
}

static void again(void)
{
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(2);
}

static void hides_a_feature(void **state)
{
	uint32_t before = cpuid_read(cpu, 7, 0).ebx;

	(void)state;
	assert_true(before & BIT(10));
	cpuid_hide(7, 0, CPUID_EBX, BIT(10)); /* INVPCID */
	assert_int_equal(cpuid_read(cpu, 7, 0).ebx, before);
	again();
	assert_int_equal(cpuid_read(cpu, 7, 0).ebx, before & ~BIT(10));
	assert_true(cpuid_machine(7, 0).ebx & BIT(10));
	assert_true(cpuid_read(cpu, 7, 0).ebx & CPUID_7_EBX_TSC_ADJUST);
}

static void hides_its_bit_of_cr4(void **state)
{
	uint64_t machine = cpuid_machine_cr4_mask();

	(void)state;
	assert_true(cpuid_cr4_mask(fake_vm.cpuid) & CR4_PCIDE);
	cpuid_hide(1, 0, CPUID_ECX, CPUID_1_ECX_PCID);
	again();
	assert_false(cpuid_read(cpu, 1, 0).ecx & CPUID_1_ECX_PCID);
	assert_false(cpuid_cr4_mask(fake_vm.cpuid) & CR4_PCIDE);
	/* who decides what must exit wants the machine's */
	assert_int_equal(cpuid_machine_cr4_mask(), machine);
}

static void hides_registers(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(msr_write(cpu, MSR_TSC_AUX, 1));
	assert_true(msr_write(cpu, MSR_IA32_XSS, 0));
	cpuid_hide(0x80000001, 0, CPUID_EDX, CPUID_EXT1_EDX_RDTSCP);
	cpuid_hide(7, 0, CPUID_ECX, CPUID_7_ECX_RDPID);
	cpuid_hide(0xd, 1, CPUID_EAX, BIT(3)); /* XSAVES */
	again();
	assert_false(msr_read(cpu, MSR_TSC_AUX, &value));
	assert_false(msr_read(cpu, MSR_IA32_XSS, &value));
	assert_int_equal(cpuid_read(cpu, 0xd, 1).eax, 0x7);
}

static void hides_what_basalt_does(void **state)
{
	(void)state;
	assert_true(cpuid_read(cpu, 1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE);
	cpuid_hide(1, 0, CPUID_ECX, CPUID_1_ECX_TSC_DEADLINE);
	again();
	assert_false(cpuid_read(cpu, 1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE);
}

static void levels_need_what_is_hidden(void **state)
{
	struct diag why;

	(void)state;
	cpuid_hide(0x80000001, 0, CPUID_ECX, BIT(5));
	assert_null(cpuid_table_create(1, CONFIG_CPU_V3, &why));
	/* what is hidden since the first test comes later in the table */
	assert_string_equal(why.text,
			    "cpu = \"x86-64-v3\": this machine has no RDTSCP");
}

static void no_xsave_no_states(void **state)
{
	(void)state;
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0x2e7);
	cpuid_hide(1, 0, CPUID_ECX, CPUID_1_ECX_XSAVE);
	again();
	assert_int_equal(cpuid_xcr0_mask(fake_vm.cpuid), 0);
	assert_int_equal(cpuid_read(cpu, 1, 0).ecx & BIT(28), 0);
	assert_int_equal(cpuid_read(cpu, 0xd, 0).eax, 0);
}

#define INTEL_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_intel, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		INTEL_TEST(hides_a_feature),
		INTEL_TEST(hides_its_bit_of_cr4),
		INTEL_TEST(hides_registers),
		INTEL_TEST(hides_what_basalt_does),
		INTEL_TEST(levels_need_what_is_hidden),
		INTEL_TEST(no_xsave_no_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
