/*
 * Untouched memory, and how it is taken in: one window ("chunk") at a time. For
 * the frame allocator's own files. [pure]
 */
#ifndef MM_FRAME_CHUNK_H
#define MM_FRAME_CHUNK_H

#include "mm/frame_node.h"

/* The memory half of frame_init; frame_node_init has been called. */
void frame_chunk_init(struct memmap *map, uint32_t node_count,
		      struct host_map_tables *tables);

/*
 * @node could not serve @order when it had @untouched bytes of untouched memory.
 * Activate a chunk that helps, unless somebody else has activated one since.
 * True: try again. Takes the chunks' lock.
 */
bool frame_chunk_grow(struct frame_node *node, unsigned int order,
		      uint64_t untouched);

#endif
