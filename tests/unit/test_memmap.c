/* memmap against an array of pages, and at the ends of its table and of
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errno.h"
#include "mm/memmap.h"

#define PAGES	   200U
#define ABSENT	   (-1)
#define OPERATIONS 40000

static struct memmap map;
static int model[PAGES]; /* node of each page, or ABSENT */

static uint64_t model_total(void)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		total += model[i] == ABSENT ? 0 : PAGE_SIZE;
	return total;
}

/* Sorted, disjoint, merged, whole pages; and page by page what the model says.
 */
static void check_model(void)
{
	int seen[PAGES];
	uint64_t end = 0;

	memset(seen, 0xff, sizeof(seen));
	for (uint32_t i = 0; i < map.count; i++) {
		const struct memmap_range *range = &map.ranges[i];
		uint64_t base = range->base.value;

		assert_true(range->size && is_aligned(range->size, PAGE_SIZE));
		assert_true(is_aligned(base, PAGE_SIZE) && base >= end);
		if (i && base == end)
			assert_int_not_equal(range->node, range[-1].node);
		end = memmap_range_end(range);
		assert_true(end <= PAGES * PAGE_SIZE);
		for (uint64_t page = base; page < end; page += PAGE_SIZE)
			seen[page / PAGE_SIZE] = (int)range->node;
	}
	assert_memory_equal(seen, model, sizeof(seen));
	assert_int_equal(memmap_total(&map), model_total());
}

static void model_set(uint64_t first, uint64_t end, bool absent_too, int node)
{
	for (uint64_t i = first; i < end && i < PAGES; i++) {
		if (absent_too || model[i] != ABSENT)
			model[i] = node;
	}
}

static void random_add(uint64_t base, uint64_t size)
{
	uint64_t end = (base + size) / PAGE_SIZE;

	assert_int_equal(memmap_add(&map, base, size), 0);
	for (uint64_t i = (base + PAGE_SIZE - 1) / PAGE_SIZE; i < end; i++)
		model[i] = model[i] == ABSENT ? 0 : model[i];
}

static void random_reserve(uint64_t base, uint64_t size)
{
	assert_int_equal(memmap_reserve(&map, base, size), 0);
	if (size)
		model_set(base / PAGE_SIZE,
			  (base + size + PAGE_SIZE - 1) / PAGE_SIZE, true,
			  ABSENT);
}

static void random_set_node(uint64_t base, uint64_t size)
{
	int node = rand() % 3;

	assert_int_equal(memmap_set_node(&map, base, size, (uint32_t)node), 0);
	model_set((base + PAGE_SIZE - 1) / PAGE_SIZE, (base + size) / PAGE_SIZE,
		  false, node);
}

/* Highest place by trying all. */
static uint64_t model_take(uint64_t pages, uint64_t align, uint64_t limit)
{
	for (uint64_t first = PAGES - pages + 1; first-- > 0;) {
		bool fits = first % align == 0 &&
			    (first + pages) * PAGE_SIZE <= limit;

		for (uint64_t i = first; i < first + pages && fits; i++)
			fits = model[i] != ABSENT && model[i] == model[first];
		if (fits)
			return first * PAGE_SIZE;
	}
	return HPA_NONE.value;
}

static void random_take(uint64_t limit)
{
	uint64_t pages = 1 + (uint64_t)rand() % 9;
	uint64_t align = BIT(rand() % 4);
	uint64_t expected = model_take(pages, align, limit);
	hpa_t got =
		memmap_take(&map, pages * PAGE_SIZE, align * PAGE_SIZE, limit);

	assert_int_equal(got.value, expected);
	if (expected != HPA_NONE.value)
		model_set(expected / PAGE_SIZE, expected / PAGE_SIZE + pages,
			  true, ABSENT);
}

static void agrees_with_model(void **state)
{
	(void)state;
	srand(1);
	memmap_init(&map);
	memset(model, 0xff, sizeof(model));
	for (int i = 0; i < OPERATIONS; i++) {
		uint64_t base = (uint64_t)rand() % (PAGES * PAGE_SIZE);
		uint64_t size = (uint64_t)rand() % (PAGES * PAGE_SIZE - base);

		if (rand() % 2)
			size = min_u64(size, 3 * PAGE_SIZE);
		switch (rand() % 5) {
		case 0:
		case 1: random_add(base, size); break;
		case 2: random_reserve(base, size / 4); break;
		case 3: random_set_node(base, size); break;
		case 4: random_take(base); break;
		}
		check_model();
	}
}

static void rounds_to_pages(void **state)
{
	(void)state;
	memmap_init(&map);
	assert_int_equal(memmap_add(&map, 1, 3 * PAGE_SIZE), 0);
	assert_int_equal(map.count, 1);
	assert_int_equal(map.ranges[0].base.value, PAGE_SIZE);
	assert_int_equal(map.ranges[0].size, 2 * PAGE_SIZE);
	assert_int_equal(memmap_reserve(&map, 3 * PAGE_SIZE - 1, 1), 0);
	assert_int_equal(memmap_total(&map), PAGE_SIZE);
	assert_int_equal(memmap_add(&map, 17, 50), 0);
	assert_int_equal(memmap_reserve(&map, PAGE_SIZE + 5, 0), 0);
	assert_int_equal(memmap_total(&map), PAGE_SIZE);
}

static void never_wraps(void **state)
{
	uint64_t end = align_down(~0UL, PAGE_SIZE);

	(void)state;
	memmap_init(&map);
	assert_int_equal(memmap_add(&map, end - PAGE_SIZE, ~0UL), 0);
	assert_int_equal(memmap_add(&map, ~0UL - 5, 100), 0);
	assert_int_equal(memmap_add(&map, ~0UL, ~0UL), 0);
	assert_int_equal(map.count, 1);
	assert_int_equal(memmap_range_end(&map.ranges[0]), end);
	assert_int_equal(memmap_set_node(&map, 0, ~0UL, 7), 0);
	assert_int_equal(map.ranges[0].node, 7);
	assert_int_equal(memmap_reserve(&map, end - 1, ~0UL), 0);
	assert_int_equal(map.count, 0);
	assert_int_equal(memmap_add(&map, 0, ~0UL), 0);
	assert_int_equal(memmap_total(&map), end);
	assert_int_equal(memmap_reserve(&map, 0, ~0UL), 0);
	assert_int_equal(map.count, 0);
}

/* Ranges of two pages, one page apart. */
static void fill(uint32_t count)
{
	memmap_init(&map);
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(
			memmap_add(&map, i * 3 * PAGE_SIZE, 2 * PAGE_SIZE), 0);
	assert_int_equal(map.count, count);
}

static void full_table_refuses(void **state)
{
	static struct memmap before;
	uint64_t far = 4096 * PAGE_SIZE;

	(void)state;
	fill(MEMMAP_RANGES_MAX);
	before = map;
	assert_int_equal(memmap_add(&map, far, PAGE_SIZE), -ENOSPC);
	assert_int_equal(memmap_set_node(&map, 0, PAGE_SIZE, 1), -ENOSPC);
	assert_memory_equal(&map, &before, sizeof(map));
	/* grows the first range; that needs no room */
	assert_int_equal(memmap_add(&map, 0, 3 * PAGE_SIZE), 0);
	assert_int_equal(map.count, MEMMAP_RANGES_MAX - 1);
	assert_int_equal(memmap_add(&map, far, PAGE_SIZE), 0);
	before = map;
	assert_int_equal(memmap_reserve(&map, PAGE_SIZE, PAGE_SIZE), -ENOSPC);
	assert_memory_equal(&map, &before, sizeof(map));
	assert_int_equal(memmap_reserve(&map, 0, PAGE_SIZE), 0);
	assert_int_equal(map.ranges[0].size, 4 * PAGE_SIZE);
}

/* The highest place would need a split; the next lower one does not. */
static void take_works_in_full_table(void **state)
{
	uint64_t top = 3 * PAGE_SIZE * (MEMMAP_RANGES_MAX - 1);
	hpa_t got;

	(void)state;
	fill(MEMMAP_RANGES_MAX);
	assert_int_equal(memmap_add(&map, top + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	got = memmap_take(&map, PAGE_SIZE, PAGE_SIZE, top + 2 * PAGE_SIZE);
	assert_int_equal(got.value, top - 2 * PAGE_SIZE);
	got = memmap_take(&map, PAGE_SIZE, PAGE_SIZE, ~0UL);
	assert_int_equal(got.value, top + 2 * PAGE_SIZE);
	got = memmap_take(&map, 4 * PAGE_SIZE, PAGE_SIZE, ~0UL);
	assert_true(hpa_equals(got, HPA_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_model),
		cmocka_unit_test(rounds_to_pages),
		cmocka_unit_test(never_wraps),
		cmocka_unit_test(full_table_refuses),
		cmocka_unit_test(take_works_in_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
