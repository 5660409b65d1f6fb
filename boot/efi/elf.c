/*
 * basalt.elf inside basalt.efi.
 *
 * The file is our own, linked in by the build. It is checked all the same: a
 * wrong linker script must end in a line on the console, not in a jump into
 * nowhere. Layouts are those of "System V ABI, Object Files".
 */
#include "boot/efi/elf.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/addr.h"

#define ELF_IDENT      "\177ELF\2\1\1" /* 64-bit, little-endian, version 1 */
#define ELF_IDENT_SIZE 7
#define EM_X86_64      62
#define PT_LOAD	       1

struct elf64_file {
	uint8_t ident[16];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint64_t entry;
	uint64_t segment_offset;
	uint64_t section_offset;
	uint32_t flags;
	uint16_t header_size;
	uint16_t segment_entry_size;
	uint16_t segment_count;
	uint16_t section_entry_size;
	uint16_t section_count;
	uint16_t names_index;
};
_Static_assert(sizeof(struct elf64_file) == 64, "ELF header");

struct elf64_segment {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t virtual_base;
	uint64_t physical_base;
	uint64_t file_size;
	uint64_t memory_size;
	uint64_t align;
};
_Static_assert(sizeof(struct elf64_segment) == 56, "ELF program header");

static int read_file_header(const uint8_t *file, size_t size,
			    struct elf64_file *out, struct diag *diag)
{
	if (size < sizeof(*out))
		return diag_set(diag, -EINVAL,
				"basalt.elf: %zu bytes, an ELF header has %zu",
				size, sizeof(*out));
	memcpy(out, file, sizeof(*out));
	if (memcmp(out->ident, ELF_IDENT, ELF_IDENT_SIZE) != 0 ||
	    out->machine != EM_X86_64)
		return diag_set(diag, -EINVAL,
				"basalt.elf: not an ELF64 file for x86-64");
	if (out->segment_entry_size != sizeof(struct elf64_segment) ||
	    !range_fits(out->segment_offset,
			out->segment_count * sizeof(struct elf64_segment),
			size))
		return diag_set(diag, -EINVAL,
				"basalt.elf: %u program headers of %u bytes at "
				"%#lx, expected within %#zx bytes",
				out->segment_count, out->segment_entry_size,
				out->segment_offset, size);
	return 0;
}

/* Append @segment, which must come after all before it, to what @out covers. */
static int add_segment(struct elf_image *out, const uint8_t *file, size_t size,
		       const struct elf64_segment *segment, struct diag *diag)
{
	uint64_t offset;

	if (!range_fits(segment->offset, segment->file_size, size) ||
	    segment->file_size > segment->memory_size)
		return diag_set(diag, -EINVAL,
				"basalt.elf: segment at %#lx: %#lx of %#lx "
				"bytes at offset %#lx of a file of %#zx",
				segment->physical_base, segment->file_size,
				segment->memory_size, segment->offset, size);
	if (out->part_count == ELF_PARTS_MAX)
		return diag_set(diag, -EINVAL,
				"basalt.elf: more than %d segments",
				ELF_PARTS_MAX);
	if (out->part_count == 0)
		out->base = segment->physical_base;
	/* of a segment below the base this wraps, and is refused as too far */
	offset = segment->physical_base - out->base;
	if (offset < out->size ||
	    !range_fits(offset, segment->memory_size, IMAGE_SIZE_MAX))
		return diag_set(diag, -EINVAL,
				"basalt.elf: segment at %#lx: %#lx bytes, "
				"expected within %#lx to %#lx",
				segment->physical_base, segment->memory_size,
				out->base + out->size,
				out->base + IMAGE_SIZE_MAX);
	out->size = offset + segment->memory_size;
	out->parts[out->part_count++] =
		(struct elf_part){ file + segment->offset, segment->file_size,
				   offset };
	return 0;
}

static int read_segments(struct elf_image *out, const uint8_t *file,
			 size_t size, const struct elf64_file *header,
			 struct diag *diag)
{
	for (uint32_t i = 0; i < header->segment_count; i++) {
		struct elf64_segment segment;
		int error;

		memcpy(&segment,
		       file + header->segment_offset + i * sizeof(segment),
		       sizeof(segment));
		if (segment.type != PT_LOAD || segment.memory_size == 0)
			continue;
		error = add_segment(out, file, size, &segment, diag);
		if (error)
			return error;
	}
	if (out->part_count == 0 || !is_aligned(out->base, LARGE_PAGE_SIZE))
		return diag_set(diag, -EINVAL,
				"basalt.elf: %u segments from %#lx on, "
				"expected some from a 2 MiB boundary on",
				out->part_count, out->base);
	return 0;
}

static int find_entry(struct elf_image *out, struct diag *diag)
{
	const struct elf_part *first = &out->parts[0];
	struct elf_header64 header;

	if (first->size < sizeof(header) ||
	    memcmp(first->bytes, ELF_HEADER_MAGIC, sizeof(header.magic)) != 0)
		return diag_set(diag, -EINVAL,
				"basalt.elf: the image does not begin with %s",
				ELF_HEADER_MAGIC);
	memcpy(&header, first->bytes, sizeof(header));
	if (header.start64 < sizeof(header) || header.start64 >= out->size)
		return diag_set(diag, -EINVAL,
				"basalt.elf: 64-bit entry at %#lx of an image "
				"of %#lx bytes",
				header.start64, out->size);
	out->entry = header.start64;
	return 0;
}

int elf_check(const void *file, size_t size, struct elf_image *out,
	      struct diag *diag)
{
	struct elf64_file header;
	int error;

	*out = (struct elf_image){ 0 };
	error = read_file_header(file, size, &header, diag);
	if (!error)
		error = read_segments(out, file, size, &header, diag);
	if (!error)
		error = find_entry(out, diag);
	return error;
}

void elf_load(const struct elf_image *image, void *dst)
{
	memset(dst, 0, IMAGE_SIZE_MAX);
	for (uint32_t i = 0; i < image->part_count; i++) {
		const struct elf_part *part = &image->parts[i];

		memcpy((uint8_t *)dst + part->offset, part->bytes, part->size);
	}
}
