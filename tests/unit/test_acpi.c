/* From the RSDP to the tables: every way in which the chain can be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "acpi_image.h"

static void hpet_put(uint64_t base)
{
	image_begin("HPET", 1);
	put32(0x8086a201);
	put32(0x4000); /* memory, 64 bits wide */
	put64(base);
	put_zeros(4);
	image_end();
}

static void refuses_bad_rsdp(void **state)
{
	(void)state;
	madt_put(1);
	image_seal();
	assert_taken();
	assert_int_equal(acpi_parse(image.rsdp, 19, &platform, &diag), -EINVAL);
	assert_string_equal(diag.text, "ACPI RSDP: 19 bytes without the "
				       "signature \"RSD PTR \"");
	image.rsdp[35]++;
	assert_refused("wrong checksum");
	image.rsdp[35]--;
	image.rsdp[9]++; /* the second checksum stays right */
	image.rsdp[35]--;
	assert_refused("wrong checksum");
	image_fix_rsdp();
	assert_taken();
	image.rsdp[7] = '-';
	image_fix_rsdp();
	assert_refused("without the signature");
	image_put_rsdp(2, 0, 0);
	assert_refused("neither an XSDT nor an RSDT");
}

static void xsdt_wins(void **state)
{
	uint64_t rsdt, xsdt;

	(void)state;
	madt_put(1);
	rsdt = image_put_root("RSDT", 4);
	image.table_count = 0;
	madt_put(2);
	xsdt = image_put_root("XSDT", 8);
	image_put_rsdp(2, rsdt, xsdt);
	assert_taken();
	assert_int_equal(platform.cpu_count, 2);
	image_put_rsdp(2, rsdt, 0);
	assert_taken();
	assert_int_equal(platform.cpu_count, 1);
	image_put_rsdp(0, rsdt, xsdt); /* revision 0 has no XSDT field */
	assert_taken();
	assert_int_equal(platform.cpu_count, 1);
	assert_int_equal(acpi_parse(image.rsdp, 20, &platform, &diag), 0);
	assert_int_equal(platform.cpu_count, 1);
	image_put_rsdp(2, rsdt, xsdt); /* the loader gave the old part only */
	assert_int_equal(acpi_parse(image.rsdp, 20, &platform, &diag), 0);
	assert_int_equal(platform.cpu_count, 1);
	assert_int_equal(acpi_parse(image.rsdp, 35, &platform, &diag), 0);
	assert_int_equal(platform.cpu_count, 1);
}

static void refuses_bad_root(void **state)
{
	uint64_t xsdt;
	uint8_t *root;

	(void)state;
	madt_put(1);
	xsdt = image_seal();
	root = image_table(xsdt);
	root[35]++;
	assert_refused("checksum: the bytes sum to 0x1, not 0");
	root[35]--;
	root[4]++;
	assert_refused("ACPI XSDT at 0x7fe00035: 45 bytes cannot be mapped");
	root[4] = 35;
	assert_refused("length 35, expected 36 to 1048576");
	root[4] = 43;
	image_fix(xsdt, 43);
	assert_refused("length 43, expected 36 and a multiple of 8");
	root[6] = 0x10;
	assert_refused("length 1048619, expected 36 to 1048576");
	root[0] = 'R';
	assert_refused("signature is not \"XSDT\"");
	image_put_rsdp(2, 0, 0x1000);
	assert_refused("ACPI XSDT at 0x1000: header cannot be mapped");
	image_put_rsdp(2, 0, ~0UL - 8);
	assert_refused("header cannot be mapped");
}

static void reads_at_most_256_tables(void **state)
{
	(void)state;
	image_begin("SSDT", 1);
	image_end();
	while (image.table_count < 255)
		image.tables[image.table_count++] = image.tables[0];
	madt_put(1);
	hpet_put(0xfed00000);
	image_seal();
	assert_warned("1 tables left out, only 256 are looked at");
	assert_int_equal(platform.cpu_count, 1);
	assert_int_equal(platform.hpet_base.value, 0);
}

static void skips_tables_that_are_not_there(void **state)
{
	(void)state;
	image.tables[image.table_count++] = 0;
	madt_put(1);
	image_seal();
	assert_taken();
	image.tables[image.table_count++] = 0x1000;
	image.tables[image.table_count++] = BIT(52) - 8;
	image_seal();
	assert_warned("2 of 4 tables cannot be mapped, ignored");
}

static void takes_the_first_of_a_kind(void **state)
{
	(void)state;
	madt_put(3);
	madt_put(1);
	image_seal();
	assert_warned("ACPI MADT at 0x7fe00045: ignored, the one at "
		      "0x7fe00001 comes first");
	assert_int_equal(platform.cpu_count, 3);
}

static void needs_a_whole_madt(void **state)
{
	uint64_t madt;

	(void)state;
	hpet_put(0xfed00000);
	image_seal();
	assert_refused("ACPI MADT: missing, expected one");
	madt = madt_put(1);
	image_seal();
	image_table(madt)[35]++;
	assert_refused("ACPI MADT at 0x7fe00065: checksum");
	image_table(madt)[7] = 0xff;
	assert_refused("expected 36 to 1048576");
}

static void needs_srat_whole_if_there(void **state)
{
	(void)state;
	madt_put(1);
	image_begin("SRAT", 3);
	image_end();
	image_seal();
	assert_refused("ACPI SRAT at 0x7fe00035: length 36, expected at least "
		       "48");
}

static void goes_on_without_broken_optional_tables(void **state)
{
	uint64_t hpet;

	(void)state;
	madt_put(1);
	hpet_put(0xfed00000);
	image_seal();
	assert_taken();
	assert_int_equal(platform.hpet_base.value, 0xfed00000);
	hpet = image.tables[1];
	image_table(hpet)[35] += 2;
	assert_warned("ACPI HPET at 0x7fe00035: checksum: the bytes sum to "
		      "0x2, not 0; the table is ignored");
	assert_int_equal(platform.hpet_base.value, 0);
	image_table(hpet)[4] = 1;
	assert_warned("length 1, expected 36 to 1048576; the table is ignored");
}

/* Mapped are: XSDT's header, XSDT, MADT's header, and then MADT. */
static void grow_madt(uint32_t number)
{
	if (number == 3)
		image_table(image.tables[0])[4] = 0xf0;
}

static void reads_a_length_once(void **state)
{
	(void)state;
	madt_put(1);
	image_seal();
	/* so that the sum still holds when the length has become 0xf0 */
	image_table(image.tables[0])[9] -= (uint8_t)(0xf0 - 52);
	image.on_map = grow_madt;
	assert_taken();
	assert_int_equal(platform.cpu_count, 1);
}

/* What emulated machines' firmware made, and what is in it. */
static const struct capture {
	const char *file;
	uint32_t cpus, ioapics, overrides, nodes, node_ranges, segments, iommus;
	uint16_t pm_timer_port;
	uint64_t hpet_base;
} captures[] = {
	{ "pc_seabios", 2, 1, 5, 1, 0, 0, 0, 0x608, 0xfed00000 },
	{ "q35_seabios", 4, 1, 5, 1, 0, 1, 0, 0x608, 0xfed00000 },
	{ "q35_ovmf", 2, 1, 5, 1, 0, 1, 0, 0x608, 0xfed00000 },
	{ "q35_numa", 4, 1, 5, 3, 4, 1, 0, 0x608, 0xfed00000 },
	{ "q35_intel_iommu", 2, 1, 5, 1, 0, 1, 1, 0x608, 0xfed00000 },
	{ "q35_amd_iommu", 2, 1, 5, 1, 0, 1, 1, 0x608, 0xfed00000 },
	{ "microvm", 2, 2, 0, 1, 0, 0, 0, 0, 0 },
};

/* The captures are fuzzing seeds, with addresses from 0. */
static void load_capture(const char *name)
{
	uint8_t bytes[4096];
	uint64_t base;
	char path[64];
	FILE *file;
	size_t size, width, at;

	snprintf(path, sizeof(path), "tests/fuzz/seeds/acpi/%s.bin", name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: run this from the root of the source", path);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	image_reset(NULL);
	for (size_t i = 0; i < size; i++)
		put8(bytes[i]);
	/* the root table is at 36: move what it lists, and itself */
	width = bytes[36] == 'X' ? 8 : 4;
	for (at = 72; at < 36U + bytes[40]; at += width) {
		base = 0;
		memcpy(&base, bytes + at, width);
		base += IMAGE_START;
		memcpy(image.bytes + at, &base, width);
	}
	image_fix(IMAGE_START + 36, bytes[40]);
	base = IMAGE_START + 36;
	image_put_rsdp(bytes[15], width == 4 ? base : 0, width == 8 ? base : 0);
}

static void reads_captured_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
		const struct capture *expected = &captures[i];

		load_capture(expected->file);
		assert_taken();
		assert_int_equal(platform.cpu_count, expected->cpus);
		assert_int_equal(platform.cpus[1].apic_id, 1);
		assert_int_equal(platform.ioapic_count, expected->ioapics);
		assert_int_equal(platform.override_count, expected->overrides);
		assert_int_equal(platform.lapic_base.value, 0xfee00000);
		assert_int_equal(platform.ioapics[0].base.value, 0xfec00000);
		assert_int_equal(platform.node_count, expected->nodes);
		assert_int_equal(platform.node_range_count,
				 expected->node_ranges);
		assert_int_equal(platform.pci_segment_count,
				 expected->segments);
		assert_int_equal(platform.iommu_count, expected->iommus);
		assert_int_equal(platform.pm_timer_port,
				 expected->pm_timer_port);
		assert_int_equal(platform.hpet_base.value, expected->hpet_base);
		assert_true(platform.facp_base.value > IMAGE_START);
	}
}

static void reads_captured_details(void **state)
{
	(void)state;
	load_capture("q35_numa");
	assert_taken();
	assert_int_equal(platform.cpus[2].node, 1);
	assert_int_equal(platform.cpus[3].node, 2);
	assert_int_equal(platform.node_ranges[1].base, MIB);
	assert_int_equal(platform.node_ranges[2].base, 64 * MIB);
	assert_int_equal(platform.node_ranges[2].node, 1);
	assert_int_equal(platform.pci_segments[0].base.value, 0xb0000000);
	assert_int_equal(platform.pci_segments[0].bus_end, 255);
	load_capture("q35_intel_iommu");
	assert_taken();
	assert_int_equal(platform.iommus[0].kind, IOMMU_INTEL);
	assert_int_equal(platform.iommus[0].base.value, 0xfed90000);
	load_capture("q35_amd_iommu");
	assert_taken();
	assert_int_equal(platform.iommus[0].kind, IOMMU_AMD);
	assert_int_equal(platform.iommus[0].base.value, 0xfed80000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_bad_rsdp, image_reset),
		cmocka_unit_test_setup(xsdt_wins, image_reset),
		cmocka_unit_test_setup(refuses_bad_root, image_reset),
		cmocka_unit_test_setup(reads_at_most_256_tables, image_reset),
		cmocka_unit_test_setup(skips_tables_that_are_not_there,
				       image_reset),
		cmocka_unit_test_setup(takes_the_first_of_a_kind, image_reset),
		cmocka_unit_test_setup(needs_a_whole_madt, image_reset),
		cmocka_unit_test_setup(needs_srat_whole_if_there, image_reset),
		cmocka_unit_test_setup(goes_on_without_broken_optional_tables,
				       image_reset),
		cmocka_unit_test_setup(reads_a_length_once, image_reset),
		cmocka_unit_test(reads_captured_tables),
		cmocka_unit_test(reads_captured_details),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
