/* The checksum of firmware tables. [pure] */
#ifndef DRIVERS_PC_CHECKSUM_H
#define DRIVERS_PC_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* What has to be added for the bytes to sum up to 0. */
static inline uint8_t checksum_make(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum - *byte++);
	return sum;
}

#endif
