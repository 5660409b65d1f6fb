/* The heap: memory of any size, from pools by size class or whole runs of
 * frames. [pure] */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_SIZE_MAX (1024UL * 1024)

/* After frame_init. */
void heap_init(void);

/*
 * At least @size bytes (at most HEAP_SIZE_MAX), 16-byte aligned, filled with
 * zeroes; NULL: no memory or @size too large. 0 counts as 1.
 *
 * Above POOL_OBJECT_MAX it is a run of 2^n frames less 64 bytes, so sizes just
 * below a power of two fit best; who needs whole frames takes them from
 * frame_alloc.
 */
void *heap_alloc(size_t size);

/*
 * NULL is ignored. A pointer into the direct map that heap_alloc did not
 * return, or that was freed, is a panic in every build.
 */
void heap_free(void *ptr);

/* Bytes handed out, rounded up to what they really take. */
uint64_t heap_used(void);

#endif
