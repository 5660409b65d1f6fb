/*
 * The frame allocator beside a naive model of it: an array of pages. Every step
 * checks alignment, that what is given is RAM of the node, mapped, disjoint from
 * all else and still as its owner left it, and the exact figures. A difference
 * aborts the program.
 */
#ifndef FAKE_FRAME_MODEL_H
#define FAKE_FRAME_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* Two nodes, six windows, holes, an extent that two nodes share. */
void frame_model_start(bool has_huge_pages);

/* Some operation, chosen by @kind and @argument. */
void frame_model_step(uint8_t kind, uint16_t argument);

/* Free everything, and see that every frame comes out once more. */
void frame_model_finish(void);

#endif
