/* The HPET: its counter, and when its comparators match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vclock.h"
#include "drivers/pc/vhpet.h"
#include "drivers/pc/vpit.h"
#include "drivers/pc/vrtc.h"

#define CONFIG	      0x10
#define STATUS	      0x20
#define COUNTER	      0xf0
#define TIMER(n)      (0x100 + 0x20UL * (n))
#define COMPARATOR(n) (TIMER(n) + 8)

#define LEVEL	  BIT(1)
#define ENABLE	  BIT(2)
#define PERIODIC  BIT(3)
#define SET_VALUE BIT(6)
#define IS_32	  BIT(8)
#define ROUTE(n)  ((n) << 9)

static struct vhpet hpet;
static struct vpit pit;
static struct vrtc rtc;

static int reset(void **state)
{
	(void)state;
	bench_reset(1, 0);
	memset(&hpet, 0, sizeof(hpet));
	memset(&pit, 0, sizeof(pit));
	memset(&rtc, 0, sizeof(rtc));
	assert_int_equal(vpit_init(&pit, &fake_vm), 0);
	assert_int_equal(vrtc_init(&rtc, &fake_vm), 0);
	assert_int_equal(vhpet_init(&hpet, &fake_vm, &pit, &rtc), 0);
	return 0;
}

static uint64_t get(uint64_t offset, unsigned int size)
{
	return io_read(&fake_vm, &fake_vm.mmio, VM_HPET_BASE + offset, size);
}

static void set(uint64_t offset, unsigned int size, uint64_t value)
{
	io_write(&fake_vm, &fake_vm.mmio, VM_HPET_BASE + offset, size, value);
}

static void fire_0(void)
{
	vhpet_timer_fire(&hpet, 0);
}

static void fire_1(void)
{
	vhpet_timer_fire(&hpet, 1);
}

/* Until @us since the VM started. */
static unsigned int run(uint64_t us, uint32_t gsi)
{
	return bench_run(us * NS_PER_US, VM_TIMER_HPET0, fire_0, gsi);
}

static void says_what_it_is(void **state)
{
	(void)state;
	assert_true(get(0, 8) == 0x009896808086a201UL);
	assert_int_equal(get(0, 4), VHPET_ID);
	assert_int_equal(get(4, 4), VHPET_PERIOD_FS);
	set(0, 8, 0);
	assert_int_equal(get(0, 4), VHPET_ID);
	assert_true(get(TIMER(0), 8) == 0x00ff000000000030UL);
	assert_true(get(TIMER(2), 8) == 0x00ff000000000030UL);
	assert_int_equal(get(TIMER(3), 8), 0);
	assert_int_equal(get(0x3f8, 8), 0);
	set(TIMER(1), 8, UINT64_MAX);
	assert_true(get(TIMER(1), 8) == 0x00ff000000003f7eUL);
	assert_int_equal(get(0x02, 1), 0x86); /* any size reads */
}

static void counts_while_enabled(void **state)
{
	(void)state;
	run(5, 0);
	assert_int_equal(get(COUNTER, 8), 0);
	set(COUNTER, 8, 0xffffffff0UL);
	set(CONFIG, 4, 1);
	run(6, 0);
	assert_true(get(COUNTER, 8) == 0xffffffff0UL + 100);
	assert_int_equal(get(COUNTER + 4, 4), 0x10);
	set(CONFIG, 4, 0);
	run(100, 0);
	assert_true(get(COUNTER, 8) == 0xffffffff0UL + 100);
	set(COUNTER, 4, 7); /* the low half */
	assert_true(get(COUNTER, 8) == 0x1000000007UL);
	set(CONFIG, 4, 1);
	set(COUNTER + 4, 4, 0);
	assert_true(get(COUNTER, 8) == 7);
	set(COUNTER, 2, 0); /* nobody may */
	set(COUNTER + 2, 4, 0);
	assert_true(get(COUNTER, 8) == 7);
}

static void matches_once(void **state)
{
	(void)state;
	set(CONFIG, 8, 1);
	set(COMPARATOR(0), 8, 100000); /* 1 ms */
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] == TIME_NEVER);
	set(TIMER(0), 8, ENABLE | ROUTE(18));
	assert_int_equal(fake_vm.deadlines[VM_TIMER_HPET0],
			 BENCH_START + NS_PER_MS);
	assert_int_equal(run(999, 18), 0);
	assert_int_equal(run(1000, 18), 1);
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] == TIME_NEVER);
	/* behind the counter: 64 bits do not come round */
	set(COMPARATOR(0), 8, 500);
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] == TIME_NEVER);
	/* but 32 do, and again */
	set(TIMER(0), 8, ENABLE | ROUTE(18) | IS_32);
	assert_int_equal(fake_vm.deadlines[VM_TIMER_HPET0],
			 BENCH_START + (BIT(32) + 500) * 10);
	assert_int_equal(run((BIT(32) + 500) / 100 + 1, 18), 1);
	assert_int_equal(fake_vm.deadlines[VM_TIMER_HPET0],
			 BENCH_START + (BIT(33) + 500) * 10);
	/* not routed to a pin that it has: nothing */
	set(TIMER(0), 8, ENABLE | ROUTE(5));
	set(COMPARATOR(0), 8, get(COUNTER, 8) + 10);
	fake_now += 100;
	fire_0();
	assert_int_equal(fake_irq_count, 0);
}

static void stops_with_the_counter(void **state)
{
	(void)state;
	set(TIMER(0), 8, ENABLE | ROUTE(16));
	set(COMPARATOR(0), 8, 100000);
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] == TIME_NEVER);
	set(CONFIG, 8, 1);
	run(400, 16);
	set(CONFIG, 8, 0);
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] == TIME_NEVER);
	run(10000, 16);
	set(CONFIG, 8, 1);
	assert_int_equal(run(10599, 16), 0);
	assert_int_equal(run(10600, 16), 1);
}

static void level_stays_until_cleared(void **state)
{
	(void)state;
	set(CONFIG, 8, 1);
	set(TIMER(1), 8, ENABLE | LEVEL | ROUTE(20));
	set(COMPARATOR(1), 8, 100);
	bench_run(NS_PER_US, VM_TIMER_HPET1, fire_1, 20);
	assert_true(bench_is_high(20));
	assert_int_equal(get(STATUS, 8), 2);
	set(STATUS, 8, 5);
	assert_true(bench_is_high(20));
	set(TIMER(1), 8, ENABLE | LEVEL | ROUTE(21)); /* moves */
	assert_false(bench_is_high(20));
	assert_true(bench_is_high(21));
	set(STATUS, 4, 2);
	assert_false(bench_is_high(21));
	assert_int_equal(get(STATUS, 8), 0);
}

static void is_periodic_without_drift(void **state)
{
	(void)state;
	set(CONFIG, 8, 1);
	run(50, 0);
	/* as Linux does: accumulator first, then the period */
	set(TIMER(0), 4, ENABLE | PERIODIC | SET_VALUE | IS_32 | ROUTE(16));
	set(COMPARATOR(0), 4, 5000 + 99991);
	assert_int_equal(get(TIMER(0), 4) & SET_VALUE, 0);
	set(COMPARATOR(0), 4, 99991);
	assert_int_equal(get(COMPARATOR(0), 4), 5000 + 99991);
	/* 100 s: the counter wraps at 43 s and 86 s */
	assert_int_equal(run(100000000, 16), (10000000000UL - 5000) / 99991);
	assert_int_equal(fake_vm.deadlines[VM_TIMER_HPET0],
			 BENCH_START + (5000 +
					(10000000000UL - 5000) / 99991 * 99991 +
					99991) *
					       10);
	assert_true(get(COMPARATOR(0), 8) <= UINT32_MAX);
}

static void is_bounded_in_rate(void **state)
{
	(void)state;
	set(CONFIG, 8, 1);
	set(TIMER(0), 8, ENABLE | PERIODIC | SET_VALUE | ROUTE(16));
	set(COMPARATOR(0), 8, 1);
	set(COMPARATOR(0), 8, 1);
	assert_in_range(run(1000000, 16), 9000, 10000);
	set(COMPARATOR(0), 8, 0); /* no period: one match at most */
	assert_in_range(run(2000000, 16), 0, 1);
	/* late by an hour */
	set(TIMER(0), 8, ENABLE | PERIODIC | SET_VALUE | ROUTE(16));
	set(COMPARATOR(0), 8, get(COUNTER, 8) + 1000000);
	set(COMPARATOR(0), 8, 1000000);
	fake_now += 3600 * NS_PER_SEC;
	fire_0();
	assert_int_equal(bench_take_rises(16), 1);
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] > fake_now);
	assert_true(fake_vm.deadlines[VM_TIMER_HPET0] <=
		    fake_now + 10 * NS_PER_MS);
}

static void replaces_pit_and_rtc(void **state)
{
	(void)state;
	set(CONFIG, 8, 3);
	assert_true(pit.is_replaced);
	assert_true(rtc.is_replaced);
	set(TIMER(0), 8, ENABLE);
	set(COMPARATOR(0), 8, 100);
	set(TIMER(1), 8, ENABLE | ROUTE(22)); /* the route does not count */
	set(COMPARATOR(1), 8, 200);
	assert_int_equal(run(1, VPIT_GSI), 1);
	assert_int_equal(
		bench_run(2 * NS_PER_US, VM_TIMER_HPET1, fire_1, VRTC_GSI), 1);
	set(CONFIG, 8, 1);
	assert_false(pit.is_replaced);
	assert_false(rtc.is_replaced);
}

static void fires_late_or_for_nothing(void **state)
{
	(void)state;
	fire_0();
	set(CONFIG, 8, 1);
	set(TIMER(0), 8, ENABLE | ROUTE(16));
	set(COMPARATOR(0), 8, 1000);
	fire_0(); /* too early: armed again */
	assert_int_equal(fake_irq_count, 0);
	assert_int_equal(fake_vm.deadlines[VM_TIMER_HPET0],
			 BENCH_START + 10000);
	assert_int_equal(run(11, 16), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(says_what_it_is, reset),
		cmocka_unit_test_setup(counts_while_enabled, reset),
		cmocka_unit_test_setup(matches_once, reset),
		cmocka_unit_test_setup(stops_with_the_counter, reset),
		cmocka_unit_test_setup(level_stays_until_cleared, reset),
		cmocka_unit_test_setup(is_periodic_without_drift, reset),
		cmocka_unit_test_setup(is_bounded_in_rate, reset),
		cmocka_unit_test_setup(replaces_pit_and_rtc, reset),
		cmocka_unit_test_setup(fires_late_or_for_nothing, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
