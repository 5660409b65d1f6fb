/* The entropy device of virtio 1.2, 5.4: a device that sends MSIs. */
#ifndef TESTS_BENCH_GUEST_ENTROPY_H
#define TESTS_BENCH_GUEST_ENTROPY_H

#include <stdbool.h>
#include <stdint.h>

/* Set the device up, its queue's MSI-X message being @vector. false: none. */
bool entropy_init(uint8_t vector);

/* Ask for bytes; the interrupt tells that they are there. */
void entropy_request(void);

#endif
