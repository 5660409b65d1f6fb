/*
 * The high precision event timer.
 *
 * A comparator matches when the main counter is equal to it, so one that is set
 * behind the counter matches after the counter has wrapped: for a comparator of 32
 * bits, up to 43 s later. `due` is that match, counted as if the counter had 64
 * bits (and in 64 bits never comes).
 */
#include "drivers/pc/vhpet.h"

#include "drivers/pc/vclock.h"
#include "drivers/pc/vpit.h"
#include "drivers/pc/vrtc.h"

/* 2.3.1 "Register Overview" */
enum vhpet_register {
	HPET_ID = 0x000,
	HPET_CONFIG = 0x010,
	HPET_STATUS = 0x020,
	HPET_COUNTER = 0x0f0,
	HPET_TIMERS = 0x100,
};

#define TIMER_STRIDE	 0x20
#define TIMER_CONFIG	 0x00
#define TIMER_COMPARATOR 0x08

/* General configuration */
#define CONFIG_ENABLE	BIT(0)
#define CONFIG_LEGACY	BIT(1)
#define CONFIG_WRITABLE (CONFIG_ENABLE | CONFIG_LEGACY)

/* Timer configuration and capabilities */
#define TIMER_LEVEL	   BIT(1)
#define TIMER_ENABLE	   BIT(2)
#define TIMER_PERIODIC	   BIT(3)
#define TIMER_CAN_PERIODIC BIT(4)
#define TIMER_CAN_64	   BIT(5)
#define TIMER_SET_VALUE	   BIT(6)
#define TIMER_32	   BIT(8)
#define TIMER_ROUTE	   BITS(13, 9)
#define TIMER_ROUTES	   BITS(23, 16) /* I/O APIC inputs; in bits 63:32 */
#define TIMER_WRITABLE                                                   \
	(TIMER_LEVEL | TIMER_ENABLE | TIMER_PERIODIC | TIMER_SET_VALUE | \
	 TIMER_32 | TIMER_ROUTE)
#define TIMER_FIXED (TIMER_CAN_PERIODIC | TIMER_CAN_64 | TIMER_ROUTES << 32)

#define PERIOD_MIN (VCLOCK_PERIOD_MIN_NS * VHPET_HZ / NS_PER_SEC)

static bool is_enabled(const struct vhpet *hpet)
{
	return hpet->config & CONFIG_ENABLE;
}

static uint64_t counter_now(const struct vhpet *hpet)
{
	if (!is_enabled(hpet))
		return hpet->counter;
	return hpet->counter + vclock_ticks(vm_time(hpet->vm), VHPET_HZ);
}

/* Let the main counter be @value now. */
static void set_counter(struct vhpet *hpet, uint64_t value)
{
	if (is_enabled(hpet))
		value -= vclock_ticks(vm_time(hpet->vm), VHPET_HZ);
	hpet->counter = value;
}

static uint64_t mask_of(const struct vhpet_timer *timer)
{
	return timer->config & TIMER_32 ? BITS(31, 0) : UINT64_MAX;
}

static bool is_periodic(const struct vhpet_timer *timer)
{
	return timer->config & TIMER_PERIODIC;
}

/* "LegacyReplacement Route": the first two timers replace PIT and RTC. */
static uint32_t line_of(const struct vhpet *hpet, uint32_t number)
{
	if ((hpet->config & CONFIG_LEGACY) && number < 2)
		return number == 0 ? VPIT_GSI : VRTC_GSI;
	return (uint32_t)FIELD_GET(TIMER_ROUTE, hpet->timers[number].config);
}

/* Is there an input of the I/O APIC where the timer's interrupt goes? */
static bool has_line(const struct vhpet *hpet, uint32_t number)
{
	uint64_t lines = TIMER_ROUTES;

	if ((hpet->config & CONFIG_LEGACY) && number < 2)
		return true;
	return lines >> line_of(hpet, number) & 1;
}

/* Level-triggered: the line is high while status and enable bits are set. */
static void raise_line(struct vhpet *hpet, uint32_t number)
{
	const struct vhpet_timer *timer = &hpet->timers[number];

	if ((timer->config & TIMER_LEVEL) && (timer->config & TIMER_ENABLE) &&
	    (hpet->status & BIT(number)) && has_line(hpet, number))
		vm_set_irq(hpet->vm, line_of(hpet, number), true);
}

/* Before it goes elsewhere. Nothing to do if it is low: others may share it. */
static void lower_line(struct vhpet *hpet, uint32_t number)
{
	if ((hpet->timers[number].config & TIMER_LEVEL) &&
	    (hpet->status & BIT(number)) && has_line(hpet, number))
		vm_set_irq(hpet->vm, line_of(hpet, number), false);
}

/* Wait for the first match at or after @from, a value of the counter. */
static void arm(struct vhpet *hpet, uint32_t number, uint64_t from)
{
	struct vhpet_timer *timer = &hpet->timers[number];
	uint64_t distance = (timer->comparator - from) & mask_of(timer);
	uint64_t now = counter_now(hpet);
	uint64_t time = TIME_NEVER;

	timer->is_armed = is_enabled(hpet) && (timer->config & TIMER_ENABLE);
	timer->due = from + distance;
	if (timer->is_armed && distance <= INT64_MAX) {
		/* @from may be behind the counter by now */
		distance =
			(int64_t)(timer->due - now) > 0 ? timer->due - now : 0;
		time = vclock_ns(vclock_ticks(vm_time(hpet->vm), VHPET_HZ) +
					 distance,
				 VHPET_HZ);
	} else {
		timer->is_armed = false;
	}
	vclock_arm(hpet->vm, VM_TIMER_HPET0 + number, time);
}

static void arm_all(struct vhpet *hpet)
{
	for (uint32_t i = 0; i < VHPET_TIMERS; i++)
		arm(hpet, i, counter_now(hpet));
}

static void raise(struct vhpet *hpet, uint32_t number)
{
	if (hpet->timers[number].config & TIMER_LEVEL) {
		hpet->status |= BIT(number);
		raise_line(hpet, number);
	} else if (has_line(hpet, number)) {
		vm_set_irq(hpet->vm, line_of(hpet, number), true);
		vm_set_irq(hpet->vm, line_of(hpet, number), false);
	}
}

/* "Periodic Mode": at a match the period is added to the comparator.
 * Periods missed meanwhile are skipped, and so are those that come too soon. */
static void advance(struct vhpet_timer *timer, uint64_t now)
{
	uint64_t late = now - timer->due;
	uint64_t count = 1;

	if (!is_periodic(timer) || timer->period == 0)
		return;
	if (timer->period < PERIOD_MIN)
		late += PERIOD_MIN;
	count += late / timer->period;
	timer->comparator += count * timer->period;
	timer->comparator &= mask_of(timer);
}

void vhpet_timer_fire(struct vhpet *hpet, uint32_t number)
{
	struct vhpet_timer *timer = &hpet->timers[number];
	uint64_t now = counter_now(hpet);

	if (!timer->is_armed)
		return;
	if ((int64_t)(now - timer->due) < 0) {
		arm(hpet, number, timer->due);
		return;
	}
	raise(hpet, number);
	advance(timer, now);
	arm(hpet, number, now + 1);
}

static void write_config(struct vhpet *hpet, uint64_t value)
{
	uint64_t counter = counter_now(hpet);
	bool is_legacy = value & CONFIG_LEGACY;

	for (uint32_t i = 0; i < VHPET_TIMERS; i++)
		lower_line(hpet, i);
	hpet->config = value & CONFIG_WRITABLE;
	set_counter(hpet, counter);
	vpit_set_replaced(hpet->pit, is_legacy);
	vrtc_set_replaced(hpet->rtc, is_legacy);
	for (uint32_t i = 0; i < VHPET_TIMERS; i++)
		raise_line(hpet, i);
	arm_all(hpet);
}

static void write_status(struct vhpet *hpet, uint64_t value)
{
	for (uint32_t i = 0; i < VHPET_TIMERS; i++) {
		if (value & BIT(i))
			lower_line(hpet, i);
	}
	hpet->status &= ~value;
}

static void write_timer_config(struct vhpet *hpet, uint32_t number,
			       uint64_t value)
{
	struct vhpet_timer *timer = &hpet->timers[number];

	lower_line(hpet, number);
	timer->config = (value & TIMER_WRITABLE) | TIMER_FIXED;
	timer->comparator &= mask_of(timer);
	timer->period &= mask_of(timer);
	if (!(timer->config & TIMER_LEVEL))
		hpet->status &= ~BIT(number);
	raise_line(hpet, number);
	arm(hpet, number, counter_now(hpet));
}

/* "Periodic Mode": a write is the period, and with Tn_VAL_SET_CNF, which it clears,
 * the accumulator too. */
static void write_comparator(struct vhpet *hpet, uint32_t number,
			     uint64_t value, uint64_t written)
{
	struct vhpet_timer *timer = &hpet->timers[number];
	uint64_t mask = written & mask_of(timer);

	if (is_periodic(timer))
		timer->period = (timer->period & ~written) | (value & mask);
	if (!is_periodic(timer) || (timer->config & TIMER_SET_VALUE))
		timer->comparator =
			(timer->comparator & ~written) | (value & mask);
	timer->config &= ~TIMER_SET_VALUE;
	arm(hpet, number, counter_now(hpet));
}

static uint64_t read_timer(const struct vhpet *hpet, uint64_t offset)
{
	const struct vhpet_timer *timer;

	if (offset / TIMER_STRIDE >= VHPET_TIMERS)
		return 0;
	timer = &hpet->timers[offset / TIMER_STRIDE];
	switch (offset % TIMER_STRIDE) {
	case TIMER_CONFIG: return timer->config;
	case TIMER_COMPARATOR: return timer->comparator;
	default: return 0;
	}
}

/* The register of 64 bits at @offset. */
static uint64_t read_register(const struct vhpet *hpet, uint64_t offset)
{
	switch (offset) {
	case HPET_ID: return VHPET_PERIOD_FS << 32 | VHPET_ID;
	case HPET_CONFIG: return hpet->config;
	case HPET_STATUS: return hpet->status;
	case HPET_COUNTER: return counter_now(hpet);
	default:
		return offset < HPET_TIMERS
			       ? 0
			       : read_timer(hpet, offset - HPET_TIMERS);
	}
}

static uint64_t hpet_read(void *device, uint64_t offset, unsigned int size)
{
	uint64_t shift = 8 * (offset & 7);
	uint64_t value = read_register(device, align_down(offset, 8)) >> shift;

	return size == 8 ? value : value & (BIT(8 * size) - 1);
}

static void write_timer(struct vhpet *hpet, uint64_t offset, uint64_t value,
			uint64_t written)
{
	uint32_t number = (uint32_t)(offset / TIMER_STRIDE);

	if (number >= VHPET_TIMERS)
		return;
	if (offset % TIMER_STRIDE == TIMER_CONFIG)
		write_timer_config(hpet, number,
				   (hpet->timers[number].config & ~written) |
					   value);
	else if (offset % TIMER_STRIDE == TIMER_COMPARATOR)
		write_comparator(hpet, number, value, written);
}

/* Accesses are 32 or 64 bits and aligned; others are ignored here. */
static void hpet_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vhpet *hpet = device;
	uint64_t reg = align_down(offset, 8);
	uint64_t shift = 8 * (offset & 7);
	uint64_t written = size == 8 ? UINT64_MAX : BITS(31, 0) << shift;

	if (size < 4 || !is_aligned(offset, size))
		return;
	value = value << shift & written;
	switch (reg) {
	case HPET_ID: break;
	case HPET_CONFIG:
		write_config(hpet, (hpet->config & ~written) | value);
		break;
	case HPET_STATUS: write_status(hpet, value); break;
	case HPET_COUNTER:
		set_counter(hpet, (counter_now(hpet) & ~written) | value);
		arm_all(hpet);
		break;
	default:
		if (reg >= HPET_TIMERS)
			write_timer(hpet, reg - HPET_TIMERS, value, written);
	}
}

static const struct io_ops hpet_ops = { hpet_read, hpet_write };

int vhpet_init(struct vhpet *hpet, struct vm *vm, struct vpit *pit,
	       struct vrtc *rtc)
{
	const struct io_region registers = { VM_HPET_BASE, VHPET_SIZE,
					     &hpet_ops, hpet, false };

	hpet->vm = vm;
	hpet->pit = pit;
	hpet->rtc = rtc;
	for (uint32_t i = 0; i < VHPET_TIMERS; i++) {
		hpet->timers[i].config = TIMER_FIXED;
		hpet->timers[i].comparator = UINT64_MAX;
	}
	return io_add(&vm->mmio, &registers);
}
