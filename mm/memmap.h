/*
 * The boot-time view of free RAM: sorted, disjoint, page-aligned ranges, each
 * of one NUMA node. [pure]
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

#include "mm/addr.h"

#define MEMMAP_RANGES_MAX 512

struct memmap_range {
	hpa_t base;    /* page aligned */
	uint64_t size; /* bytes, whole pages, > 0 */
	uint32_t node;
};

static inline uint64_t memmap_range_end(const struct memmap_range *range)
{
	return range->base.value + range->size;
}

/* Single-threaded: filled by the boot CPU before any other runs. */
struct memmap {
	uint32_t count;
	/* by base, disjoint; neighbours of one node are merged */
	struct memmap_range ranges[MEMMAP_RANGES_MAX];
};

/*
 * Below, [base, base + size) may be any two numbers: what would wrap ends at
 * the last page boundary of the address space.
 */

void memmap_init(struct memmap *map);

/*
 * Add the whole pages inside [base, base + size), node 0. What is there already
 * stays. -ENOSPC: the rest did not fit.
 */
int memmap_add(struct memmap *map, uint64_t base, uint64_t size);

/*
 * Take out every page that [base, base + size) touches. -ENOSPC: a split did
 * not fit; the map is unchanged.
 */
int memmap_reserve(struct memmap *map, uint64_t base, uint64_t size);

/*
 * Give [base, base + size) (rounded to pages inwards) to @node, splitting
 * ranges at its ends. -ENOSPC as above.
 */
int memmap_set_node(struct memmap *map, uint64_t base, uint64_t size,
		    uint32_t node);

/*
 * Cut @size bytes (whole pages, > 0) aligned to @align (a power of two, at
 * least a page) out of the highest fitting place that ends at or below @limit.
 * HPA_NONE: none.
 */
hpa_t memmap_take(struct memmap *map, uint64_t size, uint64_t align,
		  uint64_t limit);

/* Bytes in all ranges. */
uint64_t memmap_total(const struct memmap *map);

#endif
