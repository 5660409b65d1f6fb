/*
 * The firmware's memory of ACPI tests: tables built number by number, and read
 * through an acpi_map that keeps its contract and not a bit more. Include it
 * once in a program, after cmocka.h.
 */
#ifndef FAKE_ACPI_IMAGE_H
#define FAKE_ACPI_IMAGE_H

#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "fake.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"

#define IMAGE_START	 0x7fe00001UL /* odd: nothing may count on alignment */
#define IMAGE_SIZE	 (4 * MIB)
#define IMAGE_TABLES_MAX 300

/* image.bytes[0] is at machine address IMAGE_START. */
struct acpi_image {
	uint8_t bytes[IMAGE_SIZE];
	size_t used;
	size_t table; /* where the table being built begins */
	uint64_t tables[IMAGE_TABLES_MAX];
	uint32_t table_count;
	uint8_t rsdp[36];
	uint32_t map_count;
	void (*on_map)(uint32_t number); /* may change the image under way */
};

static struct acpi_image image;
static struct platform platform;
static struct diag diag;

/* Blocks of exact size, so that ASan sees what is read outside, or too late. */
const void *acpi_map(hpa_t base, size_t size)
{
	static void *older, *newer;

	assert_true(range_fits(base.value, size, BIT(52)));
	if (image.on_map)
		image.on_map(image.map_count);
	image.map_count++;
	free(older);
	older = newer;
	newer = NULL;
	if (base.value < IMAGE_START ||
	    !range_fits(base.value - IMAGE_START, size, image.used))
		return NULL;
	newer = malloc(size);
	memcpy(newer, image.bytes + (base.value - IMAGE_START), size);
	return newer;
}

static inline uint8_t image_checksum(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum - bytes[i]);
	return sum;
}

static inline void image_put(uint64_t value, size_t size)
{
	assert_true(image.used + size <= sizeof(image.bytes));
	memcpy(image.bytes + image.used, &value, size);
	image.used += size;
}

static inline void put8(unsigned int value)
{
	image_put(value, 1);
}

static inline void put16(unsigned int value)
{
	image_put(value, 2);
}

static inline void put32(uint32_t value)
{
	image_put(value, 4);
}

static inline void put64(uint64_t value)
{
	image_put(value, 8);
}

static inline void put_zeros(size_t count)
{
	while (count--)
		put8(0);
}

/* Offset in the table of what is put next. */
static inline size_t image_offset(void)
{
	return image.used - image.table;
}

static inline uint8_t *image_table(uint64_t base)
{
	return image.bytes + (base - IMAGE_START);
}

static inline void image_begin(const char *signature, uint8_t revision)
{
	image.table = image.used;
	for (int i = 0; i < 4; i++)
		put8((uint8_t)signature[i]);
	put32(0);
	put8(revision);
	put_zeros(27);
}

/* Make the checksum of the table of @size bytes right. */
static inline void image_fix(uint64_t base, size_t size)
{
	uint8_t *table = image_table(base);

	table[9] = 0;
	table[9] = image_checksum(table, size);
}

/* Give the table its length and checksum; its address. */
static inline uint64_t image_end_unlisted(void)
{
	uint32_t size = (uint32_t)image_offset();
	uint64_t base = IMAGE_START + image.table;

	memcpy(image.bytes + image.table + 4, &size, 4);
	image_fix(base, size);
	return base;
}

/* The same, for a table that the root table shall list. */
static inline uint64_t image_end(void)
{
	uint64_t base = image_end_unlisted();

	image.tables[image.table_count++] = base;
	return base;
}

static inline uint64_t image_put_root(const char *signature, size_t width)
{
	image_begin(signature, 1);
	for (uint32_t i = 0; i < image.table_count; i++)
		image_put(image.tables[i], width);
	return image_end_unlisted();
}

static inline void image_fix_rsdp(void)
{
	image.rsdp[8] = 0;
	image.rsdp[8] = image_checksum(image.rsdp, 20);
	image.rsdp[32] = 0;
	image.rsdp[32] = image_checksum(image.rsdp, 36);
}

static inline void image_put_rsdp(uint8_t revision, uint64_t rsdt,
				  uint64_t xsdt)
{
	static const uint32_t length = 36;

	memset(image.rsdp, 0, sizeof(image.rsdp));
	memcpy(image.rsdp, "RSD PTR ", 8);
	image.rsdp[15] = revision;
	memcpy(image.rsdp + 16, &rsdt, 4);
	memcpy(image.rsdp + 20, &length, 4);
	memcpy(image.rsdp + 24, &xsdt, 8);
	image_fix_rsdp();
}

/* List all tables in an XSDT and point the RSDP to it; the XSDT's address. */
static inline uint64_t image_seal(void)
{
	uint64_t xsdt = image_put_root("XSDT", 8);

	image_put_rsdp(2, 0, xsdt);
	return xsdt;
}

static inline int image_parse(void)
{
	diag.text[0] = '\0';
	fake_log_reset();
	image.map_count = 0;
	return acpi_parse(image.rsdp, sizeof(image.rsdp), &platform, &diag);
}

/* For cmocka's setup: an empty memory. */
static inline int image_reset(void **state)
{
	(void)state;
	memset(&image, 0, sizeof(image));
	return 0;
}

static inline void assert_text_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not have \"%s\"", text, part);
}

/* What is built is refused, and the line says @why. */
static inline void assert_refused(const char *why)
{
	assert_int_equal(image_parse(), -EINVAL);
	assert_text_has(diag.text, why);
}

/* What is built is taken, with one warning that says @why. */
static inline void assert_warned(const char *why)
{
	assert_int_equal(image_parse(), 0);
	assert_string_equal(diag.text, "");
	assert_int_equal(fake_log_count[LOG_WARN], 1);
	assert_text_has(fake_log_last, why);
}

/* What is built is taken without a word. */
static inline void assert_taken(void)
{
	if (image_parse())
		fail_msg("%s", diag.text);
	if (fake_log_count[LOG_WARN])
		fail_msg("%s", fake_log_last);
}

/* Parts of a MADT: "Multiple APIC Description Table", section 5.2.12. */
static inline void madt_begin(void)
{
	image_begin("APIC", 4);
	put32(0xfee00000);
	put32(1);
}

static inline void madt_lapic(unsigned int uid, unsigned int id, uint32_t flags)
{
	put8(0);
	put8(8);
	put8(uid);
	put8(id);
	put32(flags);
}

static inline void madt_x2apic(uint32_t uid, uint32_t id, uint32_t flags)
{
	put8(9);
	put8(16);
	put16(0);
	put32(id);
	put32(flags);
	put32(uid);
}

/* A sound MADT of CPUs 0 to @cpu_count - 1. */
static inline uint64_t madt_put(unsigned int cpu_count)
{
	madt_begin();
	for (unsigned int i = 0; i < cpu_count; i++)
		madt_lapic(i + 1, i, 1);
	return image_end();
}

/* A machine with a sound MADT; what is put next is the table to test. */
static inline void machine_begin(unsigned int cpu_count)
{
	image_reset(NULL);
	madt_put(cpu_count);
}

static inline void machine_seal(void)
{
	image_end();
	image_seal();
}

#endif
