/* multiboot2_parse: what each tag gives, and what the map must not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errno.h"
#include "tests/unit/multiboot2_block.h"

static const struct framebuffer screen = {
	.base = 0xfd000000,
	.pitch = 8192,
	.width = 1024,
	.height = 768,
	.bpp = 32,
	.type = 1,
	.colours = { 16, 8, 8, 8, 0, 8 },
};

static void reads_least(void **state)
{
	(void)state;
	start();
	assert_int_equal(parse(), 0);
	assert_string_equal(info.cmdline, "");
	assert_string_equal(info.loader, "");
	assert_int_equal(info.rsdp_size, 0);
	assert_int_equal(info.framebuffer.width, 0);
	assert_int_equal(info.module_count, 0);
	assert_int_equal(info.region_count, 1);
	assert_int_equal(info.regions[0].base, MIB);
	assert_int_equal(info.regions[0].size, 64 * MIB);
	assert_int_equal(info.regions[0].type, MEMORY_RAM);
	/* the caller's */
	assert_int_equal(info.image_base.value, 0xaaaaaaaaaaaaaaaa);
	assert_int_equal(info.image_size, 0xaaaaaaaaaaaaaaaa);
}

static void reads_strings(void **state)
{
	char longest[BOOT_CMDLINE_MAX] = { 0 };

	(void)state;
	memset(longest, 'x', BOOT_CMDLINE_MAX - 1);
	start();
	put_string(1, longest);
	put_string(2, "GRUB \x1b[2J\xff 2");
	assert_int_equal(parse(), 0);
	assert_string_equal(info.cmdline, longest);
	assert_string_equal(info.loader, "GRUB ?[2J? 2");
	start();
	put_string(2, longest); /* only for people to read: cut */
	assert_int_equal(parse(), 0);
	assert_int_equal(strlen(info.loader), BOOT_LOADER_NAME_MAX - 1);
}

static void passes_over_unknown_tags(void **state)
{
	(void)state;
	start();
	for (uint32_t type = 4; type < 200; type++)
		if (type != 6 && type != 8 && type != 14 && type != 15) {
			put_tag(type, "", 0);
			put_tag(type, "junk", 4); /* and no second-one rule */
		}
	put_tag(0xffffffff, "junk", 4);
	put_string(1, "found");
	assert_int_equal(parse(), 0);
	assert_string_equal(info.cmdline, "found");
}

static void ends_at_end_tag(void **state)
{
	(void)state;
	start();
	put_end();
	put_string(1, "ignored");
	assert_int_equal(parse_unended(), 0);
	assert_string_equal(info.cmdline, "");
}

static void reads_modules(void **state)
{
	(void)state;
	start();
	put_module(0x200000, 0x300000, "vmlinuz");
	put_module(0x300000, 0x300001, "  /boot//a.b/initrd.img quiet a/b ");
	put_module(0x100000, 0x200000, "basalt.conf");
	assert_int_equal(parse(), 0);
	assert_int_equal(info.module_count, 3);
	assert_string_equal(info.modules[0].name, "vmlinuz");
	assert_int_equal(info.modules[0].base.value, 0x200000);
	assert_int_equal(info.modules[0].size, 0x100000);
	assert_string_equal(info.modules[1].name, "initrd.img");
	assert_int_equal(info.modules[1].size, 1);
	assert_string_equal(info.modules[2].name, "basalt.conf");
}

/* An empty file is a module of no bytes: anywhere, also inside another. */
static void takes_empty_modules(void **state)
{
	const struct entry entries[] = {
		{ 0x100000, 0x400000, 1, 0 },
		{ 0xff000000, 0x1000000, 2, 0 },
	};

	(void)state;
	start_empty();
	put_map(entries, ARRAY_SIZE(entries));
	put_module(0x200000, 0x300000, "a");
	put_module(0x280000, 0x280000, "b");
	put_module(0, 0, "c");
	put_module(0xff100000, 0xff100000, "d");
	assert_int_equal(parse(), 0);
	assert_int_equal(info.module_count, 4);
	assert_int_equal(info.modules[1].size, 0);
}

static void sorts_regions(void **state)
{
	const struct entry entries[] = {
		{ 0x100000000, 0x40000000, 1, 0 },
		{ 0x9fc00, 0x400, 2, 7 },
		{ 0, 0x9fc00, 1, 0 },
		{ 0x5000, 0, 1, 0 }, /* empty: dropped */
		{ 0x100000, 0x1000, 3, 0 },
		{ 0x102000, 0x1000, 5, 0 },
		{ 0x101000, 0x1000, 4, 0 },
		{ 0x101000, 0x10, 99, 0 },
		{ 0x101000, 0x20, 0, 0 },
	};
	const struct memory_region wanted[] = {
		{ 0, 0x9fc00, MEMORY_RAM },
		{ 0x9fc00, 0x400, MEMORY_RESERVED },
		{ 0x100000, 0x1000, MEMORY_ACPI_RECLAIM },
		{ 0x101000, 0x1000, MEMORY_ACPI_NVS },
		{ 0x101000, 0x10, MEMORY_RESERVED },
		{ 0x101000, 0x20, MEMORY_RESERVED },
		{ 0x102000, 0x1000, MEMORY_BAD },
		{ 0x100000000, 0x40000000, MEMORY_RAM },
	};

	(void)state;
	start_empty();
	put_map(entries, ARRAY_SIZE(entries));
	assert_int_equal(parse(), 0);
	assert_int_equal(info.region_count, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_int_equal(info.regions[i].base, wanted[i].base);
		assert_int_equal(info.regions[i].size, wanted[i].size);
		assert_int_equal(info.regions[i].type, wanted[i].type);
	}
}

/* Later versions of the format may have larger entries. */
static void reads_larger_entries(void **state)
{
	const struct entry entries[] = {
		{ 0x1000, 0x1000, 1, 0 },
		{ ~0UL, ~0UL, ~0U, ~0U },
		{ 0x3000, 0x1000, 1, 0 },
		{ ~0UL, ~0UL, ~0U, ~0U },
	};
	const uint32_t body[2] = { 48, 1 };

	(void)state;
	start_empty();
	put_head(6, sizeof(body) + sizeof(entries));
	put(body, sizeof(body));
	put(entries, sizeof(entries));
	assert_int_equal(parse(), 0);
	assert_int_equal(info.region_count, 2);
	assert_int_equal(info.regions[1].base, 0x3000);
}

static void takes_map_without_entries(void **state)
{
	(void)state;
	start_empty();
	put_map(NULL, 0);
	assert_int_equal(parse(), 0);
	assert_int_equal(info.region_count, 0);
}

static void reads_framebuffer(void **state)
{
	(void)state;
	start();
	put_tag(8, &screen, FRAMEBUFFER_SIZE);
	assert_int_equal(parse(), 0);
	assert_int_equal(info.framebuffer.base.value, 0xfd000000);
	assert_int_equal(info.framebuffer.pitch, 8192);
	assert_int_equal(info.framebuffer.width, 1024);
	assert_int_equal(info.framebuffer.height, 768);
	assert_int_equal(info.framebuffer.red_shift, 16);
	assert_int_equal(info.framebuffer.green_shift, 8);
	assert_int_equal(info.framebuffer.blue_shift, 0);
}

static void assert_ignored(const struct framebuffer *framebuffer)
{
	start();
	put_tag(8, framebuffer, FRAMEBUFFER_SIZE);
	assert_int_equal(parse(), 0);
	assert_int_equal(info.framebuffer.width, 0);
}

static void ignores_other_framebuffers(void **state)
{
	struct framebuffer odd[11];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		odd[i] = screen;
	odd[0].type = 0;
	odd[1].type = 2;
	odd[2].bpp = 24;
	odd[3].colours[1] = 5;
	odd[4].colours[5] = 10;
	odd[5].colours[2] = 25;
	odd[6].base = 0;
	odd[7].width = 0;
	odd[8].height = 0;
	odd[9].pitch = 4095; /* 1024 pixels have 4096 bytes */
	odd[10].base = 0UL - 768 * 8192;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		assert_ignored(&odd[i]);
	start();
	put_tag(8, &odd[1], 24); /* EGA text has no colours */
	assert_int_equal(parse(), 0);
}

static void prefers_new_rsdp(void **state)
{
	uint8_t old[20], new[40];

	(void)state;
	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	start();
	put_tag(14, old, sizeof(old));
	assert_int_equal(parse(), 0);
	assert_int_equal(info.rsdp_size, 20);
	assert_memory_equal(info.rsdp, old, 20);
	start();
	put_tag(14, old, sizeof(old));
	put_tag(15, new, sizeof(new));
	assert_int_equal(parse(), 0);
	assert_int_equal(info.rsdp_size, 36);
	assert_memory_equal(info.rsdp, new, 36);
	start();
	put_tag(15, new, sizeof(new));
	put_tag(14, old, sizeof(old));
	assert_int_equal(parse(), 0);
	assert_int_equal(info.rsdp_size, 36);
	assert_memory_equal(info.rsdp, new, 36);
}

static void refuses_map_shapes(void **state)
{
	const uint32_t sizes[] = { 0, 8, 16, 23, 25, 28, 0xffffffff };
	uint32_t body[16] = { 0 };
	char why[DIAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		body[0] = sizes[i];
		start_empty();
		put_tag(6, body, sizeof(body));
		snprintf(why, sizeof(why),
			 MB "memory map: entries of %u bytes: expected at"
			    " least 24 and a multiple of 8",
			 sizes[i]);
		assert_refused(parse(), -EINVAL, why);
	}
	body[0] = 24;
	start_empty();
	put_tag(6, body, 8 + 24 + 23);
	assert_refused(parse(), -EINVAL,
		       MB "memory map: 47 bytes of entries: expected a multiple"
			  " of 24");
}

static void refuses_wrapping_regions(void **state)
{
	struct entry entry = { 0xfffffffffffff000, 0x1000, 1, 0 };

	(void)state;
	start_empty();
	put_map(&entry, 1);
	assert_refused(parse(), -EINVAL,
		       MB "memory region at 0xfffffffffffff000 of 0x1000"
			  " bytes: expected an end below 2^64");
	entry.size--;
	start_empty();
	put_map(&entry, 1);
	assert_int_equal(parse(), 0);
}

static void bounds_regions(void **state)
{
	static struct entry entries[BOOT_REGIONS_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = (struct entry){ (1000 - i) << 12, 4096, 1, 0 };
	entries[7].size = 0; /* an empty one does not count */
	start_empty();
	put_map(entries, BOOT_REGIONS_MAX + 1);
	assert_int_equal(parse(), 0);
	assert_int_equal(info.region_count, BOOT_REGIONS_MAX);
	for (uint32_t i = 1; i < info.region_count; i++)
		assert_true(info.regions[i - 1].base < info.regions[i].base);
	start_empty();
	put_map(entries, BOOT_REGIONS_MAX + 2);
	assert_refused(parse(), -E2BIG,
		       MB "too many memory regions: expected at most 512");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_least),
		cmocka_unit_test(reads_strings),
		cmocka_unit_test(passes_over_unknown_tags),
		cmocka_unit_test(ends_at_end_tag),
		cmocka_unit_test(reads_modules),
		cmocka_unit_test(takes_empty_modules),
		cmocka_unit_test(sorts_regions),
		cmocka_unit_test(reads_larger_entries),
		cmocka_unit_test(takes_map_without_entries),
		cmocka_unit_test(reads_framebuffer),
		cmocka_unit_test(ignores_other_framebuffers),
		cmocka_unit_test(prefers_new_rsdp),
		cmocka_unit_test(refuses_map_shapes),
		cmocka_unit_test(refuses_wrapping_regions),
		cmocka_unit_test(bounds_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
