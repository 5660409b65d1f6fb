/* Multiboot 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boot/config.h"
#include "loader_elf_image.h"

#define HEADER_AT 0x200UL /* of file */

static void put_header(uint64_t at, uint32_t flags)
{
	poke(at, 0x1badb002, 4);
	poke(at + 4, flags, 4);
	poke(at + 8, -(0x1badb002 + flags), 4);
}

/* The fields that bit 16 of the flags announces. */
static void put_addresses(uint64_t at, uint32_t header, uint32_t load,
			  uint32_t load_end, uint32_t bss_end,
			  uint32_t entry_addr)
{
	put_header(at, 0x10003);
	poke(at + 12, header, 4);
	poke(at + 16, load, 4);
	poke(at + 20, load_end, 4);
	poke(at + 24, bss_end, 4);
	poke(at + 28, entry_addr, 4);
}

/* A sound ELF kernel whose entry point is a virtual address. */
static void put_elf(bool is_64)
{
	elf_begin(is_64, 0xc0000010);
	elf_add((struct elf_segment){ 1, ELF_DATA_AT, 0xc0000000, 4 * MIB, 3000,
				      5000, 1 });
	fill(ELF_DATA_AT, 3000, 0x90);
	put_header(HEADER_AT, 3);
	request.cmdline = slice_from("a=1 b");
}

/* A sound kernel of 10000 bytes whose header is at HEADER_AT, to be at 1 MiB. */
static void put_addressed(void)
{
	fill(0, 10000, 0x90);
	put_addresses(HEADER_AT, MIB + HEADER_AT, MIB, MIB + 9000, MIB + 20000,
		      MIB + 0x40);
}

static void loads_elf(void **state)
{
	(void)state;
	for (int is_64 = 0; is_64 < 2; is_64++) {
		machine_start(64 * MIB);
		image_size = 0;
		put_elf(is_64);
		assert_loads();
		assert_flat32(4 * MIB + 0x10);
		assert_guest_bytes(4 * MIB, 0x90, 3000);
		assert_guest_bytes(4 * MIB + 3000, 0, 2000);
		assert_int_equal(entry.regs.gpr[GPR_RAX], 0x2badb002);
	}
}

static void loads_by_addresses(void **state)
{
	(void)state;
	put_addressed();
	assert_loads();
	assert_flat32(MIB + 0x40);
	assert_guest_bytes(MIB, 0x90, HEADER_AT);
	assert_int_equal(peek_number(MIB + HEADER_AT, 4), 0x1badb002);
	assert_guest_bytes(MIB + HEADER_AT + 32, 0x90, 9000 - HEADER_AT - 32);
	assert_guest_bytes(MIB + 9000, 0, 11000);
}

static void loads_whole_file_by_default(void **state)
{
	(void)state;
	put_addressed();
	/* from byte 0x100 of the file on, to its end; no bss */
	put_addresses(HEADER_AT, MIB + 0x100, MIB, 0, 0, MIB);
	assert_loads();
	assert_guest_bytes(MIB, 0x90, 0x100);
	assert_int_equal(peek_number(MIB + 0x100, 4), 0x1badb002);
	assert_guest_bytes(MIB + 0x120, 0x90, 10000 - 0x220);
	assert_guest_bytes(MIB + 10000 - 0x100, 0, 64);
}

static void tells_of_memory(void **state)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(&fake_vm, map);
	uint64_t info, at;

	(void)state;
	put_elf(false);
	assert_loads();
	info = entry.regs.gpr[GPR_RBX];
	assert_in_range(info, PAGE_SIZE, 0x8ffff);
	assert_int_equal(peek_number(info, 4), 0x24d);
	assert_int_equal(peek_number(info + 4, 4), 639);
	assert_int_equal(peek_number(info + 8, 4), 63 * 1024);
	assert_int_equal(peek_number(info + 44, 4), count * 24);
	at = peek_number(info + 48, 4);
	for (uint32_t i = 0; i < count; i++, at += 24) {
		assert_int_equal(peek_number(at, 4), 20);
		assert_int_equal(peek_number(at + 4, 8), map[i].base);
		assert_int_equal(peek_number(at + 12, 8), map[i].size);
		assert_int_equal(peek_number(at + 20, 4), map[i].type);
	}
	assert_guest_text(peek_number(info + 64, 4), "Basalt");
}

/* The command line begins with the kernel's name, as GRUB's does. */
static void passes_texts_and_initrd(void **state)
{
	static const struct config_vm config = { .kernel = { "kernel.elf", 10 },
						 .initrd = { "env.txt", 7 } };
	uint64_t info, module;

	(void)state;
	put_elf(false);
	fake_vm.config = &config;
	request.initrd = module_make(9000);
	assert_loads();
	info = entry.regs.gpr[GPR_RBX];
	assert_guest_text(peek_number(info + 16, 4), "kernel.elf a=1 b");
	assert_int_equal(peek_number(info + 20, 4), 1);
	module = peek_number(info + 24, 4);
	assert_guest_has_module(peek_number(module, 4), 9000);
	assert_int_equal(peek_number(module + 4, 4),
			 peek_number(module, 4) + 9000);
	assert_true(is_aligned(peek_number(module, 4), PAGE_SIZE));
	assert_guest_text(peek_number(module + 8, 4), "env.txt");
	assert_int_equal(peek_number(module + 12, 4), 0);
}

static void passes_texts_without_config(void **state)
{
	uint64_t info;

	(void)state;
	put_elf(false);
	assert_loads();
	info = entry.regs.gpr[GPR_RBX];
	assert_guest_text(peek_number(info + 16, 4), "a=1 b");
	assert_int_equal(peek_number(info + 20, 4), 0); /* modules */
	request.cmdline = (struct slice){ NULL, 0 };
	machine_start(64 * MIB);
	assert_loads();
	info = entry.regs.gpr[GPR_RBX];
	assert_guest_text(peek_number(info + 16, 4), "");
}

/* Everything of the first 8 KiB, at multiples of 4. */
static void finds_header(void **state)
{
	(void)state;
	put_elf(false);
	fill(HEADER_AT, 12, 0);
	fill(ELF_DATA_AT, 8192, 0);
	poke(72, 3000, 4); /* size of the segment in the file */
	put_header(8192 - 12, 0);
	assert_loads();
	fill(8192 - 12, 12, 0);
	machine_start(64 * MIB);
	put_header(8192 - 8, 0);
	assert_refused("neither");
	fill(8192 - 8, 12, 0);
	put_header(HEADER_AT + 2, 0);
	assert_refused("neither");
	fill(HEADER_AT, 16, 0);
	put_header(HEADER_AT, 0);
	poke(HEADER_AT + 8, 0, 4); /* checksum */
	assert_refused("neither");
	/* a false one before the right one */
	put_header(HEADER_AT + 12, 0);
	assert_loads();
}

static void prefers_pvh(void **state)
{
	(void)state;
	put_elf(true);
	elf_put_note(0xc00, 18, "Xen", 4 * MIB + 0x20, 8);
	elf_add((struct elf_segment){ 4, 0xc00, 0, 0, 24, 24, 4 });
	assert_loads();
	assert_flat32(4 * MIB + 0x20);
	assert_int_equal(entry.regs.gpr[GPR_RAX], 0);
}

static void refuses_demands(void **state)
{
	(void)state;
	put_elf(false);
	put_header(HEADER_AT, 7); /* a video mode */
	assert_refused("multiboot header demands 0x4");
	put_header(HEADER_AT, 0x8000);
	assert_refused("multiboot header demands 0x8000");
	put_header(HEADER_AT, 0x20000); /* may be ignored */
	assert_loads();
}

static void refuses_bad_addresses(void **state)
{
	static const struct {
		uint32_t header, load, load_end, bss_end, entry_addr;
		const char *text;
	} cases[] = {
		{ MIB, MIB + 1, 0, 0, MIB, "does not fit" },
		{ MIB + 0x201, MIB, 0, 0, MIB, "does not fit" },
		{ UINT32_MAX, 0, 0, 0, MIB, "does not fit" },
		{ MIB, MIB, MIB - 1, 0, MIB, "are not in the file" },
		{ MIB, MIB, MIB + 9489, 0, MIB, "are not in the file" },
		{ MIB, MIB, UINT32_MAX, 0, MIB, "are not in the file" },
		{ 0, 0, 0x1000, 0xa0000, 0x10, "not in the VM's RAM" },
		{ MIB, MIB, 0, UINT32_MAX, MIB, "not in the VM's RAM" },
		{ 64 * MIB - 8, 64 * MIB - 8, 0, 0, MIB, "not in the VM's" },
		{ 0xfffffff0, 0xfffffff0, 0, 0, MIB, "not in the VM's RAM" },
		{ MIB, MIB, 0, 0, MIB - 1, "entry point 0xfffff is not in" },
		{ MIB, MIB, 0, 0, MIB + 9488, "is not in what is loaded" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_addressed();
		put_addresses(HEADER_AT, cases[i].header, cases[i].load,
			      cases[i].load_end, cases[i].bss_end,
			      cases[i].entry_addr);
		assert_refused(cases[i].text);
	}
	put_addresses(HEADER_AT, MIB, MIB, MIB + 9488, 0, MIB + 9487);
	assert_loads();
}

static void refuses_other_files(void **state)
{
	(void)state;
	put_addressed();
	put_header(HEADER_AT, 0); /* no addresses, and no ELF file */
	assert_refused("not a little-endian ELF file");
	image_size = 0;
	put_elf(false);
	poke(24, 0x100, 4); /* entry point */
	assert_refused("entry point 0x100 is not in what is loaded");
}

/* 32-bit mode does not reach it. */
static void refuses_high_entry(void **state)
{
	(void)state;
	machine_start(6 * GIB);
	elf_begin(true, 4 * GIB + MIB);
	elf_add_load(4 * GIB + MIB, 5000, 9000);
	put_header(HEADER_AT, 3);
	assert_refused("entry point 0x100100000 is not in what is loaded");
}

static void refuses_large_initrd(void **state)
{
	(void)state;
	put_elf(false);
	request.initrd = module_make(PAGE_SIZE);
	request.initrd.size = 60 * MIB;
	assert_refused("initrd: no room for 0x3c00000 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOADER_TEST(loads_elf),
		LOADER_TEST(loads_by_addresses),
		LOADER_TEST(loads_whole_file_by_default),
		LOADER_TEST(tells_of_memory),
		LOADER_TEST(passes_texts_and_initrd),
		LOADER_TEST(passes_texts_without_config),
		LOADER_TEST(finds_header),
		LOADER_TEST(prefers_pvh),
		LOADER_TEST(refuses_demands),
		LOADER_TEST(refuses_bad_addresses),
		LOADER_TEST(refuses_other_files),
		LOADER_TEST(refuses_high_entry),
		LOADER_TEST(refuses_large_initrd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
