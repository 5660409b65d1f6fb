/* A node's free memory: a buddy allocator of extents, and extents split in runs. */
#include "mm/frame_node.h"

#include "mm/phys.h"
#include "mm/poison.h"

/*
 * How many partly used extents are searched for a run before another one is
 * split. Runs above one frame are rare; this bounds the time under the lock.
 */
#define SEARCH_MAX 16

struct frame_node frame_nodes[NODES_MAX];

/* A free run: NULL for none. */
struct run {
	struct extent *extent;
	unsigned int index;
};

void frame_node_init(void)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct frame_node *node = &frame_nodes[i];

		*node = (struct frame_node){
			.lock = SPINLOCK_INIT(LOCK_RANK_FRAMES),
		};
		for (unsigned int at = 0; at < FRAME_BLOCK_ORDERS; at++)
			list_init(&node->free[at]);
		list_init(&node->partial);
		list_init(&node->caches);
	}
}

static struct list *free_list(struct frame_node *node, unsigned int order)
{
	return &node->free[order - FRAME_ORDER_LARGE];
}

static void block_insert(struct frame_node *node, struct extent *extent,
			 unsigned int order)
{
	extent->count = (uint16_t)order;
	extent_set_state(extent, EXTENT_FREE);
	list_push_front(free_list(node, order), &extent->link);
}

/*
 * The block that makes up one of the next order together with @extent's, if it
 * is free. The node is compared first: only then is the rest ours to read.
 */
static struct extent *free_buddy(const struct extent *extent,
				 unsigned int order)
{
	uint64_t base = extent_base(extent).value ^ PAGE_SIZE << order;
	struct extent *buddy = extent_find(HPA(base));

	if (buddy && buddy->node == extent->node &&
	    extent_state(buddy) == EXTENT_FREE && buddy->count == order)
		return buddy;
	return NULL;
}

/* Blocks never grow beyond a window, so both halves are in one array. */
static void block_put(struct frame_node *node, struct extent *extent,
		      unsigned int order)
{
	struct extent *buddy;

	for (; order < FRAME_ORDER_HUGE; order++) {
		buddy = free_buddy(extent, order);
		if (!buddy)
			break;
		list_remove(&buddy->link);
		extent_set_state(extent < buddy ? buddy : extent, EXTENT_TAIL);
		if (buddy < extent)
			extent = buddy;
	}
	block_insert(node, extent, order);
}

/* Return the lower part of a block of order @have, and insert what is over. */
static struct extent *block_cut(struct frame_node *node, struct extent *extent,
				unsigned int have, unsigned int order)
{
	while (have > order) {
		have--;
		block_insert(node, extent + (1U << (have - FRAME_ORDER_LARGE)),
			     have);
	}
	extent->count = (uint16_t)order;
	extent_set_state(extent, EXTENT_USED);
	return extent;
}

static struct extent *block_take(struct frame_node *node, unsigned int order)
{
	for (unsigned int have = order; have < FRAME_ORDER_COUNT; have++) {
		struct list *link = list_pop_front(free_list(node, have));

		if (link)
			return block_cut(node,
					 LIST_ENTRY(link, struct extent, link),
					 have, order);
	}
	return NULL;
}

static struct run search_partial(struct frame_node *node, unsigned int order,
				 uint32_t tries)
{
	list_for_each (link, &node->partial) {
		struct extent *extent = LIST_ENTRY(link, struct extent, link);
		int index = extent_run_find(extent, order);

		if (index >= 0)
			return (struct run){ extent, (unsigned int)index };
		if (--tries == 0)
			break;
	}
	return (struct run){ 0 };
}

static bool split_block(struct frame_node *node)
{
	struct extent *extent = block_take(node, FRAME_ORDER_LARGE);

	if (!extent)
		return false;
	extent_split(extent, FRAME_FREE);
	extent->count = EXTENT_FRAMES;
	list_push_front(&node->partial, &extent->link);
	extent_poison_check(extent);
	poison_fill(phys_to_virt(extent_base(extent)), EXTENT_SIZE);
	return true;
}

static struct run run_find(struct frame_node *node, unsigned int order)
{
	struct run run = search_partial(node, order, SEARCH_MAX);

	if (!run.extent && split_block(node))
		run = search_partial(node, order, 1);
	if (!run.extent)
		run = search_partial(node, order, UINT32_MAX);
	return run;
}

/* 2^@order frames of a split extent are free no more. */
static void run_count_off(struct frame_node *node, struct extent *extent,
			  unsigned int order)
{
	extent->count = (uint16_t)(extent->count - (1U << order));
	if (extent->count == 0)
		list_remove(&extent->link);
	node->free_bytes -= PAGE_SIZE << order;
}

static hpa_t run_base(struct run run)
{
	return hpa_add(extent_base(run.extent), run.index * PAGE_SIZE);
}

hpa_t frame_node_take_locked(struct frame_node *node, unsigned int order)
{
	struct extent *extent;
	struct run run;

	if (order < FRAME_ORDER_LARGE) {
		run = run_find(node, order);
		if (!run.extent)
			return HPA_NONE;
		extent_run_take(run.extent, run.index, order);
		run_count_off(node, run.extent, order);
		return run_base(run);
	}
	extent = block_take(node, order);
	if (!extent)
		return HPA_NONE;
	node->free_bytes -= PAGE_SIZE << order;
	return extent_base(extent);
}

uint32_t frame_node_hold_locked(struct frame_node *node, hpa_t *frames,
				uint32_t max)
{
	uint32_t count;

	for (count = 0; count < max; count++) {
		struct run run = run_find(node, 0);

		if (!run.extent)
			break;
		extent_run_hold(run.extent, run.index);
		run_count_off(node, run.extent, 0);
		frames[count] = run_base(run);
	}
	return count;
}

/*
 * More frames of a split extent have become free. A wholly free one goes back to
 * the buddies; one with holes or records in it never gets there.
 */
static void run_count_on(struct frame_node *node, struct extent *extent,
			 unsigned int frames)
{
	if (extent->count == 0)
		list_push_front(&node->partial, &extent->link);
	extent->count = (uint16_t)(extent->count + frames);
	if (extent->count < EXTENT_FRAMES)
		return;
	list_remove(&extent->link);
	extent->poison = EXTENT_POISON_ALL;
	block_put(node, extent, FRAME_ORDER_LARGE);
}

void frame_node_put_locked(struct frame_node *node, hpa_t base,
			   unsigned int order)
{
	struct extent *extent = extent_find(base);

	node->free_bytes += PAGE_SIZE << order;
	if (order >= FRAME_ORDER_LARGE) {
		block_put(node, extent, order);
		return;
	}
	extent_run_release(extent, extent_index(base), order);
	run_count_on(node, extent, 1U << order);
}

/* The largest aligned block at @base that ends by @end. Returns its size. */
static uint64_t feed_block(struct frame_node *node, hpa_t base, uint64_t end)
{
	struct extent *extent = extent_find(base);
	unsigned int order = FRAME_ORDER_LARGE;

	while (order < FRAME_ORDER_HUGE &&
	       is_aligned(base.value, PAGE_SIZE << (order + 1)) &&
	       (PAGE_SIZE << (order + 1)) <= end - base.value)
		order++;
	for (uint32_t i = 1; i < 1U << (order - FRAME_ORDER_LARGE); i++)
		extent_set_state(&extent[i], EXTENT_TAIL);
	block_put(node, extent, order);
	return PAGE_SIZE << order;
}

/* RAM that does not fill its extent: the rest of it is HELD for good. */
static uint64_t feed_frames(struct frame_node *node, hpa_t base, uint64_t end)
{
	struct extent *extent = extent_find(base);
	uint64_t stop = min_u64(end, extent_base(extent).value + EXTENT_SIZE);
	unsigned int first = extent_index(base);
	unsigned int count = (unsigned int)((stop - base.value) / PAGE_SIZE);

	if (extent_state(extent) == EXTENT_NONE)
		extent_split(extent, FRAME_HELD);
	for (unsigned int i = 0; i < count; i++)
		extent_run_release(extent, first + i, 0);
	poison_fill(phys_to_virt(base), count * PAGE_SIZE);
	run_count_on(node, extent, count);
	return stop - base.value;
}

void frame_node_feed_locked(struct frame_node *node, hpa_t base, uint64_t size)
{
	uint64_t end = base.value + size;

	node->free_bytes += size;
	while (base.value < end) {
		bool is_whole = is_aligned(base.value, EXTENT_SIZE) &&
				end - base.value >= EXTENT_SIZE;
		uint64_t fed = is_whole ? feed_block(node, base, end)
					: feed_frames(node, base, end);

		base = hpa_add(base, fed);
	}
}
