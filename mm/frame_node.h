/* A node's free memory. For the frame allocator's own files. [pure] */
#ifndef MM_FRAME_NODE_H
#define MM_FRAME_NODE_H

#include "boot/platform.h"
#include "kernel/lib/spinlock.h"
#include "mm/extent.h"
#include "mm/frame.h"

#define FRAME_BLOCK_ORDERS (FRAME_ORDER_COUNT - FRAME_ORDER_LARGE)

/* Legend: (o) set once, [l] guarded by lock, [c] by the chunks' lock. */
struct frame_node {
	struct spinlock lock; /* LOCK_RANK_FRAMES; never two at once */
	struct list free[FRAME_BLOCK_ORDERS]; /* [l] heads, by order */
	struct list partial; /* [l] split extents with a free frame */
	struct list caches;  /* [l] CPU caches that hold this node's frames */
	uint64_t total;	     /* (o) */
	uint64_t free_bytes; /* [l] in the lists above but for caches */
	uint64_t untouched;  /* [l] bytes; only ever sinks */
	uint64_t records;    /* [l] bytes */
	uint32_t chunks;     /* [l] */
};

extern struct frame_node frame_nodes[NODES_MAX];

/* All nodes without memory. */
void frame_node_init(void);

/* 2^@order frames, allocated; HPA_NONE: nothing free is that large. */
hpa_t frame_node_take_locked(struct frame_node *node, unsigned int order);

/* Up to @max single frames, HELD, for a CPU's cache. Returns how many. */
uint32_t frame_node_hold_locked(struct frame_node *node, hpa_t *frames,
				uint32_t max);

/* Take back what extent_claim took from its owner, or a HELD frame. */
void frame_node_put_locked(struct frame_node *node, hpa_t base,
			   unsigned int order);

/*
 * Add RAM of this node, mapped, in a published window whose extents name the
 * node, to what is free.
 */
void frame_node_feed_locked(struct frame_node *node, hpa_t base, uint64_t size);

#endif
