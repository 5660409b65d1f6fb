/* What the frame allocator must stop at: every wrong free and bad request. */
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
#include "kernel/cpu/percpu.h"
#include "mm/extent.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "ram.h"

#define EXTENT_LIKE 3 /* in every byte: a block, allocated */

static void refuses_wrong_frees(void **state)
{
	hpa_t one, run, large, huge, records;

	(void)state;
	frame_machine_start_simple(4 * GIB);
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
	assert_int_equal(frame_machine_allocated(0), 0);
}

/* Beyond the last record there is other memory, which may look like one. */
static void refuses_free_beyond_records(void **state)
{
	hpa_t base;

	(void)state;
	frame_machine_start_simple(128 * MIB);
	while (base = frame_alloc(0, 0), !hpa_equals(base, HPA_NONE))
		memset(phys_to_virt(base), EXTENT_LIKE, PAGE_SIZE);
	for (uint64_t at = 128 * MIB; at < GIB; at += 2 * MIB)
		PANICS(frame_free(HPA(at), 0), "not the frame allocator's");
}

/* At once, wherever the frame has gone: cache, split extent, buddy lists. */
static void refuses_double_frees(void **state)
{
	(void)state;
	frame_machine_start_simple(4 * GIB);
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
	frame_machine_start_simple(GIB);
	low = frame_alloc(2, 0);
	high = frame_alloc(2, 0);
	assert_int_equal(low.value + 4 * PAGE_SIZE, high.value);
	if (is_aligned(low.value, 8 * PAGE_SIZE))
		PANICS(frame_free(low, 3), "another order");
	frame_free(low, 2);
	frame_free(high, 2);
}

static void refuses_to_go_on_with_broken_records(void **state)
{
	hpa_t base;

	(void)state;
	frame_machine_start_simple(GIB);
	base = frame_alloc(0, 0);
	PANICS(extent_run_resume(extent_find(base), extent_index(base)),
	       "records corrupted");
	frame_machine_start_simple(GIB);
	fake_ram_fails = true;
	PANICS(frame_alloc(0, 0), "error -12");
}

static void refuses_bad_requests(void **state)
{
	struct host_map_tables tables = { .count = HOST_MAP_TABLES_MIN - 1 };
	static struct memmap map;

	(void)state;
	frame_machine_start_simple(GIB);
	fake_node = 1;
	PANICS(frame_alloc(0, 0), "cache->node");
	PANICS(frame_alloc(FRAME_ORDER_COUNT, 0), "order");
	PANICS(frame_alloc(0, 1), "node");
	PANICS(frame_stats(1), "number");
	PANICS(frame_init(&map, 1, &tables), "tables");
	PANICS(frame_init(&map, 0, &tables), "node_count");
	tables.count = HOST_MAP_TABLES_MIN;
	assert_int_equal(memmap_add(&map, 0, GIB), 0);
	assert_int_equal(memmap_set_node(&map, 0, GIB, 3), 0);
	PANICS(frame_init(&map, 3, &tables), "node");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_wrong_frees,
				       frame_machine_reset),
		cmocka_unit_test_setup(refuses_free_beyond_records,
				       frame_machine_reset),
		cmocka_unit_test_setup(refuses_double_frees,
				       frame_machine_reset),
		cmocka_unit_test_setup(tells_neighbours_apart,
				       frame_machine_reset),
		cmocka_unit_test_setup(refuses_to_go_on_with_broken_records,
				       frame_machine_reset),
		cmocka_unit_test_setup(refuses_bad_requests,
				       frame_machine_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
