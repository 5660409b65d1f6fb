/* Someone who holds all the machine's memory. */
#ifndef FAKE_FRAME_HOARD_H
#define FAKE_FRAME_HOARD_H

#include <stdint.h>

#define FRAME_HOARD_MAX 65536

/* Frames held. */
extern uint32_t frame_hoard_count;

/* Take every single frame but @rest. Nothing is held yet. */
void frame_hoard_all_but(uint32_t rest);

/* Give back the last one taken. */
void frame_hoard_release_one(void);

void frame_hoard_release(void);

#endif
