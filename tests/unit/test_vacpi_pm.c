/* ACPI fixed hardware: events, sleep and the timer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vacpi_pm.h"
#include "drivers/pc/vclock.h"

#define STATUS	0x600
#define ENABLE	0x602
#define CONTROL 0x604
#define TIMER	0x608
#define GPE	0x620

static struct vacpi_pm pm;

static int reset(void **state)
{
	(void)state;
	bench_reset(1, 0);
	memset(&pm, 0, sizeof(pm));
	assert_int_equal(vacpi_pm_init(&pm, &fake_vm), 0);
	return 0;
}

static void fire(void)
{
	vacpi_pm_timer_fire(&pm);
}

static unsigned int run(uint64_t time)
{
	return bench_run(time, VM_TIMER_PM, fire, VM_SCI_GSI);
}

static void timer_runs_without_the_lock(void **state)
{
	struct io_region region;

	(void)state;
	run(NS_PER_SEC);
	assert_int_equal(bench_in(TIMER, 4), VACPI_PM_TIMER_HZ);
	assert_int_equal(in8(TIMER + 1), VACPI_PM_TIMER_HZ >> 8 & 0xff);
	bench_out(TIMER, 4, 0);
	assert_int_equal(bench_in(TIMER, 4), VACPI_PM_TIMER_HZ);
	assert_true(io_find(&fake_vm.ports, TIMER, 4, &region));
	assert_true(region.is_unlocked);
	/* 32 bits wrap after 20 minutes */
	run(1200 * NS_PER_SEC);
	assert_int_equal(bench_in(TIMER, 4),
			 1200 * VACPI_PM_TIMER_HZ - BIT(32));
}

static void power_button_is_an_sci(void **state)
{
	(void)state;
	bench_out(ENABLE, 2, 0x0100);
	assert_int_equal(bench_in(ENABLE, 2), 0x0100);
	vacpi_pm_press_power_button(&pm);
	assert_true(bench_is_high(VM_SCI_GSI));
	assert_int_equal(bench_in(STATUS, 2), 0x0100);
	bench_out(STATUS, 2, 0x00ff);
	assert_int_equal(bench_in(STATUS, 2), 0x0100);
	bench_out(STATUS + 1, 1, 1); /* a byte of it */
	assert_int_equal(bench_in(STATUS, 4), 0x01000000);
	assert_false(bench_is_high(VM_SCI_GSI));
	/* not enabled: the status only; enabled then: at once */
	bench_out(ENABLE, 2, 0);
	vacpi_pm_press_power_button(&pm);
	assert_false(bench_is_high(VM_SCI_GSI));
	bench_out(ENABLE, 2, 0x0100);
	assert_true(bench_is_high(VM_SCI_GSI));
}

static void timer_event_comes_each_half_turn(void **state)
{
	const uint64_t half = vclock_ns(BIT(31), VACPI_PM_TIMER_HZ);

	(void)state;
	run(half);
	assert_int_equal(bench_in(STATUS, 2), 1); /* unasked, on looking */
	bench_out(STATUS, 2, 1);
	assert_int_equal(bench_in(STATUS, 2), 0);
	assert_true(fake_vm.deadlines[VM_TIMER_PM] == TIME_NEVER);
	bench_out(ENABLE, 2, 1);
	assert_int_equal(run(2 * half - 2), 0);
	assert_int_equal(run(2 * half), 1);
	assert_true(fake_vm.deadlines[VM_TIMER_PM] == TIME_NEVER);
	bench_out(STATUS, 2, 1);
	assert_false(bench_is_high(VM_SCI_GSI));
	assert_int_equal(run(3 * half), 1);
}

static void s5_powers_off(void **state)
{
	(void)state;
	assert_int_equal(bench_in(CONTROL, 2), 1); /* SCI_EN, always */
	bench_out(CONTROL, 2, 0);
	assert_int_equal(bench_in(CONTROL, 2), 1);
	assert_int_equal(fake_end, VM_END_NONE);
	bench_out(CONTROL, 2, 3 << 10 | BIT(13)); /* no such sleep: wakes */
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(bench_in(STATUS, 2), 0x8000);
	assert_int_equal(bench_in(CONTROL, 2), 3 << 10 | 1);
	bench_out(CONTROL, 2, VACPI_PM_S5 << 10 | BIT(13));
	assert_int_equal(fake_end, VM_END_POWER_OFF);
}

static void gpe_enables_are_kept(void **state)
{
	(void)state;
	bench_out(GPE, 4, 0xffffffff);
	assert_int_equal(bench_in(GPE, 4), 0);
	bench_out(GPE + 8, 4, 0x12345678);
	bench_out(GPE + 12, 4, 0x9abcdef0);
	bench_out(GPE + 9, 1, 0xff);
	assert_int_equal(bench_in(GPE + 8, 4), 0x1234ff78);
	assert_int_equal(bench_in(GPE + 14, 2), 0x9abc);
	assert_int_equal(bench_in(GPE + 15, 1), 0x9a);
	assert_int_equal(fake_irq_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(timer_runs_without_the_lock, reset),
		cmocka_unit_test_setup(power_button_is_an_sci, reset),
		cmocka_unit_test_setup(timer_event_comes_each_half_turn, reset),
		cmocka_unit_test_setup(s5_powers_off, reset),
		cmocka_unit_test_setup(gpe_enables_are_kept, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
