/* The bits of EPT's entries: SDM 3C 29.3.2 "EPT Translation Mechanism". */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest_fixture.h"
#include "vmx/ept.h"

#define READ	BIT(0)
#define WRITE	BIT(1)
#define EXECUTE BIT(2)
/* write-back, and the guest's PAT counts; accessed and dirty are not the CPU's to
 * set */
#define LEAF  (READ | 6UL << 3 | BIT(8) | BIT(9))
#define LARGE BIT(7)
#define TABLE (READ | WRITE | EXECUTE | BIT(8))

static struct pgtable pt;

static int setup_ept(void **state)
{
	(void)state;
	start(2);
	assert_int_equal(pgtable_init(&pt, &pt_format_ept, 4, 3), 0);
	return 0;
}

static int teardown_ept(void **state)
{
	pgtable_destroy(&pt);
	return teardown(state);
}

static uint64_t entry_of(hpa_t table, unsigned int index)
{
	return ((uint64_t *)phys_to_virt(table))[index];
}

static hpa_t table_in(hpa_t table, unsigned int index)
{
	return HPA(entry_of(table, index) & BITS(51, 12));
}

static void leaves_have_rights(void **state)
{
	static const uint64_t bits[] = {
		[PT_READ] = LEAF,
		[PT_WRITE] = LEAF | WRITE,
		[PT_EXECUTE] = LEAF | EXECUTE,
		[PT_WRITE | PT_EXECUTE] = LEAF | WRITE | EXECUTE,
	};
	const hpa_t hpa = HPA(0x000f4567c0000000);

	(void)state;
	for (uint32_t flags = 0; flags < ARRAY_SIZE(bits); flags++) {
		for (unsigned int level = 1; level <= 3; level++)
			assert_int_equal(pgtable_leaf(&pt, level, hpa, flags),
					 hpa.value | bits[flags] |
						 (level > 1 ? LARGE : 0));
	}
}

/* No other memory types for guests. */
static void other_types_are_not_available(void **state)
{
	(void)state;
	for (uint32_t flags = 4; flags < PT_FLAGS_COUNT; flags++)
		assert_int_equal(pt_format_ept.leaf_bits[flags], 0);
}

/* The last page below 2^48, and large pages of both sizes. */
static void tables_lead_to_leaves(void **state)
{
	hpa_t level3, level2, level1;

	(void)state;
	assert_int_equal(pgtable_map(&pt, BIT(48) - PAGE_SIZE, HPA(0x5000),
				     PAGE_SIZE, PT_WRITE | PT_EXECUTE),
			 0);
	assert_int_equal(
		pgtable_map(&pt, 4 * MIB, HPA(2 * MIB), 2 * MIB, PT_WRITE), 0);
	assert_int_equal(pgtable_map(&pt, 2 * GIB, HPA(GIB), GIB, PT_EXECUTE),
			 0);
	assert_int_equal(entry_of(pt.root, 511) & ~BITS(51, 12), TABLE);
	level3 = table_in(pt.root, 511);
	assert_int_equal(entry_of(level3, 511) & ~BITS(51, 12), TABLE);
	level2 = table_in(level3, 511);
	assert_int_equal(entry_of(level2, 511) & ~BITS(51, 12), TABLE);
	level1 = table_in(level2, 511);
	assert_int_equal(entry_of(level1, 511),
			 0x5000 | LEAF | WRITE | EXECUTE);
	level3 = table_in(pt.root, 0);
	assert_int_equal(entry_of(level3, 2), GIB | LEAF | LARGE | EXECUTE);
	level2 = table_in(level3, 0);
	assert_int_equal(entry_of(level2, 2), 2 * MIB | LEAF | LARGE | WRITE);
}

/* Any right makes an entry present; what a hole is otherwise, is ours. */
static void is_present_by_any_right(void **state)
{
	(void)state;
	assert_int_equal(pt_format_ept.present_mask, READ | WRITE | EXECUTE);
	assert_int_equal(pt_format_ept.address_mask, BITS(51, 12));
	assert_false(pt_format_ept.is_signed);
	assert_int_equal((PT_SOFT_FOREIGN | PT_SOFT_HIDDEN | PT_SOFT_SPLIT) &
				 (BITS(51, 0) | BIT(63)),
			 0);
}

#define EPT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_ept, teardown_ept)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EPT_TEST(leaves_have_rights),
		EPT_TEST(other_types_are_not_available),
		EPT_TEST(tables_lead_to_leaves),
		EPT_TEST(is_present_by_any_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
