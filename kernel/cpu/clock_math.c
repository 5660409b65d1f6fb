/* Arithmetic of the clock. */
#include "kernel/cpu/clock_math.h"

uint64_t clock_ticks_until(uint64_t deadline, uint64_t now,
			   uint64_t ticks_per_ns)
{
	uint64_t left = deadline > now ? deadline - now : 0;

	if (left > CLOCK_ARM_MAX_NS)
		left = CLOCK_ARM_MAX_NS;
	return clock_scale(left, ticks_per_ns) + 1;
}
