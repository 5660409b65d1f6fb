/* A sparse array of blocks. */
#include "drivers/virtio/block_map.h"

#include "kernel/cpu/percpu.h"
#include "kernel/lib/errno.h"
#include "kernel/thread.h"
#include "mm/frame.h"
#include "mm/phys.h"

#define SLOT_BITS	 9
#define SLOTS		 (1UL << SLOT_BITS)
#define BLOCK_MAP_CLOSED (1U << 31)

struct node {
	void *slots[SLOTS];
};
_Static_assert(sizeof(struct node) == PAGE_SIZE, "a node is a frame");

void *block_alloc(void)
{
	hpa_t frame = frame_alloc(0, cpu_node());

	return hpa_equals(frame, HPA_NONE) ? NULL : phys_to_virt(frame);
}

void block_free(void *page)
{
	frame_free(virt_to_phys(page), 0);
}

void block_map_init(struct block_map *map, uint64_t block_count, void *empty)
{
	*map = (struct block_map){
		.block_count = block_count,
		.empty = empty,
		.levels = 1,
		.lock = SPINLOCK_INIT(LOCK_RANK_BLOCK),
	};
	while (block_count > SLOTS) {
		block_count = (block_count + SLOTS - 1) >> SLOT_BITS;
		map->levels++;
	}
}

/* Free what a slot of @level (0: a block) leads to. Deep at most 6 levels: a
 * disk has at most 2^52 blocks. Gives way above the lowest nodes. */
static void free_slot(void *slot, uint32_t level)
{
	struct node *node = slot;

	if (!block_is_present(slot))
		return;
	for (size_t i = 0; level && i < SLOTS; i++) {
		free_slot(node->slots[i], level - 1);
		if (level == 2)
			thread_window();
	}
	block_free(slot);
}

void block_map_fini(struct block_map *map)
{
	free_slot(map->root, map->levels);
	map->root = BLOCK_ABSENT;
}

void block_map_enter(struct block_map *map)
{
	/* acquire: pairs with the release in open_gate, the slots are as the
	 * last change left them */
	while (__atomic_fetch_add(&map->gate, 1, __ATOMIC_ACQUIRE) &
	       BLOCK_MAP_CLOSED) {
		__atomic_fetch_sub(&map->gate, 1, __ATOMIC_RELAXED);
		while (__atomic_load_n(&map->gate, __ATOMIC_RELAXED) &
		       BLOCK_MAP_CLOSED)
			__builtin_ia32_pause();
	}
}

void block_map_leave(struct block_map *map)
{
	/* release: pairs with the acquire in close_gate, our copying is over */
	__atomic_fetch_sub(&map->gate, 1, __ATOMIC_RELEASE);
}

/* Those inside copy a page and wait for nobody, so this is a short wait. */
static void close_gate(struct block_map *map)
{
	spin_lock(&map->lock);
	__atomic_fetch_or(&map->gate, BLOCK_MAP_CLOSED, __ATOMIC_RELAXED);
	while (__atomic_load_n(&map->gate, __ATOMIC_ACQUIRE) !=
	       BLOCK_MAP_CLOSED)
		__builtin_ia32_pause();
}

static void open_gate(struct block_map *map)
{
	__atomic_fetch_and(&map->gate, ~BLOCK_MAP_CLOSED, __ATOMIC_RELEASE);
	spin_unlock(&map->lock);
}

/* The slot for @block in a node of @level. */
static void **slot_in(struct node *node, uint64_t block, uint32_t level)
{
	uint64_t index = block >> (SLOT_BITS * (level - 1));

	return &node->slots[index & (SLOTS - 1)];
}

/* acquire: pairs with the release in put_slot, the page is filled */
static void *read_slot(void *const *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

/* Fill the slot that held @old, ABSENT or ZERO. What it holds then: @page, or
 * what another CPU was faster with. */
static void *put_slot(void **slot, void *old, void *page)
{
	if (__atomic_compare_exchange_n(slot, &old, page, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return page;
	return old;
}

/* The node that @slot leads to, made if there is none: all its slots are what
 * @slot was. NULL: no memory. */
static struct node *make_node(void **slot)
{
	void *old = read_slot(slot);
	struct node *node;
	void *winner;

	if (block_is_present(old))
		return old;
	node = block_alloc();
	if (!node)
		return NULL;
	for (size_t i = 0; i < SLOTS; i++)
		node->slots[i] = old;
	winner = put_slot(slot, old, node);
	if (winner != node)
		block_free(node);
	return winner;
}

void *block_map_find(const struct block_map *map, uint64_t block)
{
	void *at = read_slot(&map->root);

	for (uint32_t level = map->levels; level && block_is_present(at);
	     level--)
		at = read_slot(slot_in(at, block, level));
	return at;
}

/* The slot for @block in the parent of its lowest node (@bottom 1), or in that
 * node (@bottom 0). NULL: no memory. */
static void **make_path(struct block_map *map, uint64_t block, uint32_t bottom)
{
	void **slot = &map->root;

	for (uint32_t level = map->levels; level > bottom; level--) {
		struct node *node = make_node(slot);

		if (!node)
			return NULL;
		slot = slot_in(node, block, level);
	}
	return slot;
}

void *block_map_add(struct block_map *map, uint64_t block, void *frame)
{
	void **slot = make_path(map, block, 0);
	void *old;

	if (!slot)
		return NULL;
	old = read_slot(slot);
	return block_is_present(old) ? old : put_slot(slot, old, frame);
}

/* Is all that the lowest node of @block would hold empty already? */
static bool is_clear(const struct block_map *map, uint64_t block)
{
	void *at = read_slot(&map->root);

	for (uint32_t level = map->levels; level > 1 && block_is_present(at);
	     level--)
		at = read_slot(slot_in(at, block, level));
	return at == map->empty;
}

/* Take the lowest node of @block out as a whole. */
static int take_node(struct block_map *map, uint64_t block, void **node)
{
	void **slot = make_path(map, block, 1);

	if (!slot)
		return -ENOMEM;
	*node = *slot;
	*slot = map->empty;
	return 0;
}

static int clear_slots(struct block_map *map, uint64_t first, uint64_t count)
{
	void **slot = make_path(map, first, 0);

	if (!slot)
		return -ENOMEM;
	for (uint64_t i = 0; i < count; i++) {
		free_slot(slot[i], 0);
		slot[i] = map->empty;
	}
	return 0;
}

/* Blocks of one lowest node. What is taken out as a whole is freed when the
 * gate is open again. */
static int clear_in_node(struct block_map *map, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;
	bool is_whole = is_aligned(first, SLOTS) &&
			(count == SLOTS || end == map->block_count);
	void *taken = BLOCK_ABSENT;
	int error = 0;

	close_gate(map);
	if (!is_clear(map, first))
		error = is_whole ? take_node(map, first, &taken)
				 : clear_slots(map, first, count);
	open_gate(map);
	free_slot(taken, 1);
	return error;
}

int block_map_clear(struct block_map *map, uint64_t first, uint64_t count)
{
	while (count) {
		uint64_t here = min_u64(count, SLOTS - first % SLOTS);
		int error = clear_in_node(map, first, here);

		if (error)
			return error;
		first += here;
		count -= here;
	}
	return 0;
}
