/*
 * Debug builds: poison in free memory, and the order of locks. Compile with
 * -DDEBUG; lock_rank_* are the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "frame_machine.h"
#include "frame_model.h"
#include "kernel/lib/spinlock.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "mm/pool.h"

static uint16_t held[8]; /* ranks, in the order taken */
static unsigned int held_count;
static unsigned int deepest;

void lock_rank_enter(const struct spinlock *lock)
{
	assert_true(held_count == 0 || held[held_count - 1] < lock->rank);
	held[held_count++] = lock->rank;
	deepest = held_count > deepest ? held_count : deepest;
}

void lock_rank_leave(const struct spinlock *lock)
{
	assert_int_equal(held[--held_count], lock->rank);
}

static int reset(void **state)
{
	held_count = 0;
	deepest = 0;
	frame_machine_reset(state);
	frame_machine_start_simple(3 * GIB);
	return 0;
}

static void write_after_free(unsigned int order, uint64_t offset)
{
	hpa_t base = frame_alloc(order, 0);
	char *at = phys_to_virt(hpa_add(base, offset));

	frame_free(base, order);
	assert_int_equal(*(unsigned char *)at, 0x5a);
	*at = 0;
}

/* What was freed last is what comes next. */
static void notices(unsigned int order, uint64_t offset)
{
	reset(NULL);
	write_after_free(order, offset);
	PANICS(frame_alloc(order, 0), "was written to");
}

static void notices_writes(void **state)
{
	(void)state;
	for (unsigned int order = 0; order < 12; order++) {
		uint64_t size = PAGE_SIZE << order;

		notices(order, 0);
		notices(order, 63);
		notices(order, size - 64);
		notices(order, size - 1);
	}
}

/* Every byte of a small run, in the middle too. */
static void notices_writes_inside(void **state)
{
	(void)state;
	write_after_free(0, 2000);
	PANICS(frame_alloc(0, 0), "was written to");
	/* here the whole extent has become a block again */
	write_after_free(8, 500001);
	PANICS(frame_alloc(8, 0), "was written to");
}

/* A freed block that is split later has poison all over by then. */
static void split_blocks_are_clean(void **state)
{
	hpa_t base = frame_alloc(9, 0);

	(void)state;
	memset(phys_to_virt(base), 1, 2 * MIB);
	frame_free(base, 9);
	for (int i = 0; i < 3000; i++)
		assert_false(hpa_equals(frame_alloc(0, 0), HPA_NONE));
}

static void pool_notices_writes(void **state)
{
	struct pool pool;
	char *object;

	(void)state;
	pool_init(&pool, "test", 48);
	object = pool_alloc(&pool);
	pool_free(&pool, object);
	object[47] = 1;
	PANICS(pool_alloc(&pool), "was written to");
}

static void model_agrees(void **state)
{
	(void)state;
	srand(3);
	frame_model_start(true);
	for (int i = 0; i < 3000; i++) {
		uint8_t kind = (uint8_t)rand();

		/* of the largest orders few: their poison takes real memory */
		frame_model_step(kind, (uint16_t)(rand() % 13));
	}
}

/* heap > pool > chunks > frames, all at once at the first allocation */
static void locks_in_order(void **state)
{
	(void)state;
	heap_init();
	heap_free(heap_alloc(100));
	heap_free(heap_alloc(100000));
	assert_int_equal(deepest, 3);
	assert_int_equal(held_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(notices_writes, reset),
		cmocka_unit_test_setup(notices_writes_inside, reset),
		cmocka_unit_test_setup(split_blocks_are_clean, reset),
		cmocka_unit_test_setup(pool_notices_writes, reset),
		cmocka_unit_test_setup(model_agrees, reset),
		cmocka_unit_test_setup(locks_in_order, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
