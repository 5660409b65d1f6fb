/* Bits, fields, alignment and bounds. [pure] */
#ifndef KERNEL_LIB_BITS_H
#define KERNEL_LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n)		(1UL << (n))
#define BITS(high, low) ((~0UL >> (63 - (high))) & (~0UL << (low)))
/* The field of @value under the contiguous @mask, shifted down (or up). */
#define FIELD_GET(mask, value) (((value) & (mask)) >> __builtin_ctzl(mask))
#define FIELD_PUT(mask, value) \
	(((uint64_t)(value) << __builtin_ctzl(mask)) & (mask))

#define KIB 1024UL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
	((type *)((char *)(ptr)-offsetof(type, member)))

static inline uint64_t align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

/* Wraps to 0 for values in the last, partial @align of the address space. */
static inline uint64_t align_up(uint64_t value, uint64_t align)
{
	return align_down(value + align - 1, align);
}

static inline bool is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Is [base, base + size) inside [0, limit), without wrapping? */
static inline bool range_fits(uint64_t base, uint64_t size, uint64_t limit)
{
	return size <= limit && base <= limit - size;
}

/* Do two non-wrapping ranges share a byte? */
static inline bool range_overlaps(uint64_t a, uint64_t a_size, uint64_t b,
				  uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

#endif
