#include "kernel/loader_elf.h"

#include "kernel/lib/errno.h"

#define CLASS_32     1
#define CLASS_64     2
#define DATA_LSB     1
#define TYPE_EXEC    2
#define TYPE_DYN     3
#define MACHINE_386  3
#define MACHINE_X64  62
#define SEGMENT_LOAD 1
#define SEGMENT_NOTE 4
#define IDENT_CLASS  4
#define IDENT_DATA   5
#define IDENT_SIZE   16

struct elf32_header {
	uint8_t ident[IDENT_SIZE];
	uint16_t type, machine;
	uint32_t version;
	uint32_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf32_header) == 52, "ABI");

struct elf64_header {
	uint8_t ident[IDENT_SIZE];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_header) == 64, "ABI");

struct elf32_segment {
	uint32_t type;
	uint32_t offset, vaddr, paddr, filesz, memsz;
	uint32_t flags;
	uint32_t align;
};
_Static_assert(sizeof(struct elf32_segment) == 32, "ABI");

struct elf64_segment {
	uint32_t type;
	uint32_t flags;
	uint64_t offset, vaddr, paddr, filesz, memsz;
	uint64_t align;
};
_Static_assert(sizeof(struct elf64_segment) == 56, "ABI");

struct elf_note {
	uint32_t name_size, size, type;
};

bool loader_elf_is(const struct loader_file *file)
{
	return file->size >= IDENT_SIZE &&
	       memcmp(file->data, "\177ELF", 4) == 0;
}

/* The header as of 64 bits. False: the file is too short. */
static bool read_header(const struct loader_file *file, bool is_64,
			struct elf64_header *header)
{
	struct elf32_header narrow;

	if (file->size < (is_64 ? sizeof(*header) : sizeof(narrow)))
		return false;
	if (is_64) {
		memcpy(header, file->data, sizeof(*header));
		return true;
	}
	memcpy(&narrow, file->data, sizeof(narrow));
	*header = (struct elf64_header){ .type = narrow.type,
					 .machine = narrow.machine,
					 .entry = narrow.entry,
					 .phoff = narrow.phoff,
					 .phentsize = narrow.phentsize,
					 .phnum = narrow.phnum };
	return true;
}

static int check_headers(const struct loader_file *file,
			 const struct elf64_header *header, uint64_t entry_size,
			 struct diag *why)
{
	if ((header->type != TYPE_EXEC && header->type != TYPE_DYN) ||
	    (header->machine != MACHINE_386 && header->machine != MACHINE_X64))
		return diag_set(why, -EINVAL,
				"kernel: ELF file of type %u for machine %u: "
				"not an executable for x86",
				header->type, header->machine);
	if (header->phentsize != entry_size || header->phnum == 0 ||
	    header->phnum > LOADER_ELF_HEADERS_MAX)
		return diag_set(why, -EINVAL,
				"kernel: ELF file with %u program headers of "
				"%u bytes: 1 to %u of %lu are expected",
				header->phnum, header->phentsize,
				LOADER_ELF_HEADERS_MAX, entry_size);
	if (!range_fits(header->phoff, header->phnum * entry_size, file->size))
		return diag_set(why, -EINVAL,
				"kernel: ELF file cut short: program headers "
				"at 0x%lx, 0x%lx bytes in all",
				header->phoff, file->size);
	return 0;
}

int loader_elf_open(struct loader_elf *elf, const struct loader_file *file,
		    struct diag *why)
{
	struct elf64_header header;
	bool is_64;
	int error;

	if (!loader_elf_is(file) || file->data[IDENT_DATA] != DATA_LSB ||
	    (file->data[IDENT_CLASS] != CLASS_32 &&
	     file->data[IDENT_CLASS] != CLASS_64))
		return diag_set(why, -EINVAL,
				"kernel: not a little-endian ELF file");
	is_64 = file->data[IDENT_CLASS] == CLASS_64;
	if (!read_header(file, is_64, &header))
		return diag_set(why, -EINVAL,
				"kernel: ELF file cut short: 0x%lx bytes",
				file->size);
	error = check_headers(file, &header,
			      is_64 ? sizeof(struct elf64_segment)
				    : sizeof(struct elf32_segment),
			      why);
	if (error)
		return error;
	*elf = (struct loader_elf){ .file = file,
				    .headers = header.phoff,
				    .entry = header.entry,
				    .header_count = header.phnum,
				    .is_64 = is_64 };
	return 0;
}

static struct elf64_segment read_segment(const struct loader_elf *elf,
					 uint32_t number)
{
	const uint8_t *headers = elf->file->data + elf->headers;
	struct elf64_segment wide;
	struct elf32_segment narrow;

	if (elf->is_64) {
		memcpy(&wide, headers + number * sizeof(wide), sizeof(wide));
		return wide;
	}
	memcpy(&narrow, headers + number * sizeof(narrow), sizeof(narrow));
	return (struct elf64_segment){ .type = narrow.type,
				       .offset = narrow.offset,
				       .vaddr = narrow.vaddr,
				       .paddr = narrow.paddr,
				       .filesz = narrow.filesz,
				       .memsz = narrow.memsz,
				       .align = narrow.align };
}

static int put_segment(const struct loader_elf *elf,
		       const struct elf64_segment *segment,
		       struct loader_plan *plan, struct diag *why)
{
	struct loader_piece *piece;

	if (segment->filesz > segment->memsz ||
	    !range_fits(segment->offset, segment->filesz, elf->file->size))
		return diag_set(why, -EINVAL,
				"kernel: ELF segment of 0x%lx bytes at 0x%lx "
				"of the file, 0x%lx in memory: does not fit",
				segment->filesz, segment->offset,
				segment->memsz);
	piece = loader_plan_put(plan, "kernel: ELF segment", segment->paddr,
				segment->memsz, why);
	if (!piece)
		return -EINVAL;
	piece->data = elf->file->data + segment->offset;
	piece->data_size = segment->filesz;
	return 0;
}

int loader_elf_put(const struct loader_elf *elf, struct loader_plan *plan,
		   struct diag *why)
{
	bool has_segment = false;

	for (uint32_t i = 0; i < elf->header_count; i++) {
		struct elf64_segment segment = read_segment(elf, i);
		int error;

		if (segment.type != SEGMENT_LOAD || !segment.memsz)
			continue;
		error = put_segment(elf, &segment, plan, why);
		if (error)
			return error;
		has_segment = true;
	}
	if (!has_segment)
		return diag_set(why, -EINVAL,
				"kernel: ELF file without a segment to load");
	return 0;
}

static bool read_number(const uint8_t *bytes, uint64_t size, uint64_t *value)
{
	if (size != 4 && size != 8)
		return false;
	*value = 0;
	memcpy(value, bytes, size);
	return true;
}

/* Notes of one segment; @align of what follows a name or a number in it. */
static bool find_in_notes(const uint8_t *notes, uint64_t size, uint64_t align,
			  const char *name, uint32_t type, uint64_t *value)
{
	uint64_t name_size = strlen(name) + 1;
	uint64_t at = 0;

	while (range_fits(at, sizeof(struct elf_note), size)) {
		struct elf_note note;
		uint64_t name_at = at + sizeof(note);
		uint64_t data_at;

		memcpy(&note, notes + at, sizeof(note));
		data_at = align_up(name_at + note.name_size, align);
		if (!range_fits(data_at, note.size, size))
			return false;
		if (note.type == type && note.name_size == name_size &&
		    memcmp(notes + name_at, name, name_size) == 0)
			return read_number(notes + data_at, note.size, value);
		at = align_up(data_at + note.size, align);
	}
	return false;
}

bool loader_elf_find_note(const struct loader_elf *elf, const char *name,
			  uint32_t type, uint64_t *value)
{
	for (uint32_t i = 0; i < elf->header_count; i++) {
		struct elf64_segment segment = read_segment(elf, i);

		if (segment.type != SEGMENT_NOTE ||
		    segment.filesz > LOADER_ELF_NOTES_MAX ||
		    !range_fits(segment.offset, segment.filesz,
				elf->file->size))
			continue;
		if (find_in_notes(elf->file->data + segment.offset,
				  segment.filesz, segment.align == 8 ? 8 : 4,
				  name, type, value))
			return true;
	}
	return false;
}

uint64_t loader_elf_entry(const struct loader_elf *elf)
{
	for (uint32_t i = 0; i < elf->header_count; i++) {
		struct elf64_segment segment = read_segment(elf, i);

		if (segment.type == SEGMENT_LOAD &&
		    elf->entry >= segment.vaddr &&
		    elf->entry - segment.vaddr < segment.memsz)
			return elf->entry - segment.vaddr + segment.paddr;
	}
	return elf->entry;
}
