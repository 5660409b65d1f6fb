/*
 * The EFI memory map.
 *
 * It calls memory by who uses it, in a hundred and more entries. Once boot
 * services are gone, what they and the loader used is plain RAM; the hypervisor
 * itself keeps the image, the modules and the information block out of it.
 */
#include "boot/efi/efi_map.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/*
 * By "UEFI Specification 2.10", section 7.2 "Memory Allocation Services",
 * EFI_MEMORY_TYPE. All others are reserved.
 */
static const enum memory_type region_types[] = {
	[0] = MEMORY_RESERVED,	   /* EfiReservedMemoryType */
	[1] = MEMORY_RAM,	   /* EfiLoaderCode */
	[2] = MEMORY_RAM,	   /* EfiLoaderData */
	[3] = MEMORY_RAM,	   /* EfiBootServicesCode */
	[4] = MEMORY_RAM,	   /* EfiBootServicesData */
	[5] = MEMORY_RESERVED,	   /* EfiRuntimeServicesCode */
	[6] = MEMORY_RESERVED,	   /* EfiRuntimeServicesData */
	[7] = MEMORY_RAM,	   /* EfiConventionalMemory */
	[8] = MEMORY_BAD,	   /* EfiUnusableMemory */
	[9] = MEMORY_ACPI_RECLAIM, /* EfiACPIReclaimMemory */
	[10] = MEMORY_ACPI_NVS,	   /* EfiACPIMemoryNVS */
};

/* Does @b begin where @a ends, as the same kind of memory? */
static bool continues(const struct memory_region *a,
		      const struct memory_region *b)
{
	return a->type == b->type && a->base + a->size == b->base;
}

static void remove_region(struct boot_info *info, uint32_t at)
{
	info->region_count--;
	memmove(&info->regions[at], &info->regions[at + 1],
		(info->region_count - at) * sizeof(info->regions[0]));
}

/*
 * Put @region behind the last one that does not begin after it. Firmware's map
 * is nearly sorted: search from the end.
 */
static int insert_region(struct boot_info *info,
			 const struct memory_region *region, struct diag *diag)
{
	struct memory_region *regions = info->regions;
	uint32_t at = info->region_count;

	while (at > 0 && regions[at - 1].base > region->base)
		at--;
	if (at > 0 && continues(&regions[at - 1], region)) {
		regions[--at].size += region->size;
	} else {
		if (info->region_count == BOOT_REGIONS_MAX)
			return diag_set(diag, -E2BIG,
					"memory map: more than %d regions",
					BOOT_REGIONS_MAX);
		memmove(&regions[at + 1], &regions[at],
			(info->region_count - at) * sizeof(*region));
		regions[at] = *region;
		info->region_count++;
	}
	if (at + 1 < info->region_count &&
	    continues(&regions[at], &regions[at + 1])) {
		regions[at].size += regions[at + 1].size;
		remove_region(info, at + 1);
	}
	return 0;
}

static int add_entry(struct boot_info *info, const struct efi_map_entry *entry,
		     struct diag *diag)
{
	struct memory_region region = {
		.base = entry->base,
		.size = entry->pages << PAGE_SHIFT,
		.type = entry->type < ARRAY_SIZE(region_types)
				? region_types[entry->type]
				: MEMORY_RESERVED,
	};

	/*
	 * Firmware with empty and wrapping entries exists. Leaving them out is
	 * safe: memory that nothing describes is not used.
	 */
	if (entry->pages == 0 ||
	    !range_fits(entry->base >> PAGE_SHIFT, entry->pages,
			BIT(64 - PAGE_SHIFT) - 1))
		return 0;
	return insert_region(info, &region, diag);
}

int efi_map_read(const void *map, size_t size, size_t stride,
		 struct boot_info *info, struct diag *diag)
{
	struct efi_map_entry entry;

	info->region_count = 0;
	if (stride < sizeof(entry))
		return diag_set(diag, -EINVAL,
				"memory map: entries of %zu bytes, expected "
				"at least %zu",
				stride, sizeof(entry));
	for (size_t at = 0; range_fits(at, stride, size); at += stride) {
		int error;

		memcpy(&entry, (const uint8_t *)map + at, sizeof(entry));
		error = add_entry(info, &entry, diag);
		if (error)
			return error;
	}
	return 0;
}
