/* Stacks with a guard page below. */
#ifndef MM_STACK_H
#define MM_STACK_H

#include <stdbool.h>
#include <stdint.h>

#define STACK_PAGES_MAX 3

/* A stack of @pages pages (1 to STACK_PAGES_MAX): its top, 16-byte aligned;
 * NULL: no memory. */
void *stack_alloc(unsigned int pages);

/* Give back what stack_alloc(@pages) returned; kept for the next one of that
 * size. */
void stack_free(void *top, unsigned int pages);

/* Is @address in the guard page of some stack slot, or of the boot stack? */
bool stack_is_guard(uint64_t address);

/* Stacks that exist, used or kept. */
uint32_t stack_count(void);

#endif
