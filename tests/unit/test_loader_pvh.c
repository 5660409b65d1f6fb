/* PVH, and ELF files in general. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "loader_elf_image.h"

#define NOTE_AT	    0xc00UL /* between headers and data */
#define ENTRY_POINT (2 * MIB + 0x10)

static void put_note(uint64_t value, size_t size)
{
	uint64_t end;

	/* others before it, with a name and a description to round up */
	end = elf_put_note(NOTE_AT, 18, "GNU", 1, 4);
	end = elf_put_note(end, 7, "Xen", 0x362e32, 4);
	end = elf_put_note(end, 1, "Linuxx", 0x77, 5);
	end = elf_put_note(end, 18, "Xen", value, size);
	elf_add((struct elf_segment){ 4, NOTE_AT, 0, 0, end - NOTE_AT,
				      end - NOTE_AT, 4 });
}

/* A sound kernel of one segment at 2 MiB. */
static void put_kernel(bool is_64)
{
	elf_begin(is_64, 0xffffff);
	elf_add_load(2 * MIB, 5000, 9000);
	put_note(ENTRY_POINT, is_64 ? 8 : 4);
	request.cmdline = slice_from("root=/dev/vda");
	request.rsdp = (gpa_t){ 0xe0000 };
}

static void loads_segments(void **state)
{
	(void)state;
	for (int is_64 = 0; is_64 < 2; is_64++) {
		machine_start(64 * MIB);
		image_size = 0;
		put_kernel(is_64);
		elf_add_load(48 * MIB + 3, 100, 100);
		elf_add_load(0, 0, 0);		/* empty: nothing to do */
		elf_add_load(32 * MIB, 0, MIB); /* all zero */
		assert_loads();
		assert_guest_bytes(2 * MIB, 0x90, 5000);
		assert_guest_bytes(2 * MIB + 5000, 0, 4000);
		assert_guest_bytes(48 * MIB + 3, 0x90, 100);
		assert_guest_bytes(48 * MIB + 103, 0, 8);
		assert_flat32(ENTRY_POINT);
	}
}

/* What was in RAM before does not show through what is to be zero. */
static void zeroes_the_rest(void **state)
{
	(void)state;
	put_kernel(true);
	for (uint64_t at = 2 * MIB; at < 2 * MIB + 0x4000; at += 8)
		guest_write_u64(&fake_vm.memory, (gpa_t){ at }, UINT64_MAX);
	assert_loads();
	assert_guest_bytes(2 * MIB, 0x90, 5000);
	assert_guest_bytes(2 * MIB + 5000, 0, 4000);
	assert_guest_bytes(2 * MIB + 9000, 0xff, 64);
}

static void fills_start_info(void **state)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(&fake_vm, map);
	uint64_t info, list;

	(void)state;
	put_kernel(true);
	assert_loads();
	info = entry.regs.gpr[GPR_RBX];
	assert_in_range(info, PAGE_SIZE, 0x8ffff);
	assert_int_equal(peek_number(info, 4), 0x336ec578);
	assert_int_equal(peek_number(info + 4, 4), 1);
	assert_int_equal(peek_number(info + 8, 8), 0); /* no modules */
	assert_int_equal(peek_number(info + 16, 8), 0);
	assert_guest_text(peek_number(info + 24, 8), "root=/dev/vda");
	assert_int_equal(peek_number(info + 32, 8), 0xe0000);
	list = peek_number(info + 40, 8);
	assert_int_equal(peek_number(info + 48, 4), count);
	assert_int_equal(peek_number(info + 52, 4), 0);
	for (uint32_t i = 0; i < count; i++, list += 24) {
		assert_int_equal(peek_number(list, 8), map[i].base);
		assert_int_equal(peek_number(list + 8, 8), map[i].size);
		assert_int_equal(peek_number(list + 16, 8), map[i].type);
	}
}

static void passes_initrd(void **state)
{
	uint64_t info, list;

	(void)state;
	put_kernel(false);
	request.initrd = module_make(10000);
	assert_loads();
	info = entry.regs.gpr[GPR_RBX];
	assert_int_equal(peek_number(info + 12, 4), 1);
	list = peek_number(info + 16, 8);
	assert_guest_has_module(peek_number(list, 8), 10000);
	assert_int_equal(peek_number(list + 8, 8), 10000);
	assert_int_equal(peek_number(list + 16, 8), 0);
}

static void makes_room_for_info(void **state)
{
	(void)state;
	put_kernel(true);
	elf_add_load(PAGE_SIZE, 10, 0x9e000); /* all of low memory */
	assert_loads();
	assert_in_range(entry.regs.gpr[GPR_RBX], 63 * MIB, 64 * MIB);
	machine_start(64 * MIB);
	image_size = 0;
	put_kernel(true);
	elf_add_load(0x80000, 10, 0x10000); /* the usual place */
	assert_loads();
	assert_in_range(entry.regs.gpr[GPR_RBX], 0x70000, 0x7ffff);
}

static void reads_notes_of_8_byte_alignment(void **state)
{
	uint64_t at = NOTE_AT;

	(void)state;
	elf_begin(true, 0);
	elf_add_load(2 * MIB, 5000, 5000);
	/* name at 12, description at 16 (a multiple of 8), next at 24 */
	elf_put_note(at, 5, "GNU", 3, 4);
	elf_put_note(at + 24, 18, "Xen", ENTRY_POINT, 8);
	elf_add((struct elf_segment){ 4, at, 0, 0, 48, 48, 8 });
	assert_loads();
	assert_flat32(ENTRY_POINT);
}

/* Without its note it is no PVH kernel. */
static void ignores_broken_notes(void **state)
{
	static const struct {
		uint64_t offset, value;
	} changes[] = {
		{ 0, UINT32_MAX }, /* size of the name */
		{ 4, UINT32_MAX }, /* of the description */
		{ 4, 6 },
		{ 8, 17 }, /* type */
		{ 12, 0x6e6558 + 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		image_size = 0;
		elf_begin(true, 0);
		elf_add_load(2 * MIB, 5000, 5000);
		elf_put_note(NOTE_AT, 18, "Xen", ENTRY_POINT, 8);
		elf_add((struct elf_segment){ 4, NOTE_AT, 0, 0, 24, 24, 4 });
		poke(NOTE_AT + changes[i].offset, changes[i].value, 4);
		assert_refused("nor an ELF file with a PVH note");
	}
	elf_put_note(NOTE_AT, 18, "Xen", ENTRY_POINT, 8);
	assert_loads();
}

/* Notes at the very end of the file, of which a part is missing. */
static void does_not_read_behind_notes(void **state)
{
	static const uint64_t missing[] = { 1, 4, 8, 12, 13 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		uint64_t at = ELF_DATA_AT, end;

		image_size = 0;
		elf_begin(true, 0);
		end = elf_put_note(at, 18, "Xen", ENTRY_POINT, 8) - missing[i];
		if (missing[i] == 12) /* a note without name and number */
			poke(at, 0, 8);
		image_size = end;
		elf_add((struct elf_segment){ 4, at, 0, 0, end - at, end - at,
					      4 });
		assert_refused("nor an ELF file with a PVH note");
	}
}

static void refuses_bad_entry(void **state)
{
	static const uint64_t entries[] = { 0, 2 * MIB - 1, 2 * MIB + 9000,
					    4 * GIB + 2 * MIB, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		image_size = 0;
		elf_begin(true, 0);
		elf_add_load(2 * MIB, 5000, 9000);
		put_note(entries[i], 8);
		assert_refused("is not in what is loaded");
	}
}

/* 32-bit mode does not reach it. */
static void refuses_high_entry(void **state)
{
	(void)state;
	machine_start(6 * GIB);
	elf_begin(true, 0);
	elf_add_load(4 * GIB + MIB, 5000, 9000);
	put_note(4 * GIB + MIB, 8);
	assert_refused("entry point 0x100100000 is not in what is loaded");
}

static void refuses_bad_segments(void **state)
{
	static const struct {
		struct elf_segment segment;
		const char *text;
	} cases[] = {
		/* outside of RAM, or across its end */
		{ { 1, 0, 0, 64 * MIB, 16, 16, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, 64 * MIB - 8, 8, 16, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, 0x9fbff, 2, 2, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, 0xa0000, 2, 2, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, 0xe0000, 2, 2, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, 0xfffff, 2, 2, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, UINT64_MAX, 2, 2, 1 }, "not in the VM's RAM" },
		{ { 1, 0, 0, 8 * MIB, 0, UINT64_MAX, 1 }, "not in the VM's" },
		/* over another */
		{ { 1, 0, 0, 2 * MIB + 8999, 2, 2, 1 },
		  "overlap kernel: ELF segment at 0x200000" },
		{ { 1, 0, 0, 2 * MIB - 1, 2, 2, 1 }, "overlap" },
		{ { 1, 0, 0, MIB, 2, 9 * MIB, 1 }, "overlap" },
		/* more of the file than there is, or than of memory */
		{ { 1, 0x10000000, 0, 8 * MIB, 1, 1, 1 }, "does not fit" },
		{ { 1, 1, 0, 8 * MIB, UINT64_MAX, UINT64_MAX, 1 },
		  "does not fit" },
		{ { 1, UINT64_MAX, 0, 8 * MIB, 2, 2, 1 }, "does not fit" },
		{ { 1, 0, 0, 8 * MIB, 17, 16, 1 }, "does not fit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		image_size = 0;
		put_kernel(true);
		elf_add(cases[i].segment);
		assert_refused(cases[i].text);
	}
}

static void refuses_too_many_segments(void **state)
{
	(void)state;
	put_kernel(true);
	for (uint64_t i = 0; i < 30; i++)
		elf_add_load(8 * MIB + i * PAGE_SIZE, 8, 8);
	assert_refused("more than 24 pieces");
}

static void refuses_large_initrd(void **state)
{
	(void)state;
	put_kernel(true);
	request.initrd = module_make(PAGE_SIZE);
	request.initrd.size = 62 * MIB;
	assert_refused("initrd: no room for 0x3e00000 bytes");
}

static void refuses_other_files(void **state)
{
	static const struct {
		uint64_t offset, value;
		size_t size;
		const char *text;
	} changes[] = {
		{ 0, 0, 1, "neither a bzImage, nor an ELF file with" },
		{ 4, 3, 1, "not a little-endian ELF file" },
		{ 5, 2, 1, "not a little-endian ELF file" },
		{ 16, 1, 2, "of type 1 for machine 62" },
		{ 18, 40, 2, "of type 2 for machine 40" },
		{ 32, UINT64_MAX, 8, "cut short: program headers" },
		{ 32, 0x800000, 8, "cut short: program headers" },
		{ 54, 32, 2, "2 program headers of 32 bytes" },
		{ 56, 0, 2, "0 program headers" },
		{ 56, 65, 2, "65 program headers of 56 bytes: 1 to 64 of 56" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		image_size = 0;
		put_kernel(true);
		poke(changes[i].offset, changes[i].value, changes[i].size);
		assert_refused(changes[i].text);
	}
}

static void refuses_cut_files(void **state)
{
	(void)state;
	put_kernel(true);
	for (uint64_t size = 1; size < 64 + 2 * 56; size++) {
		image_size = size;
		assert_refused(size < 16 ? "neither" : "cut short");
	}
	image_size = ELF_DATA_AT + 4999;
	assert_refused("does not fit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOADER_TEST(loads_segments),
		LOADER_TEST(zeroes_the_rest),
		LOADER_TEST(fills_start_info),
		LOADER_TEST(passes_initrd),
		LOADER_TEST(makes_room_for_info),
		LOADER_TEST(reads_notes_of_8_byte_alignment),
		LOADER_TEST(ignores_broken_notes),
		LOADER_TEST(does_not_read_behind_notes),
		LOADER_TEST(refuses_bad_entry),
		LOADER_TEST(refuses_high_entry),
		LOADER_TEST(refuses_bad_segments),
		LOADER_TEST(refuses_too_many_segments),
		LOADER_TEST(refuses_large_initrd),
		LOADER_TEST(refuses_other_files),
		LOADER_TEST(refuses_cut_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
