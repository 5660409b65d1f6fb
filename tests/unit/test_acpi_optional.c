/* FADT, HPET, MCFG: read when right, as if absent when wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "acpi_image.h"

#define PORT_SPACE   1
#define MEMORY_SPACE 0

/* What is different in the FADTs below. */
struct fadt {
	uint8_t revision;
	uint8_t timer_length;
	uint8_t extended_space;
	uint32_t port;
	uint64_t extended_port;
	unsigned int boot_arch;
	uint32_t flags;
	size_t length;
};

static void put_fadt(const struct fadt *fadt)
{
	machine_begin(1);
	image_begin("FACP", fadt->revision);
	put_zeros(76 - image_offset());
	put32(fadt->port);
	put_zeros(91 - image_offset());
	put8(fadt->timer_length);
	put_zeros(109 - image_offset());
	put16(fadt->boot_arch);
	put8(0);
	put32(fadt->flags);
	if (fadt->length > 208) {
		put_zeros(208 - image_offset());
		put8(fadt->extended_space);
		put8(32);
		put16(0);
		put64(fadt->extended_port);
	}
	image.used = image.table + fadt->length;
	machine_seal();
}

static void finds_the_pm_timer(void **state)
{
	static const struct {
		uint16_t port;
		struct fadt fadt;
	} rows[] = {
		/* ACPI 1.0 has one field */
		{ 0x808, { 1, 4, 0, 0x808, 0, 0, 0, 116 } },
		/* both: the extended one counts, from revision 3 */
		{ 0x608, { 3, 4, PORT_SPACE, 0x808, 0x608, 0, 0, 244 } },
		{ 0x808, { 2, 4, PORT_SPACE, 0x808, 0x608, 0, 0, 244 } },
		/* the extended one is empty, not a port, or cut off */
		{ 0x808, { 3, 4, PORT_SPACE, 0x808, 0, 0, 0, 244 } },
		{ 0x808, { 3, 4, MEMORY_SPACE, 0x808, 0xfed0, 0, 0, 244 } },
		{ 0, { 5, 4, MEMORY_SPACE, 0, 0xfed0, 0, 0, 276 } },
		{ 0x808, { 3, 4, PORT_SPACE, 0x808, 0x608, 0, 0, 219 } },
		{ 0x608, { 3, 4, PORT_SPACE, 0x808, 0x608, 0, 0, 220 } },
		/* there is no timer */
		{ 0, { 5, 0, PORT_SPACE, 0x808, 0x608, 0, 0, 276 } },
		/* the last port */
		{ 0xfffc, { 3, 4, PORT_SPACE, 0, 0xfffc, 0, 0, 244 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_fadt(&rows[i].fadt);
		assert_taken();
		assert_int_equal(platform.pm_timer_port, rows[i].port);
		assert_int_equal(platform.facp_base.value, image.tables[1]);
		assert_false(platform.pm_timer_is_32bit);
		assert_false(platform.has_no_cmos_rtc);
	}
}

static void reads_fadt_flags(void **state)
{
	struct fadt fadt = { 5, 4, 0, 0x808, 0, BIT(5), BIT(8), 276 };

	(void)state;
	put_fadt(&fadt);
	assert_taken();
	assert_true(platform.pm_timer_is_32bit);
	assert_true(platform.has_no_cmos_rtc);
	fadt.boot_arch = 0xffff & ~BIT(5);
	fadt.flags = (uint32_t)~BIT(8);
	put_fadt(&fadt);
	assert_taken();
	assert_false(platform.pm_timer_is_32bit);
	assert_false(platform.has_no_cmos_rtc);
	fadt.boot_arch = 0xffff; /* revision 1: not defined there */
	fadt.revision = 1;
	put_fadt(&fadt);
	assert_taken();
	assert_false(platform.has_no_cmos_rtc);
}

static void ignores_a_bad_fadt(void **state)
{
	struct fadt fadt = { 3, 4, PORT_SPACE, 0, 0xfffd, BIT(5), BIT(8), 244 };

	(void)state;
	put_fadt(&fadt);
	assert_warned("ACPI FADT at 0x7fe00035: PM timer at port 0xfffd, "
		      "expected less than 0xfffd; the table is ignored");
	assert_int_equal(platform.facp_base.value, 0);
	assert_int_equal(platform.pm_timer_port, 0);
	assert_false(platform.pm_timer_is_32bit);
	assert_false(platform.has_no_cmos_rtc);
	fadt.extended_port = ~0UL;
	put_fadt(&fadt);
	assert_warned("PM timer at port 0xffffffffffffffff");
	fadt.length = 115;
	put_fadt(&fadt);
	assert_warned("length 115, expected at least 116; the table");
}

static void put_hpet(unsigned int space, uint64_t base, size_t tail)
{
	machine_begin(1);
	image_begin("HPET", 1);
	put32(0x8086a201);
	put8(space);
	put8(64);
	put16(0);
	put64(base);
	put_zeros(tail);
	machine_seal();
}

static void reads_hpet(void **state)
{
	(void)state;
	put_hpet(MEMORY_SPACE, 0xfed00400, 4);
	assert_taken();
	assert_int_equal(platform.hpet_base.value, 0xfed00400);
	put_hpet(PORT_SPACE, 0xfed00000, 4);
	assert_warned("ACPI HPET at 0x7fe00035: registers at 0xfed00000 in "
		      "address space 1, expected memory; the table is ignored");
	assert_int_equal(platform.hpet_base.value, 0);
	put_hpet(MEMORY_SPACE, 0, 4);
	assert_warned("in address space 0, expected memory");
	put_hpet(MEMORY_SPACE, 0xfed00000, 3);
	assert_warned("length 55, expected at least 56");
}

static void mcfg_begin(void)
{
	machine_begin(1);
	image_begin("MCFG", 1);
	put64(0);
}

static void mcfg_segment(uint64_t base, unsigned int segment,
			 unsigned int first, unsigned int last)
{
	put64(base);
	put16(segment);
	put8(first);
	put8(last);
	put32(0);
}

static void reads_mcfg(void **state)
{
	(void)state;
	mcfg_begin();
	machine_seal();
	assert_taken();
	assert_int_equal(platform.pci_segment_count, 0);
	mcfg_begin();
	mcfg_segment(0xe0000000, 0, 0, 255);
	mcfg_segment(BIT(52) - 128 * MIB, 0x1234, 64, 127);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.pci_segment_count, 2);
	assert_int_equal(platform.pci_segments[0].base.value, 0xe0000000);
	assert_int_equal(platform.pci_segments[0].bus_start, 0);
	assert_int_equal(platform.pci_segments[0].bus_end, 255);
	assert_int_equal(platform.pci_segments[1].base.value,
			 BIT(52) - 128 * MIB);
	assert_int_equal(platform.pci_segments[1].segment, 0x1234);
	assert_int_equal(platform.pci_segments[1].bus_start, 64);
	assert_int_equal(platform.pci_segments[1].bus_end, 127);
}

static void ignores_a_bad_mcfg(void **state)
{
	static const struct {
		uint64_t base;
		unsigned int first, last;
		size_t extra;
		const char *why;
	} rows[] = {
		{ 0xe0000000, 1, 0, 0, "entry at 60: buses 1 to 0; the table" },
		{ 0, 0, 0, 0, "entry at 60: configuration space at 0" },
		{ 0xe0001000, 0, 0, 0, "configuration space at 0xe0001000" },
		{ BIT(52) - MIB, 0, 1, 0, "configuration space at 0xffff" },
		{ 0xe0000000, 0, 1, 15, "entry at 76: cut by the table's end" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		mcfg_begin();
		mcfg_segment(0xd0000000, 0, 0, 255);
		mcfg_segment(rows[i].base, 1, rows[i].first, rows[i].last);
		put_zeros(rows[i].extra);
		machine_seal();
		assert_warned(rows[i].why);
		assert_int_equal(platform.pci_segment_count, 0);
	}
	machine_begin(1);
	image_begin("MCFG", 1);
	machine_seal();
	assert_warned("length 36, expected at least 44");
}

static void keeps_16_pci_segments(void **state)
{
	(void)state;
	mcfg_begin();
	for (unsigned int i = 0; i < PLATFORM_PCI_SEGMENTS_MAX + 2; i++)
		mcfg_segment(0xe0000000, i, 0, 255);
	machine_seal();
	assert_warned("ACPI MCFG at 0x7fe00035: 2 segments left out, there "
		      "are too many");
	assert_int_equal(platform.pci_segment_count, PLATFORM_PCI_SEGMENTS_MAX);
	assert_int_equal(platform.pci_segments[15].segment, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_pm_timer),
		cmocka_unit_test(reads_fadt_flags),
		cmocka_unit_test(ignores_a_bad_fadt),
		cmocka_unit_test(reads_hpet),
		cmocka_unit_test(reads_mcfg),
		cmocka_unit_test(ignores_a_bad_mcfg),
		cmocka_unit_test(keeps_16_pci_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
