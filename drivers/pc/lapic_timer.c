/*
 * The local APIC's timer: one-shot and periodic by count, or by TSC deadline.
 *
 * A count is never counted: there is a deadline in ns, and the current count is
 * what is left of it. One tick is one ns (LAPIC_TIMER_HZ) before the divider.
 */
#include "drivers/pc/lapic.h"

#include "drivers/pc/lapic_state.h"
#include "kernel/cpu/time.h"

/* A periodic timer interrupts the machine's CPU whoever runs on it, so a guest's
 * period is bounded below, as KVM does (min_timer_period_us of
 * arch/x86/kvm/lapic.c, 200 us); guests in use ask for 500 us at least. */
#define PERIOD_MIN (200 * NS_PER_US)

/* Further away than this is as good as never, and sums with time_now() do not
 * overflow: 146 years. */
#define DELAY_MAX_SECONDS (UINT64_MAX / 4 / NS_PER_SEC)

_Static_assert(LAPIC_TIMER_HZ == NS_PER_SEC, "a tick is a nanosecond");

/* 11.5.4 "APIC Timer", divide configuration: bits 3, 1, 0 are n for 2^(n + 1), 7
 * for 1. */
static unsigned int divide_shift(uint32_t divide)
{
	return (((divide & 8) >> 1 | (divide & 3)) + 1) & 7;
}

/* In ns; below 2^39. */
static uint64_t period_of(const struct lapic *lapic)
{
	uint64_t period = (uint64_t)lapic->timer_count
			  << divide_shift(lapic->timer_divide);

	if (lapic_timer_mode(lapic) == LAPIC_TIMER_PERIODIC)
		return max_u64(period, PERIOD_MIN);
	return period;
}

static void set_deadline(struct lapic *lapic, uint64_t deadline)
{
	if (deadline == TIME_NEVER && lapic->deadline == TIME_NEVER)
		return;
	lapic->deadline = deadline;
	vcpu_arm_lapic_timer(lapic->vcpu, deadline);
}

void lapic_timer_stop(struct lapic *lapic)
{
	lapic->vcpu->msr.tsc_deadline = 0;
	set_deadline(lapic, TIME_NEVER);
}

static bool is_counting_mode(const struct lapic *lapic)
{
	return lapic_timer_mode(lapic) <= LAPIC_TIMER_PERIODIC;
}

void lapic_timer_set_count(struct lapic *lapic, uint32_t count)
{
	if (!is_counting_mode(lapic))
		return;
	lapic->timer_count = count;
	if (count == 0)
		lapic_timer_stop(lapic);
	else
		set_deadline(lapic, time_now() + period_of(lapic));
}

/* Ns until the deadline; 0: it has come. A periodic timer that is late to fire
 * counts on in its next period. */
static uint64_t time_left(const struct lapic *lapic)
{
	uint64_t now = time_now();
	uint64_t period;

	if (lapic->deadline > now)
		return lapic->deadline - now;
	if (lapic_timer_mode(lapic) != LAPIC_TIMER_PERIODIC)
		return 0;
	period = period_of(lapic);
	return period - (now - lapic->deadline) % period;
}

uint32_t lapic_timer_current(const struct lapic *lapic)
{
	if (lapic->deadline == TIME_NEVER || !is_counting_mode(lapic))
		return 0;
	/* a bounded period is longer than what was asked for */
	return (uint32_t)min_u64(time_left(lapic) >>
					 divide_shift(lapic->timer_divide),
				 lapic->timer_count);
}

/* The ticks that are left take another time from now on. */
void lapic_timer_set_divide(struct lapic *lapic, uint32_t divide)
{
	uint32_t ticks = lapic_timer_current(lapic);

	lapic->timer_divide = divide;
	if (lapic->deadline != TIME_NEVER && is_counting_mode(lapic))
		set_deadline(lapic, time_now() + ((uint64_t)ticks
						  << divide_shift(divide)));
}

/* 11.5.4.1 "TSC-Deadline Mode": going there or back disarms the timer. */
void lapic_timer_mode_changed(struct lapic *lapic, enum lapic_timer_mode before)
{
	enum lapic_timer_mode mode = lapic_timer_mode(lapic);

	if (mode == before ||
	    (mode <= LAPIC_TIMER_PERIODIC && before <= LAPIC_TIMER_PERIODIC))
		return;
	lapic->timer_count = 0;
	lapic_timer_stop(lapic);
}

uint64_t lapic_read_tsc_deadline(const struct lapic *lapic)
{
	return lapic->vcpu->msr.tsc_deadline;
}

/* Rounded up, so that the guest does not find its TSC before the deadline. The
 * remainder is below the TSC's frequency, and that below 18 GHz. */
static uint64_t ticks_to_ns(uint64_t ticks)
{
	uint64_t hz = time_tsc_hz();
	uint64_t seconds = ticks / hz;

	if (seconds >= DELAY_MAX_SECONDS)
		return DELAY_MAX_SECONDS * NS_PER_SEC;
	return seconds * NS_PER_SEC + (ticks % hz * NS_PER_SEC + hz - 1) / hz;
}

void lapic_write_tsc_deadline(struct lapic *lapic, uint64_t value)
{
	uint64_t tsc;

	if (lapic_timer_mode(lapic) != LAPIC_TIMER_TSC_DEADLINE)
		return;
	tsc = vcpu_tsc(lapic->vcpu);
	if (value <= tsc) {
		lapic_timer_stop(lapic);
		if (value)
			lapic_signal(lapic, LAPIC_LVT_TIMER);
		return;
	}
	lapic->vcpu->msr.tsc_deadline = value;
	set_deadline(lapic, time_now() + ticks_to_ns(value - tsc));
}

/* Periods that went by unseen are one interrupt, as they are to a CPU that has
 * interrupts off. */
static void rearm_periodic(struct lapic *lapic, uint64_t now)
{
	uint64_t period = period_of(lapic);
	uint64_t missed = (now - lapic->deadline) / period;

	set_deadline(lapic, lapic->deadline + (missed + 1) * period);
}

void lapic_timer_fire(struct lapic *lapic)
{
	uint64_t now = time_now();

	/* the request was on its way when the deadline was changed */
	if (lapic->deadline > now) {
		if (lapic->deadline != TIME_NEVER)
			vcpu_arm_lapic_timer(lapic->vcpu, lapic->deadline);
		return;
	}
	if (lapic_timer_mode(lapic) == LAPIC_TIMER_PERIODIC)
		rearm_periodic(lapic, now);
	else
		lapic_timer_stop(lapic);
	lapic_signal(lapic, LAPIC_LVT_TIMER);
}
