/*
 * Pools: objects of one size, made out of single frames. [pure]
 *
 * A slab is a frame: a header, then the objects. Slabs with a free object are
 * in the pool's list; of those without a live one, one is kept.
 */
#ifndef MM_POOL_H
#define MM_POOL_H

#include "kernel/lib/list.h"
#include "kernel/lib/spinlock.h"

struct pool_slab;

/* Legend: (o) set once, [l] guarded by lock. */
struct pool {
	const char *name;  /* (o) for diagnosis */
	uint32_t size;	   /* (o) bytes an object, a multiple of 16 */
	uint32_t per_slab; /* (o) objects a frame */
	struct spinlock lock;
	struct list partial; /* [l] slabs with a free object */
	struct pool_slab
		*empty; /* [l] the one without a live object, or NULL */
	uint64_t used;	/* [l] objects handed out */
	uint64_t slabs; /* [l] frames held */
};

#define POOL_OBJECT_MAX 2016

/* @size is 1 to POOL_OBJECT_MAX, and is rounded up. @name is kept. */
void pool_init(struct pool *pool, const char *name, uint32_t size);

/* An object, 16-byte aligned, filled with zeroes; NULL: no memory. */
void *pool_alloc(struct pool *pool);

/* A pointer that is not a live object of @pool is a panic in every build. */
void pool_free(struct pool *pool, void *object);

/*
 * The pool of the slab that @object, a pointer into a mapped frame, lies in;
 * NULL: the frame is no slab.
 */
struct pool *pool_of(const void *object);

/* Bytes of the objects handed out. */
uint64_t pool_used(struct pool *pool);

#endif
