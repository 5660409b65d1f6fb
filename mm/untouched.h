/*
 * Untouched memory: RAM that boot left and no window has taken in yet. For the
 * frame allocator's own files. [pure]
 *
 * The ranges never change once checked; a window's RAM is untouched as long as
 * the extents' directory does not name the window. All RAM of one range in one
 * window is a piece. Guarded by the chunks' lock.
 */
#ifndef MM_UNTOUCHED_H
#define MM_UNTOUCHED_H

#include "mm/frame_node.h"

/*
 * Take over @map; cut out of it what is of no use (see frame_init), and count
 * the rest in frame_nodes.
 */
void untouched_init(struct memmap *map, uint32_t node_count);

/* Windows that are all RAM of @node, activated or not. */
uint32_t untouched_whole_windows(uint32_t node);

/*
 * The piece of @window at *@cursor (0 at first) or later, by address; false if
 * there is none. Moves the cursor on.
 */
bool untouched_next(hpa_t window, uint32_t *cursor, struct memmap_range *piece);

/*
 * The largest piece of @window, where its records may go; in *@extents how many
 * records those are.
 */
struct memmap_range untouched_host(hpa_t window, uint32_t *extents);

/*
 * The highest untouched window in which a piece of @node has an aligned block of
 * 2^@order frames; HPA_NONE: none.
 */
hpa_t untouched_find(uint32_t node, unsigned int order);

#endif
