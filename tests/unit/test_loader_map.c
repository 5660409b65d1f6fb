/* The memory map of guests of all sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/loader.h"

static struct vm vm;
static struct loader_map_entry map[LOADER_MAP_MAX];
static uint32_t count;

static void make(uint64_t ram_size)
{
	vm.ram_size = ram_size;
	count = loader_memory_map(&vm, map);
	assert_in_range(count, 1, LOADER_MAP_MAX);
}

static uint32_t type_at(uint64_t address)
{
	for (uint32_t i = 0; i < count; i++) {
		if (address >= map[i].base &&
		    address - map[i].base < map[i].size)
			return map[i].type;
	}
	return 0;
}

static uint64_t ram_total(void)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (map[i].type == MAP_RAM)
			total += map[i].size;
	}
	return total;
}

static const uint64_t sizes[] = { 16 * MIB,
				  64 * MIB,
				  3 * GIB - PAGE_SIZE,
				  3 * GIB,
				  3 * GIB + PAGE_SIZE,
				  4 * GIB,
				  256 * GIB,
				  2 * TIB };

static void is_in_order_and_disjoint(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t end = 0;

		make(sizes[i]);
		for (uint32_t k = 0; k < count; k++) {
			assert_true(map[k].size > 0);
			assert_true(map[k].base >= end);
			end = map[k].base + map[k].size;
		}
	}
}

/* All but the hole below 1 MiB, and the EBDA before it, is the guest's. */
static void gives_all_ram(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		make(sizes[i]);
		assert_int_equal(ram_total(), sizes[i] - MIB + VM_EBDA_BASE);
	}
}

static void reserves_tables_and_ecam(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		make(sizes[i]);
		assert_int_equal(type_at(0), MAP_RAM);
		assert_int_equal(type_at(0x9fbff), MAP_RAM);
		assert_int_equal(type_at(0x9fc00), MAP_RESERVED);
		assert_int_equal(type_at(0xa0000), 0);
		assert_int_equal(type_at(VM_TABLES_BASE), MAP_RESERVED);
		assert_int_equal(type_at(0xfffff), MAP_RESERVED);
		assert_int_equal(type_at(MIB), MAP_RAM);
		assert_int_equal(type_at(VM_PCI_BASE), 0);
		assert_int_equal(type_at(VM_ECAM_BASE), MAP_RESERVED);
		assert_int_equal(type_at(VM_ECAM_BASE + VM_ECAM_SIZE - 1),
				 MAP_RESERVED);
		assert_int_equal(type_at(VM_LAPIC_BASE), 0);
	}
}

static void splits_ram_at_the_hole(void **state)
{
	(void)state;
	make(3 * GIB);
	assert_int_equal(type_at(3 * GIB - 1), MAP_RAM);
	assert_int_equal(type_at(4 * GIB), 0);
	make(3 * GIB + PAGE_SIZE);
	assert_int_equal(type_at(3 * GIB), 0);
	assert_int_equal(type_at(4 * GIB), MAP_RAM);
	assert_int_equal(type_at(4 * GIB + PAGE_SIZE), 0);
	make(16 * MIB);
	assert_int_equal(type_at(16 * MIB - 1), MAP_RAM);
	assert_int_equal(type_at(16 * MIB), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_in_order_and_disjoint),
		cmocka_unit_test(gives_all_ram),
		cmocka_unit_test(reserves_tables_and_ecam),
		cmocka_unit_test(splits_ram_at_the_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
