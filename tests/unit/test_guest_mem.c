/* Guest memory: slots, faults, frames, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "frame_hoard.h"
#include "guest_fixture.h"
#include "guest_model.h"
#include "vmx/ept.h"

static void refuses_bad_slots(void **state)
{
	static const struct {
		uint64_t base, size;
	} bad[] = {
		{ 0, 0 },
		{ 1, PAGE_SIZE },
		{ 0, PAGE_SIZE + 1 },
		{ BIT(48), PAGE_SIZE },
		{ BIT(48) - PAGE_SIZE, 2 * PAGE_SIZE },
		{ ~0UL << PAGE_SHIFT, 2 * PAGE_SIZE },
		{ 3 * PAGE_SIZE, 2 * PAGE_SIZE }, /* overlaps */
		{ 0, MIB },
	};

	(void)state;
	add(GUEST_RAM, 4 * PAGE_SIZE, PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(guest_mem_add(&gm, GUEST_RAM,
					       (gpa_t){ bad[i].base },
					       bad[i].size),
				 -EINVAL);
	for (uint64_t i = 1; i < GUEST_SLOTS_MAX; i++)
		add(GUEST_RAM, MIB * (GUEST_SLOTS_MAX - i), PAGE_SIZE);
	assert_int_equal(guest_mem_add(&gm, GUEST_RAM, (gpa_t){ GIB },
				       PAGE_SIZE),
			 -ENOSPC);
	for (uint32_t i = 1; i < gm.slot_count; i++)
		assert_true(gm.slots[i - 1].base < gm.slots[i].base);
}

static void knows_where_memory_is(void **state)
{
	(void)state;
	add(GUEST_RAM, MIB, MIB);
	add(GUEST_ROM, 4 * MIB, 4 * MIB);
	assert_false(guest_mem_has(&gm, (gpa_t){ MIB - 1 }));
	assert_true(guest_mem_has(&gm, (gpa_t){ MIB }));
	assert_true(guest_mem_has(&gm, (gpa_t){ 8 * MIB - 1 }));
	assert_false(guest_mem_has(&gm, (gpa_t){ BIT(48) + MIB }));
	assert_false(guest_mem_has(&gm, (gpa_t){ ~0UL }));
	assert_fault(0, ACCESS_READ, GUEST_FAULT_DEVICE);
	assert_fault(BIT(48) + MIB, ACCESS_WRITE, GUEST_FAULT_DEVICE);
	assert_fault(4 * MIB, ACCESS_WRITE, GUEST_FAULT_READ_ONLY);
	assert_fault(4 * MIB, ACCESS_EXECUTE, GUEST_FAULT_DONE);
	assert_true(!(leaf_at(4 * MIB).entry & (NPTE_WRITE | NPTE_NX)));
	/* mostly images: 2 MiB would stand in their way */
	assert_int_equal(gm.own_size, PAGE_SIZE);
}

static void fills_2_mib_where_it_can(void **state)
{
	(void)state;
	add(GUEST_RAM, MIB, 5 * MIB);
	assert_fault(3 * MIB + 5, ACCESS_READ, GUEST_FAULT_DONE);
	assert_int_equal(leaf_at(2 * MIB).size, LARGE_PAGE_SIZE);
	assert_int_equal(leaf_at(2 * MIB).entry & ~pt_format_npt.address_mask,
			 0xe7);				  /* D A PS U W P */
	assert_fault(MIB, ACCESS_READ, GUEST_FAULT_DONE); /* begins at 1 MiB */
	assert_int_equal(leaf_at(MIB).size, PAGE_SIZE);
	assert_int_equal(gm.own_size, LARGE_PAGE_SIZE + PAGE_SIZE);
	assert_int_equal(guest_mem_flush_generation(&gm), 0);
	/* root, level 3, level 2, level 1 */
	assert_int_equal(guest_mem_table_size(&gm), 4 * PAGE_SIZE);
}

static void fills_4_kib_where_asked(void **state)
{
	(void)state;
	guest_mem_fini(&gm);
	start(1);
	add(GUEST_RAM, 0, 4 * MIB);
	assert_fault(2 * MIB, ACCESS_WRITE, GUEST_FAULT_DONE);
	assert_int_equal(gm.own_size, PAGE_SIZE);
	assert_int_equal(leaf_at(2 * MIB).size, PAGE_SIZE);
}

static void fills_1_gib_where_asked(void **state)
{
	struct pt_leaf leaf;

	(void)state;
	guest_mem_fini(&gm);
	frame_machine_reset(NULL);
	frame_machine_start_simple(4 * GIB);
	allocated_before = frame_machine_allocated(0);
	assert_int_equal(guest_mem_init(&gm, &pt_format_npt, 3, 0), 0);
	add(GUEST_RAM, GIB, GIB);
	assert_fault(GIB + 12345, ACCESS_WRITE, GUEST_FAULT_DONE);
	assert_int_equal(leaf_at(GIB).size, HUGE_PAGE_SIZE);
	/* split twice, and freed as one frame all the same */
	guest_mem_hide(&gm, (gpa_t){ GIB + 8 * MIB });
	assert_int_equal(leaf_at(GIB).size, LARGE_PAGE_SIZE);
	assert_int_equal(leaf_at(GIB + 8 * MIB + PAGE_SIZE).size, PAGE_SIZE);
	assert_false(pgtable_find(&gm.table, GIB + 8 * MIB, &leaf));
}

static void executes_small_leaves_only(void **state)
{
	hpa_t at;

	(void)state;
	gm.is_code_small = true;
	add(GUEST_RAM, 0, 8 * MIB);
	add(GUEST_ROM, 16 * MIB, MIB);
	assert_fault(2 * MIB, ACCESS_WRITE, GUEST_FAULT_DONE);
	at = leaf_at(2 * MIB).hpa;
	assert_int_equal(leaf_at(2 * MIB).size, LARGE_PAGE_SIZE);
	assert_true(leaf_at(2 * MIB).entry & NPTE_NX);
	for (uint64_t page = 3; page <= 4; page++) {
		uint64_t gpa = 2 * MIB + page * PAGE_SIZE;

		assert_fault(gpa + 9, ACCESS_EXECUTE, GUEST_FAULT_DONE);
		assert_int_equal(leaf_at(gpa).size, PAGE_SIZE);
		assert_int_equal(leaf_at(gpa).hpa.value,
				 at.value + page * PAGE_SIZE);
		assert_true(leaf_at(gpa).entry & NPTE_WRITE);
		assert_false(leaf_at(gpa).entry & NPTE_NX);
		assert_true(leaf_at(gpa + PAGE_SIZE).entry & NPTE_NX);
	}
	/* what is not there yet, and what is small anyway */
	assert_fault(4 * MIB, ACCESS_EXECUTE, GUEST_FAULT_DONE);
	assert_false(leaf_at(4 * MIB).entry & NPTE_NX);
	assert_int_equal(leaf_at(4 * MIB).size, PAGE_SIZE);
	assert_fault(16 * MIB, ACCESS_READ, GUEST_FAULT_DONE);
	assert_false(leaf_at(16 * MIB).entry & NPTE_NX);
	assert_int_equal(gm.own_size, 2 * LARGE_PAGE_SIZE + PAGE_SIZE);
}

static void falls_back_to_what_is_free(void **state)
{
	hpa_t hoard[256];
	uint32_t count = 0;

	(void)state;
	add(GUEST_RAM, 0, 64 * MIB);
	while (count < ARRAY_SIZE(hoard)) {
		hoard[count] = frame_alloc(FRAME_ORDER_LARGE, 0);
		if (hpa_equals(hoard[count], HPA_NONE))
			break;
		count++;
	}
	assert_fault(0, ACCESS_READ, GUEST_FAULT_DONE);
	assert_int_equal(leaf_at(0).size, PAGE_SIZE);
	while (count)
		frame_free(hoard[--count], FRAME_ORDER_LARGE);
}

static void says_when_memory_is_out(void **state)
{
	enum guest_fault got;
	uint64_t gpa = 0;
	char byte = 1;

	(void)state;
	add(GUEST_RAM, 0, GIB);
	do {
		got = guest_mem_fault(&gm, (gpa_t){ gpa }, ACCESS_WRITE);
		gpa += PAGE_SIZE;
	} while (got == GUEST_FAULT_DONE);
	assert_int_equal(got, GUEST_FAULT_NO_MEMORY);
	assert_true(gm.own_size > 200 * MIB);
	assert_int_equal(guest_write(&gm, (gpa_t){ gpa }, &byte, 1), -ENOMEM);
	assert_int_equal(byte_at(gpa), 0);
	assert_int_equal(guest_zero(&gm, (gpa_t){ gpa }, 1), 0);
}

static void zeroes_what_others_left(void **state)
{
	hpa_t frame = frame_alloc(FRAME_ORDER_LARGE, 0);

	(void)state;
	memset(phys_to_virt(frame), 0xee, LARGE_PAGE_SIZE);
	frame_free(frame, FRAME_ORDER_LARGE);
	add(GUEST_RAM, 0, 64 * MIB);
	for (uint64_t gpa = 0; gpa < 64 * MIB; gpa += LARGE_PAGE_SIZE)
		assert_fault(gpa, ACCESS_READ, GUEST_FAULT_DONE);
	for (uint64_t gpa = 0; gpa < 64 * MIB; gpa += PAGE_SIZE)
		assert_int_equal(byte_at(gpa), 0);
}

static void reaches_the_end_of_48_bits(void **state)
{
	(void)state;
	add(GUEST_RAM, 0, 4 * MIB);
	add(GUEST_RAM, BIT(48) - 4 * MIB, 4 * MIB);
	assert_int_equal(guest_write(&gm, (gpa_t){ BIT(48) - 1 }, "z", 1), 0);
	assert_int_equal(leaf_at(BIT(48) - 1).virt, BIT(48) - 2 * MIB);
	assert_int_equal(byte_at(BIT(48) - 1), 'z');
}

static void takes_frames_of_its_node(void **state)
{
	(void)state;
	guest_mem_fini(&gm);
	frame_machine_reset(NULL);
	frame_machine_add(0, 64 * MIB, 0);
	frame_machine_add(GIB, 64 * MIB, 1);
	frame_machine_start(2, true);
	assert_int_equal(guest_mem_init(&gm, &pt_format_npt, 2, 1), 0);
	add(GUEST_RAM, 0, 6 * MIB);
	assert_fault(0, ACCESS_READ, GUEST_FAULT_DONE);
	assert_true(leaf_at(0).hpa.value >= GIB);
	assert_true(gm.table.root.value >= GIB);
	guest_mem_fini(&gm);
	setup(NULL);
}

static void reports_lack_of_tables(void **state)
{
	struct guest_mem other;
	struct pt_leaf leaf;

	(void)state;
	add(GUEST_RAM, 0, 4 * MIB);
	frame_hoard_all_but(0);
	assert_int_equal(guest_mem_init(&other, &pt_format_npt, 2, 0), -ENOMEM);
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 0 }, HPA(0), MIB),
			 -ENOMEM);
	/* a frame, but none for a table; and half of an image */
	frame_hoard_release_one();
	assert_fault(0, ACCESS_READ, GUEST_FAULT_NO_MEMORY);
	/* level 3, level 2, and one of two of level 1 */
	frame_hoard_release_one();
	frame_hoard_release_one();
	assert_int_equal(guest_mem_share(&gm, (gpa_t){ 2 * MIB - PAGE_SIZE },
					 HPA(0), 2 * PAGE_SIZE),
			 -ENOMEM);
	assert_int_equal(gm.foreign_size, 0);
	assert_int_equal(guest_mem_table_size(&gm), 4 * PAGE_SIZE);
	assert_false(pgtable_next_used(&gm.table, 0, &leaf));
	assert_int_equal(byte_at(2 * MIB - PAGE_SIZE), 0);
	frame_hoard_release();
	assert_fault(2 * MIB - PAGE_SIZE, ACCESS_WRITE, GUEST_FAULT_DONE);
}

static void has_the_bits_of_both_formats(void **state)
{
	static const struct {
		const struct pt_format *format;
		uint64_t ram, rom;
	} rows[] = {
		{ &pt_format_npt, 0x67, 0x65 },
		{ &pt_format_ept, 0x337, 0x335 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		guest_mem_fini(&gm);
		assert_int_equal(guest_mem_init(&gm, rows[i].format, 1, 0), 0);
		add(GUEST_RAM, 0, MIB);
		add(GUEST_ROM, MIB, MIB);
		assert_fault(0, ACCESS_READ, GUEST_FAULT_DONE);
		assert_fault(MIB, ACCESS_READ, GUEST_FAULT_DONE);
		assert_int_equal(leaf_at(0).entry ^ leaf_at(0).hpa.value,
				 rows[i].ram);
		assert_int_equal(leaf_at(MIB).entry ^ leaf_at(MIB).hpa.value,
				 rows[i].rom);
		/* whatever the owner notes, the CPU ignores: it is in no mask */
		assert_int_equal((PT_SOFT_FOREIGN | PT_SOFT_HIDDEN |
				  PT_SOFT_SPLIT) &
					 (rows[i].format->present_mask |
					  rows[i].format->address_mask |
					  rows[i].format->large_bit),
				 0);
	}
}

static void agrees_with_a_naive_model(void **state)
{
	(void)state;
	guest_mem_fini(&gm);
	for (uint8_t round = 0; round < 8; round++) {
		srand(round);
		guest_model_start(round);
		for (int i = 0; i < 400; i++)
			guest_model_step((uint8_t)rand(),
					 (uint64_t)rand() << 42 ^
						 (uint64_t)rand() << 21 ^
						 (uint64_t)rand());
		guest_model_finish();
	}
	setup(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_bad_slots),
		TEST(knows_where_memory_is),
		TEST(fills_2_mib_where_it_can),
		TEST(fills_4_kib_where_asked),
		TEST(fills_1_gib_where_asked),
		TEST(executes_small_leaves_only),
		TEST(falls_back_to_what_is_free),
		TEST(says_when_memory_is_out),
		TEST(zeroes_what_others_left),
		TEST(reaches_the_end_of_48_bits),
		TEST(takes_frames_of_its_node),
		TEST(reports_lack_of_tables),
		TEST(has_the_bits_of_both_formats),
		TEST(agrees_with_a_naive_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
