/* The tags of a multiboot2 block, one by one, into struct boot_info. */
#include "boot/multiboot2_tags.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/slice.h"

#define RSDP_OLD_SIZE 20 /* ACPI 1.0 */
#define RSDP_NEW_SIZE 36 /* ACPI 2.0 and later */

#define MMAP_RAM	  1
#define MMAP_ACPI_RECLAIM 3
#define MMAP_ACPI_NVS	  4
#define MMAP_BAD	  5

#define FRAMEBUFFER_RGB 1

struct module_body {
	uint32_t start;
	uint32_t end;
	/* its command line */
};

struct mmap_body {
	uint32_t entry_size;
	uint32_t entry_version;
	/* entries */
};

struct mmap_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

struct framebuffer_body {
	uint64_t base;
	uint32_t pitch;
	uint32_t width;
	uint32_t height;
	uint8_t bpp;
	uint8_t type;
	uint16_t reserved;
	/* colours, as the type has them */
};

struct framebuffer_colour {
	uint8_t shift;
	uint8_t bits;
};

_Static_assert(sizeof(struct module_body) == 8, "module tag");
_Static_assert(sizeof(struct mmap_body) == 8, "memory map tag");
_Static_assert(sizeof(struct mmap_entry) == 24, "memory map entry");
_Static_assert(sizeof(struct framebuffer_body) == 24, "framebuffer tag");
_Static_assert(sizeof(struct framebuffer_colour) == 2, "framebuffer colour");

static int refuse_size(const struct multiboot2_tag *tag, size_t expected,
		       struct diag *diag)
{
	return diag_set(diag, -EINVAL,
			"multiboot2: tag %u at %#x: %zu bytes behind its head:"
			" expected at least %zu",
			tag->type, tag->offset, tag->size, expected);
}

/*
 * The string that fills the rest of @tag from @offset of its body on; NULL,
 * with @diag, if it has no end there.
 */
static const char *find_string(const struct multiboot2_tag *tag, size_t offset,
			       struct diag *diag)
{
	const char *text = (const char *)tag->body + offset;
	size_t room = tag->size - offset;

	if (strnlen(text, room) < room)
		return text;
	diag_set(diag, -EINVAL,
		 "multiboot2: tag %u at %#x: expected a NUL inside the tag",
		 tag->type, tag->offset);
	return NULL;
}

static int read_cmdline(const struct multiboot2_tag *tag, struct boot_info *out,
			struct diag *diag)
{
	const char *text = find_string(tag, 0, diag);
	size_t len;

	if (!text)
		return -EINVAL;
	len = strlen(text);
	if (len >= sizeof(out->cmdline))
		return diag_set(diag, -EINVAL,
				"multiboot2: command line of %zu bytes:"
				" expected at most %zu",
				len, sizeof(out->cmdline) - 1);
	memcpy(out->cmdline, text, len + 1);
	return 0;
}

/* The name is only for people to read: cut to fit, and no control characters */
static int read_loader(const struct multiboot2_tag *tag, struct boot_info *out,
		       struct diag *diag)
{
	const char *text = find_string(tag, 0, diag);

	if (!text)
		return -EINVAL;
	for (size_t i = 0; i + 1 < sizeof(out->loader) && text[i]; i++)
		out->loader[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	return 0;
}

/* A module's name: the last part of the path that is its first word. */
static struct slice module_name(const char *text)
{
	struct slice name;

	while (*text == ' ')
		text++;
	name = (struct slice){ text, 0 };
	for (; *text && *text != ' '; text++) {
		name.len++;
		if (*text == '/')
			name = (struct slice){ text + 1, 0 };
	}
	return name;
}

static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ' || s.ptr[i] > '~')
			return false;
	return true;
}

static int read_module_name(const char *text, uint32_t start,
			    struct boot_module *out, struct diag *diag)
{
	struct slice name = module_name(text);

	if (name.len == 0)
		return diag_set(
			diag, -EINVAL,
			"multiboot2: module at %#x has no name: expected"
			" \"module2 FILE NAME\" in the loader's menu",
			start);
	if (name.len >= sizeof(out->name))
		return diag_set(diag, -EINVAL,
				"multiboot2: module at %#x: a name of %zu"
				" bytes: expected at most %zu",
				start, name.len, sizeof(out->name) - 1);
	if (!is_printable(name))
		return diag_set(diag, -EINVAL,
				"multiboot2: module at %#x: expected a name of"
				" printable ASCII",
				start);
	memcpy(out->name, name.ptr, name.len);
	return 0;
}

static int read_module(const struct multiboot2_tag *tag, struct boot_info *out,
		       struct diag *diag)
{
	struct boot_module *module = &out->modules[out->module_count];
	struct module_body body;
	const char *text;

	if (tag->size < sizeof(body))
		return refuse_size(tag, sizeof(body), diag);
	memcpy(&body, tag->body, sizeof(body));
	text = find_string(tag, sizeof(body), diag);
	if (!text)
		return -EINVAL;
	if (out->module_count == BOOT_MODULES_MAX)
		return diag_set(diag, -E2BIG,
				"multiboot2: too many modules: expected at"
				" most %d",
				BOOT_MODULES_MAX);
	if (body.end < body.start)
		return diag_set(diag, -EINVAL,
				"multiboot2: module from %#x to %#x: expected"
				" an end behind the start",
				body.start, body.end);
	module->base = HPA(body.start);
	module->size = body.end - body.start;
	out->module_count++;
	return read_module_name(text, body.start, module, diag);
}

static enum memory_type memory_type_of(uint32_t type)
{
	switch (type) {
	case MMAP_RAM: return MEMORY_RAM;
	case MMAP_ACPI_RECLAIM: return MEMORY_ACPI_RECLAIM;
	case MMAP_ACPI_NVS: return MEMORY_ACPI_NVS;
	case MMAP_BAD: return MEMORY_BAD;
	default: return MEMORY_RESERVED;
	}
}

/* Put @region where its base belongs, behind others of the same base. */
static void insert_region(struct boot_info *out,
			  const struct memory_region *region)
{
	uint32_t at = out->region_count++;

	while (at > 0 && out->regions[at - 1].base > region->base) {
		out->regions[at] = out->regions[at - 1];
		at--;
	}
	out->regions[at] = *region;
}

static int read_mmap_entry(const struct mmap_entry *entry,
			   struct boot_info *out, struct diag *diag)
{
	struct memory_region region = {
		.base = entry->base,
		.size = entry->size,
		.type = memory_type_of(entry->type),
	};

	if (region.size == 0)
		return 0;
	if (region.size > UINT64_MAX - region.base)
		return diag_set(diag, -EINVAL,
				"multiboot2: memory region at %#lx of %#lx"
				" bytes: expected an end below 2^64",
				region.base, region.size);
	if (out->region_count == BOOT_REGIONS_MAX)
		return diag_set(diag, -E2BIG,
				"multiboot2: too many memory regions: expected"
				" at most %d",
				BOOT_REGIONS_MAX);
	insert_region(out, &region);
	return 0;
}

static int read_mmap(const struct multiboot2_tag *tag, struct boot_info *out,
		     struct diag *diag)
{
	struct mmap_body body;
	struct mmap_entry entry;
	int err = 0;

	if (tag->size < sizeof(body))
		return refuse_size(tag, sizeof(body), diag);
	memcpy(&body, tag->body, sizeof(body));
	if (body.entry_size < sizeof(entry) ||
	    !is_aligned(body.entry_size, MULTIBOOT2_TAG_ALIGN))
		return diag_set(diag, -EINVAL,
				"multiboot2: memory map: entries of %u bytes:"
				" expected at least %zu and a multiple of %d",
				body.entry_size, sizeof(entry),
				MULTIBOOT2_TAG_ALIGN);
	if ((tag->size - sizeof(body)) % body.entry_size)
		return diag_set(diag, -EINVAL,
				"multiboot2: memory map: %zu bytes of entries:"
				" expected a multiple of %u",
				tag->size - sizeof(body), body.entry_size);
	for (size_t i = sizeof(body); !err && i < tag->size;
	     i += body.entry_size) {
		memcpy(&entry, tag->body + i, sizeof(entry));
		err = read_mmap_entry(&entry, out, diag);
	}
	return err;
}

/* Is every pixel 32 bits with a byte for each colour, and the extent sane? */
static bool is_usable(const struct framebuffer_body *body,
		      const struct framebuffer_colour colours[3])
{
	uint64_t size = (uint64_t)body->pitch * body->height;

	for (size_t i = 0; i < 3; i++)
		if (colours[i].bits != 8 || colours[i].shift > 24)
			return false;
	return body->bpp == 32 && body->base && body->width && body->height &&
	       body->pitch / 4 >= body->width &&
	       size <= UINT64_MAX - body->base;
}

/* A framebuffer that Basalt cannot draw on is none, not an error. */
static int read_framebuffer(const struct multiboot2_tag *tag,
			    struct boot_info *out, struct diag *diag)
{
	struct framebuffer_colour colours[3];
	struct framebuffer_body body;

	if (tag->size < sizeof(body))
		return refuse_size(tag, sizeof(body), diag);
	memcpy(&body, tag->body, sizeof(body));
	if (body.type != FRAMEBUFFER_RGB)
		return 0;
	if (tag->size < sizeof(body) + sizeof(colours))
		return refuse_size(tag, sizeof(body) + sizeof(colours), diag);
	memcpy(colours, tag->body + sizeof(body), sizeof(colours));
	if (!is_usable(&body, colours))
		return 0;
	out->framebuffer = (struct framebuffer_info){
		.base = HPA(body.base),
		.pitch = body.pitch,
		.width = body.width,
		.height = body.height,
		.red_shift = colours[0].shift,
		.green_shift = colours[1].shift,
		.blue_shift = colours[2].shift,
	};
	return 0;
}

/* The new RSDP wins, whichever comes first. */
static int read_rsdp(const struct multiboot2_tag *tag, uint32_t size,
		     struct boot_info *out, struct diag *diag)
{
	if (tag->size < size)
		return refuse_size(tag, size, diag);
	if (out->rsdp_size >= size)
		return 0;
	memcpy(out->rsdp, tag->body, size);
	out->rsdp_size = size;
	return 0;
}

int multiboot2_read_tag(const struct multiboot2_tag *tag, struct boot_info *out,
			struct diag *diag)
{
	switch (tag->type) {
	case MULTIBOOT2_TAG_CMDLINE: return read_cmdline(tag, out, diag);
	case MULTIBOOT2_TAG_LOADER: return read_loader(tag, out, diag);
	case MULTIBOOT2_TAG_MODULE: return read_module(tag, out, diag);
	case MULTIBOOT2_TAG_MMAP: return read_mmap(tag, out, diag);
	case MULTIBOOT2_TAG_FRAMEBUFFER:
		return read_framebuffer(tag, out, diag);
	case MULTIBOOT2_TAG_RSDP_OLD:
		return read_rsdp(tag, RSDP_OLD_SIZE, out, diag);
	case MULTIBOOT2_TAG_RSDP_NEW:
		return read_rsdp(tag, RSDP_NEW_SIZE, out, diag);
	default: return 0;
	}
}
