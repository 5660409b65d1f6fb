/* multiboot2_parse: every other refusal, with its line. */
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

static void refuses_heads(void **state)
{
	const struct {
		uint32_t total;
		size_t readable;
		const char *why;
	} rows[] = {
		{ 7, 64, MB "total size 7: expected 8 to 64" },
		{ 0, 64, MB "total size 0: expected 8 to 64" },
		{ 65, 64, MB "total size 65: expected 8 to 64" },
		{ 262145, 262152,
		  MB "total size 262145: expected 8 to 262144" },
		{ 8, 64,
		  MB "8 bytes end without an end tag: expected tag 0 of"
		     " 8 bytes" },
		{ 15, 64,
		  MB "15 bytes end without an end tag: expected tag 0"
		     " of 8 bytes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start_empty();
		memcpy(block, &rows[i].total, 4);
		assert_refused(parse_readable(rows[i].readable), -EINVAL,
			       rows[i].why);
	}
}

static void refuses_places(void **state)
{
	char why[DIAG_TEXT_MAX];

	(void)state;
	start();
	put_end();
	memmove(block + 1, block, block_size);
	snprintf(why, sizeof(why),
		 MB "64 bytes at %p: expected at least 8, aligned to 8",
		 (void *)(block + 1));
	assert_refused(multiboot2_parse(block + 1, 64, &info, &diag), -EINVAL,
		       why);
	snprintf(why, sizeof(why),
		 MB "7 bytes at %p: expected at least 8, aligned to 8",
		 (void *)block);
	assert_refused(multiboot2_parse(block, 7, &info, &diag), -EINVAL, why);
}

static void refuses_tag_sizes(void **state)
{
	uint32_t head[2] = { 1, 7 };

	(void)state;
	start_empty();
	put(head, sizeof(head));
	assert_refused(parse(), -EINVAL,
		       MB "tag 1 at 0x8: size 7: expected 8 to 16");
	head[1] = 17;
	start_empty();
	put(head, sizeof(head));
	assert_refused(parse(), -EINVAL,
		       MB "tag 1 at 0x8: size 17: expected 8 to 16");
	head[1] = 0xffffffff;
	start_empty();
	put(head, sizeof(head));
	assert_refused(parse(), -EINVAL,
		       MB "tag 1 at 0x8: size 4294967295: expected 8 to 16");
	start();
	put_tag(0, "12345678", 8);
	assert_refused(parse_unended(), -EINVAL,
		       MB "end tag at 0x30: size 16: expected 8");
}

static void needs_end_and_map(void **state)
{
	(void)state;
	start();
	assert_refused(parse_unended(), -EINVAL,
		       MB "48 bytes end without an end tag: expected tag 0 of"
			  " 8 bytes");
	start();
	put_tag(1, "", 1); /* the padding is not inside the block */
	assert_refused(parse_unended(), -EINVAL,
		       MB "57 bytes end without an end tag: expected tag 0 of"
			  " 8 bytes");
	start_empty();
	assert_refused(parse(), -EINVAL, MB "no memory map: expected tag 6");
}

static void refuses_second_ones(void **state)
{
	const uint32_t types[] = { 1, 2, 6, 8, 14, 15 };
	const uint32_t body[12] = { 24, 0 }; /* a right one for each type */
	char why[DIAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t size = types[i] == 6 ? 8 : sizeof(body);

		start_empty();
		put_tag(types[i], body, size);
		put_tag(types[i], body, size);
		snprintf(why, sizeof(why),
			 MB "tag %u at %#zx: a second one: expected it once",
			 types[i], 16 + size);
		assert_refused(parse(), -EINVAL, why);
	}
}

static void refuses_short_tags(void **state)
{
	const struct {
		uint32_t type;
		uint32_t size;
	} rows[] = { { 3, 8 }, { 6, 8 }, { 8, 24 }, { 14, 20 }, { 15, 36 } };
	uint8_t body[64] = { 0 };
	char why[DIAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start_empty();
		put_tag(rows[i].type, body, rows[i].size - 1);
		snprintf(why, sizeof(why),
			 MB "tag %u at 0x8: %u bytes behind its head: expected"
			    " at least %u",
			 rows[i].type, rows[i].size - 1, rows[i].size);
		assert_refused(parse(), -EINVAL, why);
	}
	body[21] = 1; /* type: with colours */
	start_empty();
	put_tag(8, body, 29);
	assert_refused(parse(), -EINVAL,
		       MB "tag 8 at 0x8: 29 bytes behind its head: expected at"
			  " least 30");
}

static void refuses_endless_strings(void **state)
{
	const uint32_t bounds[2] = { 0x200000, 0x200000 };

	(void)state;
	for (uint32_t type = 1; type <= 2; type++) {
		start_empty();
		put_tag(type, "x", 1);
		assert_int_equal(parse(), -EINVAL);
		start_empty();
		put_tag(type, "", 0);
		assert_int_equal(parse(), -EINVAL);
	}
	assert_string_equal(diag.text,
			    MB "tag 2 at 0x8: expected a NUL inside the tag");
	start_empty();
	put_tag(3, bounds, sizeof(bounds));
	assert_refused(parse(), -EINVAL,
		       MB "tag 3 at 0x8: expected a NUL inside the tag");
}

static void refuses_long_cmdline(void **state)
{
	char text[BOOT_CMDLINE_MAX + 1] = { 0 };

	(void)state;
	memset(text, 'x', BOOT_CMDLINE_MAX);
	start();
	put_string(1, text);
	assert_refused(parse(), -EINVAL,
		       MB "command line of 1024 bytes: expected at most 1023");
}

static void refuses_module_names(void **state)
{
	const char *const nameless[] = { "", "   ", "boot/", "/ kernel" };
	char name[BOOT_MODULE_NAME_MAX + 1] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nameless); i++) {
		start();
		put_module(0x200000, 0x300000, nameless[i]);
		assert_refused(parse(), -EINVAL,
			       MB "module at 0x200000 has no name: expected"
				  " \"module2 FILE NAME\" in the loader's"
				  " menu");
	}
	memset(name, 'n', BOOT_MODULE_NAME_MAX);
	start();
	put_module(0x200000, 0x300000, name);
	assert_refused(parse(), -EINVAL,
		       MB "module at 0x200000: a name of 64 bytes: expected at"
			  " most 63");
	start();
	put_module(0x200000, 0x300000, name + 1);
	assert_int_equal(parse(), 0);
	start();
	put_module(0x200000, 0x300000, "a\x1b");
	assert_refused(parse(), -EINVAL,
		       MB "module at 0x200000: expected a name of printable"
			  " ASCII");
}

static void refuses_module_bounds(void **state)
{
	(void)state;
	start();
	put_module(0x300000, 0x2fffff, "m");
	assert_refused(parse(), -EINVAL,
		       MB "module from 0x300000 to 0x2fffff: expected an end"
			  " behind the start");
}

static void bounds_modules(void **state)
{
	char name[8];

	(void)state;
	start();
	for (unsigned int i = 0; i < BOOT_MODULES_MAX; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		put_module(0x200000 + i, 0x200001 + i, name);
	}
	memcpy(block, &block_size, 4);
	put_end();
	assert_int_equal(parse_unended(), 0);
	assert_int_equal(info.module_count, BOOT_MODULES_MAX);
	block_size -= 8;
	put_module(0, 0, "more");
	assert_refused(parse(), -E2BIG,
		       MB "too many modules: expected at most 64");
}

static void refuses_overlaps(void **state)
{
	const struct {
		uint32_t start;
		uint32_t end;
		int err;
	} rows[] = {
		{ 0x1ff000, 0x200001, -EEXIST },
		{ 0x2fffff, 0x300001, -EEXIST },
		{ 0x200000, 0x300000, -EEXIST },
		{ 0x240000, 0x250000, -EEXIST },
		{ 0x100000, 0x400000, -EEXIST },
		{ 0x1ff000, 0x200000, 0 },
		{ 0x300000, 0x300001, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start();
		put_module(0x200000, 0x300000, "first");
		put_module(rows[i].start, rows[i].end, "second");
		assert_int_equal(parse(), rows[i].err);
	}
	start();
	put_module(0x200000, 0x300000, "first");
	put_module(0x2fffff, 0x300001, "second");
	assert_refused(parse(), -EEXIST,
		       MB "modules first (0x100000 bytes at 0x200000) and"
			  " second (0x2 at 0x2fffff) overlap: expected them"
			  " apart");
}

static void refuses_twins(void **state)
{
	(void)state;
	start();
	put_module(0x200000, 0x300000, "boot/vmlinuz quiet");
	put_module(0x400000, 0x400000, "vmlinuz");
	assert_refused(parse(), -EEXIST,
		       MB "two modules vmlinuz, at 0x200000 and 0x400000:"
			  " expected one of each name");
}

/* RAM in two pieces that touch, a hole, RAM up to 4 GiB with a bad page in it.
 */
static void start_pieces(void)
{
	const struct entry entries[] = {
		{ 0x200000, 0x100000, 1, 0 },	{ 0x100000, 0x100000, 1, 0 },
		{ 0x400000, 0xffc00000, 1, 0 }, { 0x500000, 0x1000, 5, 0 },
		{ 0x300000, 0x1000, 2, 0 },
	};

	start_empty();
	put_map(entries, ARRAY_SIZE(entries));
}

static void wants_modules_in_ram(void **state)
{
	const struct {
		uint32_t start;
		uint32_t end;
		int err;
	} rows[] = {
		{ 0x100000, 0x300000, 0 }, /* all of both pieces */
		{ 0x180000, 0x280000, 0 },
		{ 0x400000, 0x500000, 0 },
		{ 0xfffff000, 0xffffffff, 0 },
		{ 0xfffff, 0x100001, -EINVAL },	 /* starts too early */
		{ 0x2fffff, 0x300001, -EINVAL }, /* ends too late */
		{ 0x2ff000, 0x401000, -EINVAL }, /* over the hole */
		{ 0x380000, 0x390000, -EINVAL }, /* in the hole */
		{ 0x4ff000, 0x500001, -EINVAL }, /* a byte of bad memory */
		{ 0x500fff, 0x502000, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start_pieces();
		put_module(rows[i].start, rows[i].end, "m");
		assert_int_equal(parse(), rows[i].err);
	}
	start();
	put_module(0x4000000, 0x4100000, "m");
	assert_int_equal(parse(), 0);
	start();
	put_module(0x4000000, 0x4100001, "m"); /* a byte past the end */
	assert_refused(parse(), -EINVAL,
		       MB "module m: 0x100001 bytes at 0x4000000: expected them"
			  " in RAM, by the memory map");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_heads),
		cmocka_unit_test(refuses_places),
		cmocka_unit_test(refuses_tag_sizes),
		cmocka_unit_test(needs_end_and_map),
		cmocka_unit_test(refuses_second_ones),
		cmocka_unit_test(refuses_short_tags),
		cmocka_unit_test(refuses_endless_strings),
		cmocka_unit_test(refuses_long_cmdline),
		cmocka_unit_test(refuses_module_names),
		cmocka_unit_test(refuses_module_bounds),
		cmocka_unit_test(bounds_modules),
		cmocka_unit_test(refuses_overlaps),
		cmocka_unit_test(refuses_twins),
		cmocka_unit_test(wants_modules_in_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
