/*
 * A channel of the 8254. Intel, "8254 Programmable Interval Timer" (231164),
 * section "Mode Definitions".
 *
 *	mode  starts at       gate low	OUT, n = count, d = ticks since start
 *	0     count written   pauses	low, high from d = n on
 *	1     gate's rise     -		low, high from d = n on
 *	2     count written   stops	low for the last tick of each n
 *	3     count written   stops	high for the first (n + 1) / 2 of each n
 *	4     count written   pauses	low for the tick d = n
 *	5     gate's rise     -		low for the tick d = n
 *
 * A count written in mode 2 or 3 while it runs takes over with the next period.
 */
#include "drivers/pc/vpit_channel.h"

#include "drivers/pc/vpit.h"
#include "kernel/lib/string.h"

#define COUNT_MAX     0x10000U
#define COUNT_MAX_BCD 10000U

#define STATUS_OUT	  BIT(7)
#define STATUS_NULL_COUNT BIT(6)
#define STATUS_ACCESS	  BITS(5, 4)
#define STATUS_MODE	  BITS(3, 1)
#define STATUS_BCD	  BIT(0)

#define ACCESS_LOW  1
#define ACCESS_HIGH 2
#define ACCESS_BOTH 3

static bool is_gate_started(const struct vpit_channel *channel)
{
	return channel->mode == 1 || channel->mode == 5;
}

bool vpit_channel_is_periodic(const struct vpit_channel *channel)
{
	return channel->mode == 2 || channel->mode == 3;
}

void vpit_channel_init(struct vpit_channel *channel, bool is_gate_high)
{
	memset(channel, 0, sizeof(*channel));
	channel->access = ACCESS_BOTH;
	channel->count = COUNT_MAX;
	channel->mode = 3;
	channel->is_gate_high = is_gate_high;
}

void vpit_channel_program(struct vpit_channel *channel, uint8_t access,
			  uint8_t mode, bool is_bcd)
{
	bool is_gate_high = channel->is_gate_high;
	uint32_t count = channel->count;

	vpit_channel_init(channel, is_gate_high);
	channel->count = count;
	channel->access = access;
	channel->mode = mode > 5 ? mode & 3 : mode;
	channel->is_bcd = is_bcd;
}

/* Ticks counted since the start. The clocks of two CPUs may differ by a little:
 * what would be before the start is the start. */
static uint64_t elapsed(const struct vpit_channel *channel, uint64_t now)
{
	if (!channel->is_running)
		return channel->elapsed;
	return now > channel->start ? now - channel->start : 0;
}

void vpit_channel_advance(struct vpit_channel *channel, uint64_t now)
{
	uint64_t ticks = elapsed(channel, now);

	if (channel->next_count == 0 || !channel->is_running ||
	    !vpit_channel_is_periodic(channel) || ticks < channel->count)
		return;
	channel->start += channel->count;
	channel->count = channel->next_count;
	channel->next_count = 0;
}

/* Begin from the count written last. */
static void start(struct vpit_channel *channel, uint64_t now)
{
	if (channel->next_count)
		channel->count = channel->next_count;
	channel->next_count = 0;
	channel->start = now;
	channel->elapsed = 0;
	channel->is_running = true;
}

static void stop(struct vpit_channel *channel, uint64_t now)
{
	channel->elapsed = elapsed(channel, now);
	channel->is_running = false;
}

static uint32_t from_bcd(uint32_t value)
{
	uint32_t count = 0;

	for (int shift = 12; shift >= 0; shift -= 4)
		count = count * 10 + (value >> shift & 0xf);
	return count;
}

static uint16_t to_bcd(uint32_t count)
{
	uint32_t value = 0;

	for (int shift = 0; shift < 16; shift += 4, count /= 10)
		value |= count % 10 << shift;
	return (uint16_t)value;
}

static void load(struct vpit_channel *channel, uint32_t value, uint64_t now)
{
	uint32_t max = channel->is_bcd ? COUNT_MAX_BCD : COUNT_MAX;
	uint32_t count = channel->is_bcd ? from_bcd(value) : value;

	/* digits above 9 make more than four digits hold: they wrap */
	count = count % max ? count % max : max;
	channel->next_count = count;
	if (!channel->has_count || !channel->is_running)
		channel->count = count;
	if (channel->has_count && channel->is_running &&
	    vpit_channel_is_periodic(channel))
		return;
	channel->has_count = true;
	if (is_gate_started(channel))
		return;
	start(channel, now);
	if (!channel->is_gate_high)
		stop(channel, now);
}

/* Mode 0, low byte written: OUT is low and nothing counts until the high byte
 * comes. */
static void halt_at_start(struct vpit_channel *channel, uint64_t now)
{
	start(channel, now);
	stop(channel, now);
}

void vpit_channel_write(struct vpit_channel *channel, uint8_t value,
			uint64_t now)
{
	vpit_channel_advance(channel, now);
	if (channel->access == ACCESS_LOW) {
		load(channel, value, now);
	} else if (channel->access == ACCESS_HIGH) {
		load(channel, (uint32_t)value << 8, now);
	} else if (channel->is_high_written) {
		channel->is_high_written = false;
		load(channel, (uint32_t)value << 8 | channel->low_byte, now);
	} else {
		channel->is_high_written = true;
		channel->low_byte = value;
		if (channel->mode == 0)
			halt_at_start(channel, now);
	}
}

/* What the counting element holds: it goes on below 0 in the one-shot modes, and
 * goes down by two in mode 3, once through each half. */
static uint32_t current_count(const struct vpit_channel *channel, uint64_t now)
{
	uint64_t max = channel->is_bcd ? COUNT_MAX_BCD : COUNT_MAX;
	uint64_t count = channel->count;
	uint64_t ticks = elapsed(channel, now);
	uint64_t high = (count + 1) / 2;

	if (channel->mode == 2)
		return (uint32_t)(count - ticks % count);
	if (channel->mode != 3)
		return (uint32_t)((count + max - ticks % max) % max);
	ticks %= count;
	ticks = ticks < high ? ticks : ticks - high;
	return (uint32_t)((count & ~1UL) - 2 * ticks);
}

static uint16_t shown_count(const struct vpit_channel *channel, uint64_t now)
{
	uint32_t count = current_count(channel, now);

	return channel->is_bcd ? to_bcd(count) : (uint16_t)count;
}

bool vpit_channel_is_high(struct vpit_channel *channel, uint64_t now)
{
	uint64_t count, ticks;

	vpit_channel_advance(channel, now);
	count = channel->count;
	ticks = elapsed(channel, now);
	if (!channel->has_count)
		return channel->mode != 0;
	switch (channel->mode) {
	case 0: return ticks >= count;
	case 1: return !channel->is_running || ticks >= count;
	case 2: return !channel->is_running || ticks % count != count - 1;
	case 3: return !channel->is_running || ticks % count < (count + 1) / 2;
	default: return ticks != count;
	}
}

uint64_t vpit_channel_next_edge(const struct vpit_channel *channel,
				uint64_t from)
{
	uint64_t count = channel->count;
	uint64_t ticks = elapsed(channel, from);
	uint64_t edge;

	if (!channel->is_running || !channel->has_count)
		return VPIT_NO_EDGE;
	if (vpit_channel_is_periodic(channel)) {
		/* a new count takes over at the end of the first period */
		if (channel->next_count && ticks >= count)
			return channel->start + count +
			       ((ticks - count) / channel->next_count + 1) *
				       channel->next_count;
		return channel->start + (ticks / count + 1) * count;
	}
	edge = channel->start + count + (channel->mode >= 4 ? 1 : 0);
	return edge > from ? edge : VPIT_NO_EDGE;
}

void vpit_channel_latch_count(struct vpit_channel *channel, uint64_t now)
{
	if (channel->latch_left)
		return;
	vpit_channel_advance(channel, now);
	channel->latched_count = shown_count(channel, now);
	channel->latch_left = channel->access == ACCESS_BOTH ? 2 : 1;
}

void vpit_channel_latch_status(struct vpit_channel *channel, uint64_t now)
{
	if (channel->is_status_latched)
		return;
	channel->is_status_latched = true;
	channel->latched_status =
		(uint8_t)((vpit_channel_is_high(channel, now) ? STATUS_OUT
							      : 0) |
			  (!channel->has_count || channel->next_count
				   ? STATUS_NULL_COUNT
				   : 0) |
			  FIELD_PUT(STATUS_ACCESS, channel->access) |
			  FIELD_PUT(STATUS_MODE, channel->mode) |
			  (channel->is_bcd ? STATUS_BCD : 0));
}

static uint8_t read_count(struct vpit_channel *channel, uint16_t count)
{
	if (channel->access == ACCESS_LOW)
		return (uint8_t)count;
	if (channel->access == ACCESS_HIGH)
		return (uint8_t)(count >> 8);
	channel->is_high_read = !channel->is_high_read;
	return (uint8_t)(channel->is_high_read ? count : count >> 8);
}

uint8_t vpit_channel_read(struct vpit_channel *channel, uint64_t now)
{
	if (channel->is_status_latched) {
		channel->is_status_latched = false;
		return channel->latched_status;
	}
	if (channel->latch_left) {
		channel->latch_left--;
		return read_count(channel, channel->latched_count);
	}
	vpit_channel_advance(channel, now);
	return read_count(channel, shown_count(channel, now));
}

void vpit_channel_set_gate(struct vpit_channel *channel, bool is_high,
			   uint64_t now)
{
	bool was_high = channel->is_gate_high;

	vpit_channel_advance(channel, now);
	channel->is_gate_high = is_high;
	if (is_high == was_high || !channel->has_count)
		return;
	if (is_gate_started(channel)) {
		if (is_high)
			start(channel, now);
	} else if (!is_high) {
		stop(channel, now);
	} else if (vpit_channel_is_periodic(channel)) {
		start(channel, now);
	} else {
		channel->start = now - channel->elapsed;
		channel->is_running = true;
	}
}
