/* The frame allocator: figures, activation, misuse, and a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake.h"
#include "frame_model.h"
#include "kernel/cpu/percpu.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "ram.h"

#define PANICS(call, text)                                        \
	do {                                                      \
		if (!setjmp(fake_panic_jump)) {                   \
			fake_panic_expected = true;               \
			call;                                     \
			fail_msg("did not panic");                \
		}                                                 \
		assert_non_null(strstr(fake_panic_text, (text))); \
	} while (0)

static struct memmap map;

/* A machine with the ranges that were put into map. */
static void start(uint32_t node_count, bool has_huge_pages)
{
	struct host_map_tables tables;
	uint64_t end = memmap_range_end(&map.ranges[map.count - 1]);

	fake_ram_init(align_up(end, GIB), has_huge_pages);
	fake_ram_boot_tables(&map, &tables, HOST_MAP_TABLES_MIN);
	frame_init(&map, node_count, &tables);
	assert_int_equal(map.count, 0);
	assert_int_equal(tables.count, 0);
}

static int reset(void **state)
{
	(void)state;
	memmap_init(&map);
	fake_node = 0;
	return 0;
}

static void add(uint64_t base, uint64_t size, uint32_t node)
{
	assert_int_equal(memmap_add(&map, base, size), 0);
	assert_int_equal(memmap_set_node(&map, base, size, node), 0);
}

static void start_simple(uint64_t size)
{
	add(0, size, 0);
	start(1, true);
}

static uint64_t allocated(uint32_t node)
{
	struct frame_stats stats = frame_stats(node);

	return stats.total - stats.free - stats.records;
}

static void gives_every_order(void **state)
{
	(void)state;
	start_simple(8 * GIB);
	for (unsigned int order = 0; order < FRAME_ORDER_COUNT; order++) {
		hpa_t base = frame_alloc(order, 0);
		uint64_t size = PAGE_SIZE << order;

		assert_false(hpa_equals(base, HPA_NONE));
		assert_true(is_aligned(base.value, size));
		assert_int_equal(allocated(0), size);
		*(char *)phys_to_virt(base) = 1;
		*(char *)phys_to_virt(hpa_add(base, size - 1)) = 1;
		frame_free(base, order);
		assert_int_equal(allocated(0), 0);
	}
}

static void zeroes(void **state)
{
	static const char zero[2 * PAGE_SIZE];
	hpa_t base;

	(void)state;
	start_simple(GIB);
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
	add(0, 640 * KIB, 0);
	add(MIB, 2 * GIB - MIB, 0);
	add(4 * GIB, 1020 * GIB, 0);
	start(1, false);
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
	add(0, 640 * KIB, 0);
	add(MIB, 127 * MIB, 0);
	start(1, false);
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
	add(0, 3 * GIB, 0);
	add(4 * GIB, 2 * GIB, 0);
	start(1, true);
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
	add(0, 16 * GIB, 0);
	add(4095 * MIB, 4 * MIB,
	    0); /* boot takes its tables at 4 GiB: not here */
	assert_int_equal(memmap_reserve(&map, 0, 2 * MIB), 0);
	start(1, true); /* takes its tables just below 4 GiB */
	while (!hpa_equals(frame_alloc(FRAME_ORDER_HUGE, 0), HPA_NONE))
		count++;
	assert_int_equal(count, 16 - 2 - 3);
	assert_true(frame_stats(0).records < 2 * MIB);
}

/* A request that no untouched window can serve activates nothing. */
static void does_not_activate_in_vain(void **state)
{
	(void)state;
	add(MIB, GIB, 0);
	add(3 * GIB, GIB - MIB, 0);
	start(1, true);
	assert_true(hpa_equals(frame_alloc(FRAME_ORDER_HUGE, 0), HPA_NONE));
	assert_int_equal(fake_ram_call_count, 0);
	assert_false(hpa_equals(frame_alloc(17, 0), HPA_NONE));
	assert_int_equal(fake_ram_call_count, 1);
}

static void coalesces_within_window(void **state)
{
	static hpa_t frames[GIB / PAGE_SIZE];
	uint64_t count = 0;

	(void)state;
	start_simple(4 * GIB);
	frame_alloc(FRAME_ORDER_HUGE, 0); /* now spare records are there */
	while (count < ARRAY_SIZE(frames))
		frames[count++] = frame_alloc(0, 0);
	while (count)
		frame_free(frames[--count], 0);
	frame_cache_drain();
	assert_int_equal(allocated(0), GIB);
	assert_false(hpa_equals(frame_alloc(17, 0), HPA_NONE));
}

/* A window of many pieces: each mapped alone, holes never handed out. */
static void handles_holes(void **state)
{
	uint64_t got = 0;
	hpa_t base;

	(void)state;
	for (uint64_t i = 1; i < 60; i++)
		add(i * 16 * MIB + i * PAGE_SIZE, i * 128 * KIB, 0);
	start(1, false);
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
	add(64 * KIB, 28 * KIB, 0); /* a sliver */
	add(128 * KIB, 512 * KIB, 0);
	add(GIB - 4 * KIB, 8 * KIB, 0); /* slivers on both sides of a border */
	add(3 * GIB - 80 * KIB, 48 * KIB,
	    0); /* cannot hold 80 KiB of records */
	fake_log_reset();
	start(1, false);
	/* boot took its tables from the last piece */
	assert_int_equal(frame_stats(0).total, 512 * KIB);
	assert_int_equal(fake_log_count[2], 1);
	while (!hpa_equals(frame_alloc(0, 0), HPA_NONE))
		;
	assert_int_equal(fake_ram_call_count, 1);
}

static void leaves_memory_beyond_direct_map(void **state)
{
	struct host_map_tables tables;

	(void)state;
	add(0, GIB, 0);
	fake_ram_init(GIB, true);
	fake_ram_boot_tables(&map, &tables, HOST_MAP_TABLES_MIN);
	add(DIRECT_SIZE, GIB, 0);
	add(DIRECT_SIZE - GIB, GIB, 0);
	frame_init(&map, 1, &tables);
	assert_int_equal(frame_stats(0).total, 2 * GIB - 4 * PAGE_SIZE);
}

static void nodes_are_apart(void **state)
{
	hpa_t base;

	(void)state;
	add(0, 2 * GIB, 0);
	add(2 * GIB, 2 * GIB, 1);
	start(2, true);
	for (int i = 0; i < 100; i++) {
		assert_true(frame_alloc(0, 0).value < 2 * GIB);
		assert_true(frame_alloc(3, 1).value >= 2 * GIB);
	}
	assert_int_equal(allocated(0), 100 * PAGE_SIZE);
	assert_int_equal(allocated(1), 800 * PAGE_SIZE);
	base = frame_alloc(0, 1);
	frame_free(base, 0);
	assert_int_equal(allocated(1), 800 * PAGE_SIZE);
}

/* A dry node falls back to the next, also round the end. */
static void falls_back_to_next_node(void **state)
{
	hpa_t base = HPA_NONE;

	(void)state;
	add(0, 64 * MIB, 0);
	add(GIB, 64 * MIB, 1);
	start(3, false);
	assert_true(frame_alloc(0, 2).value < GIB);
	fake_node = 1;
	frame_cache_drain();
	while (!hpa_equals(base = frame_alloc(0, 1), HPA_NONE))
		;
	assert_int_equal(frame_stats(0).free + frame_stats(1).free, 0);
}

/* One window, one extent even, of two nodes: it goes to the lower one's. */
static void shares_window_between_nodes(void **state)
{
	(void)state;
	add(0, 501 * MIB, 0);
	add(501 * MIB, 523 * MIB, 1);
	start(2, false);
	assert_int_equal(frame_stats(0).total, 502 * MIB);
	assert_int_equal(frame_stats(1).total, 522 * MIB - 4 * PAGE_SIZE);
	for (uint64_t i = 0; i < 300; i++) {
		hpa_t base = frame_alloc(FRAME_ORDER_LARGE, i % 2);

		assert_false(hpa_equals(base, HPA_NONE));
		assert_true((base.value >= 502 * MIB) == (i % 2));
	}
	assert_int_equal(fake_ram_call_count, 2);
}

static void caches_are_counted_free(void **state)
{
	hpa_t frames[FRAME_CACHE_SIZE + 5];

	(void)state;
	start_simple(GIB);
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		frames[i] = frame_alloc(0, 0);
		assert_int_equal(allocated(0), (i + 1) * PAGE_SIZE);
	}
	for (size_t i = ARRAY_SIZE(frames); i-- > 0;) {
		frame_free(frames[i], 0);
		assert_int_equal(allocated(0), i * PAGE_SIZE);
	}
	frame_cache_drain();
	frame_cache_drain();
	assert_int_equal(allocated(0), 0);
}

static void refuses_wrong_frees(void **state)
{
	hpa_t one, run, large, huge, records;

	(void)state;
	start_simple(4 * GIB);
	one = frame_alloc(0, 0);
	run = frame_alloc(3, 0);
	large = frame_alloc(9, 0);
	huge = frame_alloc(12, 0);
	records = HPA(4 * GIB - PAGE_SIZE);
	PANICS(frame_free(one, 1), "order");
	PANICS(frame_free(one, 9), "");
	PANICS(frame_free(hpa_add(one, 1), 0), "not aligned");
	PANICS(frame_free(run, 0), "another order");
	PANICS(frame_free(run, 2), "another order");
	PANICS(frame_free(hpa_add(run, PAGE_SIZE), 0), "inside");
	PANICS(frame_free(hpa_add(run, 4 * PAGE_SIZE), 2), "inside");
	PANICS(frame_free(HPA(align_down(run.value, 16 * PAGE_SIZE)), 4), "");
	PANICS(frame_free(large, 8), "no run");
	PANICS(frame_free(large, 0), "no run");
	PANICS(frame_free(huge, 11), "another order");
	PANICS(frame_free(huge, 9), "another order");
	PANICS(frame_free(hpa_add(huge, 2 * MIB), 9), "no allocated block");
	PANICS(frame_free(huge, 19), "no such order");
	PANICS(frame_free(records, 0), "not allocated");
	PANICS(frame_free(HPA(PAGE_SIZE), 0), "not the frame allocator's");
	PANICS(frame_free(HPA(100 * GIB), 0), "not the frame allocator's");
	PANICS(frame_free(HPA(DIRECT_SIZE), 0), "not the frame allocator's");
	PANICS(frame_free(HPA_NONE, 0), "not aligned");
	PANICS(frame_free(HPA(~0xfffUL), 0), "not the frame allocator's");
	frame_free(one, 0);
	frame_free(run, 3);
	frame_free(large, 9);
	frame_free(huge, 12);
	assert_int_equal(allocated(0), 0);
}

/* At once, wherever the frame has gone: cache, split extent, buddy lists. */
static void refuses_double_frees(void **state)
{
	(void)state;
	start_simple(4 * GIB);
	for (unsigned int order = 0; order < FRAME_ORDER_COUNT; order++) {
		hpa_t base = frame_alloc(order, 0);

		frame_free(base, order);
		PANICS(frame_free(base, order), "frame_free");
		if (order == 0)
			assert_non_null(
				strstr(fake_panic_text, "is not allocated"));
		frame_cache_drain();
		PANICS(frame_free(base, order), "frame_free");
	}
}

/* Neighbouring runs of one size: each must end where the other begins. */
static void tells_neighbours_apart(void **state)
{
	hpa_t low, high;

	(void)state;
	start_simple(GIB);
	low = frame_alloc(2, 0);
	high = frame_alloc(2, 0);
	assert_int_equal(low.value + 4 * PAGE_SIZE, high.value);
	if (is_aligned(low.value, 8 * PAGE_SIZE))
		PANICS(frame_free(low, 3), "another order");
	frame_free(low, 2);
	frame_free(high, 2);
}

static void refuses_bad_requests(void **state)
{
	struct host_map_tables tables = { .count = HOST_MAP_TABLES_MIN - 1 };

	(void)state;
	start_simple(GIB);
	PANICS(frame_alloc(FRAME_ORDER_COUNT, 0), "order");
	PANICS(frame_alloc(0, 1), "node");
	PANICS(frame_stats(1), "number");
	fake_node = 1;
	frame_cache_drain();
	PANICS(frame_init(&map, 1, &tables), "tables");
	PANICS(frame_init(&map, 0, &tables), "node_count");
	tables.count = HOST_MAP_TABLES_MIN;
	add(0, GIB, 3);
	PANICS(frame_init(&map, 3, &tables), "node");
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
		cmocka_unit_test_setup(gives_every_order, reset),
		cmocka_unit_test_setup(zeroes, reset),
		cmocka_unit_test_setup(terabyte_boots_cheaply, reset),
		cmocka_unit_test_setup(small_machine_wastes_little, reset),
		cmocka_unit_test_setup(uses_high_memory_first, reset),
		cmocka_unit_test_setup(keeps_most_huge_pages, reset),
		cmocka_unit_test_setup(does_not_activate_in_vain, reset),
		cmocka_unit_test_setup(coalesces_within_window, reset),
		cmocka_unit_test_setup(handles_holes, reset),
		cmocka_unit_test_setup(leaves_useless_memory, reset),
		cmocka_unit_test_setup(leaves_memory_beyond_direct_map, reset),
		cmocka_unit_test_setup(nodes_are_apart, reset),
		cmocka_unit_test_setup(falls_back_to_next_node, reset),
		cmocka_unit_test_setup(shares_window_between_nodes, reset),
		cmocka_unit_test_setup(caches_are_counted_free, reset),
		cmocka_unit_test_setup(refuses_wrong_frees, reset),
		cmocka_unit_test_setup(refuses_double_frees, reset),
		cmocka_unit_test_setup(tells_neighbours_apart, reset),
		cmocka_unit_test_setup(refuses_bad_requests, reset),
		cmocka_unit_test(agrees_with_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
