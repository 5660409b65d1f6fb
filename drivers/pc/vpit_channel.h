/* A channel of the 8254: what it shows at a given tick. [pure] */
#ifndef DRIVERS_PC_VPIT_CHANNEL_H
#define DRIVERS_PC_VPIT_CHANNEL_H

#include "drivers/pc/vpit.h"

#define VPIT_NO_EDGE UINT64_MAX

void vpit_channel_init(struct vpit_channel *channel, bool is_gate_high);

/* A control word: @access 1 to 3, @mode 0 to 7 (6 is 2, 7 is 3). */
void vpit_channel_program(struct vpit_channel *channel, uint8_t access,
			  uint8_t mode, bool is_bcd);

/* The data port, at tick @now. */
uint8_t vpit_channel_read(struct vpit_channel *channel, uint64_t now);
void vpit_channel_write(struct vpit_channel *channel, uint8_t value,
			uint64_t now);

/* Hold count or status for the next reads; ignored while one is held. */
void vpit_channel_latch_count(struct vpit_channel *channel, uint64_t now);
void vpit_channel_latch_status(struct vpit_channel *channel, uint64_t now);

void vpit_channel_set_gate(struct vpit_channel *channel, bool is_high,
			   uint64_t now);

/* Take over a count that was written meanwhile, if the period it waited for is
 * over. Whoever looks at a later tick than the last calls this first; the
 * functions above do. */
void vpit_channel_advance(struct vpit_channel *channel, uint64_t now);

/* OUT. */
bool vpit_channel_is_high(struct vpit_channel *channel, uint64_t now);

bool vpit_channel_is_periodic(const struct vpit_channel *channel);

/* First tick after @from at which OUT rises by itself, VPIT_NO_EDGE: never. */
uint64_t vpit_channel_next_edge(const struct vpit_channel *channel,
				uint64_t from);

#endif
