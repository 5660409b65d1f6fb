/* EFI load options: with and without the program's name, text and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/efi/options.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errno.h"

static char out[BOOT_CMDLINE_MAX];

/* The ASCII @text in UTF-16 without a final 0, in memory that ends with it. */
static int read_text(const char *text, const char *program)
{
	size_t size = strlen(text) * 2;
	uint8_t *options = calloc(1, size ? size : 1);
	struct diag diag;
	int error;

	for (size_t i = 0; text[i]; i++)
		options[i * 2] = (uint8_t)text[i];
	error = options_read(size ? options : NULL, size, program, out, &diag);
	free(options);
	return error;
}

static const struct {
	const char *options;
	const char *expected;
} cases[] = {
	{ "", "" },
	{ "  ", "" },
	{ "a=1 b=2", "a=1 b=2" },
	{ "  a=1\tb=2  ", "a=1 b=2" },
	{ "basalt.efi", "" },
	{ "basalt.efi a=1", "a=1" },
	{ "basalt a=1", "a=1" },
	{ "BASALT.EFI a=1", "a=1" },
	{ " fs0:\\sub\\Basalt.efi  a=1", "a=1" },
	{ "fs0:basalt a=1", "a=1" },
	{ "sub/basalt.efi a=1", "a=1" },
	{ "\"fs0:\\my folder\\basalt.efi\" a=1", "a=1" },
	{ "\"basalt.efi\"", "" },
	{ "\"basalt.efi", "" },
	{ "basalt.efi basalt.efi", "basalt.efi" },
	{ "basalt.ef a=1", "basalt.ef a=1" },
	{ "xbasalt.efi a=1", "xbasalt.efi a=1" },
	{ "other.efi a=1", "other.efi a=1" },
	{ "fs0:\\ a=1", "fs0:\\ a=1" },
	{ "\"\" a=1", "\"\" a=1" },
};

static void drops_only_the_program(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_text(cases[i].options, "basalt.efi"), 0);
		assert_string_equal(out, cases[i].expected);
	}
}

/* A program called ".efi", or nothing, must not swallow the first word. */
static void survives_odd_program_names(void **state)
{
	static const char *const odd[] = { "", ".efi", "x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		assert_int_equal(read_text("a=1 b", odd[i]), 0);
		assert_string_equal(out, "a=1 b");
		assert_int_equal(read_text("\"\" a=1", odd[i]), 0);
		assert_string_equal(out, "\"\" a=1");
		assert_int_equal(read_text("", odd[i]), 0);
		assert_string_equal(out, "");
	}
}

static void stops_at_the_nul(void **state)
{
	static const uint8_t options[] = { 'a', 0, 0, 0, 0xff, 0xff };
	struct diag diag;

	(void)state;
	assert_int_equal(
		options_read(options, sizeof(options), "p", out, &diag), 0);
	assert_string_equal(out, "a");
}

static void refuses_what_is_no_text(void **state)
{
	static const uint8_t ascii[] = "a=1 b=2";
	static const uint8_t odd[] = { 'a', 0, 'b' };
	static const uint8_t control[] = { 'a', 0, 10, 0 };
	static const uint8_t umlaut[] = { 0xe4, 0 };
	struct diag diag;

	(void)state;
	strcpy(out, "old");
	assert_int_equal(options_read(ascii, 8, "p", out, &diag), -EINVAL);
	assert_string_equal(out, "");
	assert_int_equal(options_read(odd, 3, "p", out, &diag), -EINVAL);
	assert_int_equal(options_read(control, 4, "p", out, &diag), -EINVAL);
	assert_int_equal(options_read(umlaut, 2, "p", out, &diag), -EINVAL);
}

static void refuses_too_long(void **state)
{
	static char text[BOOT_CMDLINE_MAX + 1];

	(void)state;
	memset(text, 'x', BOOT_CMDLINE_MAX - 1);
	assert_int_equal(read_text(text, "p"), 0);
	assert_string_equal(out, text);
	text[BOOT_CMDLINE_MAX - 1] = 'x';
	assert_int_equal(read_text(text, "p"), -E2BIG);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_only_the_program),
		cmocka_unit_test(survives_odd_program_names),
		cmocka_unit_test(stops_at_the_nul),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(refuses_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
