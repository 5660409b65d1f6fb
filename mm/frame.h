/* The frame allocator: machine memory after boot, per NUMA node. [pure] */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "mm/memmap.h"

#define FRAME_ORDER_LARGE 9  /* 2 MiB */
#define FRAME_ORDER_HUGE  18 /* 1 GiB */
#define FRAME_ORDER_COUNT 19
#define FRAME_CACHE_SIZE  32

/* Single frames kept by one CPU. Only that CPU touches it. */
struct frame_cache {
	uint32_t count;
	uint32_t node; /* home node of the CPU */
	hpa_t frames[FRAME_CACHE_SIZE];
};

struct frame_stats {
	uint64_t total;	 /* bytes given to frame_init, this node */
	uint64_t free;	 /* bytes not allocated (untouched, in free lists, in CPU caches) */
	uint64_t records; /* bytes of free memory spent on the allocator's own records; part of neither */
	uint32_t chunks; /* activated */
};

/* Take over all of @map (which is empty afterwards). No memory but statically allocated roots is touched yet. */
void frame_init(struct memmap *map, uint32_t node_count);

/*
 * Allocate 2^@order frames, aligned to their size, from @node or, when it is dry, from the node next in number. The content is
 * undefined (poison in debug builds). HPA_NONE: no memory. Order 0 goes through this CPU's cache.
 */
hpa_t frame_alloc(unsigned int order, uint32_t node);

/* The same, filled with zeroes. */
hpa_t frame_alloc_zeroed(unsigned int order, uint32_t node);

/* Give back exactly what frame_alloc returned. A double or foreign free is a panic in every build. */
void frame_free(hpa_t base, unsigned int order);

/* Give this CPU's cached frames back to their nodes. */
void frame_cache_drain(struct frame_cache *cache);

struct frame_stats frame_stats(uint32_t node);

#endif
