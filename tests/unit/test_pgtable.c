/* The radix walker against a naive model (a byte a page), and its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake.h"
#include "kernel/lib/errno.h"
#include "mm/pgtable.h"
#include "mm/phys.h"

#define POOL_PAGES 512

static char *pool;
static unsigned int pool_used, pool_limit;

hpa_t pgtable_page_alloc(const struct pgtable *pt)
{
	(void)pt;
	if (pool_used == pool_limit)
		return HPA_NONE;
	return HPA(PAGE_SIZE * pool_used++);
}

void pgtable_page_free(const struct pgtable *pt, hpa_t page)
{
	(void)pt;
	(void)page;
}

static int setup(void **state)
{
	(void)state;
	free(pool);
	pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	fake_ram = pool;
	pool_used = 0;
	pool_limit = POOL_PAGES;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(pool);
	pool = NULL;
	return 0;
}

static struct pgtable host_table(uint8_t leaf_level_max)
{
	struct pgtable pt;

	assert_int_equal(pgtable_init(&pt, &pt_format_host, 4, leaf_level_max),
			 0);
	return pt;
}

static void uses_the_largest_leaves(void **state)
{
	struct pgtable pt = host_table(3);
	struct pt_leaf leaf;
	uint64_t virt = DIRECT_BASE + GIB - LARGE_PAGE_SIZE - PAGE_SIZE;

	(void)state;
	assert_int_equal(pgtable_map(&pt, virt, HPA(virt - DIRECT_BASE),
				     PAGE_SIZE + LARGE_PAGE_SIZE + GIB,
				     PT_WRITE),
			 0);
	assert_true(pgtable_find(&pt, virt, &leaf));
	assert_int_equal(leaf.size, PAGE_SIZE);
	assert_true(pgtable_find(&pt, virt + PAGE_SIZE, &leaf));
	assert_int_equal(leaf.size, LARGE_PAGE_SIZE);
	assert_true(pgtable_find(&pt, DIRECT_BASE + GIB + 12345, &leaf));
	assert_int_equal(leaf.size, HUGE_PAGE_SIZE);
	assert_int_equal(leaf.virt, DIRECT_BASE + GIB);
	assert_int_equal(leaf.hpa.value, GIB);
	assert_false(pgtable_find(&pt, DIRECT_BASE + 2 * GIB, &leaf));
}

static void respects_the_leaf_limit(void **state)
{
	struct pgtable pt = host_table(2);
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pgtable_map(&pt, 0, HPA(0), GIB, PT_READ), 0);
	assert_true(pgtable_find(&pt, 0, &leaf));
	assert_int_equal(leaf.size, LARGE_PAGE_SIZE);
}

static void refuses_a_second_mapping(void **state)
{
	struct pgtable pt = host_table(3);

	(void)state;
	assert_int_equal(pgtable_map(&pt, 0, HPA(0), LARGE_PAGE_SIZE, PT_READ),
			 0);
	assert_int_equal(pgtable_map(&pt, PAGE_SIZE, HPA(0), PAGE_SIZE,
				     PT_READ),
			 -EEXIST);
	assert_int_equal(pgtable_map(&pt, 0, HPA(0), LARGE_PAGE_SIZE, PT_READ),
			 -EEXIST);
}

static void reports_lack_of_memory(void **state)
{
	struct pgtable pt = host_table(3);

	(void)state;
	pool_limit = pool_used + 2;
	assert_int_equal(pgtable_map(&pt, 0, HPA(0), PAGE_SIZE, PT_READ),
			 -ENOMEM);
	pool_limit = pool_used;
	assert_int_equal(pgtable_init(&pt, &pt_format_host, 4, 1), -ENOMEM);
}

static void checks_cut_leaves_and_flags(void **state)
{
	struct pgtable pt = host_table(3);

	(void)state;
	pgtable_map(&pt, 0, HPA(0), LARGE_PAGE_SIZE, PT_READ);
	if (!setjmp(fake_panic_jump)) {
		fake_panic_expected = true;
		pgtable_unmap(&pt, PAGE_SIZE, PAGE_SIZE);
		fail();
	}
	if (!setjmp(fake_panic_jump)) {
		fake_panic_expected = true;
		/* the host format has no writable and executable leaf at all */
		pgtable_map(&pt, GIB, HPA(0), PAGE_SIZE, PT_WRITE | PT_EXECUTE);
		fail();
	}
}

static void host_leaves_carry_the_right_bits(void **state)
{
	struct pgtable pt = host_table(3);
	struct pt_leaf leaf;

	(void)state;
	pgtable_map(&pt, 0x1000, HPA(0x5000), PAGE_SIZE, PT_EXECUTE);
	pgtable_map(&pt, 0x2000, HPA(0x6000), PAGE_SIZE,
		    PT_WRITE | PT_UNCACHED);
	pgtable_find(&pt, 0x1000, &leaf);
	assert_int_equal(leaf.entry, 0x5000 | 0x161);
	pgtable_find(&pt, 0x2000, &leaf);
	assert_true(leaf.entry == (0x6000 | 0x17b | BIT(63)));
}

/* 64 MiB of address space across a gigabyte boundary, random maps and unmaps of
 * random runs. */
#define MODEL_PAGES 16384
#define MODEL_BASE  (GIB - 32 * MIB)

static void agrees_with_a_naive_model(void **state)
{
	static bool model[MODEL_PAGES];
	struct pgtable pt = host_table(3);

	(void)state;
	srand(1);
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 3000; i++) {
		uint64_t first = (uint64_t)rand() % MODEL_PAGES;
		uint64_t count = 1 + (uint64_t)rand() % 700;
		bool is_free = true, is_cut = false;
		struct pt_leaf leaf;
		uint64_t virt, end;

		if (count > MODEL_PAGES - first)
			count = MODEL_PAGES - first;
		virt = MODEL_BASE + first * PAGE_SIZE;
		end = virt + count * PAGE_SIZE;
		for (uint64_t p = first; p < first + count; p++)
			is_free = is_free && !model[p];
		if (rand() % 2 && is_free) {
			assert_int_equal(pgtable_map(&pt, virt, HPA(virt + GIB),
						     count * PAGE_SIZE,
						     PT_READ),
					 0);
			memset(model + first, 1, count);
			continue;
		}
		if (pgtable_find(&pt, virt, &leaf))
			is_cut =
				leaf.virt < virt || leaf.virt + leaf.size > end;
		if (pgtable_find(&pt, end - PAGE_SIZE, &leaf))
			is_cut = is_cut || leaf.virt < virt ||
				 leaf.virt + leaf.size > end;
		if (is_cut)
			continue;
		pgtable_unmap(&pt, virt, end - virt);
		memset(model + first, 0, count);
		for (uint64_t p = 0; p < MODEL_PAGES; p++)
			assert_int_equal(
				pgtable_find(&pt, MODEL_BASE + p * PAGE_SIZE,
					     &leaf),
				model[p]);
	}
}

static void iterates_in_order(void **state)
{
	static const uint64_t at[] = { 0x1000, GIB, DIRECT_BASE, IMAGE_BASE };
	struct pgtable pt = host_table(3);
	struct pt_leaf leaf = { 0 };
	uint64_t virt = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		pgtable_map(&pt, at[i], HPA(0), PAGE_SIZE, PT_READ);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		assert_true(pgtable_next(&pt, virt, &leaf));
		assert_true(leaf.virt == at[i]);
		virt = leaf.virt + leaf.size;
	}
	assert_false(pgtable_next(&pt, virt, &leaf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(uses_the_largest_leaves, setup,
						teardown),
		cmocka_unit_test_setup_teardown(respects_the_leaf_limit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(refuses_a_second_mapping, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reports_lack_of_memory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(checks_cut_leaves_and_flags,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			host_leaves_carry_the_right_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(agrees_with_a_naive_model,
						setup, teardown),
		cmocka_unit_test_setup_teardown(iterates_in_order, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
