/* random_bytes of host tests: counts up. */
#ifndef FAKE_RANDOM_H
#define FAKE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

extern bool fake_random_fails;
extern uint8_t fake_random_next; /* the next byte */

#endif
