/* The files that basalt.conf names: each once, only plain ones, only so many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "boot/efi/names.h"
#include "kernel/lib/errno.h"

static struct names names;

static const char text[] = "[hypervisor]\n"
			   "log_level = \"debug\"\n"
			   "[control]\n"
			   "kernel = \"vmlinuz\"\n"
			   "initrd = \"control.img\"\n"
			   "memory = \"256M\"\n"
			   "[vm.one]\n"
			   "kernel = \"vmlinuz\"\n"
			   "initrd = \"one.img\"\n"
			   "memory = \"64M\"\n"
			   "disks = [\"disk\", \"ram:4M\", \"disk,readonly\","
			   " \"basalt.conf,readonly\"]\n"
			   "[vm.two]\n"
			   "firmware = \"OVMF.fd\"\n"
			   "memory = \"64M\"\n";

static void collects_each_once_in_order(void **state)
{
	static const char *const expected[] = { "vmlinuz", "control.img",
						"one.img", "disk", "OVMF.fd" };
	struct diag diag = { "" };

	(void)state;
	assert_int_equal(names_collect(slice_from(text), &names, &diag), 0);
	assert_int_equal(names.count, 5);
	for (uint32_t i = 0; i < names.count; i++)
		assert_true(slice_is(names.all[i], expected[i]));
}

static void collects_nothing_from_bad_text(void **state)
{
	struct diag diag = { "" };
	char bad[sizeof(text) + 16];

	(void)state;
	names.count = 7;
	snprintf(bad, sizeof(bad), "%skernel = 7\n", text);
	assert_int_equal(names_collect(slice_from(bad), &names, &diag), 0);
	assert_int_equal(names.count, 0);
	assert_string_equal(diag.text, "");
	assert_int_equal(names_collect(slice_from(""), &names, &diag), 0);
	assert_int_equal(names.count, 0);
}

/* @count VMs, each with a kernel of its own. */
static const char *many(int count)
{
	static char buf[8192];
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len,
					"[vm.v%d]\nkernel = \"k%d\"\n"
					"memory = \"64M\"\n",
					i, i);
	return buf;
}

static void refuses_too_many(void **state)
{
	struct diag diag = { "" };

	(void)state;
	assert_int_equal(
		names_collect(slice_from(many(NAMES_MAX)), &names, &diag), 0);
	assert_int_equal(names.count, NAMES_MAX);
	assert_int_equal(names_collect(slice_from(many(NAMES_MAX + 1)), &names,
				       &diag),
			 -E2BIG);
	assert_string_equal(diag.text,
			    "basalt.conf: more than 63 different files");
}

static void knows_plain_names(void **state)
{
	static const char *const plain[] = { "vmlinuz", "a", "A-b_c.d+e~f@1",
					     "...", ".a" };
	static const char *const not_plain[] = {
		"",    ".",   "..",   "a/b", "/a",    "a\\b",	  "\\a",
		"a:b", "a b", "a\tb", "a\n", "a\x7f", "\xc3\xa4",
	};
	char longest[BOOT_MODULE_NAME_MAX + 1] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		assert_true(names_is_plain(slice_from(plain[i])));
	for (size_t i = 0; i < ARRAY_SIZE(not_plain); i++)
		assert_false(names_is_plain(slice_from(not_plain[i])));
	memset(longest, 'x', BOOT_MODULE_NAME_MAX - 1);
	assert_true(names_is_plain(slice_from(longest)));
	longest[BOOT_MODULE_NAME_MAX - 1] = 'x';
	assert_false(names_is_plain(slice_from(longest)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collects_each_once_in_order),
		cmocka_unit_test(collects_nothing_from_bad_text),
		cmocka_unit_test(refuses_too_many),
		cmocka_unit_test(knows_plain_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
