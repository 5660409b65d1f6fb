/* Deadlines are never early and never late by more than rounding, at any uptime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/cpu/clock_math.h"

#define SECOND 1000000000UL
#define YEAR   (365UL * 86400 * SECOND)

static const uint64_t frequencies[] = { 62500000,   1000000000, 2596123000,
					3000000000, 3700000000, 5999999999 };

static void hits_the_deadline(void **state)
{
	(void)state;
	srand(5);
	for (size_t i = 0; i < 6; i++) {
		uint64_t hz = frequencies[i];
		uint64_t ticks_per_ns =
			(uint64_t)(((unsigned __int128)hz << 32) / SECOND);
		uint64_t ns_per_tick =
			(uint64_t)(((unsigned __int128)SECOND << 32) / hz);

		for (int round = 0; round < 10000; round++) {
			uint64_t now =
				(uint64_t)rand() * 100000000 % (5 * YEAR);
			uint64_t wait = (uint64_t)rand() % SECOND;
			uint64_t ticks = clock_ticks_until(now + wait, now,
							   ticks_per_ns);
			uint64_t passed = clock_scale(ticks, ns_per_tick);

			/* a tick, and a part in a thousand million for the factors */
			assert_true(passed + 2 + wait / 1000000000 >= wait);
			assert_true(passed <=
				    wait + 2 + SECOND / hz + wait / 1000000000);
		}
	}
}

static void bounds_both_ends(void **state)
{
	uint64_t one = 1UL << 32;

	(void)state;
	assert_int_equal(clock_ticks_until(5, 5, one), 1);
	assert_int_equal(clock_ticks_until(5, 1000, one), 1);
	assert_int_equal(clock_ticks_until(0, UINT64_MAX, one), 1);
	assert_int_equal(clock_ticks_until(UINT64_MAX, 0, one),
			 CLOCK_ARM_MAX_NS + 1);
	assert_int_equal(clock_ticks_until(UINT64_MAX - 1, YEAR, 6 * one),
			 6 * CLOCK_ARM_MAX_NS + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hits_the_deadline),
		cmocka_unit_test(bounds_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
