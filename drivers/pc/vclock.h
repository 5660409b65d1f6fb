/*
 * Nanoseconds and the ticks of a virtual device's clock. [pure]
 *
 * Devices do not count: they know when they began, and compute. Both ways are
 * exact, so that nothing drifts however long a VM runs: tick n begins at the
 * first nanosecond at which vclock_ticks() says n, and vclock_ns() names it.
 * Rates are at most 1 GHz.
 */
#ifndef DRIVERS_PC_VCLOCK_H
#define DRIVERS_PC_VCLOCK_H

#include "kernel/cpu/time.h"
#include "kernel/vm.h"

/* Periodic interrupts come at most this often, whatever the guest asks for. */
#define VCLOCK_PERIOD_MIN_NS 100000UL

/* Whole ticks of @hz in @ns. */
static inline uint64_t vclock_ticks(uint64_t ns, uint64_t hz)
{
	return ns / NS_PER_SEC * hz + ns % NS_PER_SEC * hz / NS_PER_SEC;
}

/* When tick @ticks of @hz begins; TIME_NEVER: beyond what fits. */
static inline uint64_t vclock_ns(uint64_t ticks, uint64_t hz)
{
	uint64_t seconds = ticks / hz;

	if (seconds >= TIME_NEVER / NS_PER_SEC)
		return TIME_NEVER;
	return seconds * NS_PER_SEC + (ticks % hz * NS_PER_SEC + hz - 1) / hz;
}

/* vm_set_timer for @time of vm_time()'s clock, or TIME_NEVER; nothing if that is
 * what it waits for already: vm_set_timer wakes vCPU 0. vm->lock held. */
static inline void vclock_arm(struct vm *vm, enum vm_timer timer, uint64_t time)
{
	uint64_t deadline = TIME_NEVER;

	if (time < TIME_NEVER - vm->clock_base)
		deadline = vm->clock_base + time;
	if (vm->deadlines[timer] != deadline)
		vm_set_timer(vm, timer, deadline);
}

#endif
