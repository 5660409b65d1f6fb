/*
 * One guest memory on a machine of 256 MiB, for tests of mm/guest_*.c. Include it
 * once in a program, after cmocka.h.
 */
#ifndef FAKE_GUEST_FIXTURE_H
#define FAKE_GUEST_FIXTURE_H

#include <string.h>

#include "frame_machine.h"
#include "kernel/lib/errno.h"
#include "kernel/vmexit.h"
#include "mm/guest_mem.h"
#include "mm/phys.h"
#include "ram.h"
#include "svm/npt.h"

#define NPTE_WRITE BIT(1)
#define NPTE_NX	   BIT(63)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct guest_mem gm;
static uint64_t allocated_before;

static inline void start(uint8_t leaf_level_max)
{
	frame_machine_reset(NULL);
	frame_machine_start_simple(256 * MIB);
	allocated_before = frame_machine_allocated(0);
	assert_int_equal(guest_mem_init(&gm, &pt_format_npt, leaf_level_max, 0),
			 0);
}

static inline int setup(void **state)
{
	(void)state;
	start(2);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	guest_mem_fini(&gm);
	assert_int_equal(frame_machine_allocated(0), allocated_before);
	fake_ram_fini();
	return 0;
}

static inline void add(enum guest_slot_kind kind, uint64_t base, uint64_t size)
{
	assert_int_equal(guest_mem_add(&gm, kind, (gpa_t){ base }, size), 0);
}

static inline struct pt_leaf leaf_at(uint64_t gpa)
{
	struct pt_leaf leaf;

	assert_true(pgtable_find(&gm.table, gpa, &leaf));
	return leaf;
}

static inline void assert_fault(uint64_t gpa, uint32_t access,
				enum guest_fault expected)
{
	assert_int_equal(guest_mem_fault(&gm, (gpa_t){ gpa }, access),
			 expected);
}

/* Machine memory of an image, each page filled with its number + 1. */
static inline hpa_t make_image(void)
{
	hpa_t base = frame_alloc(FRAME_ORDER_LARGE, 0);

	for (uint64_t i = 0; i < PT_ENTRIES; i++)
		memset(phys_to_virt(hpa_add(base, i * PAGE_SIZE)), (int)i + 1,
		       PAGE_SIZE);
	return base;
}

static inline int byte_at(uint64_t gpa)
{
	uint8_t byte;

	assert_int_equal(guest_read(&gm, (gpa_t){ gpa }, &byte, 1), 0);
	return byte;
}

/* Free the guest, then the image it was shown, and leave an empty guest. */
static inline void free_image(hpa_t image)
{
	guest_mem_fini(&gm);
	frame_free(image, FRAME_ORDER_LARGE);
	assert_int_equal(frame_machine_allocated(0), allocated_before);
	fake_ram_fini();
	setup(NULL);
}

#endif
