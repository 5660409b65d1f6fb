/* A clock of known frequency to measure the TSC with: HPET, else ACPI PM timer,
 * else PIT. */
#ifndef KERNEL_CPU_REFERENCE_CLOCK_H
#define KERNEL_CPU_REFERENCE_CLOCK_H

#include <stdint.h>

#include "boot/platform.h"

/* @ns counts from an arbitrary start; @tsc was read as near to it as several
 * tries could bring it. */
struct reference_reading {
	uint64_t ns;
	uint64_t tsc;
};

/* Take the best clock that the platform has and that is seen to tick; false: none. @hpet:
 * mapped registers or NULL. */
bool reference_clock_choose(const struct platform *platform,
			    volatile void *hpet);
const char *reference_clock_name(void);

/* Call at least every 50 ms: counters wrap. */
struct reference_reading reference_clock_read(void);

#endif
