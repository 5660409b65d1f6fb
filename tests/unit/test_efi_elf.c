/* basalt.elf: what elf_check takes and refuses, and where elf_load puts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/efi/elf.h"
#include "kernel/lib/errno.h"
#include "mm/addr.h"

#define BASE	  0x200000UL
#define TEXT_AT	  0x200UL
#define TEXT_SIZE 64UL
#define DATA_AT	  0x300UL
#define DATA_SIZE 16UL
#define FILE_SIZE (DATA_AT + DATA_SIZE)

/*
 * Offsets in the ELF header, and in a program header ("System V ABI, Object
 * Files").
 */
enum { E_MACHINE = 18, E_PHOFF = 32, E_PHENTSIZE = 54, E_PHNUM = 56 };
enum { P_OFFSET = 8, P_PADDR = 24, P_FILESZ = 32, P_MEMSZ = 40 };
#define SEGMENT(i) (64 + (i)*56)

static uint8_t file[FILE_SIZE];

static void set16(size_t at, uint16_t value)
{
	memcpy(file + at, &value, sizeof(value));
}

static void set32(size_t at, uint32_t value)
{
	memcpy(file + at, &value, sizeof(value));
}

static void set64(size_t at, uint64_t value)
{
	memcpy(file + at, &value, sizeof(value));
}

static void set_segment(size_t i, uint32_t type, uint64_t offset,
			uint64_t paddr, uint64_t file_size,
			uint64_t memory_size)
{
	set32(SEGMENT(i), type);
	set64(SEGMENT(i) + P_OFFSET, offset);
	set64(SEGMENT(i) + P_PADDR, paddr);
	set64(SEGMENT(i) + P_FILESZ, file_size);
	set64(SEGMENT(i) + P_MEMSZ, memory_size);
}

/* Text at the base, a note that is not loaded, data with .bss two pages on. */
static int make_file(void **state)
{
	(void)state;
	memset(file, 0, sizeof(file));
	memcpy(file, "\177ELF\2\1\1", 7);
	set16(E_MACHINE, 62);
	set64(E_PHOFF, 64);
	set16(E_PHENTSIZE, 56);
	set16(E_PHNUM, 3);
	set_segment(0, 1, TEXT_AT, BASE, TEXT_SIZE, TEXT_SIZE);
	set_segment(1, 4, ~0UL, ~0UL, ~0UL, ~0UL);
	set_segment(2, 1, DATA_AT, BASE + 0x2000, DATA_SIZE, 0x5000);
	memset(file + TEXT_AT, 0x90, TEXT_SIZE);
	memcpy(file + TEXT_AT, "BASALT64", 8);
	set64(TEXT_AT + 8, 0x20);
	memset(file + DATA_AT, 0xda, DATA_SIZE);
	return 0;
}

static void accepts_and_finds_entry(void **state)
{
	struct elf_image image;
	struct diag diag;

	(void)state;
	assert_int_equal(elf_check(file, sizeof(file), &image, &diag), 0);
	assert_int_equal(image.base, BASE);
	assert_int_equal(image.size, 0x7000);
	assert_int_equal(image.entry, 0x20);
	assert_int_equal(image.part_count, 2);
}

static void lays_out_and_clears(void **state)
{
	uint8_t *dst = malloc(IMAGE_SIZE_MAX);
	struct elf_image image;
	struct diag diag;

	(void)state;
	memset(dst, 0xee, IMAGE_SIZE_MAX);
	assert_int_equal(elf_check(file, sizeof(file), &image, &diag), 0);
	elf_load(&image, dst);
	assert_memory_equal(dst, file + TEXT_AT, TEXT_SIZE);
	assert_memory_equal(dst + 0x2000, file + DATA_AT, DATA_SIZE);
	for (size_t i = TEXT_SIZE; i < IMAGE_SIZE_MAX; i++) {
		if (i < 0x2000 || i >= 0x2000 + DATA_SIZE)
			assert_int_equal(dst[i], 0);
	}
	free(dst);
}

static void fills_all_of_the_page(void **state)
{
	struct elf_image image;
	struct diag diag;

	(void)state;
	set64(SEGMENT(2) + P_MEMSZ, IMAGE_SIZE_MAX - 0x2000);
	assert_int_equal(elf_check(file, sizeof(file), &image, &diag), 0);
	assert_int_equal(image.size, IMAGE_SIZE_MAX);
}

/* Every cut of the file is refused or stays inside it: ASan watches. */
static void refuses_every_truncation(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(file); size++) {
		uint8_t *cut = malloc(size ? size : 1);
		struct elf_image image;
		struct diag diag;

		memcpy(cut, file, size);
		assert_int_equal(elf_check(cut, size, &image, &diag), -EINVAL);
		free(cut);
	}
}

struct damage {
	size_t at;
	size_t size; /* bytes of value */
	uint64_t value;
	const char *diag; /* how the line begins */
};

static const struct damage damages[] = {
	{ 0, 1, 0, "basalt.elf: not an ELF64" },
	{ 4, 1, 1, "basalt.elf: not an ELF64" }, /* 32-bit */
	{ 5, 1, 2, "basalt.elf: not an ELF64" }, /* big-endian */
	{ E_MACHINE, 2, 3, "basalt.elf: not an ELF64" },
	{ E_PHENTSIZE, 2, 32, "basalt.elf: 3 program headers of 32" },
	{ E_PHOFF, 8, FILE_SIZE, "basalt.elf: 3 program headers" },
	{ E_PHOFF, 8, ~0UL - 8, "basalt.elf: 3 program headers" },
	{ E_PHNUM, 2, 0xffff, "basalt.elf: 65535 program headers" },
	{ E_PHNUM, 2, 0, "basalt.elf: 0 segments" },
	{ SEGMENT(0) + P_OFFSET, 8, FILE_SIZE, "basalt.elf: segment at 0x200" },
	{ SEGMENT(0) + P_OFFSET, 8, ~0UL - 8, "basalt.elf: segment at 0x200" },
	{ SEGMENT(0) + P_FILESZ, 8, TEXT_SIZE + 1, "basalt.elf: segment at" },
	{ SEGMENT(0) + P_FILESZ, 8, ~0UL, "basalt.elf: segment at" },
	{ SEGMENT(0) + P_FILESZ, 8, 15, "basalt.elf: the image does not" },
	{ SEGMENT(0) + P_MEMSZ, 8, 0x2001, "basalt.elf: segment at 0x202000" },
	{ SEGMENT(0) + P_MEMSZ, 8, ~0UL, "basalt.elf: segment at 0x200000" },
	{ SEGMENT(0) + P_PADDR, 8, BASE - 1, "basalt.elf: 2 segments from" },
	{ SEGMENT(2) + P_PADDR, 8, BASE + 63, "basalt.elf: segment at" },
	{ SEGMENT(2) + P_PADDR, 8, BASE - 4096, "basalt.elf: segment at" },
	{ SEGMENT(2) + P_PADDR, 8, ~0UL, "basalt.elf: segment at" },
	{ SEGMENT(2) + P_MEMSZ, 8, IMAGE_SIZE_MAX - 0x1fff, "basalt.elf: seg" },
	{ TEXT_AT, 1, 'b', "basalt.elf: the image does not" },
	{ TEXT_AT + 8, 8, 15, "basalt.elf: 64-bit entry at 0xf" },
	{ TEXT_AT + 8, 8, 0x7000, "basalt.elf: 64-bit entry at 0x7000" },
	{ TEXT_AT + 8, 8, ~0UL, "basalt.elf: 64-bit entry" },
};

static void refuses_damage(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		const struct damage *damage = &damages[i];
		struct elf_image image;
		struct diag diag = { "" };

		make_file(state);
		memcpy(file + damage->at, &damage->value, damage->size);
		assert_int_equal(elf_check(file, sizeof(file), &image, &diag),
				 -EINVAL);
		diag.text[strlen(damage->diag)] = '\0';
		assert_string_equal(diag.text, damage->diag);
	}
}

static void refuses_too_many_segments(void **state)
{
	static uint8_t big[64 + 9 * 56 + 64];
	struct elf_image image;
	struct diag diag;

	(void)state;
	set64(TEXT_AT + 8, 16); /* inside the first segment alone */
	memcpy(big, file, SEGMENT(1));
	memcpy(big + SEGMENT(9), file + TEXT_AT, 64);
	for (size_t i = 0; i < 9; i++) {
		set_segment(0, 1, SEGMENT(9), BASE + i * 64, 64, 64);
		memcpy(big + SEGMENT(i), file + SEGMENT(0), 56);
	}
	big[E_PHNUM] = ELF_PARTS_MAX;
	assert_int_equal(elf_check(big, sizeof(big), &image, &diag), 0);
	big[E_PHNUM] = ELF_PARTS_MAX + 1;
	assert_int_equal(elf_check(big, sizeof(big), &image, &diag), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(accepts_and_finds_entry, make_file),
		cmocka_unit_test_setup(lays_out_and_clears, make_file),
		cmocka_unit_test_setup(fills_all_of_the_page, make_file),
		cmocka_unit_test_setup(refuses_every_truncation, make_file),
		cmocka_unit_test_setup(refuses_damage, make_file),
		cmocka_unit_test_setup(refuses_too_many_segments, make_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
