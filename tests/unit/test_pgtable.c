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
static unsigned int pool_used, pool_limit, pool_freed;

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
	assert_true(page.value < PAGE_SIZE * pool_used);
	pool_freed++;
}

static int setup(void **state)
{
	(void)state;
	free(pool);
	pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
	memset(pool, 0, POOL_PAGES * PAGE_SIZE);
	fake_ram = pool;
	pool_used = pool_freed = 0;
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

/* Addresses of guests are not signed; this has write and execute too. */
static const struct pt_format unsigned_format = {
	.present_mask = BITS(2, 0),
	.address_mask = BITS(51, 12),
	.table_bits = BITS(2, 0),
	.large_bit = BIT(7),
	.leaf_bits = { [PT_READ] = BIT(0), [PT_WRITE] = BIT(0) | BIT(1) },
};

static void splits_leaves_into_equal_pieces(void **state)
{
	struct pgtable pt = host_table(3);
	struct pt_entry entry;
	struct pt_leaf leaf;

	(void)state;
	pgtable_map_soft(&pt, 0, HPA(GIB), GIB, PT_WRITE, PT_SOFT_FOREIGN);
	entry = pgtable_look(&pt, 5 * MIB);
	assert_int_equal(entry.level, 3);
	assert_int_equal(pgtable_address(&pt, &entry, 5 * MIB).value,
			 GIB + 5 * MIB);
	assert_int_equal(pgtable_split(&pt, &entry, 5 * MIB, 1), 0);
	assert_int_equal(entry.level, 1);
	assert_int_equal(pt.tables, 4);
	for (uint64_t at = 0; at < GIB; at += leaf.size) {
		assert_true(pgtable_find(&pt, at, &leaf));
		assert_int_equal(leaf.virt, at);
		assert_int_equal(leaf.hpa.value, GIB + at);
		assert_int_equal(leaf.size, at / LARGE_PAGE_SIZE == 2
						    ? PAGE_SIZE
						    : LARGE_PAGE_SIZE);
		assert_true(leaf.entry & PT_SOFT_FOREIGN);
		assert_int_equal(FIELD_GET(PT_SOFT_SPLIT, leaf.entry), 3);
		assert_int_equal(leaf.entry & BIT(7),
				 leaf.size == PAGE_SIZE ? 0 : BIT(7));
	}
}

static void replaces_what_was_seen_only(void **state)
{
	struct pgtable pt = host_table(3);
	struct pt_entry first = pgtable_look(&pt, PAGE_SIZE);
	struct pt_entry second = first, third;
	uint64_t leaf = pgtable_leaf(&pt, 1, HPA(0x5000), PT_READ);

	(void)state;
	assert_int_equal(first.level, 4);
	assert_int_equal(first.value, 0);
	assert_int_equal(pgtable_replace(&pt, &first, PAGE_SIZE, 1, leaf), 0);
	assert_int_equal(first.value, leaf);
	/* the hole of level 4 is a table by now: its own is given back */
	assert_int_equal(pgtable_replace(&pt, &second, PAGE_SIZE, 1, 0),
			 -EAGAIN);
	assert_int_equal(pt.tables, 4);
	third = pgtable_look(&pt, PAGE_SIZE);
	assert_int_equal(third.value, leaf);
	assert_int_equal(pgtable_replace(&pt, &third, PAGE_SIZE, 1, 0), 0);
	assert_int_equal(pgtable_replace(&pt, &first, PAGE_SIZE, 1, leaf),
			 -EAGAIN);
	pool_limit = pool_used;
	third = pgtable_look(&pt, GIB);
	assert_int_equal(pgtable_replace(&pt, &third, GIB, 1, leaf), -ENOMEM);
}

static void finds_hidden_leaves_where_asked(void **state)
{
	struct pgtable pt = host_table(1);
	struct pt_entry entry;
	struct pt_leaf leaf;

	(void)state;
	pgtable_map(&pt, 0x3000, HPA(0x8000), 2 * PAGE_SIZE, PT_READ);
	entry = pgtable_look(&pt, 0x3000);
	pgtable_replace(&pt, &entry, 0x3000, 1,
			(entry.value & ~BIT(0)) | PT_SOFT_HIDDEN);
	assert_false(pgtable_find(&pt, 0x3000, &leaf));
	assert_true(pgtable_next(&pt, 0, &leaf));
	assert_int_equal(leaf.virt, 0x4000);
	assert_true(pgtable_next_used(&pt, 0, &leaf));
	assert_int_equal(leaf.virt, 0x3000);
	assert_int_equal(leaf.hpa.value, 0x8000);
	assert_int_equal(pgtable_map(&pt, 0x3000, HPA(0), PAGE_SIZE, PT_READ),
			 -EEXIST);
}

static void addresses_of_guests_are_not_signed(void **state)
{
	struct pgtable pt;
	struct pt_leaf leaf;

	(void)state;
	assert_int_equal(pgtable_init(&pt, &unsigned_format, 4, 2), 0);
	pgtable_map(&pt, BIT(48) - PAGE_SIZE, HPA(0), PAGE_SIZE, PT_WRITE);
	assert_true(pgtable_next(&pt, 0, &leaf));
	assert_int_equal(leaf.virt, BIT(48) - PAGE_SIZE);
}

static void gives_all_tables_back(void **state)
{
	struct pgtable pt = host_table(2);

	(void)state;
	pgtable_map(&pt, GIB - PAGE_SIZE, HPA(0), LARGE_PAGE_SIZE, PT_READ);
	pgtable_map(&pt, IMAGE_BASE, HPA(0), LARGE_PAGE_SIZE, PT_READ);
	assert_int_equal(pt.tables, pool_used);
	pgtable_destroy(&pt);
	assert_int_equal(pt.tables, 0);
	assert_int_equal(pool_freed, pool_used);
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
		cmocka_unit_test_setup_teardown(splits_leaves_into_equal_pieces,
						setup, teardown),
		cmocka_unit_test_setup_teardown(replaces_what_was_seen_only,
						setup, teardown),
		cmocka_unit_test_setup_teardown(finds_hidden_leaves_where_asked,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			addresses_of_guests_are_not_signed, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_all_tables_back, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
