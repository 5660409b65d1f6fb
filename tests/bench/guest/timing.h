/* How long an operation takes, in ticks of the TSC. */
#ifndef TESTS_BENCH_GUEST_TIMING_H
#define TESTS_BENCH_GUEST_TIMING_H

#include <stdint.h>

#include "tests/bench/guest/instructions.h"

#define TIMES 2000

/* Of many times: the least, and the mean. */
struct timing {
	uint64_t least, mean;
};

/* What doing nothing takes; it is taken off whatever is timed afterwards. */
void timing_calibrate(struct timing nothing);

/* The least and the mean of @count values, their sum being @sum. */
struct timing timing_of(uint64_t least, uint64_t sum, uint64_t count);

/* Print a line of @name. */
void report(const char *name, struct timing timing);

/* Inlined with each @operate, so that there is no call in what is measured. */
static inline __attribute__((always_inline)) struct timing time_of(
	void (*operate)(void))
{
	uint64_t least = ~0UL, sum = 0;

	for (unsigned int i = 0; i < TIMES; i++) {
		uint64_t before = ticks();
		uint64_t taken;

		operate();
		taken = ticks() - before;
		sum += taken;
		if (taken < least)
			least = taken;
	}
	return timing_of(least, sum, TIMES);
}

#endif
