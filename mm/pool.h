/* Pools: objects of one size, made out of single frames. [pure] */
#ifndef MM_POOL_H
#define MM_POOL_H

#include "kernel/lib/list.h"
#include "kernel/lib/spinlock.h"

/* Legend: (o) set once, [l] guarded by lock. */
struct pool {
	const char *name;     /* (o) for diagnosis */
	uint32_t size;	      /* (o) bytes an object, a multiple of 16 */
	uint32_t per_slab;    /* (o) objects a frame */
	struct spinlock lock;
	struct list partial;  /* [l] slabs with a free object */
	uint64_t used;	      /* [l] objects handed out */
	uint64_t slabs;	      /* [l] frames held */
};

#define POOL_OBJECT_MAX 2016

void pool_init(struct pool *pool, const char *name, uint32_t size);

/* An object, 16-byte aligned, filled with zeroes; NULL: no memory. */
void *pool_alloc(struct pool *pool);

/* A pointer that is not a live object of @pool is a panic in every build. */
void pool_free(struct pool *pool, void *object);

#endif
