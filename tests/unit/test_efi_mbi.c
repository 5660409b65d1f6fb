/*
 * The EFI loader's boot information: what it writes, multiboot2_parse reads
 * back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/efi/mbi.h"
#include "boot/multiboot2.h"
#include "kernel/lib/errno.h"

static struct boot_info given;
static struct boot_info read;

static void add_module(const char *name, uint64_t base, uint64_t size)
{
	struct boot_module *module = &given.modules[given.module_count++];

	*module = (struct boot_module){ .base = HPA(base), .size = size };
	strcpy(module->name, name);
}

static void add_region(uint64_t base, uint64_t size, enum memory_type type)
{
	given.regions[given.region_count++] =
		(struct memory_region){ base, size, type };
}

static int make_info(void **state)
{
	(void)state;
	memset(&given, 0, sizeof(given));
	strcpy(given.cmdline, "log_level=debug x=1");
	strcpy(given.loader, "basalt.efi 1");
	memcpy(given.rsdp, "RSD PTR 0123456789abcdefghijklmnopqrs", 36);
	given.rsdp_size = 36;
	given.framebuffer = (struct framebuffer_info){
		HPA(0x4080000000), 5120, 1279, 800, 16, 8, 0
	};
	add_module("basalt.conf", 0x1000000, 229);
	add_module("vmlinuz", 0x2000000, 9000001);
	add_region(0, 0xa0000, MEMORY_RAM);
	add_region(0x100000, 0xff00000, MEMORY_RAM);
	add_region(0x10000000, 0x1000, MEMORY_BAD);
	add_region(0x10001000, 0x1000, MEMORY_ACPI_RECLAIM);
	add_region(0x10002000, 0x1000, MEMORY_ACPI_NVS);
	add_region(0x10003000, 0x1000, MEMORY_RESERVED);
	add_region(0x100000000, 0x100000000, MEMORY_RAM);
	return 0;
}

/*
 * Write given, parse it into read; the block is exactly as large as said: ASan
 * watches.
 */
static int pass_on(struct diag *diag)
{
	static uint64_t room[MBI_SIZE_MAX / 8];
	size_t size;
	void *block;
	int error;

	memset(room, 0xee, sizeof(room));
	size = mbi_write(&given, room);
	assert_true(size <= sizeof(room));
	block = malloc(size);
	memcpy(block, room, size);
	memset(&read, 0, sizeof(read));
	error = multiboot2_parse(block, size, &read, diag);
	free(block);
	return error;
}

static void assert_passed_on(void)
{
	struct diag diag = { "" };
	int error = pass_on(&diag);

	assert_string_equal(diag.text, "");
	assert_int_equal(error, 0);
	assert_string_equal(read.cmdline, given.cmdline);
	assert_string_equal(read.loader, given.loader);
	assert_int_equal(read.rsdp_size, given.rsdp_size);
	assert_memory_equal(read.rsdp, given.rsdp, given.rsdp_size);
	assert_memory_equal(&read.framebuffer, &given.framebuffer,
			    offsetof(struct framebuffer_info, blue_shift) + 1);
	assert_int_equal(read.module_count, given.module_count);
	for (uint32_t i = 0; i < given.module_count; i++) {
		assert_string_equal(read.modules[i].name,
				    given.modules[i].name);
		assert_int_equal(read.modules[i].base.value,
				 given.modules[i].base.value);
		assert_int_equal(read.modules[i].size, given.modules[i].size);
	}
	assert_int_equal(read.region_count, given.region_count);
	for (uint32_t i = 0; i < given.region_count; i++) {
		assert_int_equal(read.regions[i].base, given.regions[i].base);
		assert_int_equal(read.regions[i].size, given.regions[i].size);
		assert_int_equal(read.regions[i].type, given.regions[i].type);
	}
}

static void passes_all_on(void **state)
{
	(void)state;
	assert_passed_on();
}

static void passes_old_rsdp_on(void **state)
{
	(void)state;
	given.rsdp_size = 20;
	assert_passed_on();
}

static void leaves_out_what_is_not_there(void **state)
{
	(void)state;
	given.module_count = 0;
	given.framebuffer = (struct framebuffer_info){ 0 };
	given.cmdline[0] = '\0';
	given.loader[0] = '\0';
	assert_passed_on();
}

static void passes_empty_file_on(void **state)
{
	(void)state;
	given.modules[0].size = 0;
	assert_passed_on();
}

/* The end of a name moves over a tag's alignment; padding must not show. */
static void pads_names_of_any_length(void **state)
{
	(void)state;
	for (size_t len = 1; len < BOOT_MODULE_NAME_MAX; len++) {
		memset(given.modules[1].name, 'n', len);
		given.modules[1].name[len] = '\0';
		assert_passed_on();
	}
}

/* "Boot information format", 3.6.2: a tag's size leaves its padding out. */
static void says_sizes_without_padding(void **state)
{
	static uint64_t block[MBI_SIZE_MAX / 8];
	uint32_t tag[2];

	(void)state;
	strcpy(given.cmdline, "ab");
	mbi_write(&given, block);
	memcpy(tag, &block[1], sizeof(tag));
	assert_int_equal(tag[0], 1);
	assert_int_equal(tag[1], 8 + 3);
	memcpy(tag, &block[3], sizeof(tag));
	assert_int_equal(tag[0], 2);
}

static void holds_the_fullest_info(void **state)
{
	(void)state;
	memset(given.cmdline, 'c', sizeof(given.cmdline) - 1);
	memset(given.loader, 'l', sizeof(given.loader) - 1);
	given.module_count = 0;
	for (int i = 0; i < BOOT_MODULES_MAX; i++) {
		char name[BOOT_MODULE_NAME_MAX];

		snprintf(name, sizeof(name), "%063d", i);
		add_module(name, 0x1000000 + (uint64_t)i * 0x1000, 0x1000);
	}
	given.region_count = 2;
	while (given.region_count < BOOT_REGIONS_MAX)
		add_region(0x100000000 + given.region_count * 0x2000UL, 0x1000,
			   MEMORY_RAM);
	assert_passed_on();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(passes_all_on, make_info),
		cmocka_unit_test_setup(passes_old_rsdp_on, make_info),
		cmocka_unit_test_setup(leaves_out_what_is_not_there, make_info),
		cmocka_unit_test_setup(passes_empty_file_on, make_info),
		cmocka_unit_test_setup(pads_names_of_any_length, make_info),
		cmocka_unit_test_setup(says_sizes_without_padding, make_info),
		cmocka_unit_test_setup(holds_the_fullest_info, make_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
