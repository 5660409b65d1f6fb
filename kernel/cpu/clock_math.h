/* Arithmetic of the clock: factors between ticks and nanoseconds. [pure] */
#ifndef KERNEL_CPU_CLOCK_MATH_H
#define KERNEL_CPU_CLOCK_MATH_H

#include <stdint.h>

/* @value times the 32.32 fixed-point @factor, rounded down. */
static inline uint64_t clock_scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)((unsigned __int128)value * factor >> 32);
}

/*
 * Ticks from @now until @deadline (ns), at @ticks_per_ns (32.32): at least 1, and at
 * most CLOCK_ARM_MAX_NS away: whoever is woken looks at the time and arms again. Relative, because a factor's rounding grows with what it
 * multiplies: a year of uptime would make an absolute deadline milliseconds early.
 */
#define CLOCK_ARM_MAX_NS 3600000000000UL
uint64_t clock_ticks_until(uint64_t deadline, uint64_t now,
			   uint64_t ticks_per_ns);

#endif
