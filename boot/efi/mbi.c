/*
 * struct boot_info -> multiboot2 boot information.
 *
 * Layouts are those of "Multiboot2 Specification version 2.0", section 3.6
 * "Boot information format": a header of total size and a reserved word, then
 * tags of type and size, each on an 8-byte boundary, the last of type 0.
 */
#include "boot/efi/mbi.h"

#include "boot/multiboot2.h"
#include "kernel/lib/string.h"

#define TAG_ALIGN	     8
#define FRAMEBUFFER_TYPE_RGB 1
#define CHANNEL_BITS	     8
#define RSDP_V1_SIZE	     20 /* "ACPI Specification 6.5", table 5.3 */

enum tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER_NAME = 2,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
};

struct tag {
	uint32_t type;
	uint32_t size; /* with this header, without the padding behind it */
};

struct module_head {
	uint32_t base;
	uint32_t end; /* one past the last byte */
};

struct memory_map_head {
	uint32_t entry_size;
	uint32_t entry_version;
};

struct memory_map_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/*
 * "Framebuffer info": the reserved field takes two bytes, as in the
 * specification's own header file.
 */
struct framebuffer_body {
	uint64_t base;
	uint32_t pitch;
	uint32_t width;
	uint32_t height;
	uint8_t bits_per_pixel;
	uint8_t type;
	uint16_t reserved;
	uint8_t red_shift;
	uint8_t red_bits;
	uint8_t green_shift;
	uint8_t green_bits;
	uint8_t blue_shift;
	uint8_t blue_bits;
	uint8_t padding[2];
};

_Static_assert(sizeof(struct tag) == 8, "tag header");
_Static_assert(sizeof(struct memory_map_entry) == 24, "memory map entry");
_Static_assert(offsetof(struct framebuffer_body, red_shift) == 24, "colours");
_Static_assert(sizeof(struct tag) * 7 + BOOT_CMDLINE_MAX +
			       BOOT_LOADER_NAME_MAX + BOOT_RSDP_MAX +
			       sizeof(struct framebuffer_body) +
			       BOOT_MODULES_MAX * (sizeof(struct tag) +
						   sizeof(struct module_head) +
						   BOOT_MODULE_NAME_MAX) +
			       BOOT_REGIONS_MAX *
				       sizeof(struct memory_map_entry) +
			       TAG_ALIGN * (BOOT_MODULES_MAX + 7) <=
		       MBI_SIZE_MAX,
	       "the fullest struct boot_info fits");
_Static_assert(MBI_SIZE_MAX <= MULTIBOOT2_INFO_MAX, "the parser takes it");

/* "Memory map", type; by enum memory_type. */
static const uint32_t memory_types[] = {
	[MEMORY_RAM] = 1,      [MEMORY_RESERVED] = 2, [MEMORY_ACPI_RECLAIM] = 3,
	[MEMORY_ACPI_NVS] = 4, [MEMORY_BAD] = 5,
};

/* The block as far as it is written; tag: offset of the tag being written. */
struct writer {
	uint8_t *block;
	size_t len;
	size_t tag;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
	memcpy(writer->block + writer->len, bytes, size);
	writer->len += size;
}

static void begin_tag(struct writer *writer, enum tag_type type)
{
	struct tag tag = { type, 0 };

	writer->tag = writer->len;
	put(writer, &tag, sizeof(tag));
}

/* Set the size of the tag and pad with zeroes to where the next one goes. */
static void end_tag(struct writer *writer)
{
	size_t end = align_up(writer->len, TAG_ALIGN);
	struct tag tag;

	memcpy(&tag, writer->block + writer->tag, sizeof(tag));
	tag.size = (uint32_t)(writer->len - writer->tag);
	memcpy(writer->block + writer->tag, &tag, sizeof(tag));
	memset(writer->block + writer->len, 0, end - writer->len);
	writer->len = end;
}

static void put_text_tag(struct writer *writer, enum tag_type type,
			 const char *text)
{
	begin_tag(writer, type);
	put(writer, text, strlen(text) + 1);
	end_tag(writer);
}

static void put_module(struct writer *writer, const struct boot_module *module)
{
	struct module_head head = {
		(uint32_t)module->base.value,
		(uint32_t)(module->base.value + module->size),
	};

	begin_tag(writer, TAG_MODULE);
	put(writer, &head, sizeof(head));
	put(writer, module->name, strlen(module->name) + 1);
	end_tag(writer);
}

static void put_memory_map(struct writer *writer, const struct boot_info *info)
{
	struct memory_map_head head = { sizeof(struct memory_map_entry), 0 };

	begin_tag(writer, TAG_MEMORY_MAP);
	put(writer, &head, sizeof(head));
	for (uint32_t i = 0; i < info->region_count; i++) {
		const struct memory_region *region = &info->regions[i];
		struct memory_map_entry entry = {
			.base = region->base,
			.size = region->size,
			.type = memory_types[region->type],
		};

		put(writer, &entry, sizeof(entry));
	}
	end_tag(writer);
}

static void put_framebuffer(struct writer *writer,
			    const struct framebuffer_info *info)
{
	struct framebuffer_body body = {
		.base = info->base.value,
		.pitch = info->pitch,
		.width = info->width,
		.height = info->height,
		.bits_per_pixel = 32,
		.type = FRAMEBUFFER_TYPE_RGB,
		.red_shift = info->red_shift,
		.red_bits = CHANNEL_BITS,
		.green_shift = info->green_shift,
		.green_bits = CHANNEL_BITS,
		.blue_shift = info->blue_shift,
		.blue_bits = CHANNEL_BITS,
	};

	begin_tag(writer, TAG_FRAMEBUFFER);
	put(writer, &body, offsetof(struct framebuffer_body, padding));
	end_tag(writer);
}

static void put_rsdp(struct writer *writer, const struct boot_info *info)
{
	begin_tag(writer,
		  info->rsdp_size > RSDP_V1_SIZE ? TAG_RSDP_NEW : TAG_RSDP_OLD);
	put(writer, info->rsdp, info->rsdp_size);
	end_tag(writer);
}

size_t mbi_write(const struct boot_info *info, void *block)
{
	struct writer writer = { block, 2 * sizeof(uint32_t), 0 };
	uint32_t header[2] = { 0, 0 };

	put_text_tag(&writer, TAG_CMDLINE, info->cmdline);
	put_text_tag(&writer, TAG_LOADER_NAME, info->loader);
	for (uint32_t i = 0; i < info->module_count; i++)
		put_module(&writer, &info->modules[i]);
	put_memory_map(&writer, info);
	if (info->framebuffer.width)
		put_framebuffer(&writer, &info->framebuffer);
	if (info->rsdp_size)
		put_rsdp(&writer, info);
	begin_tag(&writer, TAG_END);
	end_tag(&writer);
	header[0] = (uint32_t)writer.len;
	memcpy(block, header, sizeof(header));
	return writer.len;
}
