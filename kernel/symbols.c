/* Names of the image's functions: a table made from the linked image
 * (scripts/symbols.awk) and linked in again. */
#include "kernel/symbols.h"

#include <stddef.h>

#include "mm/addr.h"

/* Distances from IMAGE_BASE, rising, and where each name starts in
 * symbols_names. */
extern const uint32_t symbols_count;
extern const uint32_t symbols_offsets[];
extern const uint32_t symbols_name_offsets[];
extern const char symbols_names[];
extern char text_end[];

const char *symbols_find(uint64_t address, uint64_t *distance)
{
	uint32_t low = 0, high = symbols_count;
	uint64_t offset = address - IMAGE_BASE;

	if (address < IMAGE_BASE || address >= (uint64_t)text_end)
		return NULL;
	while (low < high) { /* the first symbol beyond offset */
		uint32_t middle = low + (high - low) / 2;

		if (symbols_offsets[middle] <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	*distance = offset - symbols_offsets[low - 1];
	return symbols_names + symbols_name_offsets[low - 1];
}
