/* Many VMs, and the boot modules that VMs name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "boot/config.h"
#include "kernel/lib/errno.h"

#define VM(pairs)   "[vm.a]\nkernel = \"k\"\nmemory = \"1M\"\n" pairs
#define FILE_LIMIT  (1024 * 1024)
#define SECONDS_MAX 20 /* largest file, under ASan, busy machine */

static struct diag diag;
static struct config_hypervisor hypervisor;

static int parse(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1); /* no NUL: ASan watches the end */
	int err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(&diag, 0, sizeof(diag));
	config_defaults(&hypervisor);
	err = config_parse((struct slice){ copy, len }, &hypervisor, &diag);
	free(copy);
	return err;
}

/* @count VMs v0, v1, …; then one more called @last if it is not NULL. */
static char *make_vms(unsigned int count, const char *last)
{
	char *text = malloc(FILE_LIMIT + 64);
	size_t len = 0;

	assert_non_null(text);
	text[0] = '\0';
	for (unsigned int i = 0; i < count; i++)
		len += (size_t)sprintf(
			text + len, "[vm.v%x]\nkernel='k'\nmemory='1M'\n", i);
	if (last)
		sprintf(text + len, "[vm.%s]\nkernel='k'\nmemory='1M'\n", last);
	return text;
}

/* Names are checked in batches of 256: the twin is in the same or a later one.
 */
static void finds_far_twins(void **state)
{
	const unsigned int twins[] = { 0, 1, 255, 256, 257, 511, 998, 999 };
	char name[16], why[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
		char *text;

		snprintf(name, sizeof(name), "v%x", twins[i]);
		snprintf(why, sizeof(why),
			 "basalt.conf:3001: [vm.%s]: expected a name that is"
			 " not taken by line %u",
			 name, 3 * twins[i] + 1);
		text = make_vms(1000, name);
		assert_int_equal(parse(text, strlen(text)), -EINVAL);
		assert_string_equal(diag.text, why);
		free(text);
	}
}

static void takes_many_vms(void **state)
{
	const unsigned int counts[] = { 255, 256, 257, 512, 3000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		char *text = make_vms(counts[i], NULL);
		struct config_cursor cursor = config_open(slice_from(text));
		struct config_vm vm;
		unsigned int count = 0;

		assert_int_equal(parse(text, strlen(text)), 0);
		while (config_next_vm(&cursor, &vm)) {
			assert_int_equal(vm.line, 3 * count + 1);
			count++;
		}
		assert_int_equal(count, counts[i]);
		free(text);
	}
}

static void bounds_the_file(void **state)
{
	char *text = make_vms(28000, NULL);
	size_t len = strlen(text);
	clock_t start = clock();

	(void)state;
	assert_in_range(len, FILE_LIMIT - 100 * 1024, FILE_LIMIT);
	memset(text + len, '\n', FILE_LIMIT + 1 - len);
	assert_int_equal(parse(text, FILE_LIMIT), 0);
	assert_true(clock() - start < SECONDS_MAX * CLOCKS_PER_SEC);
	assert_int_equal(parse(text, FILE_LIMIT + 1), -EINVAL);
	assert_string_equal(diag.text, "basalt.conf: 1048577 bytes: expected at"
				       " most 1048576");
	free(text);
}

/* A text whose module called "x", at @line, is missing. */
struct missing {
	const char *text;
	const char *where;
};

static void refuses_missing_modules(void **state)
{
	const struct missing rows[] = {
		{ "[control]\nkernel='x'\nmemory='1M'", "2: kernel" },
		{ "[vm.a]\nfirmware='x'\nmemory='1M'", "2: firmware" },
		{ VM("initrd='x'"), "4: initrd" },
		{ VM("disks=['ram:4K','k',\n'x,readonly']"), "5: disks" },
		{ VM("[vm.b]\nmemory='1M'\n\nkernel='x'"), "7: kernel" },
	};
	struct boot_info *info = calloc(1, sizeof(*info));
	char why[DIAG_TEXT_MAX];

	(void)state;
	assert_non_null(info);
	info->module_count = 2;
	strcpy(info->modules[0].name, "k");
	strcpy(info->modules[1].name, "basalt.conf");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct slice text = slice_from(rows[i].text);

		snprintf(why, sizeof(why),
			 "basalt.conf:%s: x: expected one of the boot modules:"
			 " k, basalt.conf",
			 rows[i].where);
		assert_int_equal(parse(text.ptr, text.len), 0);
		assert_int_equal(config_check_modules(text, info, &diag),
				 -ENOENT);
		assert_string_equal(diag.text, why);
	}
	assert_int_equal(
		config_check_modules(slice_from(VM("disks=['k','ram:4K']")),
				     info, &diag),
		0);
	free(info);
}

static void lists_modules_that_fit(void **state)
{
	struct boot_info *info = calloc(1, sizeof(*info));

	(void)state;
	assert_non_null(info);
	assert_int_equal(config_check_modules(slice_from(VM("")), info, &diag),
			 -ENOENT);
	assert_string_equal(diag.text, "basalt.conf:2: kernel: k: expected one"
				       " of the boot modules: none");
	info->module_count = 3;
	for (uint32_t i = 0; i < info->module_count; i++)
		memset(info->modules[i].name, 'a' + (int)i, 50);
	assert_int_equal(config_check_modules(slice_from(VM("")), info, &diag),
			 -ENOENT);
	assert_non_null(strstr(diag.text, "modules: aaa"));
	assert_non_null(strstr(diag.text, "a, bbb"));
	assert_non_null(strstr(diag.text, "b, ..."));
	free(info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_far_twins),
		cmocka_unit_test(takes_many_vms),
		cmocka_unit_test(bounds_the_file),
		cmocka_unit_test(refuses_missing_modules),
		cmocka_unit_test(lists_modules_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
