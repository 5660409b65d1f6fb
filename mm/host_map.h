/* The hypervisor's own address space (docs/architecture.md has its map). */
#ifndef MM_HOST_MAP_H
#define MM_HOST_MAP_H

#include "mm/addr.h"

/*
 * Page tables are handed in, never asked for. The frame allocator calls
 * host_map_direct to get memory at all, so the mapping code must not call the
 * frame allocator, least of all with its own lock held; it takes frames off a
 * stock that its caller filled beforehand and still owns.
 *
 * The most that mapping one range inside one HUGE_PAGE_SIZE window can take: a
 * page-directory-pointer table, a page directory, and a page table for each end
 * that is not 2 MiB aligned.
 */
#define HOST_MAP_TABLES_MIN 4
#define HOST_MAP_TABLES_MAX 32

/*
 * Frames that are in the direct map already. Their content is undefined: the
 * mapping code zeroes what it takes.
 */
struct host_map_tables {
	uint32_t count;
	hpa_t frames[HOST_MAP_TABLES_MAX]; /* taken from the end */
};

/*
 * Make the direct map cover the RAM [base, base + size), whole pages inside one
 * HUGE_PAGE_SIZE window; what is mapped already stays. Takes its page tables
 * from @tables, at most HOST_MAP_TABLES_MIN. -ENOMEM: there were too few.
 */
int host_map_direct(hpa_t base, uint64_t size, struct host_map_tables *tables);

#endif
