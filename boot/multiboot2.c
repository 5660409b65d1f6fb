/*
 * Multiboot2 boot information -> struct boot_info.
 *
 * "Multiboot2 Specification version 2.0", section 3.6 "Boot information
 * format": a head, then tags, each at a multiple of eight bytes, up to the end
 * tag. Tags are copied out one after another; what they say of each other (are
 * the modules in RAM? apart?) is checked when all are read. Tags that Basalt
 * has no use for are passed over, image load base (21) among them: start.asm
 * finds the image by itself.
 */
#include "boot/multiboot2.h"

#include "boot/multiboot2_tags.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/* Tags that may be there once. */
#define ONCE                                                          \
	(BIT(MULTIBOOT2_TAG_CMDLINE) | BIT(MULTIBOOT2_TAG_LOADER) |   \
	 BIT(MULTIBOOT2_TAG_MMAP) | BIT(MULTIBOOT2_TAG_FRAMEBUFFER) | \
	 BIT(MULTIBOOT2_TAG_RSDP_OLD) | BIT(MULTIBOOT2_TAG_RSDP_NEW))

struct info_head {
	uint32_t total_size;
	uint32_t reserved;
};

struct tag_head {
	uint32_t type;
	uint32_t size; /* with this head, without the padding */
};

_Static_assert(sizeof(struct info_head) == 8, "fixed part");
_Static_assert(sizeof(struct tag_head) == 8, "tag head");

/* The block, and where the next tag is. */
struct reader {
	const uint8_t *block;
	uint32_t size;
	uint32_t offset;
	uint64_t seen; /* BIT(type) of the ONCE tags read */
};

/* Set the reader's size to the block's own, of @size readable bytes. */
static int check_head(struct reader *reader, size_t size, struct diag *diag)
{
	size_t max = min_u64(size, MULTIBOOT2_INFO_MAX);
	struct info_head head;

	if (!is_aligned((uintptr_t)reader->block, MULTIBOOT2_TAG_ALIGN) ||
	    size < sizeof(head))
		return diag_set(diag, -EINVAL,
				"multiboot2: %zu bytes at %p: expected at least"
				" %zu, aligned to %d",
				size, (const void *)reader->block, sizeof(head),
				MULTIBOOT2_TAG_ALIGN);
	memcpy(&head, reader->block, sizeof(head));
	if (head.total_size < sizeof(head) || head.total_size > max)
		return diag_set(diag, -EINVAL,
				"multiboot2: total size %u: expected %zu to"
				" %zu",
				head.total_size, sizeof(head), max);
	reader->size = head.total_size;
	return 0;
}

/* The tag at the reader, which then is behind it. */
static int next_tag(struct reader *reader, struct multiboot2_tag *out,
		    struct diag *diag)
{
	uint32_t offset = reader->offset;
	uint32_t left = reader->size - offset;
	struct tag_head head;

	if (left < sizeof(head))
		return diag_set(diag, -EINVAL,
				"multiboot2: %u bytes end without an end tag:"
				" expected tag 0 of 8 bytes",
				reader->size);
	memcpy(&head, reader->block + offset, sizeof(head));
	if (head.size < sizeof(head) || head.size > left)
		return diag_set(diag, -EINVAL,
				"multiboot2: tag %u at %#x: size %u: expected"
				" %zu to %u",
				head.type, offset, head.size, sizeof(head),
				left);
	*out = (struct multiboot2_tag){
		.type = head.type,
		.offset = offset,
		.size = head.size - sizeof(head),
		.body = reader->block + offset + sizeof(head),
	};
	/* the last tag need not be padded */
	reader->offset = (uint32_t)min_u64(align_up(offset + head.size,
						    MULTIBOOT2_TAG_ALIGN),
					   reader->size);
	return 0;
}

static int check_once(struct reader *reader, const struct multiboot2_tag *tag,
		      struct diag *diag)
{
	uint64_t bit = tag->type < 64 ? ONCE & BIT(tag->type) : 0;

	if (reader->seen & bit)
		return diag_set(diag, -EINVAL,
				"multiboot2: tag %u at %#x: a second one:"
				" expected it once",
				tag->type, tag->offset);
	reader->seen |= bit;
	return 0;
}

static int check_end(const struct multiboot2_tag *tag, struct diag *diag)
{
	if (tag->size == 0)
		return 0;
	return diag_set(diag, -EINVAL,
			"multiboot2: end tag at %#x: size %zu: expected %zu",
			tag->offset, tag->size + sizeof(struct tag_head),
			sizeof(struct tag_head));
}

static int read_tags(struct reader *reader, struct boot_info *out,
		     struct diag *diag)
{
	struct multiboot2_tag tag;
	int err;

	for (;;) {
		err = next_tag(reader, &tag, diag);
		if (err)
			return err;
		if (tag.type == MULTIBOOT2_TAG_END)
			return check_end(&tag, diag);
		err = check_once(reader, &tag, diag);
		if (!err)
			err = multiboot2_read_tag(&tag, out, diag);
		if (err)
			return err;
	}
}

/* Is all of @module RAM, and nothing of it anything else? */
static bool is_in_ram(const struct boot_info *info,
		      const struct boot_module *module)
{
	uint64_t end = module->base.value + module->size;
	uint64_t reached = module->base.value;

	for (uint32_t i = 0; i < info->region_count; i++) {
		const struct memory_region *region = &info->regions[i];

		if (region->type != MEMORY_RAM) {
			if (range_overlaps(region->base, region->size,
					   module->base.value, module->size))
				return false;
			continue;
		}
		/* regions are sorted: no later one fills a gap before this */
		if (region->base <= reached)
			reached = max_u64(reached, region->base + region->size);
	}
	return reached >= end;
}

static int check_pair(const struct boot_module *a, const struct boot_module *b,
		      struct diag *diag)
{
	if (strcmp(a->name, b->name) == 0)
		return diag_set(diag, -EEXIST,
				"multiboot2: two modules %s, at %#lx and %#lx:"
				" expected one of each name",
				a->name, a->base.value, b->base.value);
	if (a->size && b->size &&
	    range_overlaps(a->base.value, a->size, b->base.value, b->size))
		return diag_set(diag, -EEXIST,
				"multiboot2: modules %s (%#lx bytes at %#lx)"
				" and %s (%#lx at %#lx) overlap: expected them"
				" apart",
				a->name, a->size, a->base.value, b->name,
				b->size, b->base.value);
	return 0;
}

/* An empty module takes no memory, so it may stand anywhere. */
static int check_module(const struct boot_info *info, uint32_t index,
			struct diag *diag)
{
	const struct boot_module *module = &info->modules[index];
	int err = 0;

	if (module->size && !is_in_ram(info, module))
		return diag_set(diag, -EINVAL,
				"multiboot2: module %s: %#lx bytes at %#lx:"
				" expected them in RAM, by the memory map",
				module->name, module->size, module->base.value);
	for (uint32_t i = 0; !err && i < index; i++)
		err = check_pair(&info->modules[i], module, diag);
	return err;
}

/* All of @out but where the image is, which the caller knows. */
static void clear(struct boot_info *out)
{
	hpa_t image_base = out->image_base;
	uint64_t image_size = out->image_size;

	memset(out, 0, sizeof(*out));
	out->image_base = image_base;
	out->image_size = image_size;
}

int multiboot2_parse(const void *block, size_t size, struct boot_info *out,
		     struct diag *diag)
{
	struct reader reader = {
		.block = block,
		.offset = sizeof(struct info_head),
	};
	int err;

	clear(out);
	err = check_head(&reader, size, diag);
	if (!err)
		err = read_tags(&reader, out, diag);
	if (err)
		return err;
	if (!(reader.seen & BIT(MULTIBOOT2_TAG_MMAP)))
		return diag_set(diag, -EINVAL,
				"multiboot2: no memory map: expected tag %d",
				MULTIBOOT2_TAG_MMAP);
	for (uint32_t i = 0; !err && i < out->module_count; i++)
		err = check_module(out, i, diag);
	return err;
}
