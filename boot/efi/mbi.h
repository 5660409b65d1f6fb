/*
 * struct boot_info -> multiboot2 boot information: what boot/multiboot2.h
 * reads, written. [pure]
 */
#ifndef BOOT_EFI_MBI_H
#define BOOT_EFI_MBI_H

#include "boot/boot_info.h"

/* Enough for the fullest struct boot_info, and within MULTIBOOT2_INFO_MAX. */
#define MBI_SIZE_MAX (64 * KIB)

/*
 * Write @info into the MBI_SIZE_MAX bytes at @block, which is 8-byte aligned,
 * and return the bytes written. Left out are a framebuffer of width 0, an RSDP
 * of size 0, image_base and image_size. Cannot fail: the counts of @info are in
 * bounds and its texts end with a NUL.
 */
size_t mbi_write(const struct boot_info *info, void *block);

#endif
