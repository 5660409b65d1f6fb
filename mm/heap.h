/* The heap: memory of any size, from pools by size class or whole runs of frames. [pure] */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include <stddef.h>
#include <stdint.h>

void heap_init(void);

/* At least @size bytes (at most 1 MiB), 16-byte aligned, filled with zeroes; NULL: no memory or @size too large. */
void *heap_alloc(size_t size);

/* NULL is ignored. A pointer that heap_alloc did not return, or that was freed, is a panic in every build. */
void heap_free(void *ptr);

/* Bytes handed out, rounded up to what they really take. */
uint64_t heap_used(void);

#endif
