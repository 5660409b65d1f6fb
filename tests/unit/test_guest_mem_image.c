/* Guest memory: images, private copies, hidden pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest_fixture.h"

static void shares_images(void **state)
{
	hpa_t image = make_image();

	(void)state;
	add(GUEST_RAM, 0, 16 * MIB);
	/* aligned: one large leaf; else small ones */
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 4 * MIB }, image,
					 LARGE_PAGE_SIZE),
			 0);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 8 * MIB },
					 hpa_add(image, 7 * PAGE_SIZE),
					 3 * PAGE_SIZE),
			 0);
	assert_int_equal(leaf_at(4 * MIB).size, LARGE_PAGE_SIZE);
	assert_true(leaf_at(4 * MIB).entry & PT_SOFT_FOREIGN);
	assert_false(leaf_at(4 * MIB).entry & NPTE_WRITE);
	assert_int_equal(leaf_at(8 * MIB).size, PAGE_SIZE);
	assert_int_equal(byte_at(4 * MIB + 5 * PAGE_SIZE), 6);
	assert_int_equal(byte_at(8 * MIB), 8);
	assert_int_equal(gm.foreign_size, LARGE_PAGE_SIZE + 3 * PAGE_SIZE);
	assert_int_equal(gm.own_size, 0);
	assert_int_equal(*(uint8_t *)phys_to_virt(image), 1);
	free_image(image);
}

static void copies_the_page_that_is_written(void **state)
{
	hpa_t image = make_image();
	uint64_t page = 4 * MIB + 9 * PAGE_SIZE;

	(void)state;
	add(GUEST_RAM, 0, 16 * MIB);
	guest_mem_share(&gm, (gpa_t){ 4 * MIB }, image, LARGE_PAGE_SIZE);
	assert_fault(page, ACCESS_READ, GUEST_FAULT_DONE);
	assert_int_equal(guest_mem_flush_generation(&gm), 0);
	assert_fault(page + 8, ACCESS_WRITE, GUEST_FAULT_DONE);
	assert_int_equal(guest_mem_flush_generation(&gm), 1);
	assert_true(leaf_at(page).entry & NPTE_WRITE);
	assert_false(leaf_at(page).entry & PT_SOFT_FOREIGN);
	assert_int_equal(leaf_at(page).size, PAGE_SIZE);
	assert_int_equal(byte_at(page), 10);
	/* its neighbours are still the image's */
	assert_true(leaf_at(page + PAGE_SIZE).entry & PT_SOFT_FOREIGN);
	assert_int_equal(leaf_at(page + PAGE_SIZE).hpa.value,
			 image.value + 10 * PAGE_SIZE);
	assert_int_equal(gm.own_size, PAGE_SIZE);
	assert_int_equal(gm.foreign_size, LARGE_PAGE_SIZE - PAGE_SIZE);
	/* again: nothing left to do */
	assert_fault(page, ACCESS_WRITE, GUEST_FAULT_DONE);
	assert_int_equal(guest_mem_flush_generation(&gm), 1);
	/* written by us */
	assert_int_equal(guest_write(&gm, (gpa_t){ 4 * MIB }, "", 1), 0);
	assert_int_equal(guest_mem_flush_generation(&gm), 2);
	assert_int_equal(*(uint8_t *)phys_to_virt(image), 1);
	free_image(image);
}

static void refuses_bad_images(void **state)
{
	(void)state;
	add(GUEST_RAM, 0, 4 * MIB);
	add(GUEST_RAM, 4 * MIB, 4 * MIB);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 1 }, HPA(0), PAGE_SIZE),
			 -EINVAL);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 0 }, HPA(1), PAGE_SIZE),
			 -EINVAL);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 0 }, HPA(0), 1),
			 -EINVAL);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 0 }, HPA(0), 0),
			 -EINVAL);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 8 * MIB }, HPA(0),
					 PAGE_SIZE),
			 -EINVAL);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 3 * MIB }, HPA(0),
					 2 * MIB),
			 -EINVAL);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ PAGE_SIZE }, HPA(0),
					 ~0UL << PAGE_SHIFT),
			 -EINVAL);
	assert_fault(MIB, ACCESS_READ, GUEST_FAULT_DONE); /* 2 MiB */
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 0 }, HPA(0), PAGE_SIZE),
			 -EEXIST);
	/* a range before what is there, not reaching it */
	assert_fault(6 * MIB, ACCESS_READ, GUEST_FAULT_DONE);
	assert_int_equal(
		guest_mem_share(&gm, (gpa_t){ 4 * MIB }, HPA(MIB), 2 * MIB), 0);
}

static void hides_one_page(void **state)
{
	struct pt_leaf leaf;

	(void)state;
	add(GUEST_RAM, 0, 4 * MIB);
	guest_mem_hide(&gm, (gpa_t){ 0 }); /* absent: nothing to hide */
	guest_mem_hide(&gm, (gpa_t){ GIB });
	assert_int_equal(guest_mem_flush_generation(&gm), 0);
	assert_int_equal(guest_write(&gm, (gpa_t){ 0x5123 }, "x", 1), 0);
	guest_mem_hide(&gm, (gpa_t){ 0x5fff });
	assert_int_equal(guest_mem_flush_generation(&gm), 1);
	assert_false(pgtable_find(&gm.table, 0x5123, &leaf));
	assert_int_equal(leaf_at(0x4fff).entry ^ leaf_at(0x4000).hpa.value,
			 0x67 | FIELD_PUT(PT_SOFT_SPLIT, 2));
	assert_true(pgtable_find(&gm.table, 0x6000, &leaf));
	/* for us it is there */
	assert_int_equal(byte_at(0x5123), 'x');
	assert_int_equal(guest_write(&gm, (gpa_t){ 0x5123 }, "y", 1), 0);
	assert_false(pgtable_find(&gm.table, 0x5123, &leaf));
	guest_mem_hide(&gm, (gpa_t){ 0x5000 });
	assert_int_equal(guest_mem_flush_generation(&gm), 1);
	assert_fault(0x5123, ACCESS_READ, GUEST_FAULT_DONE);
	assert_true(leaf_at(0x5123).entry & NPTE_WRITE);
	assert_int_equal(byte_at(0x5123), 'y');
	assert_int_equal(guest_mem_flush_generation(&gm), 1);
	assert_int_equal(gm.own_size, LARGE_PAGE_SIZE);
}

static void shares_nothing_over_a_hidden_page(void **state)
{
	(void)state;
	add(GUEST_ROM, 0, 4 * MIB);
	assert_int_equal(guest_load(&gm, (gpa_t){ 0x5000 }, "h", 1), 0);
	guest_mem_hide(&gm, (gpa_t){ 0x5000 });
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 0x4000 }, HPA(0),
					 3 * PAGE_SIZE),
			 -EEXIST);
	assert_int_equal(gm.foreign_size, 0);
	assert_int_equal(byte_at(0x5000), 'h');
}

static void hides_pages_of_images(void **state)
{
	hpa_t image = make_image();

	(void)state;
	add(GUEST_RAM, 0, 4 * MIB);
	guest_mem_share(&gm, (gpa_t){ 0 }, image, LARGE_PAGE_SIZE);
	guest_mem_hide(&gm, (gpa_t){ 0x5000 });
	guest_mem_hide(&gm, (gpa_t){ 0x6000 });
	assert_fault(0x5000, ACCESS_READ, GUEST_FAULT_DONE);
	assert_true(leaf_at(0x5000).entry & PT_SOFT_FOREIGN);
	assert_false(leaf_at(0x5000).entry & NPTE_WRITE);
	assert_fault(0x6000, ACCESS_WRITE, GUEST_FAULT_DONE);
	assert_false(leaf_at(0x6000).entry & PT_SOFT_FOREIGN);
	assert_int_equal(byte_at(0x6000), 7);
	assert_int_equal(gm.own_size, PAGE_SIZE);
	free_image(image);
}

static void loads_rom(void **state)
{
	hpa_t image = make_image();

	(void)state;
	add(GUEST_ROM, 0, 4 * MIB);
	guest_mem_share(&gm, (gpa_t){ 0 }, image, MIB);
	assert_fault(0, ACCESS_WRITE, GUEST_FAULT_READ_ONLY);
	assert_int_equal(guest_write(&gm, (gpa_t){ 0 }, "x", 1), -EFAULT);
	assert_int_equal(guest_load(&gm, (gpa_t){ 0 }, "x", 1), 0);
	assert_int_equal(byte_at(0), 'x');
	assert_int_equal(byte_at(1), 1);
	assert_int_equal(*(uint8_t *)phys_to_virt(image), 1);
	assert_false(leaf_at(0).entry & NPTE_WRITE);
	assert_fault(0, ACCESS_WRITE, GUEST_FAULT_READ_ONLY);
	free_image(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shares_images),
		TEST(copies_the_page_that_is_written),
		TEST(refuses_bad_images),
		TEST(hides_one_page),
		TEST(shares_nothing_over_a_hidden_page),
		TEST(hides_pages_of_images),
		TEST(loads_rom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
