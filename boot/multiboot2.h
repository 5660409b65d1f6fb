/* Multiboot2 boot information -> struct boot_info. [pure] */
#ifndef BOOT_MULTIBOOT2_H
#define BOOT_MULTIBOOT2_H

#include "boot/boot_info.h"
#include "kernel/lib/diag.h"

#define MULTIBOOT2_BOOT_MAGIC 0x36d76289U /* in EAX at entry */
#define MULTIBOOT2_INFO_MAX   (256 * KIB)

/*
 * Parse the information block of @size readable bytes at @block ("Multiboot2
 * Specification version 2.0", section 3.6 "Boot information format") into all
 * of @out but image_base and image_size. Nothing in the block is believed:
 * -EINVAL (malformed, a needed tag missing, wrapping ranges), -E2BIG (more
 * regions or modules than there is room for), -EEXIST (overlapping modules, or
 * two of one name), each with @diag; @out then holds nothing of use.
 */
int multiboot2_parse(const void *block, size_t size, struct boot_info *out,
		     struct diag *diag);

#endif
