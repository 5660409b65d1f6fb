/* Hypercalls: numbers, privilege, width of registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/hypercall.h"

#define ENOSYS_64 ((uint64_t)-1000)
#define EPERM_64  ((uint64_t)-1)

static uint64_t call(uint64_t number)
{
	cpu->regs.gpr[GPR_RAX] = number;
	exit_hypercall(cpu);
	assert_skipped(cpu);
	return cpu->regs.gpr[GPR_RAX];
}

static void knows_poll_irq_only(void **state)
{
	(void)state;
	assert_int_equal(call(1), 0);
	assert_int_equal(call(0), ENOSYS_64);
	for (uint64_t number = 2; number < 20; number++)
		assert_int_equal(call(number), ENOSYS_64);
	assert_int_equal(call(UINT64_MAX), ENOSYS_64);
	assert_int_equal(call(BIT(32) | 1), ENOSYS_64);
}

static void users_may_not(void **state)
{
	(void)state;
	for (uint8_t cpl = 1; cpl < 4; cpl++) {
		fake_ops_long_mode(cpu, cpl);
		assert_int_equal(call(1), EPERM_64);
		assert_int_equal(call(99), EPERM_64);
	}
}

static void has_32_bits_in_32_bit_code(void **state)
{
	(void)state;
	fake_ops_protected_mode(cpu, 0);
	assert_int_equal(call(0xffffffff00000001), 0);
	assert_int_equal(call(99), (uint32_t)ENOSYS_64);
	fake_ops_protected_mode(cpu, 3);
	assert_int_equal(call(1), UINT32_MAX);
	fake_ops_real_mode(cpu);
	assert_int_equal(call(99), (uint32_t)ENOSYS_64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(knows_poll_irq_only),
		TEST(users_may_not),
		TEST(has_32_bits_in_32_bit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
