/* The frame allocator: figures, activation, nodes, and a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake.h"
#include "frame_machine.h"
#include "frame_model.h"
#include "kernel/cpu/percpu.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "ram.h"

static void gives_every_order(void **state)
{
	(void)state;
	frame_machine_start_simple(8 * GIB);
	for (unsigned int order = 0; order < FRAME_ORDER_COUNT; order++) {
		hpa_t base = frame_alloc(order, 0);
		uint64_t size = PAGE_SIZE << order;

		assert_false(hpa_equals(base, HPA_NONE));
		assert_true(is_aligned(base.value, size));
		assert_int_equal(frame_machine_allocated(0), size);
		*(char *)phys_to_virt(base) = 1;
		*(char *)phys_to_virt(hpa_add(base, size - 1)) = 1;
		frame_free(base, order);
		assert_int_equal(frame_machine_allocated(0), 0);
	}
}

static void zeroes(void **state)
{
	static const char zero[2 * PAGE_SIZE];
	hpa_t base;

	(void)state;
	frame_machine_start_simple(GIB);
	base = frame_alloc(1, 0);
	memset(phys_to_virt(base), 0xee, 2 * PAGE_SIZE);
	frame_free(base, 1);
	for (int i = 0; i < 4; i++) {
		hpa_t run = frame_alloc_zeroed(1, 0);

		assert_memory_equal(phys_to_virt(run), zero, sizeof(zero));
		memset(phys_to_virt(run), 0xee, 2 * PAGE_SIZE);
	}
}

/* A terabyte: the first allocation takes in one window, the highest, at little cost. */
static void terabyte_boots_cheaply(void **state)
{
	struct frame_stats stats;

	(void)state;
	frame_machine_add(0, 640 * KIB, 0);
	frame_machine_add(MIB, 2 * GIB - MIB, 0);
	frame_machine_add(4 * GIB, 1020 * GIB, 0);
	frame_machine_start(1, false);
	assert_int_equal(fake_ram_call_count, 0);
	assert_int_equal(frame_stats(0).records, 0);
	assert_false(hpa_equals(frame_alloc(0, 0), HPA_NONE));
	stats = frame_stats(0);
	assert_int_equal(fake_ram_call_count, 1);
	assert_int_equal(fake_ram_calls[0].base, 1023 * GIB);
	assert_int_equal(fake_ram_calls[0].size, GIB);
	assert_int_equal(stats.chunks, 1);
	assert_true(stats.records <= 256 * KIB);
	assert_int_equal(stats.total, 1022 * GIB - 384 * KIB - 4 * PAGE_SIZE);
}

static void small_machine_wastes_little(void **state)
{
	struct frame_stats stats;
	uint64_t got = 0;

	(void)state;
	frame_machine_add(0, 640 * KIB, 0);
	frame_machine_add(MIB, 127 * MIB, 0);
	frame_machine_start(1, false);
	while (!hpa_equals(frame_alloc(0, 0), HPA_NONE))
		got += PAGE_SIZE;
	stats = frame_stats(0);
	assert_int_equal(stats.free, 0);
	assert_int_equal(stats.total, got + stats.records);
	assert_true(stats.records <= 64 * KIB);
	assert_int_equal(fake_ram_call_count, 2);
}

/* Low memory is the last to be used. */
static void uses_high_memory_first(void **state)
{
	hpa_t base = HPA_NONE;

	(void)state;
	frame_machine_add(0, 3 * GIB, 0);
	frame_machine_add(4 * GIB, 2 * GIB, 0);
	frame_machine_start(1, true);
	for (int i = 0; i < 1022; i++) {
		base = frame_alloc(FRAME_ORDER_LARGE, 0);
		assert_true(base.value >= 4 * GIB);
	}
	while (base.value >= 4 * GIB)
		base = frame_alloc(FRAME_ORDER_LARGE, 0);
	assert_in_range(base.value, 2 * GIB, 3 * GIB);
}

/* 14 windows of 16 are whole. Of 1 + 2, 1 + 4, 1 + 5 the first hold records. */
static void keeps_most_huge_pages(void **state)
{
	unsigned int count = 0;

	(void)state;
	frame_machine_add(2 * MIB, 16 * GIB - 2 * MIB, 0);
	/* takes its tables just below 4 GiB */
	frame_machine_start(1, true);
	while (!hpa_equals(frame_alloc(FRAME_ORDER_HUGE, 0), HPA_NONE))
		count++;
	assert_int_equal(count, 16 - 2 - 3);
	assert_true(frame_stats(0).records < 2 * MIB);
}

/* A request that no untouched window can serve activates nothing. */
static void does_not_activate_in_vain(void **state)
{
	(void)state;
	frame_machine_add(MIB, GIB, 0);
	frame_machine_add(3 * GIB, GIB - MIB, 0);
	frame_machine_start(1, true);
	assert_true(hpa_equals(frame_alloc(FRAME_ORDER_HUGE, 0), HPA_NONE));
	assert_int_equal(fake_ram_call_count, 0);
	assert_false(hpa_equals(frame_alloc(17, 0), HPA_NONE));
	assert_int_equal(fake_ram_call_count, 1);
}

/* A window in single frames, and whole again but for the end with the records. */
static void coalesces_within_window(void **state)
{
	static hpa_t frames[GIB / PAGE_SIZE];
	uint64_t count = 0;

	(void)state;
	frame_machine_start_simple(GIB);
	do
		frames[count] = frame_alloc(0, 0);
	while (!hpa_equals(frames[count++], HPA_NONE));
	assert_int_equal(frame_stats(0).free, 0);
	for (uint64_t i = 0; i < count - 1; i += 2)
		frame_free(frames[i], 0);
	assert_true(hpa_equals(frame_alloc(1, 0), HPA_NONE));
	for (uint64_t i = 1; i < count - 1; i += 2)
		frame_free(frames[i], 0);
	frame_cache_drain();
	assert_int_equal(frame_machine_allocated(0), 0);
	for (unsigned int order = FRAME_ORDER_LARGE; order < 18; order++)
		assert_false(hpa_equals(frame_alloc(order, 0), HPA_NONE));
}

/* Records go where a large page is cut off anyway. */
static void records_cost_no_large_page(void **state)
{
	unsigned int count = 0;

	(void)state;
	frame_machine_add(MIB, 511 * MIB, 0);
	frame_machine_add(600 * MIB, 4 * PAGE_SIZE, 0); /* boot takes this */
	frame_machine_start(1, false);
	while (!hpa_equals(frame_alloc(FRAME_ORDER_LARGE, 0), HPA_NONE))
		count++;
	assert_int_equal(count, 255);
}

/* A window of many pieces: each mapped alone, holes never handed out. */
static void handles_holes(void **state)
{
	uint64_t got = 0;
	hpa_t base;

	(void)state;
	for (uint64_t i = 1; i < 60; i++)
		frame_machine_add(i * 16 * MIB + i * PAGE_SIZE, i * 128 * KIB,
				  0);
	frame_machine_start(1, false);
	while (base = frame_alloc(0, 0), !hpa_equals(base, HPA_NONE)) {
		assert_true(fake_ram_is_mapped(base.value, PAGE_SIZE));
		*(char *)phys_to_virt(base) = 1;
		got += PAGE_SIZE;
	}
	assert_int_equal(got + frame_stats(0).records, frame_stats(0).total);
	assert_int_equal(fake_ram_call_count, 59);
}

static void leaves_useless_memory(void **state)
{
	(void)state;
	frame_machine_add(64 * KIB, 28 * KIB, 0); /* a sliver */
	frame_machine_add(128 * KIB, 512 * KIB, 0);
	frame_machine_add(GIB - 4 * KIB, 8 * KIB,
			  0); /* slivers on both sides of a border */
	frame_machine_add(3 * GIB - 80 * KIB, 48 * KIB,
			  0); /* cannot hold 80 KiB of records */
	fake_log_reset();
	frame_machine_start(1, false);
	/* boot took its tables from the last piece */
	assert_int_equal(frame_stats(0).total, 512 * KIB);
	assert_int_equal(fake_log_count[2], 1);
	while (!hpa_equals(frame_alloc(0, 0), HPA_NONE))
		;
	assert_int_equal(fake_ram_call_count, 1);
}

static void leaves_memory_beyond_direct_map(void **state)
{
	(void)state;
	frame_machine_add(0, GIB, 0);
	frame_machine_add(DIRECT_SIZE - GIB, GIB, 0);
	frame_machine_add(DIRECT_SIZE, GIB, 0);
	frame_machine_start(1, true);
	assert_int_equal(frame_stats(0).total, 2 * GIB - 4 * PAGE_SIZE);
}

static void nodes_are_apart(void **state)
{
	hpa_t base;

	(void)state;
	frame_machine_add(0, 2 * GIB, 0);
	frame_machine_add(2 * GIB, 2 * GIB, 1);
	frame_machine_start(2, true);
	for (int i = 0; i < 100; i++) {
		assert_true(frame_alloc(0, 0).value < 2 * GIB);
		assert_true(frame_alloc(3, 1).value >= 2 * GIB);
	}
	assert_int_equal(frame_machine_allocated(0), 100 * PAGE_SIZE);
	assert_int_equal(frame_machine_allocated(1), 800 * PAGE_SIZE);
	base = frame_alloc(0, 1);
	frame_free(base, 0);
	assert_int_equal(frame_machine_allocated(1), 800 * PAGE_SIZE);
}

/* A dry node falls back to the next, also round the end. */
static void falls_back_to_next_node(void **state)
{
	hpa_t base = HPA_NONE;

	(void)state;
	frame_machine_add(0, 64 * MIB, 0);
	frame_machine_add(GIB, 64 * MIB, 1);
	frame_machine_start(3, false);
	assert_true(frame_alloc(0, 2).value < GIB);
	fake_node = 1;
	frame_cache_drain();
	while (!hpa_equals(base = frame_alloc(0, 1), HPA_NONE))
		;
	assert_int_equal(frame_stats(0).free + frame_stats(1).free, 0);
}

/* The shared extent's upper part is lost, not given to both. */
static void unites_extent_in_full_table(void **state)
{
	(void)state;
	frame_machine_add(2 * MIB, 128 * KIB, 0);
	frame_machine_add(2 * MIB + 256 * KIB, 8 * MIB, 1);
	for (uint64_t i = 2; i < MEMMAP_RANGES_MAX; i++)
		frame_machine_add(i * 8 * MIB, MIB, 0);
	frame_machine_start(2, false);
	assert_int_equal(frame_stats(1).total, 6 * MIB + 256 * KIB);
}

/* One window, one extent even, of two nodes: it goes to the lower one's. */
static void shares_window_between_nodes(void **state)
{
	(void)state;
	frame_machine_add(0, 501 * MIB, 0);
	frame_machine_add(501 * MIB, 523 * MIB, 1);
	frame_machine_start(2, false);
	assert_int_equal(frame_stats(0).total, 502 * MIB);
	assert_int_equal(frame_stats(1).total, 522 * MIB - 4 * PAGE_SIZE);
	for (uint64_t i = 0; i < 251; i++)
		assert_true(frame_alloc(FRAME_ORDER_LARGE, 0).value <
			    502 * MIB);
	assert_int_equal(frame_stats(0).free, 0);
	/* the first of node 1 would have made a larger block with the last */
	assert_true(frame_alloc(FRAME_ORDER_LARGE, 0).value >= 502 * MIB);
	assert_int_equal(frame_machine_allocated(1), 2 * MIB);
	assert_int_equal(fake_ram_call_count, 2);
}

static void caches_are_counted_free(void **state)
{
	hpa_t frames[FRAME_CACHE_SIZE + 5];

	(void)state;
	frame_machine_start_simple(GIB);
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		frames[i] = frame_alloc(0, 0);
		assert_int_equal(frame_machine_allocated(0),
				 (i + 1) * PAGE_SIZE);
	}
	for (size_t i = ARRAY_SIZE(frames); i-- > 0;) {
		frame_free(frames[i], 0);
		assert_int_equal(frame_machine_allocated(0), i * PAGE_SIZE);
	}
	frame_cache_drain();
	frame_cache_drain();
	assert_int_equal(frame_machine_allocated(0), 0);
}

static void agrees_with_model(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 4; seed++) {
		srand(seed);
		frame_model_start(seed % 2);
		for (int i = 0; i < 15000; i++)
			frame_model_step((uint8_t)rand(), (uint16_t)rand());
		frame_model_finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(gives_every_order, frame_machine_reset),
		cmocka_unit_test_setup(zeroes, frame_machine_reset),
		cmocka_unit_test_setup(terabyte_boots_cheaply,
				       frame_machine_reset),
		cmocka_unit_test_setup(small_machine_wastes_little,
				       frame_machine_reset),
		cmocka_unit_test_setup(uses_high_memory_first,
				       frame_machine_reset),
		cmocka_unit_test_setup(keeps_most_huge_pages,
				       frame_machine_reset),
		cmocka_unit_test_setup(does_not_activate_in_vain,
				       frame_machine_reset),
		cmocka_unit_test_setup(coalesces_within_window,
				       frame_machine_reset),
		cmocka_unit_test_setup(records_cost_no_large_page,
				       frame_machine_reset),
		cmocka_unit_test_setup(handles_holes, frame_machine_reset),
		cmocka_unit_test_setup(leaves_useless_memory,
				       frame_machine_reset),
		cmocka_unit_test_setup(leaves_memory_beyond_direct_map,
				       frame_machine_reset),
		cmocka_unit_test_setup(nodes_are_apart, frame_machine_reset),
		cmocka_unit_test_setup(falls_back_to_next_node,
				       frame_machine_reset),
		cmocka_unit_test_setup(unites_extent_in_full_table,
				       frame_machine_reset),
		cmocka_unit_test_setup(shares_window_between_nodes,
				       frame_machine_reset),
		cmocka_unit_test_setup(caches_are_counted_free,
				       frame_machine_reset),
		cmocka_unit_test(agrees_with_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
