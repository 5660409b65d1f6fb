/* Pools and the heap: contents, figures, every misuse, and a random run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "frame_machine.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "mm/pool.h"

static struct pool pool;

static int start(uint64_t size)
{
	frame_machine_reset(NULL);
	frame_machine_start_simple(size);
	heap_init();
	pool_init(&pool, "test", 40);
	return 0;
}

static int start_large(void **state)
{
	(void)state;
	return start(GIB);
}

static int start_small(void **state)
{
	(void)state;
	return start(4 * MIB);
}

static bool is_zero(const char *at, size_t size)
{
	while (size && *at == 0) {
		at++;
		size--;
	}
	return size == 0;
}

static void gives_zeroed_aligned_objects(void **state)
{
	char *objects[1000];

	(void)state;
	assert_int_equal(pool.size, 48);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
			objects[i] = pool_alloc(&pool);
			assert_true(is_aligned((uint64_t)objects[i], 16));
			assert_true(is_zero(objects[i], 48));
			memset(objects[i], 0xee, 48);
		}
		assert_int_equal(pool_used(&pool), 48000);
		assert_int_equal(pool.slabs, (1000 + 83) / 84);
		for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
			pool_free(&pool, objects[i]);
		assert_int_equal(pool.used, 0);
	}
}

/* All sizes: the objects of a slab do not overlap, nor leave the frame. */
static void fits_every_size(void **state)
{
	(void)state;
	for (uint32_t size = 1; size <= POOL_OBJECT_MAX; size++) {
		char *last = NULL;

		pool_init(&pool, "test", size);
		for (uint32_t i = 0; i < pool.per_slab; i++) {
			char *object = pool_alloc(&pool);
			uint64_t offset = (uint64_t)object % PAGE_SIZE;

			assert_true(offset >= 64);
			assert_true(offset + size <= PAGE_SIZE);
			assert_true(!last || object >= last + size);
			last = object;
		}
		assert_int_equal(pool.slabs, 1);
		assert_true((pool.per_slab + 1) * pool.size > PAGE_SIZE - 64);
	}
	PANICS(pool_init(&pool, "test", 0), "size");
	PANICS(pool_init(&pool, "test", POOL_OBJECT_MAX + 1), "size");
}

static void keeps_one_empty_slab(void **state)
{
	void *objects[84 * 3];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = pool_alloc(&pool);
	assert_int_equal(frame_machine_allocated(0), 3 * PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		pool_free(&pool, objects[i]);
	assert_int_equal(pool.slabs, 1);
	assert_int_equal(frame_machine_allocated(0), PAGE_SIZE);
	/* and that one is used, emptied and kept again */
	for (int i = 0; i < 10; i++) {
		pool_free(&pool, pool_alloc(&pool));
		assert_int_equal(frame_machine_allocated(0), PAGE_SIZE);
	}
}

static void refuses_wrong_objects(void **state)
{
	static struct pool other;
	char *object = pool_alloc(&pool);
	char *foreign;
	void *frame = phys_to_virt(frame_alloc_zeroed(0, 0));

	(void)state;
	pool_init(&other, "other", 40);
	foreign = pool_alloc(&other);
	PANICS(pool_free(&pool, foreign), "not an object of this pool");
	PANICS(pool_free(&pool, frame), "not an object of this pool");
	PANICS(pool_free(&pool, object + 16), "not the start");
	PANICS(pool_free(&pool, object - 48), "not the start");
	PANICS(pool_free(&pool,
			 (char *)align_down((uint64_t)object, PAGE_SIZE)),
	       "not the start");
	/* past the last of five objects 32 bytes are over */
	pool_init(&other, "other", 800);
	foreign = pool_alloc(&other);
	PANICS(pool_free(&other, foreign + 5 * 800), "not the start");
	pool_free(&pool, object);
	PANICS(pool_free(&pool, object), "free already");
}

/* The frame of a slab that was given back is no slab, whatever is left in it. */
static void refuses_object_of_former_slab(void **state)
{
	char *objects[84 * 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = pool_alloc(&pool);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		pool_free(&pool, objects[i]);
	assert_int_equal(pool.slabs, 1);
	PANICS(pool_free(&pool, objects[84 * 2 - 1]), "not an object");
}

static void survives_no_memory(void **state)
{
	void *first = pool_alloc(&pool);
	void *object;
	uint64_t count = 1;

	(void)state;
	while ((object = pool_alloc(&pool)))
		count++;
	assert_int_equal(pool.used, count);
	assert_int_equal(frame_stats(0).free, 0);
	assert_null(heap_alloc(10));
	assert_null(heap_alloc(100000));
	assert_int_equal(heap_used(), 0);
	pool_free(&pool, first);
	assert_ptr_equal(pool_alloc(&pool), first);
}

static void heap_rounds_up_honestly(void **state)
{
	static const struct {
		size_t size;
		uint64_t takes;
	} rows[] = {
		{ 0, 16 },
		{ 1, 16 },
		{ 16, 16 },
		{ 17, 32 },
		{ 129, 192 },
		{ 2015, 2016 },
		{ 2016, 2016 },
		{ 2017, 4096 },
		{ 4032, 4096 },
		{ 4033, 8192 },
		{ 65472, 65536 },
		{ 65473, 131072 },
		{ 1048576, 2097152 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *ptr = heap_alloc(rows[i].size);

		assert_true(ptr && is_aligned((uint64_t)ptr, 16));
		assert_int_equal(heap_used(), rows[i].takes);
		assert_true(is_zero(ptr, rows[i].size));
		memset(ptr, 0xee, rows[i].size);
		heap_free(ptr);
		assert_int_equal(heap_used(), 0);
	}
	assert_null(heap_alloc(HEAP_SIZE_MAX + 1));
	assert_null(heap_alloc(SIZE_MAX));
	heap_free(NULL);
}

static void heap_refuses_wrong_pointers(void **state)
{
	char *small = heap_alloc(100);
	char *run = heap_alloc(10000);
	char *frame = phys_to_virt(frame_alloc_zeroed(0, 0));

	(void)state;
	PANICS(heap_free(small + 16), "not the start");
	PANICS(heap_free(run + 16), "not a live piece");
	PANICS(heap_free(run + PAGE_SIZE), "not a live piece");
	PANICS(heap_free(frame), "not a live piece");
	PANICS(heap_free(frame + 64), "not a live piece");
	PANICS(heap_free(pool_alloc(&pool)), "not a live piece");
	/* a copy of a run's header */
	memcpy(frame, run - 64, 64);
	PANICS(heap_free(frame + 64), "not a live piece");
	memcpy(run + PAGE_SIZE - 64, run - 64, 64);
	PANICS(heap_free(run + PAGE_SIZE), "not a live piece");
	heap_free(small);
	PANICS(heap_free(small), "free already");
	heap_free(run);
	PANICS(heap_free(run), "not a live piece");
}

struct piece {
	unsigned char *ptr;
	size_t size;
	unsigned char tag;
};

static void take(struct piece *piece)
{
	piece->size = (size_t)rand() % BIT(rand() % 18);
	piece->tag = (unsigned char)rand();
	piece->ptr = heap_alloc(piece->size);
	assert_non_null(piece->ptr);
	assert_true(is_zero((char *)piece->ptr, piece->size));
	memset(piece->ptr, piece->tag, piece->size);
}

static void give(struct piece *piece)
{
	for (size_t i = 0; i < piece->size; i++)
		assert_int_equal(piece->ptr[i], piece->tag);
	heap_free(piece->ptr);
	piece->ptr = NULL;
}

static void keeps_what_is_written(void **state)
{
	static struct piece pieces[500];

	(void)state;
	srand(5);
	for (int i = 0; i < 20000; i++) {
		struct piece *piece =
			&pieces[(size_t)rand() % ARRAY_SIZE(pieces)];

		if (piece->ptr)
			give(piece);
		else
			take(piece);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		if (pieces[i].ptr)
			give(&pieces[i]);
	}
	assert_int_equal(heap_used(), 0);
	/* at most one empty slab a size class */
	assert_true(frame_machine_allocated(0) <= 16 * PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(gives_zeroed_aligned_objects,
				       start_large),
		cmocka_unit_test_setup(fits_every_size, start_large),
		cmocka_unit_test_setup(keeps_one_empty_slab, start_large),
		cmocka_unit_test_setup(refuses_wrong_objects, start_large),
		cmocka_unit_test_setup(refuses_object_of_former_slab,
				       start_large),
		cmocka_unit_test_setup(survives_no_memory, start_small),
		cmocka_unit_test_setup(heap_rounds_up_honestly, start_large),
		cmocka_unit_test_setup(heap_refuses_wrong_pointers,
				       start_large),
		cmocka_unit_test_setup(keeps_what_is_written, start_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
