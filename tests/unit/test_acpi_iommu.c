/* DMAR, IVRS: IOMMUs are read when right, all or none of a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "acpi_image.h"

static void dmar_begin(void)
{
	machine_begin(1);
	image_begin("DMAR", 1);
	put8(38);
	put_zeros(11);
}

static void dmar_drhd(uint64_t base, unsigned int segment, unsigned int flags,
		      size_t scope_size)
{
	put16(0);
	put16((unsigned int)(16 + scope_size));
	put8(flags);
	put8(0);
	put16(segment);
	put64(base);
	put_zeros(scope_size);
}

static void reads_dmar(void **state)
{
	(void)state;
	dmar_begin();
	dmar_drhd(0xfed90000, 0, 0, 8);
	put16(1); /* RMRR: not read */
	put16(4);
	dmar_drhd(0xfed91000, 2, 1, 0);
	put16(0x100); /* the type has two bytes: no DRHD */
	put16(4);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.iommu_count, 2);
	assert_int_equal(platform.iommus[0].base.value, 0xfed90000);
	assert_int_equal(platform.iommus[0].kind, IOMMU_INTEL);
	assert_false(platform.iommus[0].is_catch_all);
	assert_int_equal(platform.iommus[1].base.value, 0xfed91000);
	assert_int_equal(platform.iommus[1].segment, 2);
	assert_true(platform.iommus[1].is_catch_all);
}

static void ignores_a_bad_dmar(void **state)
{
	static const struct {
		uint64_t base;
		unsigned int tail_length;
		const char *why;
	} rows[] = {
		{ 0, 4, "entry at 64: IOMMU registers at 0" },
		{ 0xfed91800, 4, "entry at 64: IOMMU registers at 0xfed91800" },
		{ 0xfed90000, 4,
		  "entry at 64: second IOMMU with registers at 0xfed90000" },
		{ 0xfed91000, 3, "entry at 80: length 3, expected at least 4" },
		{ 0xfed91000, 0x104, "length 260 passes the table's end" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		dmar_begin();
		dmar_drhd(0xfed90000, 0, 0, 0);
		dmar_drhd(rows[i].base, 0, 0, 0);
		put16(1);
		put16(rows[i].tail_length);
		machine_seal();
		assert_warned(rows[i].why);
		assert_int_equal(platform.iommu_count, 0);
	}
	dmar_begin();
	put16(0);
	put16(15);
	put_zeros(11);
	machine_seal();
	assert_warned("entry at 48: length 15, expected at least 16");
	machine_begin(1);
	image_begin("DMAR", 1);
	machine_seal();
	assert_warned("length 36, expected at least 48");
}

static void ignores_more_iommus_than_it_can_hold(void **state)
{
	(void)state;
	dmar_begin();
	for (unsigned int i = 0; i < PLATFORM_IOMMUS_MAX; i++)
		dmar_drhd(0xfed00000 + i * 0x1000, 0, 0, 0);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.iommu_count, PLATFORM_IOMMUS_MAX);
	dmar_begin();
	for (unsigned int i = 0; i < PLATFORM_IOMMUS_MAX + 1; i++)
		dmar_drhd(0xfed00000 + i * 0x1000, 0, 0, 0);
	machine_seal();
	assert_warned("entry at 560: more than 32 IOMMUs");
	assert_int_equal(platform.iommu_count, 0);
}

static void ivrs_begin(void)
{
	machine_begin(1);
	image_begin("IVRS", 2);
	put32(0);
	put64(0);
}

static void ivrs_ivhd(unsigned int type, unsigned int length, uint64_t base,
		      unsigned int segment)
{
	put8(type);
	put8(0xff); /* flags: no part of the type */
	put16(length);
	put16(2);
	put16(0x40);
	put64(base);
	put16(segment);
	put_zeros(length - 18);
}

static void reads_ivrs(void **state)
{
	(void)state;
	ivrs_begin();
	ivrs_ivhd(0x10, 28, 0xfeb80000, 0);
	ivrs_ivhd(0x10, 24, 0xfec80000, 1);
	ivrs_ivhd(0x20, 32, 0x1000, 0); /* IVMD: not read */
	ivrs_ivhd(0x11, 40, 0xfeb80000, 0);
	ivrs_ivhd(0x40, 56, 0xfeb80000, 0);
	ivrs_ivhd(0x40, 40, 0xfed80000, 2);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.iommu_count, 3);
	assert_int_equal(platform.iommus[0].base.value, 0xfeb80000);
	assert_int_equal(platform.iommus[0].kind, IOMMU_AMD);
	assert_int_equal(platform.iommus[1].segment, 1);
	assert_int_equal(platform.iommus[2].base.value, 0xfed80000);
	assert_false(platform.iommus[2].is_catch_all);
}

static void ignores_a_bad_ivrs(void **state)
{
	static const struct {
		unsigned int type, length;
		uint64_t base;
		const char *why;
	} rows[] = {
		{ 0x10, 23, 0xfec80000, "entry at 72: length 23, expected" },
		{ 0x11, 39, 0xfec80000, "length 39, expected at least 40" },
		{ 0x40, 39, 0xfec80000, "length 39, expected at least 40" },
		{ 0x11, 40, 0, "entry at 72: IOMMU registers at 0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ivrs_begin();
		ivrs_ivhd(0x10, 24, 0xfeb80000, 0);
		ivrs_ivhd(rows[i].type, rows[i].length, rows[i].base, 0);
		machine_seal();
		assert_warned(rows[i].why);
		assert_int_equal(platform.iommu_count, 0);
	}
}

/* No machine has both, but one that says so must not mix them up. */
static void adds_ivrs_to_dmar(void **state)
{
	(void)state;
	dmar_begin();
	dmar_drhd(0xfed90000, 0, 0, 0);
	image_end();
	image_begin("IVRS", 2);
	put32(0);
	put64(0);
	ivrs_ivhd(0x10, 24, 0xfeb80000, 0);
	ivrs_ivhd(0x10, 24, 0, 0);
	machine_seal();
	assert_warned("ACPI IVRS at ");
	assert_int_equal(platform.iommu_count, 1);
	assert_int_equal(platform.iommus[0].kind, IOMMU_INTEL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_dmar),
		cmocka_unit_test(ignores_a_bad_dmar),
		cmocka_unit_test(ignores_more_iommus_than_it_can_hold),
		cmocka_unit_test(reads_ivrs),
		cmocka_unit_test(ignores_a_bad_ivrs),
		cmocka_unit_test(adds_ivrs_to_dmar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
