/* Questions about what the boot loader said. */
#include "boot/boot_info.h"

bool boot_info_is_device(const struct boot_info *info, uint64_t base,
			 uint64_t size, uint8_t address_bits)
{
	if (!size || !range_fits(base, size, BIT(address_bits)))
		return false;
	for (uint32_t i = 0; i < info->region_count; i++) {
		const struct memory_region *region = &info->regions[i];

		if (region->type == MEMORY_RAM &&
		    range_overlaps(base, size, region->base, region->size))
			return false;
	}
	return true;
}
