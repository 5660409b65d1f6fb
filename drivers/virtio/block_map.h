/*
 * A sparse array of 4 KiB blocks: a radix tree of frames, 512 slots a node.
 * [pure]
 *
 *	slot	BLOCK_ABSENT: nothing here, nor below
 *		BLOCK_ZERO: everything below reads as zeroes
 *		else a node or, at the bottom, a block
 *
 * Who looks up, copies or adds is *inside*, any number of CPUs at once; blocks
 * found stay while inside. Slots are filled by compare-and-exchange, and only
 * from ABSENT or ZERO. Whoever takes blocks away waits until nobody is inside,
 * and keeps others out meanwhile: nobody reads a frame that is another's
 * already. Both are as short as copying a page.
 */
#ifndef DRIVERS_VIRTIO_BLOCK_MAP_H
#define DRIVERS_VIRTIO_BLOCK_MAP_H

#include "kernel/lib/spinlock.h"
#include "mm/addr.h"

#define BLOCK_ABSENT ((void *)0)
#define BLOCK_ZERO   ((void *)1)

/* Legend: (o) set once, (a) atomic. */
struct block_map {
	void *root;	      /* (a) a slot */
	uint64_t block_count; /* (o) */
	void *empty;	      /* (o) what a cleared slot holds: ZERO, or ABSENT
				 where that means zeroes too */
	uint32_t levels;      /* (o) of nodes, from 1 */
	uint32_t gate;	      /* (a) CPUs inside, and BLOCK_MAP_CLOSED */
	struct spinlock lock; /* LOCK_RANK_BLOCK: who closes the gate */
};

/* Is it memory, neither ABSENT nor ZERO? */
static inline bool block_is_present(const void *slot)
{
	return (uintptr_t)slot > (uintptr_t)BLOCK_ZERO;
}

/* All absent. @empty: see there. */
void block_map_init(struct block_map *map, uint64_t block_count, void *empty);
/* Free all. Nobody uses it. Gives way. */
void block_map_fini(struct block_map *map);

/* Not to be nested; no giving way between. Locks may be taken inside, from
 * LOCK_RANK_GUEST_MEM on. */
void block_map_enter(struct block_map *map);
void block_map_leave(struct block_map *map);

/* What is at @block. Inside. */
void *block_map_find(const struct block_map *map, uint64_t block);

/* Put @frame, a page with its content, at @block unless a block is there; what
 * is there then. NULL: no memory for the index. Inside. */
void *block_map_add(struct block_map *map, uint64_t block, void *frame);

/* Let @count blocks from @first on be empty, and free their frames. -ENOMEM, of
 * the index; some are done then. Outside. */
int block_map_clear(struct block_map *map, uint64_t first, uint64_t count);

/* A page of memory near this CPU, content undefined; NULL: none. And back. */
void *block_alloc(void);
void block_free(void *page);

#endif
