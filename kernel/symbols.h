/* Names of the image's functions, for backtraces. */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stdint.h>

/* The function that @address is in and the distance from its start; NULL: none.
 */
const char *symbols_find(uint64_t address, uint64_t *distance);

#endif
