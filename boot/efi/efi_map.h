/* The EFI memory map -> struct boot_info's regions. [pure] */
#ifndef BOOT_EFI_EFI_MAP_H
#define BOOT_EFI_EFI_MAP_H

#include "boot/boot_info.h"
#include "kernel/lib/diag.h"

/*
 * "UEFI Specification 2.10", section 7.2.3 "EFI_BOOT_SERVICES.GetMemoryMap()":
 * EFI_MEMORY_DESCRIPTOR.
 */
struct efi_map_entry {
	uint32_t type;
	uint32_t padding;
	uint64_t base;
	uint64_t virtual_base;
	uint64_t pages; /* of 4 KiB */
	uint64_t attributes;
};
_Static_assert(sizeof(struct efi_map_entry) == 40, "EFI_MEMORY_DESCRIPTOR");

/*
 * Read the memory map of @size bytes, its entries @stride bytes apart (firmware
 * may append fields), into the regions of
 * @info: by base, neighbours of one type merged. -EINVAL: @stride holds no
 * entry; -E2BIG: more than BOOT_REGIONS_MAX regions.
 */
int efi_map_read(const void *map, size_t size, size_t stride,
		 struct boot_info *info, struct diag *diag);

#endif
