/* ELF files, made header by header in loader_machine.h's image. */
#ifndef LOADER_ELF_IMAGE_H
#define LOADER_ELF_IMAGE_H

#include "loader_machine.h"

#define ELF_DATA_AT 0x1000UL /* of file: what segments hold */

struct elf_segment {
	uint32_t type; /* 1 to load, 4 notes */
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

static bool elf_is_64;
static uint32_t elf_count;

static inline uint64_t elf_headers_at(void)
{
	return elf_is_64 ? 64 : 52;
}

static inline void elf_begin(bool is_64, uint64_t entry_point)
{
	size_t word = is_64 ? 8 : 4;

	elf_is_64 = is_64;
	elf_count = 0;
	memcpy(poke(0, 0, 4), "\177ELF", 4);
	poke(4, is_64 ? 2 : 1, 1);
	poke(5, 1, 1);
	poke(6, 1, 1);
	poke(16, 2, 2);
	poke(18, is_64 ? 62 : 3, 2);
	poke(20, 1, 4);
	poke(24, entry_point, word);
	poke(24 + word, elf_headers_at(), word);
	poke(is_64 ? 54 : 42, is_64 ? 56 : 32, 2);
	poke(ELF_DATA_AT - 1, 0, 1);
}

static inline void elf_add(struct elf_segment segment)
{
	uint64_t at = elf_headers_at() + elf_count * (elf_is_64 ? 56 : 32);
	size_t word = elf_is_64 ? 8 : 4;
	const uint64_t fields[] = { segment.offset, segment.vaddr,
				    segment.paddr, segment.filesz,
				    segment.memsz };

	poke(at, segment.type, 4);
	at += word; /* with the flags, which nobody reads, at either end */
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++, at += word)
		poke(at, fields[i], word);
	poke(elf_is_64 ? at : at + 4, segment.align, word);
	poke(elf_is_64 ? 56 : 44, ++elf_count, 2);
}

/* @filesz bytes of 0x90 at @paddr, and zeroes up to @memsz. */
static inline void elf_add_load(uint64_t paddr, uint64_t filesz, uint64_t memsz)
{
	uint64_t at = max_u64(image_size, ELF_DATA_AT);

	if (filesz)
		fill(at, filesz, 0x90);
	elf_add((struct elf_segment){ 1, at, paddr, paddr, filesz, memsz, 1 });
}

/* A note like Xen's, whose description is @size bytes of @value. */
static inline uint64_t elf_put_note(uint64_t at, uint32_t type,
				    const char *name, uint64_t value,
				    size_t size)
{
	poke(at, strlen(name) + 1, 4);
	poke(at + 4, size, 4);
	poke(at + 8, type, 4);
	memcpy(poke(at + 12, 0, 8), name, strlen(name) + 1);
	at += 12 + align_up(strlen(name) + 1, 4);
	poke(at, value, 8);
	return at + align_up(size, 4);
}

#endif
