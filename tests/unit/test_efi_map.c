/*
 * The EFI memory map: types, order, merging, and entries that no firmware
 * should make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/efi/efi_map.h"
#include "kernel/lib/errno.h"

#define STRIDE 48 /* what EDK II uses: an entry and eight bytes more */

static struct boot_info info;

/* Read @count entries, STRIDE apart, from memory that ends with the last. */
static int read_entries(const struct efi_map_entry *entries, size_t count)
{
	uint8_t *map = malloc(count * STRIDE);
	struct diag diag;
	int error;

	memset(map, 0xee, count * STRIDE);
	for (size_t i = 0; i < count; i++)
		memcpy(map + i * STRIDE, &entries[i], sizeof(entries[i]));
	error = efi_map_read(map, count * STRIDE, STRIDE, &info, &diag);
	free(map);
	return error;
}

static void assert_region(uint32_t i, uint64_t base, uint64_t size,
			  enum memory_type type)
{
	assert_int_equal(info.regions[i].base, base);
	assert_int_equal(info.regions[i].size, size);
	assert_int_equal(info.regions[i].type, type);
}

static void knows_every_type(void **state)
{
	static const enum memory_type expected[] = {
		MEMORY_RESERVED,     MEMORY_RAM,      MEMORY_RAM,
		MEMORY_RAM,	     MEMORY_RAM,      MEMORY_RESERVED,
		MEMORY_RESERVED,     MEMORY_RAM,      MEMORY_BAD,
		MEMORY_ACPI_RECLAIM, MEMORY_ACPI_NVS, MEMORY_RESERVED,
		MEMORY_RESERVED,     MEMORY_RESERVED, MEMORY_RESERVED,
		MEMORY_RESERVED,
	};

	(void)state;
	for (uint32_t type = 0; type < ARRAY_SIZE(expected); type++) {
		struct efi_map_entry entry = { .type = type,
					       .base = 0x5000,
					       .pages = 3 };

		assert_int_equal(read_entries(&entry, 1), 0);
		assert_int_equal(info.region_count, 1);
		assert_region(0, 0x5000, 0x3000, expected[type]);
	}
	assert_int_equal(
		read_entries(&(struct efi_map_entry){ .type = 0x80000000,
						      .pages = 1 },
			     1),
		0);
	assert_region(0, 0, 0x1000, MEMORY_RESERVED);
}

static void merges_neighbours_of_one_type(void **state)
{
	static const struct efi_map_entry entries[] = {
		{ .type = 7, .base = 0x1000, .pages = 1 },
		{ .type = 4, .base = 0x2000, .pages = 2 },
		{ .type = 0, .base = 0x4000, .pages = 1 },
		{ .type = 6, .base = 0x5000, .pages = 1 },
		{ .type = 1, .base = 0x6000, .pages = 1 },
		{ .type = 2, .base = 0x8000, .pages = 1 }, /* after a hole */
	};

	(void)state;
	assert_int_equal(read_entries(entries, ARRAY_SIZE(entries)), 0);
	assert_int_equal(info.region_count, 4);
	assert_region(0, 0x1000, 0x3000, MEMORY_RAM);
	assert_region(1, 0x4000, 0x2000, MEMORY_RESERVED);
	assert_region(2, 0x6000, 0x1000, MEMORY_RAM);
	assert_region(3, 0x8000, 0x1000, MEMORY_RAM);
}

static void sorts_and_fills_gaps(void **state)
{
	static const struct efi_map_entry entries[] = {
		{ .type = 7, .base = 0x9000, .pages = 1 },
		{ .type = 7, .base = 0x1000, .pages = 1 },
		{ .type = 7, .base = 0x3000, .pages = 1 },
		{ .type = 7, .base = 0x2000, .pages = 1 },
		{ .type = 7, .base = 0x8000, .pages = 1 },
	};

	(void)state;
	assert_int_equal(read_entries(entries, ARRAY_SIZE(entries)), 0);
	assert_int_equal(info.region_count, 2);
	assert_region(0, 0x1000, 0x3000, MEMORY_RAM);
	assert_region(1, 0x8000, 0x2000, MEMORY_RAM);
}

static void leaves_out_empty_and_wrapping(void **state)
{
	static const struct efi_map_entry entries[] = {
		{ .type = 7, .base = 0x1000, .pages = 0 },
		{ .type = 7, .base = 0x2000, .pages = ~0UL },
		{ .type = 7, .base = 0x3000, .pages = BIT(52) - 3 },
		{ .type = 7, .base = ~0UL << 12, .pages = 1 },
		{ .type = 7, .base = 0x4000, .pages = 1 },
	};

	(void)state;
	assert_int_equal(read_entries(entries, ARRAY_SIZE(entries)), 0);
	assert_int_equal(info.region_count, 1);
	assert_region(0, 0x4000, 0x1000, MEMORY_RAM);
}

static void takes_as_many_as_fit(void **state)
{
	static struct efi_map_entry entries[BOOT_REGIONS_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = (struct efi_map_entry){ .type = 7,
						     .base = i * 0x2000,
						     .pages = 1 };
	assert_int_equal(read_entries(entries, BOOT_REGIONS_MAX), 0);
	assert_int_equal(info.region_count, BOOT_REGIONS_MAX);
	assert_int_equal(read_entries(entries, BOOT_REGIONS_MAX + 1), -E2BIG);
	/* one more that continues the last needs no room */
	entries[BOOT_REGIONS_MAX].base -= 0x1000;
	assert_int_equal(read_entries(entries, BOOT_REGIONS_MAX + 1), 0);
	assert_int_equal(info.region_count, BOOT_REGIONS_MAX);
}

static void refuses_short_entries(void **state)
{
	uint8_t map[80] = { 0 };
	struct diag diag;

	(void)state;
	assert_int_equal(efi_map_read(map, 80, 39, &info, &diag), -EINVAL);
	assert_int_equal(efi_map_read(map, 80, 0, &info, &diag), -EINVAL);
}

static void reads_no_cut_entry(void **state)
{
	struct efi_map_entry entry = { .type = 7, .pages = 1 };
	uint8_t *map = calloc(1, STRIDE - 1);
	struct diag diag;

	(void)state;
	memcpy(map, &entry, sizeof(entry));
	assert_int_equal(efi_map_read(map, STRIDE - 1, STRIDE, &info, &diag),
			 0);
	assert_int_equal(info.region_count, 0);
	free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_every_type),
		cmocka_unit_test(merges_neighbours_of_one_type),
		cmocka_unit_test(sorts_and_fills_gaps),
		cmocka_unit_test(leaves_out_empty_and_wrapping),
		cmocka_unit_test(takes_as_many_as_fit),
		cmocka_unit_test(refuses_short_entries),
		cmocka_unit_test(reads_no_cut_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
