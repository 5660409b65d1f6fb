/* Walks of the guest's page tables: every format, every right, every fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "emulate_machine.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_cpuid.h"
#include "kernel/guest_walk.h"
#include "mm/frame.h"
#include "mm/phys.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

/* Entry bits. */
#define P  BIT(0)
#define W  BIT(1)
#define U  BIT(2)
#define A  BIT(5)
#define D  BIT(6)
#define PS BIT(7)
#define NX BIT(63)

/* Access and error code. */
#define WRITE ((uint32_t)ACCESS_WRITE)
#define FETCH ((uint32_t)ACCESS_EXECUTE)
#define USER  ((uint32_t)WALK_USER)
#define IMPLI ((uint32_t)WALK_IMPLICIT)
#define E_P   1U
#define E_W   2U
#define E_U   4U
#define E_R   8U
#define E_I   16U
#define FINE  0xffffffffU

/* One table a level, from TABLE(1). */
#define TABLE(level) (0x100000UL + (level)*PAGE_SIZE)
#define PAGE	     0x345000UL
#define ADDRESS	     0x123456789abUL /* uses index > 0 at each level */

static struct cpu_mode mode;

static uint64_t place(uint64_t address, unsigned int level)
{
	return TABLE(level) + (address >> (3 + 9 * level) & 511) * 8;
}

static uint64_t read_entry(uint64_t at)
{
	uint64_t entry;

	machine_read(at, &entry, 8);
	return entry;
}

static void write_entry(uint64_t at, uint64_t entry)
{
	machine_write(at, &entry, 8);
}

static void long_mode(void)
{
	mode = (struct cpu_mode){ .cr0 = CR0_PE | CR0_PG | CR0_WP,
				  .cr4 = CR4_PAE,
				  .efer = EFER_LMA | EFER_NXE,
				  .code_size = 8 };
	MACHINE_REGS->rflags = 2;
}

/* A chain of @levels tables to PAGE; upper entries allow all. */
static void map(unsigned int levels, uint64_t leaf_bits)
{
	long_mode();
	if (levels == 5)
		mode.cr4 |= CR4_LA57;
	mode.cr3 = TABLE(levels);
	for (unsigned int level = levels; level > 1; level--)
		write_entry(place(ADDRESS, level),
			    TABLE(level - 1) | P | W | U);
	write_entry(place(ADDRESS, 1), PAGE | leaf_bits);
}

/* The error code, or FINE with *gpa. */
static uint32_t walk_to(uint64_t address, uint32_t access, uint64_t *gpa)
{
	uint32_t error_code = 0;
	gpa_t found = { ~0UL };

	if (!guest_walk(MACHINE_VCPU, &mode, (gva_t){ address }, access, &found,
			&error_code))
		return error_code;
	*gpa = found.value;
	return FINE;
}

static uint32_t walk(uint32_t access)
{
	uint64_t gpa;

	return walk_to(ADDRESS, access, &gpa);
}

static void goes_to(uint64_t address, uint64_t expected)
{
	uint64_t gpa = 0;

	assert_int_equal(walk_to(address, 0, &gpa), FINE);
	assert_int_equal(gpa, expected);
}

static void without_paging_it_is_the_address(void **state)
{
	(void)state;
	mode = (struct cpu_mode){ .cr0 = CR0_PE };
	goes_to(0xfee00020, 0xfee00020);
	goes_to(0x100000010, 0x10);
}

static void four_and_five_levels(void **state)
{
	(void)state;
	map(4, P);
	goes_to(ADDRESS, PAGE | 0x9ab);
	map(5, P);
	goes_to(ADDRESS, PAGE | 0x9ab);
	mode.cr4 &= ~CR4_LA57; /* the root is now taken for a level 4 table */
	assert_int_not_equal(walk(0), FINE);
}

static void large_pages(void **state)
{
	(void)state;
	map(4, P);
	write_entry(place(ADDRESS, 2), 0x40000000UL | P | PS);
	goes_to(ADDRESS, 0x40000000UL | (ADDRESS & 0x1fffff));
	write_entry(place(ADDRESS, 3), 0x80000000UL | P | PS | BIT(12));
	goes_to(ADDRESS, 0x80000000UL | (ADDRESS & 0x3fffffff));
}

struct right {
	uint64_t leaf, upper; /* bits */
	uint64_t cr0_off, cr4_on, efer_off;
	bool has_ac;
	uint32_t access;
	uint32_t expected;
};

static const struct right rights[] = {
	{ P, P | W | U, 0, 0, 0, false, 0, FINE },
	{ P, P | W | U, 0, 0, 0, false, USER, E_P | E_U },
	{ P | U, P | W, 0, 0, 0, false, USER, E_P | E_U },
	{ P | U, P | W | U, 0, 0, 0, false, USER, FINE },
	{ P | U, P | W | U, 0, 0, 0, false, USER | WRITE, E_P | E_U | E_W },
	{ P | U | W, P | U, 0, 0, 0, false, USER | WRITE, E_P | E_U | E_W },
	{ P | U | W, P | U | W, 0, 0, 0, false, USER | WRITE, FINE },
	/* a user may not write without WP either */
	{ P | U, P | W | U, CR0_WP, 0, 0, false, USER | WRITE,
	  E_P | E_U | E_W },
	{ P, P | W | U, 0, 0, 0, false, WRITE, E_P | E_W },
	{ P, P | W | U, CR0_WP, 0, 0, false, WRITE, FINE },
	{ P | W, P | W | U, 0, 0, 0, false, WRITE, FINE },
	{ P | NX, P | W | U, 0, 0, 0, false, FETCH, E_P | E_I },
	{ P, P | W | U | NX, 0, 0, 0, false, FETCH, E_P | E_I },
	{ P | NX | U, P | W | U, 0, 0, 0, false, FETCH | USER,
	  E_P | E_I | E_U },
	{ P | NX, P | W | U, 0, 0, 0, false, 0, FINE },
	/* without NXE bit 63 is reserved, and fetches are not told apart */
	{ P | NX, P | W | U, 0, 0, EFER_NXE, false, 0, E_P | E_R },
	{ 0, P | W | U, 0, 0, EFER_NXE, false, FETCH, 0 },
	{ 0, P | W | U, 0, CR4_SMEP, EFER_NXE, false, FETCH, E_I },
	{ 0, P | W | U, 0, 0, 0, false, FETCH | USER, E_I | E_U },
	{ 0, P | W | U, 0, 0, 0, false, WRITE, E_W },
	{ P | U, P | W | U, 0, 0, 0, false, FETCH, FINE },
	{ P | U, P | W | U, 0, CR4_SMEP, 0, false, FETCH, E_P | E_I },
	{ P, P | W | U, 0, CR4_SMEP, 0, false, FETCH, FINE },
	{ P | U, P | W | U, 0, CR4_SMEP, 0, false, FETCH | USER, FINE },
	{ P | U, P | W | U, 0, CR4_SMAP, 0, false, 0, E_P },
	{ P | U | W, P | W | U, 0, CR4_SMAP, 0, false, WRITE, E_P | E_W },
	{ P | U, P | W | U, 0, CR4_SMAP, 0, true, 0, FINE },
	{ P | U, P | W | U, 0, CR4_SMAP, 0, true, IMPLI, E_P },
	{ P | U, P | W | U, 0, CR4_SMAP, 0, false, USER, FINE },
	{ P | U, P | W | U, 0, CR4_SMAP, 0, false, FETCH, FINE },
	{ P, P | W | U, 0, CR4_SMAP, 0, false, 0, FINE },
};

static void rights_of_all_levels(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rights); i++) {
		const struct right *right = &rights[i];
		uint32_t found;

		map(4, right->leaf);
		write_entry(place(ADDRESS, 3), TABLE(2) | right->upper);
		mode.cr0 &= ~right->cr0_off;
		mode.cr4 |= right->cr4_on;
		mode.efer &= ~right->efer_off;
		if (right->has_ac)
			MACHINE_REGS->rflags |= RFLAGS_AC;
		found = walk(right->access);
		if (found != right->expected)
			fail_msg("row %u: %#x", i, found);
	}
}

static void reserved_bits(void **state)
{
	uint64_t too_high = BIT(cpuid_address_bits(fake_vm.cpuid));

	(void)state;
	for (unsigned int level = 1; level <= 4; level++) {
		uint64_t at = place(ADDRESS, level);

		map(4, P | U | W);
		assert_int_equal(walk(0), FINE);
		write_entry(at, read_entry(at) | too_high);
		assert_int_equal(walk(USER | WRITE), E_P | E_R | E_U | E_W);
	}
	map(4, P);
	write_entry(place(ADDRESS, 4), TABLE(3) | P | W | U | PS);
	assert_int_equal(walk(0), E_P | E_R);
	map(4, P);
	write_entry(place(ADDRESS, 2), 0x40000000UL | P | PS | BIT(13));
	assert_int_equal(walk(0), E_P | E_R);
	write_entry(place(ADDRESS, 2), 0x40000000UL | P | PS | BIT(20));
	assert_int_equal(walk(0), E_P | E_R);
	write_entry(place(ADDRESS, 3), 0x40000000UL | P | PS | BIT(29));
	assert_int_equal(walk(0), E_P | E_R);
}

static void absent_at_each_level(void **state)
{
	(void)state;
	for (unsigned int level = 1; level <= 4; level++) {
		map(4, P | U | W);
		/* other bits do not count */
		write_entry(place(ADDRESS, level), ~P);
		assert_int_equal(walk(USER | WRITE), E_U | E_W);
	}
}

static void accessed_and_dirty(void **state)
{
	(void)state;
	map(4, P | U | W);
	assert_int_equal(walk(0), FINE);
	for (unsigned int level = 2; level <= 4; level++)
		assert_int_equal(read_entry(place(ADDRESS, level)) & (A | D),
				 A);
	assert_int_equal(read_entry(place(ADDRESS, 1)), PAGE | P | U | W | A);
	assert_int_equal(walk(WRITE), FINE);
	assert_int_equal(read_entry(place(ADDRESS, 1)),
			 PAGE | P | U | W | A | D);
	/* cleared by the guest: set again */
	write_entry(place(ADDRESS, 1), PAGE | P | U | W | A);
	assert_int_equal(walk(WRITE), FINE);
	assert_true(read_entry(place(ADDRESS, 1)) & D);
	write_entry(place(ADDRESS, 3), TABLE(2) | P | U | W);
	assert_int_equal(walk(WRITE), FINE);
	assert_true(read_entry(place(ADDRESS, 3)) & A);
}

static void refused_accesses_set_nothing(void **state)
{
	(void)state;
	map(4, P);
	assert_int_equal(walk(WRITE), E_P | E_W);
	for (unsigned int level = 1; level <= 4; level++)
		assert_int_equal(read_entry(place(ADDRESS, level)) & (A | D),
				 0);
}

/* A remembered walk is not used when anything of it has changed. */
static void sees_changes(void **state)
{
	(void)state;
	for (unsigned int level = 1; level <= 4; level++) {
		map(4, P | U | W | A | D);
		assert_int_equal(walk(WRITE), FINE);
		assert_int_equal(walk(WRITE), FINE);
		write_entry(place(ADDRESS, level), 0);
		assert_int_equal(walk(WRITE), E_W);
	}
	map(4, P | U | A);
	goes_to(ADDRESS, PAGE | 0x9ab);
	write_entry(place(ADDRESS, 1), (PAGE + 0x1000) | P | U | A);
	goes_to(ADDRESS, (PAGE + 0x1000) | 0x9ab);
	goes_to(ADDRESS + 1, (PAGE + 0x1000) | 0x9ac);
	assert_int_equal(walk(WRITE), E_P | E_W);
	mode.cr0 &= ~CR0_WP;
	assert_int_equal(walk(WRITE), FINE);
	mode.cr0 |= CR0_WP;
	assert_int_equal(walk(WRITE), E_P | E_W);
	assert_int_equal(walk(FETCH), FINE);
	mode.cr4 |= CR4_SMEP;
	assert_int_equal(walk(FETCH), E_P | E_I);
	mode.cr4 |= CR4_SMAP;
	MACHINE_REGS->rflags |= RFLAGS_AC;
	assert_int_equal(walk(0), FINE);
	MACHINE_REGS->rflags &= ~RFLAGS_AC;
	assert_int_equal(walk(0), E_P);
	assert_int_equal(walk(USER), FINE);
	/* an empty table, whose walks are remembered in the same place */
	mode.cr3 = TABLE(4) + 64 * PAGE_SIZE;
	assert_int_equal(walk(USER), E_U);
}

/* A table lies in memory shared with others; written, the guest gets a copy of
 * its own: pointers to what was there are not kept. */
static void sees_that_memory_moved(void **state)
{
	const uint64_t shared = 2 * MACHINE_RAM;
	hpa_t frame = frame_alloc_zeroed(0, 0);
	uint64_t *entries = phys_to_virt(frame);
	const uint64_t offset = place(ADDRESS, 1) - TABLE(1);

	(void)state;
	assert_int_equal(guest_mem_add(&fake_vm.memory, GUEST_RAM,
				       (gpa_t){ shared }, LARGE_PAGE_SIZE),
			 0);
	assert_int_equal(guest_mem_share(&fake_vm.memory, (gpa_t){ shared },
					 frame, PAGE_SIZE),
			 0);
	map(4, 0);
	entries[offset / 8] = PAGE | P | U | W | A | D;
	write_entry(place(ADDRESS, 2), shared | P | U | W | A);
	assert_int_equal(walk(0), FINE);
	assert_int_equal(walk(0), FINE);
	write_entry(shared + offset, (PAGE + 0x1000) | P | U | W | A | D);
	assert_int_equal(entries[offset / 8], PAGE | P | U | W | A | D);
	goes_to(ADDRESS, (PAGE + 0x1000) | 0x9ab);
	frame_free(frame, 0);
}

static void tables_without_memory(void **state)
{
	(void)state;
	map(4, P);
	write_entry(place(ADDRESS, 3), 0x3ff000000UL | P | W | U);
	assert_int_equal(walk(0), E_P | E_R);
	mode.cr3 = 0x3ff000000UL;
	assert_int_equal(walk(0), E_P | E_R);
}

static void write_u32(uint64_t at, uint32_t entry)
{
	machine_write(at, &entry, 4);
}

#define LOW 0xc0481234UL /* directory 0x301, page 0x81 */

static void two_levels_of_4_bytes(void **state)
{
	uint32_t entry;

	(void)state;
	long_mode();
	mode.cr4 = mode.efer = 0;
	mode.cr3 = TABLE(2) | 0x18; /* cache bits, ignored */
	write_u32(TABLE(2) + 0x301 * 4, (uint32_t)(TABLE(1) | P | W | U));
	write_u32(TABLE(1) + 0x81 * 4, (uint32_t)(PAGE | P | W));
	goes_to(LOW, PAGE | 0x234);
	machine_read(TABLE(1) + 0x81 * 4, &entry, 4);
	assert_int_equal(entry, PAGE | P | W | A);
	/* bit 7 of a directory entry means nothing without PSE */
	write_u32(TABLE(2) + 0x301 * 4, (uint32_t)(TABLE(1) | P | W | U | PS));
	goes_to(LOW, PAGE | 0x234);
	mode.cr4 = BIT(4);
	/* bits 20:13 are bits 39:32 of the address */
	write_u32(TABLE(2) + 0x301 * 4,
		  (uint32_t)(0x80000000UL | P | PS | 3UL << 13));
	goes_to(LOW, 0x380000000UL | (LOW & 0x3fffff));
	write_u32(TABLE(2) + 0x301 * 4,
		  (uint32_t)(0x80000000UL | P | PS | BIT(21)));
	assert_int_equal(walk_to(LOW, WRITE, &(uint64_t){ 0 }),
			 E_P | E_R | E_W);
}

static void three_levels(void **state)
{
	/* not at the start of a page */
	const uint64_t root = TABLE(3) + 0x60;
	const uint64_t directory = TABLE(2) + (LOW >> 21 & 511) * 8;

	(void)state;
	long_mode();
	mode.efer = EFER_NXE;
	mode.cr3 = root | 0x18;
	write_entry(root + 3 * 8, TABLE(2) | P);
	write_entry(directory, TABLE(1) | P | W | U);
	write_entry(TABLE(1) + (LOW >> 12 & 511) * 8, PAGE | P | W | U);
	goes_to(LOW, PAGE | 0x234);
	goes_to(LOW, PAGE | 0x234); /* remembered */
	/* neither rights nor accessed bits in the top entry */
	assert_int_equal(walk_to(LOW, USER | WRITE, &(uint64_t){ 0 }), FINE);
	assert_int_equal(read_entry(root + 3 * 8), TABLE(2) | P);
	write_entry(directory, 0x40000000UL | P | PS);
	goes_to(LOW, 0x40000000UL | (LOW & 0x1fffff));
	for (unsigned int bit = 52; bit <= 62; bit++) {
		write_entry(directory, 0x40000000UL | P | PS | BIT(bit));
		assert_int_equal(walk_to(LOW, 0, &(uint64_t){ 0 }), E_P | E_R);
	}
	write_entry(root + 3 * 8, TABLE(2) | P | W);
	assert_int_equal(walk_to(LOW, 0, &(uint64_t){ 0 }), E_P | E_R);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_paging_it_is_the_address),
		TEST(four_and_five_levels),
		TEST(large_pages),
		TEST(rights_of_all_levels),
		TEST(reserved_bits),
		TEST(absent_at_each_level),
		TEST(accessed_and_dirty),
		TEST(refused_accesses_set_nothing),
		TEST(sees_changes),
		TEST(sees_that_memory_moved),
		TEST(tables_without_memory),
		TEST(two_levels_of_4_bytes),
		TEST(three_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
