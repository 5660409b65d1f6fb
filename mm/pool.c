/* Pools: objects of one size, made out of single frames. */
#include "mm/pool.h"

#include "kernel/cpu/percpu.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "mm/poison.h"

#define OBJECT_ALIGN 16
#define FREE_WORDS   4
/* No text, no likely address; and gone from a frame that is a slab no more. */
#define SLAB_MAGIC 0x9d3f5b0a51ab51abUL

/* At the start of the slab's frame. [l] guarded by the pool's lock. */
struct pool_slab {
	uint64_t magic;		   /* (o) while a slab */
	struct pool *pool;	   /* (o) while a slab */
	struct list link;	   /* [l] in the pool's partial slabs */
	uint64_t free[FREE_WORDS]; /* [l] a bit an object: it is free */
};

_Static_assert((PAGE_SIZE - sizeof(struct pool_slab)) / POOL_OBJECT_MAX == 2,
	       "two of the largest objects fill a slab");
_Static_assert((PAGE_SIZE - sizeof(struct pool_slab)) / OBJECT_ALIGN <=
		       FREE_WORDS * 64,
	       "every object has a bit");
_Static_assert(sizeof(struct pool_slab) % OBJECT_ALIGN == 0,
	       "objects start aligned");

void pool_init(struct pool *pool, const char *name, uint32_t size)
{
	CHECK(size > 0 && size <= POOL_OBJECT_MAX);
	*pool = (struct pool){
		.name = name,
		.size = (uint32_t)align_up(size, OBJECT_ALIGN),
		.lock = SPINLOCK_INIT(LOCK_RANK_POOL),
	};
	pool->per_slab =
		(uint32_t)(PAGE_SIZE - sizeof(struct pool_slab)) / pool->size;
	list_init(&pool->partial);
}

static struct pool_slab *slab_of(const void *object)
{
	return (struct pool_slab *)align_down((uint64_t)object, PAGE_SIZE);
}

static char *slab_objects(struct pool_slab *slab)
{
	return (char *)(slab + 1);
}

static uint32_t free_count(const struct pool_slab *slab)
{
	int count = 0;

	for (unsigned int i = 0; i < FREE_WORDS; i++)
		count += __builtin_popcountl(slab->free[i]);
	return (uint32_t)count;
}

static struct pool_slab *slab_create(struct pool *pool)
{
	hpa_t frame = frame_alloc(0, cpu_node());
	struct pool_slab *slab;

	if (hpa_equals(frame, HPA_NONE))
		return NULL;
	slab = phys_to_virt(frame);
	*slab = (struct pool_slab){ .magic = SLAB_MAGIC, .pool = pool };
	for (uint32_t i = 0; i < pool->per_slab; i++)
		slab->free[i / 64] |= BIT(i % 64);
	poison_fill(slab_objects(slab), pool->per_slab * pool->size);
	list_push_front(&pool->partial, &slab->link);
	pool->empty = slab;
	pool->slabs++;
	return slab;
}

static void slab_destroy(struct pool *pool, struct pool_slab *slab)
{
	list_remove(&slab->link);
	slab->magic = 0;
	pool->slabs--;
	frame_free(virt_to_phys(slab), 0);
}

static struct pool_slab *slab_get(struct pool *pool)
{
	if (list_is_empty(&pool->partial))
		return slab_create(pool);
	return LIST_ENTRY(pool->partial.next, struct pool_slab, link);
}

/* A free object of a slab that has one. */
static void *slab_take(struct pool *pool, struct pool_slab *slab)
{
	uint32_t word = 0;
	uint32_t index;

	while (!slab->free[word])
		word++;
	index = word * 64 + (uint32_t)__builtin_ctzl(slab->free[word]);
	slab->free[word] &= slab->free[word] - 1;
	if (free_count(slab) == 0)
		list_remove(&slab->link);
	if (pool->empty == slab)
		pool->empty = NULL;
	pool->used++;
	return slab_objects(slab) + index * pool->size;
}

void *pool_alloc(struct pool *pool)
{
	struct pool_slab *slab;
	void *object = NULL;

	spin_lock(&pool->lock);
	slab = slab_get(pool);
	if (slab)
		object = slab_take(pool, slab);
	spin_unlock(&pool->lock);
	if (!object)
		return NULL;
	poison_check(object, pool->size);
	memset(object, 0, pool->size);
	return object;
}

static _Noreturn void refuse(const struct pool *pool, const void *object,
			     const char *why)
{
	panic("pool_free: %p, pool %s: %s", object, pool->name, why);
}

/* Number of the object in its slab, after all checks that need no lock. */
static uint32_t object_index(const struct pool *pool, const void *object)
{
	struct pool_slab *slab = slab_of(object);
	uint64_t offset = (uint64_t)object % PAGE_SIZE - sizeof(*slab);

	if (pool_of(object) != pool)
		refuse(pool, object, "not an object of this pool");
	/* a pointer into the header wraps to a large offset */
	if (offset % pool->size || offset / pool->size >= pool->per_slab)
		refuse(pool, object, "not the start of an object");
	return (uint32_t)(offset / pool->size);
}

static void slab_put(struct pool *pool, struct pool_slab *slab, uint32_t index)
{
	bool was_full = free_count(slab) == 0;

	slab->free[index / 64] |= BIT(index % 64);
	pool->used--;
	if (was_full)
		list_push_front(&pool->partial, &slab->link);
	if (free_count(slab) < pool->per_slab)
		return;
	if (pool->empty) {
		slab_destroy(pool, slab);
		return;
	}
	/* at the back: the others are filled first */
	pool->empty = slab;
	list_remove(&slab->link);
	list_push_back(&pool->partial, &slab->link);
}

void pool_free(struct pool *pool, void *object)
{
	struct pool_slab *slab = slab_of(object);
	uint32_t index = object_index(pool, object);

	spin_lock(&pool->lock);
	if (slab->free[index / 64] & BIT(index % 64))
		refuse(pool, object, "is free already");
	poison_fill(object, pool->size);
	slab_put(pool, slab, index);
	spin_unlock(&pool->lock);
}

struct pool *pool_of(const void *object)
{
	const struct pool_slab *slab = slab_of(object);

	return slab->magic == SLAB_MAGIC ? slab->pool : NULL;
}

uint64_t pool_used(struct pool *pool)
{
	uint64_t used;

	spin_lock(&pool->lock);
	used = pool->used * pool->size;
	spin_unlock(&pool->lock);
	return used;
}
