/* The tags of a multiboot2 block. [pure] */
#ifndef BOOT_MULTIBOOT2_TAGS_H
#define BOOT_MULTIBOOT2_TAGS_H

#include "boot/multiboot2.h"

#define MULTIBOOT2_TAG_ALIGN 8

enum multiboot2_tag_type {
	MULTIBOOT2_TAG_END = 0,
	MULTIBOOT2_TAG_CMDLINE = 1,
	MULTIBOOT2_TAG_LOADER = 2,
	MULTIBOOT2_TAG_MODULE = 3,
	MULTIBOOT2_TAG_MMAP = 6,
	MULTIBOOT2_TAG_FRAMEBUFFER = 8,
	MULTIBOOT2_TAG_RSDP_OLD = 14,
	MULTIBOOT2_TAG_RSDP_NEW = 15,
};

/* What the tag's head says, checked, and the bytes behind the head. */
struct multiboot2_tag {
	uint32_t type;
	uint32_t offset; /* in the block, for error lines */
	size_t size;	 /* of the body */
	const uint8_t *body;
};

/*
 * Check @tag by itself and put what it says into @out: a module or a region
 * behind those there are (regions by base), else in place of what there was. A
 * tag of another type is passed over. Errors are multiboot2_parse's.
 */
int multiboot2_read_tag(const struct multiboot2_tag *tag, struct boot_info *out,
			struct diag *diag);

#endif
