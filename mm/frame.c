/* The frame allocator: what others call, and the CPUs' caches. */
#include "mm/frame.h"

#include "kernel/cpu/percpu.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "mm/frame_chunk.h"
#include "mm/phys.h"
#include "mm/poison.h"

#define BATCH (FRAME_CACHE_SIZE / 2)

/*
 * Single frames of a CPU's own node, HELD in their extents. Only the CPU itself
 * touches it, but for count, which frame_stats reads.
 */
struct frame_cache {
	bool is_set_up;
	struct list link; /* [l] in its node's caches */
	uint32_t node;	  /* (o) while set up */
	uint32_t count;	  /* (a) */
	hpa_t frames[FRAME_CACHE_SIZE];
};

static PERCPU struct frame_cache own_cache;
static uint32_t nodes_used; /* (o) */

void frame_init(struct memmap *map, uint32_t node_count,
		struct host_map_tables *tables)
{
	memset(this_cpu(own_cache), 0, sizeof(own_cache));
	nodes_used = node_count;
	frame_node_init();
	frame_chunk_init(map, node_count, tables);
}

static uint32_t cache_count(const struct frame_cache *cache)
{
	return __atomic_load_n(&cache->count, __ATOMIC_RELAXED);
}

static void cache_set_count(struct frame_cache *cache, uint32_t count)
{
	__atomic_store_n(&cache->count, count, __ATOMIC_RELAXED);
}

/* This CPU's cache, made known to its node. */
static struct frame_cache *cache_get(void)
{
	struct frame_cache *cache = this_cpu(own_cache);
	struct frame_node *node;

	if (cache->is_set_up)
		return cache;
	cache->is_set_up = true;
	cache->node = cpu_node();
	CHECK(cache->node < nodes_used);
	node = &frame_nodes[cache->node];
	spin_lock(&node->lock);
	list_push_back(&node->caches, &cache->link);
	spin_unlock(&node->lock);
	return cache;
}

/* Number of extents in a block. */
static uint32_t extents_of(unsigned int order)
{
	return 1U << (order - FRAME_ORDER_LARGE);
}

static void poison_freed(hpa_t base, unsigned int order)
{
	struct extent *extent = extent_find(base);

	if (order < FRAME_ORDER_LARGE) {
		poison_fill(phys_to_virt(base), PAGE_SIZE << order);
		return;
	}
	for (uint32_t i = 0; POISON_IS_ON && i < extents_of(order); i++)
		extent_poison(&extent[i]);
}

static void check_poison(hpa_t base, unsigned int order)
{
	struct extent *extent = extent_find(base);

	if (order < FRAME_ORDER_LARGE) {
		poison_check(phys_to_virt(base), PAGE_SIZE << order);
		return;
	}
	for (uint32_t i = 0; POISON_IS_ON && i < extents_of(order); i++)
		extent_poison_check(&extent[i]);
}

/* From the node's free memory, which grows as long as it can. */
static hpa_t node_alloc(struct frame_node *node, unsigned int order)
{
	uint64_t untouched;
	hpa_t base;

	do {
		spin_lock(&node->lock);
		base = frame_node_take_locked(node, order);
		untouched = node->untouched;
		spin_unlock(&node->lock);
	} while (hpa_equals(base, HPA_NONE) &&
		 frame_chunk_grow(node, order, untouched));
	return base;
}

static void cache_refill(struct frame_cache *cache)
{
	struct frame_node *node = &frame_nodes[cache->node];
	uint64_t untouched;
	uint32_t count;

	do {
		spin_lock(&node->lock);
		count = frame_node_hold_locked(node, cache->frames, BATCH);
		cache_set_count(cache, count);
		untouched = node->untouched;
		spin_unlock(&node->lock);
	} while (count == 0 && frame_chunk_grow(node, 0, untouched));
}

static hpa_t cache_alloc(struct frame_cache *cache)
{
	uint32_t count;
	hpa_t base;

	if (cache_count(cache) == 0)
		cache_refill(cache);
	count = cache_count(cache);
	if (count == 0)
		return HPA_NONE;
	base = cache->frames[count - 1];
	extent_run_resume(extent_find(base), extent_index(base));
	cache_set_count(cache, count - 1);
	return base;
}

/* Give back the @count frames that have been in the cache for the longest time. */
static void cache_shrink(struct frame_cache *cache, uint32_t count)
{
	struct frame_node *node = &frame_nodes[cache->node];
	uint32_t rest = cache_count(cache) - count;

	spin_lock(&node->lock);
	for (uint32_t i = 0; i < count; i++)
		frame_node_put_locked(node, cache->frames[i], 0);
	cache_set_count(cache, rest);
	spin_unlock(&node->lock);
	memmove(cache->frames, &cache->frames[count],
		rest * sizeof(cache->frames[0]));
}

static void cache_free(struct frame_cache *cache, hpa_t base)
{
	uint32_t count;

	if (cache_count(cache) == FRAME_CACHE_SIZE)
		cache_shrink(cache, BATCH);
	count = cache_count(cache);
	cache->frames[count] = base;
	cache_set_count(cache, count + 1);
}

void frame_cache_drain(void)
{
	struct frame_cache *cache = this_cpu(own_cache);
	struct frame_node *node = &frame_nodes[cache->node];

	if (!cache->is_set_up)
		return;
	cache_shrink(cache, cache_count(cache));
	spin_lock(&node->lock);
	list_remove(&cache->link);
	spin_unlock(&node->lock);
	cache->is_set_up = false;
}

hpa_t frame_alloc(unsigned int order, uint32_t node)
{
	struct frame_cache *cache = cache_get();

	CHECK(order < FRAME_ORDER_COUNT && node < nodes_used);
	for (uint32_t i = 0; i < nodes_used; i++) {
		uint32_t at = (node + i) % nodes_used;
		hpa_t base = order == 0 && at == cache->node
				     ? cache_alloc(cache)
				     : node_alloc(&frame_nodes[at], order);

		if (hpa_equals(base, HPA_NONE))
			continue;
		check_poison(base, order);
		return base;
	}
	return HPA_NONE;
}

hpa_t frame_alloc_zeroed(unsigned int order, uint32_t node)
{
	hpa_t base = frame_alloc(order, node);

	if (!hpa_equals(base, HPA_NONE))
		memset(phys_to_virt(base), 0, PAGE_SIZE << order);
	return base;
}

void frame_free(hpa_t base, unsigned int order)
{
	struct frame_cache *cache = cache_get();
	struct frame_node *node;
	uint32_t home;

	/* from here on the memory is nobody's, but no other CPU gets it yet */
	extent_claim(base, order);
	poison_freed(base, order);
	home = extent_find(base)->node;
	if (order == 0 && home == cache->node) {
		cache_free(cache, base);
		return;
	}
	node = &frame_nodes[home];
	spin_lock(&node->lock);
	frame_node_put_locked(node, base, order);
	spin_unlock(&node->lock);
}

struct frame_stats frame_stats(uint32_t number)
{
	struct frame_node *node = &frame_nodes[number];
	struct frame_stats stats = { 0 };

	CHECK(number < nodes_used);
	spin_lock(&node->lock);
	stats.total = node->total;
	stats.records = node->records;
	stats.chunks = node->chunks;
	stats.free = node->untouched + node->free_bytes;
	list_for_each (link, &node->caches)
		stats.free += cache_count(LIST_ENTRY(link, struct frame_cache,
						     link)) *
			      PAGE_SIZE;
	spin_unlock(&node->lock);
	return stats;
}

uint64_t frame_used(void)
{
	uint64_t used = 0;

	for (uint32_t node = 0; node < nodes_used; node++) {
		struct frame_stats stats = frame_stats(node);

		used += stats.total - stats.free - stats.records;
	}
	return used;
}
