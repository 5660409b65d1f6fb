/* Time: the TSC as nanoseconds, its calibration, and the CPU's one-shot timer.
 */
#ifndef KERNEL_CPU_TIME_H
#define KERNEL_CPU_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/platform.h"

#define NS_PER_US  1000UL
#define NS_PER_MS  1000000UL
#define NS_PER_SEC 1000000000UL

/* TSC at the first instruction of boot_main; time 0. */
void time_mark_boot(void);

/*
 * Learn the TSC's frequency (and the LAPIC timer's, where there is no
 * TSC-deadline mode). @hpet: mapped registers or NULL. Needs apic_init. Until
 * then time_now() is 0.
 */
void time_init(const struct platform *platform, volatile void *hpet);

/* Let this CPU's APIC timer raise VECTOR_TIMER; nothing armed. */
void time_init_cpu(void);

/* Nanoseconds since boot; the same on all CPUs as far as the TSCs are. */
uint64_t time_now(void);

/* Wall clock in nanoseconds since 1970-01-01 UTC; 0: the machine has none. */
uint64_t time_wall(void);

uint64_t time_tsc_hz(void);

/* TSC ticks since time_mark_boot. */
uint64_t time_boot_cycles(void);

/* Raise VECTOR_TIMER at time @deadline (at once if it has passed); TIME_NEVER
 * disarms. */
#define TIME_NEVER UINT64_MAX
void time_arm(uint64_t deadline);

/* Busy-wait; for hardware that demands it. */
void time_delay(uint64_t ns);

#endif
