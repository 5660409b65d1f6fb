/*
 * Poison: a pattern in freed memory, so that a debug build notices who writes to
 * it. [pure]
 */
#ifndef MM_POISON_H
#define MM_POISON_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"

#ifdef DEBUG
#define POISON_IS_ON true
#else
#define POISON_IS_ON false
#endif

#define POISON_BYTE 0x5a
#define POISON_WORD 0x5a5a5a5a5a5a5a5aUL

/* @size is a multiple of 8, @ptr aligned to 8. */
static inline void poison_fill(void *ptr, size_t size)
{
	if (POISON_IS_ON)
		memset(ptr, POISON_BYTE, size);
}

/* Panic if anything was written there since poison_fill. */
static inline void poison_check(const void *ptr, size_t size)
{
	const uint64_t *words = ptr;

	if (!POISON_IS_ON)
		return;
	for (size_t i = 0; i < size / sizeof(*words); i++) {
		if (words[i] != POISON_WORD)
			panic("freed memory was written to: %#lx at %p",
			      words[i], (const void *)&words[i]);
	}
}

#endif
