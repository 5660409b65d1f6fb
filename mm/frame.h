/*
 * The frame allocator: machine memory after boot, per NUMA node. [pure]
 *
 *	frame.c		what others call; the CPUs' caches of single frames
 *	frame_chunk.c	untouched memory: taken in window by window
 *	frame_node.c	a node's free memory: buddy lists and split extents
 *	extent.c	the records of each 2 MiB
 *
 * Memory that boot leaves is *untouched*: neither mapped nor recorded. When a
 * node cannot serve a request, one chunk is activated: all RAM of a 1 GiB
 * window, the highest of the node that can help, so that low memory goes last.
 * An extent (2 MiB) whose RAM is of two nodes belongs to the node of its lowest
 * RAM.
 *
 * Locks: chunks (one lock, for activation) > host map > frames (one a node).
 * So frame_alloc may be called with any lock up to LOCK_RANK_POOL held, but
 * never from the mapping code below host_map_direct (see mm/host_map.h).
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "mm/host_map.h"
#include "mm/memmap.h"

#define FRAME_ORDER_LARGE 9  /* 2 MiB */
#define FRAME_ORDER_HUGE  18 /* 1 GiB */
#define FRAME_ORDER_COUNT 19
#define FRAME_CACHE_SIZE  32 /* single frames of its node kept by one CPU */

/* All in bytes. total - free - records is what is allocated. */
struct frame_stats {
	uint64_t total;	  /* given to frame_init, less what it cannot use */
	uint64_t free;	  /* untouched, in free lists, in CPU caches */
	uint64_t records; /* own records, and page tables of the direct map */
	uint32_t chunks;  /* activated windows whose records lie in this node */
};

/*
 * Take over all of @map, which is empty afterwards, with nodes below
 * @node_count (1 to NODES_MAX), and the frames of @tables, at least
 * HOST_MAP_TABLES_MIN of them, which boot cut out of the map and mapped. No
 * machine memory is touched. What lies above DIRECT_SIZE, pieces below 32 KiB
 * and windows with no piece that could hold their records (about 100 KiB) are
 * left unused; one line is logged. Per-CPU data of the calling CPU must work.
 */
void frame_init(struct memmap *map, uint32_t node_count,
		struct host_map_tables *tables);

/*
 * Allocate 2^@order frames, aligned to their size, from @node or, when it is
 * dry, from the node next in number. The content is undefined (poison in debug
 * builds). HPA_NONE: no memory. Order 0 goes through this CPU's cache if @node
 * is the CPU's own. The frames are in the direct map.
 */
hpa_t frame_alloc(unsigned int order, uint32_t node);

/* The same, filled with zeroes. */
hpa_t frame_alloc_zeroed(unsigned int order, uint32_t node);

/*
 * Give back exactly what frame_alloc returned. A double free, a foreign address
 * or another order is a panic in every build, at the call itself.
 */
void frame_free(hpa_t base, unsigned int order);

/*
 * Give this CPU's cached frames back to their node. The cache is set up anew,
 * for the node that the CPU then has, when it is next used.
 */
void frame_cache_drain(void);

/* One moment's figures; exact, whatever other CPUs do. */
struct frame_stats frame_stats(uint32_t node);

/* Bytes that are allocated, of all nodes. */
uint64_t frame_used(void);

#endif
