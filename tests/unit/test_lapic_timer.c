/* The local APIC's timer: one-shot, periodic and TSC deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lapic_fixture.h"

#define ONE_SHOT (0U << 17)
#define PERIODIC (1U << 17)
#define DEADLINE (2U << 17)

static int setup(void **state)
{
	(void)state;
	start(2);
	enable_x2apic(1);
	return 0;
}

static void set(uint32_t offset, uint64_t value)
{
	assert_true(write_msr(1, offset, value));
}

static uint64_t current(void)
{
	return read_msr(1, 0x390);
}

/* When the vCPU's thread wants to be woken. */
static uint64_t armed(void)
{
	return vcpus[1].lapic_timer.node.deadline;
}

/* Time goes on to @now; true if the guest got its vector. */
static bool fires_at(uint64_t now)
{
	fake_now = now;
	lapic_timer_fire(lapic_of(1));
	if (inject(1) != 0x40)
		return false;
	set(0xb0, 0);
	return true;
}

static void one_shot_counts_down_once(void **state)
{
	uint64_t start_time = fake_now;

	(void)state;
	set(0x320, ONE_SHOT | 0x40);
	set(0x3e0, 0xb);
	set(0x380, 1000000);
	assert_int_equal(current(), 1000000);
	assert_int_equal(armed(), start_time + 1000000);
	fake_now += 400000;
	assert_int_equal(current(), 600000);
	assert_false(fires_at(start_time + 999999));
	assert_int_equal(current(), 1);
	assert_true(fires_at(start_time + 1000000));
	assert_int_equal(current(), 0);
	assert_int_equal(armed(), TIME_NEVER);
	assert_false(fires_at(start_time + 2000000));
	assert_int_equal(read_msr(1, 0x380), 1000000);
}

static void divides(void **state)
{
	static const struct {
		uint32_t divide;
		unsigned int by;
	} rows[] = {
		{ 0x0, 2 },  { 0x1, 4 },  { 0x2, 8 },	{ 0x3, 16 },
		{ 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		set(0x3e0, rows[i].divide);
		set(0x380, 0xffffffff);
		assert_int_equal(armed(), fake_now + 0xffffffffUL * rows[i].by);
		assert_int_equal(current(), 0xffffffff);
		fake_now += 1000UL * rows[i].by;
		assert_int_equal(current(), 0xffffffff - 1000);
	}
}

static void a_new_divider_keeps_the_count(void **state)
{
	(void)state;
	set(0x3e0, 0xb);
	set(0x380, 1000000);
	fake_now += 250000;
	set(0x3e0, 0x0);
	assert_int_equal(current(), 750000);
	assert_int_equal(armed(), fake_now + 1500000);
	set(0x380, 0);
	assert_int_equal(armed(), TIME_NEVER);
	set(0x3e0, 0x1);
	assert_int_equal(armed(), TIME_NEVER);
}

static void periodic_keeps_its_beat(void **state)
{
	uint64_t t = fake_now;

	(void)state;
	set(0x320, PERIODIC | 0x40);
	set(0x3e0, 0xb);
	set(0x380, 1000000);
	assert_true(fires_at(t + 1000010));
	assert_int_equal(armed(), t + 2000000);
	/* three went by */
	assert_true(fires_at(t + 5000000));
	assert_int_equal(armed(), t + 6000000);
	/* not seen yet, but it counts on */
	fake_now = t + 6000300;
	assert_int_equal(current(), 1000000 - 300);
	fake_now = t + 9000400;
	assert_int_equal(current(), 1000000 - 400);
	assert_true(fires_at(fake_now));
	assert_int_equal(armed(), t + 10000000);
	set(0x380, 0);
	assert_int_equal(armed(), TIME_NEVER);
	assert_false(fires_at(t + 20000000));
}

static void periods_are_bounded_below(void **state)
{
	(void)state;
	set(0x320, PERIODIC | 0x40);
	set(0x3e0, 0xb);
	set(0x380, 1);
	assert_int_equal(armed(), fake_now + 200 * NS_PER_US);
	assert_true(current() <= 1);
	assert_true(fires_at(fake_now + 200 * NS_PER_US));
	assert_int_equal(armed(), fake_now + 200 * NS_PER_US);
	/* once is no storm */
	set(0x320, ONE_SHOT | 0x40);
	set(0x380, 1);
	assert_int_equal(armed(), fake_now + 1);
}

static void masked_it_runs_silently(void **state)
{
	(void)state;
	set(0x320, ONE_SHOT | 0x10040);
	set(0x3e0, 0xb);
	set(0x380, 1000);
	assert_false(fires_at(fake_now + 1000));
	assert_int_equal(current(), 0);
	assert_int_equal(armed(), TIME_NEVER);
}

static void deadline_fires_when_the_tsc_is_there(void **state)
{
	struct lapic *lapic = lapic_of(1);
	uint64_t t = fake_now;

	(void)state;
	set(0x320, DEADLINE | 0x40);
	lapic_write_tsc_deadline(lapic, t + 5000);
	assert_int_equal(lapic_read_tsc_deadline(lapic), t + 5000);
	assert_int_equal(armed(), t + 5000);
	assert_int_equal(current(), 0);
	set(0x380, 77);
	assert_int_equal(armed(), t + 5000);
	assert_int_equal(read_msr(1, 0x380), 0);
	assert_false(fires_at(t + 4999));
	assert_true(fires_at(t + 5000));
	assert_int_equal(lapic_read_tsc_deadline(lapic), 0);
	assert_int_equal(armed(), TIME_NEVER);
	assert_false(fires_at(t + 6000));
}

static void a_past_deadline_fires_at_once(void **state)
{
	struct lapic *lapic = lapic_of(1);

	(void)state;
	set(0x320, DEADLINE | 0x40);
	lapic_write_tsc_deadline(lapic, fake_now + 5000);
	lapic_write_tsc_deadline(lapic, 1);
	assert_int_equal(lapic_read_tsc_deadline(lapic), 0);
	assert_int_equal(armed(), TIME_NEVER);
	assert_int_equal(inject(1), 0x40);
	set(0xb0, 0);
	lapic_write_tsc_deadline(lapic, fake_now);
	assert_int_equal(inject(1), 0x40);
	set(0xb0, 0);
	/* 0 disarms */
	lapic_write_tsc_deadline(lapic, fake_now + 5000);
	lapic_write_tsc_deadline(lapic, 0);
	assert_int_equal(inject(1), LAPIC_NONE);
	assert_int_equal(armed(), TIME_NEVER);
}

/* Against 128-bit arithmetic, rounded up; and capped, not wrapped. */
static void converts_any_tsc(void **state)
{
	static const uint64_t rates[] = { 100000000, 999999999, 2893202000,
					  5000000000 };
	struct lapic *lapic = lapic_of(1);
	uint64_t cap = UINT64_MAX / 4 / NS_PER_SEC * NS_PER_SEC;

	(void)state;
	set(0x320, DEADLINE | 0x40);
	for (unsigned int i = 0; i < ARRAY_SIZE(rates); i++) {
		fake_tsc_hz = rates[i];
		for (unsigned int bit = 1; bit < 64; bit++) {
			uint64_t ticks = BIT(bit) + bit * 12345;
			unsigned __int128 ns =
				((unsigned __int128)ticks * NS_PER_SEC +
				 rates[i] - 1) /
				rates[i];

			vcpus[1].tsc_offset = 0 - fake_now;
			lapic_write_tsc_deadline(lapic, ticks);
			if (ns < cap)
				assert_int_equal(armed() - fake_now,
						 (uint64_t)ns);
			else
				assert_int_equal(armed() - fake_now, cap);
		}
		lapic_write_tsc_deadline(lapic, UINT64_MAX);
		assert_true(armed() > fake_now && armed() != TIME_NEVER);
		assert_int_equal(inject(1), LAPIC_NONE);
	}
}

static void changing_to_and_from_deadline_disarms(void **state)
{
	struct lapic *lapic = lapic_of(1);

	(void)state;
	lapic_write_tsc_deadline(lapic, fake_now + 5000);
	assert_int_equal(lapic_read_tsc_deadline(lapic), 0);
	set(0x320, ONE_SHOT | 0x40);
	set(0x380, 1000000);
	set(0x320, DEADLINE | 0x40);
	assert_int_equal(armed(), TIME_NEVER);
	assert_int_equal(read_msr(1, 0x380), 0);
	lapic_write_tsc_deadline(lapic, fake_now + 5000);
	set(0x320, DEADLINE | 0x10040);
	assert_int_equal(armed(), fake_now + 5000);
	set(0x320, PERIODIC | 0x40);
	assert_int_equal(armed(), TIME_NEVER);
	assert_int_equal(lapic_read_tsc_deadline(lapic), 0);
	/* between the counting modes it goes on */
	set(0x380, 1000000);
	set(0x320, ONE_SHOT | 0x40);
	assert_int_not_equal(armed(), TIME_NEVER);
	assert_true(fires_at(armed()));
	assert_int_equal(armed(), TIME_NEVER);
	/* the reserved mode does not run */
	set(0x320, 3U << 17 | 0x40);
	set(0x380, 1000000);
	lapic_write_tsc_deadline(lapic, fake_now + 5000);
	assert_int_equal(armed(), TIME_NEVER);
}

static void a_request_too_early_arms_again(void **state)
{
	(void)state;
	set(0x320, ONE_SHOT | 0x40);
	set(0x3e0, 0xb);
	set(0x380, 1000000);
	vcpus[1].lapic_timer.node.deadline = 0;
	assert_false(fires_at(fake_now + 10));
	assert_int_equal(armed(), fake_now + 1000000 - 10);
}

static void reset_stops_it(void **state)
{
	(void)state;
	set(0x320, PERIODIC | 0x40);
	set(0x380, 1000000);
	lapic_reset(lapic_of(1), true);
	assert_int_equal(armed(), TIME_NEVER);
	set(0x320, PERIODIC | 0x40);
	set(0x380, 1000000);
	assert_true(lapic_write_base(lapic_of(1), VM_LAPIC_BASE));
	assert_int_equal(armed(), TIME_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_shot_counts_down_once),
		TEST(divides),
		TEST(a_new_divider_keeps_the_count),
		TEST(periodic_keeps_its_beat),
		TEST(periods_are_bounded_below),
		TEST(masked_it_runs_silently),
		TEST(deadline_fires_when_the_tsc_is_there),
		TEST(a_past_deadline_fires_at_once),
		TEST(converts_any_tsc),
		TEST(changing_to_and_from_deadline_disarms),
		TEST(a_request_too_early_arms_again),
		TEST(reset_stops_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
