/*
 * basalt.elf inside basalt.efi: checked, then copied to where it will run.
 * [pure]
 */
#ifndef BOOT_EFI_ELF_H
#define BOOT_EFI_ELF_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/lib/diag.h"

/*
 * The first bytes of the image (boot/start.asm), ahead of its multiboot2
 * header. ELF's own entry point is the 32-bit one, for GRUB.
 */
#define ELF_HEADER_MAGIC "BASALT64"

struct elf_header64 {
	char magic[8];
	uint64_t start64; /* offset of the 64-bit entry from the image's first
			     byte */
};
_Static_assert(sizeof(struct elf_header64) == 16, "as boot/start.asm has it");

#define ELF_PARTS_MAX 8

/* A PT_LOAD segment's bytes in the file, and where in the image they go. */
struct elf_part {
	const uint8_t *bytes;
	uint64_t size;
	uint64_t offset;
};

/* What elf_check found. */
struct elf_image {
	uint64_t base; /* lowest physical address of a segment; 2 MiB aligned */
	uint64_t size; /* bytes from there that the segments cover, <=
			  IMAGE_SIZE_MAX */
	uint64_t entry; /* offset of the 64-bit entry, < size */
	uint32_t part_count;
	struct elf_part
		parts[ELF_PARTS_MAX]; /* ascending, disjoint, inside size */
};

/*
 * Check @file: ELF64 for x86-64, PT_LOAD segments inside the file, ascending
 * and disjoint by physical address, inside IMAGE_SIZE_MAX bytes from a 2 MiB
 * boundary on, with struct elf_header64 first. -EINVAL with @diag "basalt.elf:
 * …". @out points into
 * @file.
 */
int elf_check(const void *file, size_t size, struct elf_image *out,
	      struct diag *diag);

/*
 * Lay the image out in the IMAGE_SIZE_MAX bytes at @dst: segments where they
 * belong, zeroes elsewhere.
 */
void elf_load(const struct elf_image *image, void *dst);

#endif
