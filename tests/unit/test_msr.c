/* MSRs: rows of the policy, who has them, and what writing them does. */
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

static void rows_are_sorted(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < msr_policy_count; i++) {
		const struct msr_policy *row = &msr_policies[i];
		uint32_t last = row->first + row->count - 1;

		assert_true(row->count >= 1);
		assert_ptr_equal(msr_policy_find(row->first), row);
		assert_ptr_equal(msr_policy_find(last), row);
		assert_ptr_not_equal(msr_policy_find(row->first - 1), row);
		assert_ptr_not_equal(msr_policy_find(last + 1), row);
		if (i)
			assert_true(row->first >=
				    row[-1].first + row[-1].count);
	}
}

/* A row that a reading or a writing needs words of struct vcpu for has them. */
static void rows_are_whole(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < msr_policy_count; i++) {
		const struct msr_policy *row = &msr_policies[i];

		if (row->read == READ_FIELD || row->write == WRITE_FIELD ||
		    row->write == WRITE_KEEP)
			assert_int_not_equal(row->field, 0);
		assert_true(row->field + row->count * 8U <=
			    sizeof(struct vcpu));
		if (row->write == WRITE_BACKEND)
			assert_int_not_equal(row->mask, 0);
	}
}

static void unknown_ones_fault(void **state)
{
	static const uint32_t msrs[] = {
		0x2,	    0x48,	0x49,	    0xe1,	0x10a,
		0x122,	    0x17b,	0x38d,	    0x400,	0x480,
		0x48b,	    0x570,	0x6a0,	    0x6e1,	0xd90,
		0x40000000, 0x4b564d02, 0x4b564d03, 0x4b564d05, 0x4b564d08,
		0x4b564dff, 0xc0000085, 0xc0000104, 0xc0010117, 0xc0010130,
		0xc0010140, 0xc0010200, 0xc0011030, 0xffffffff
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (!faults(msrs[i]) || set(msrs[i], 0))
			fail_msg("0x%x is there", msrs[i]);
	}
}

static void vendors_differ(void **state)
{
	(void)state;
	assert_true(faults(MSR_IA32_FEATURE_CONTROL));
	assert_true(faults(MSR_SMI_COUNT));
	assert_true(faults(MSR_IA32_PERF_CTL));
	assert_int_equal(get(MSR_HWCR), BIT(24));
	assert_int_equal(get(MSR_VM_CR), 0x18);
	assert_int_equal(get(MSR_DE_CFG), 2);
	assert_int_equal(get(MSR_SYSCFG), 0);
	assert_true(set(0xc0010004, 0xabcd));
	assert_int_equal(get(0xc0010004), 0);
	cpu_stop();
	cpu_start(FAKE_CPU_INTEL, 2);
	assert_int_equal(get(MSR_IA32_FEATURE_CONTROL), 1);
	assert_false(set(MSR_IA32_FEATURE_CONTROL, 5));
	assert_int_equal(get(MSR_SMI_COUNT), 0);
	assert_int_equal(get(MSR_IA32_PERF_CTL), 0);
	assert_false(set(MSR_IA32_PERF_CTL, 0));
	assert_true(faults(MSR_HWCR));
	assert_true(faults(MSR_VM_CR));
	assert_true(faults(MSR_DE_CFG));
	assert_true(faults(0xc0010004));
}

static void lfence_is_as_cpuid_says(void **state)
{
	struct cpuid_words words = cpuid_machine(0x80000021, 0);

	(void)state;
	words.eax &= (uint32_t)~CPUID_EXT21_EAX_LFENCE_SERIALIZING;
	fake_cpuid_set(0x80000021, 0, words);
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(2);
	assert_int_equal(get(MSR_DE_CFG), 0);
}

static void resets(void **state)
{
	(void)state;
	assert_int_equal(get(MSR_IA32_PAT), 0x0007040600070406);
	assert_int_equal(vcpu_ops->read_msr(cpu, MSR_IA32_PAT),
			 0x0007040600070406);
	assert_int_equal(get(MSR_IA32_MISC_ENABLE), 0x1801);
	assert_int_equal(get(MSR_IA32_MTRRCAP), 0x508);
	assert_int_equal(get(MSR_IA32_MTRR_DEF_TYPE), 0);
	assert_int_equal(get(MSR_IA32_MCG_CAP), 0);
	assert_int_equal(get(MSR_IA32_APIC_BASE), 0xfee00900);
	assert_keeps(MSR_STAR, 0x1122334455667788);
	assert_keeps(MSR_IA32_MTRR_DEF_TYPE, 0xc06);
	assert_true(set(MSR_KVM_PV_EOI_EN, 0x2001));
	msr_reset(cpu, true);
	assert_int_equal(get(MSR_STAR), 0x1122334455667788);
	assert_int_equal(get(MSR_IA32_MTRR_DEF_TYPE), 0xc06);
	assert_int_equal(get(MSR_KVM_PV_EOI_EN), 0);
	msr_reset(cpu, false);
	assert_int_equal(get(MSR_STAR), 0);
	assert_int_equal(get(MSR_IA32_MTRR_DEF_TYPE), 0);
}

static void tsc_moves_with_its_adjustment(void **state)
{
	(void)state;
	fake_now = 1000;
	assert_int_equal(get(MSR_IA32_TSC), 1000);
	assert_true(set(MSR_IA32_TSC, 250));
	assert_int_equal(get(MSR_IA32_TSC), 250);
	assert_int_equal(get(MSR_IA32_TSC_ADJUST), (uint64_t)-750);
	assert_int_equal(backend->tsc_offset, (uint64_t)-750);
	assert_true(set(MSR_IA32_TSC_ADJUST, 50));
	assert_int_equal(get(MSR_IA32_TSC), 1050);
	assert_int_equal(backend->tsc_offset, 50);
	assert_int_equal(backend->tsc_offset_count, 2);
	/* no change, no work */
	fake_vcpus[1].requests = 0;
	assert_true(set(MSR_IA32_TSC_ADJUST, 50));
	assert_int_equal(backend->tsc_offset_count, 2);
	assert_int_equal(fake_vcpus[1].requests, 0);
}

/* A deadline is a TSC value: when the TSC jumps, it comes at another time. */
static void deadlines_follow_the_tsc(void **state)
{
	(void)state;
	assert_true(set(MSR_IA32_APIC_BASE, 0xfee00d00));
	assert_true(set(0x80f, 0x1ff));
	assert_true(set(0x832, 0x40030)); /* LVT timer: TSC-deadline */
	fake_now = 1000;
	assert_true(set(MSR_IA32_TSC_DEADLINE, 500000));
	assert_int_equal(get(MSR_IA32_TSC_DEADLINE), 500000);
	assert_in_range(cpu->lapic_timer.node.deadline, 499000, 501000);
	assert_true(set(MSR_IA32_TSC, 101000));
	assert_int_equal(get(MSR_IA32_TSC_DEADLINE), 500000);
	assert_in_range(cpu->lapic_timer.node.deadline, 399000, 401000);
}

static void x2apic_is_the_local_apics(void **state)
{
	(void)state;
	assert_true(faults(0x802)); /* xAPIC mode */
	assert_true(set(MSR_IA32_APIC_BASE, 0xfee00d00));
	assert_int_equal(get(0x802), 0);
	assert_true(faults(0x8ff));
	assert_false(set(MSR_IA32_APIC_BASE, 0xfee00900)); /* not back */
	assert_false(set(MSR_IA32_APIC_BASE, BIT(60)));
}

static void features_gate_registers(void **state)
{
	struct cpuid_words words = cpuid_machine(0xd, 1);

	(void)state;
	assert_keeps(MSR_TSC_AUX, 0xffffffff);
	assert_false(set(MSR_TSC_AUX, BIT(32)));
	assert_keeps(MSR_IA32_XSS, 0);
	assert_false(set(MSR_IA32_XSS, BIT(8)));
	assert_false(set(MSR_IA32_XSS, BIT(11)));
	words.eax = 0x7;
	fake_cpuid_set(0xd, 1, words);
	words = cpuid_machine(0x80000001, 0);
	words.edx &= (uint32_t)~CPUID_EXT1_EDX_RDTSCP;
	fake_cpuid_set(0x80000001, 0, words);
	words = cpuid_machine(7, 0);
	words.ecx &= (uint32_t)~CPUID_7_ECX_RDPID;
	fake_cpuid_set(7, 0, words);
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(2);
	assert_true(faults(MSR_IA32_XSS));
	assert_false(set(MSR_IA32_XSS, 0));
	assert_true(faults(MSR_TSC_AUX));
	assert_false(set(MSR_TSC_AUX, 0));
}

static void exits_move_words(void **state)
{
	(void)state;
	cpu->regs.gpr[GPR_RCX] = 0xdead000000000000 | MSR_STAR;
	cpu->regs.gpr[GPR_RAX] = 0xffffffff11112222;
	cpu->regs.gpr[GPR_RDX] = 0xffffffff33334444;
	exit_msr_write(cpu);
	assert_skipped(cpu);
	assert_int_equal(get(MSR_STAR), 0x3333444411112222);
	cpu->regs.gpr[GPR_RAX] = cpu->regs.gpr[GPR_RDX] = UINT64_MAX;
	exit_msr_read(cpu);
	assert_skipped(cpu);
	assert_int_equal(cpu->regs.gpr[GPR_RAX], 0x11112222);
	assert_int_equal(cpu->regs.gpr[GPR_RDX], 0x33334444);
	cpu->regs.gpr[GPR_RCX] = 0x480;
	exit_msr_read(cpu);
	assert_true(cpu->event.has_error);
	assert_raised(cpu, VECTOR_GP);
	exit_msr_write(cpu);
	assert_raised(cpu, VECTOR_GP);
	assert_int_equal(cpu->regs.gpr[GPR_RAX], 0x11112222);
}

/* What goes without an exit must have a row, for exits and for saving. */
static void direct_ones_have_rows(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < msr_direct_count; i++) {
		assert_non_null(msr_policy_find(msr_direct[i].msr));
		assert_true(msr_direct[i].can_write);
	}
	assert_int_equal(msr_direct_count, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_are_sorted),
		TEST(rows_are_whole),
		TEST(unknown_ones_fault),
		TEST(vendors_differ),
		TEST(lfence_is_as_cpuid_says),
		TEST(resets),
		TEST(tsc_moves_with_its_adjustment),
		TEST(deadlines_follow_the_tsc),
		TEST(x2apic_is_the_local_apics),
		TEST(features_gate_registers),
		TEST(exits_move_words),
		TEST(direct_ones_have_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
