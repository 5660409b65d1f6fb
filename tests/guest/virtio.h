/* A driver for the virtio entropy device, written to be broken. Virtio 1.2. */
#ifndef TESTS_GUEST_VIRTIO_H
#define TESTS_GUEST_VIRTIO_H

#include "tests/guest/pci.h"

#define RNG_SIZE 8 /* entries of its ring */

#define RNG_INDIRECT BIT(28)
#define RNG_VERSION1 BIT(32)
#define RNG_PACKED   BIT(34)

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER	   2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

struct descriptor {
	uint64_t address;
	uint32_t size;
	uint16_t flags, next; /* packed: id, flags */
};

struct rng_ring {
	volatile struct descriptor desc[RNG_SIZE]
		__attribute__((aligned(4096)));
	volatile struct {
		uint16_t flags, index, ring[RNG_SIZE], event;
	} avail __attribute__((aligned(4096)));
	volatile struct {
		uint16_t flags, index;
		struct {
			uint32_t id, size;
		} ring[RNG_SIZE];
	} used __attribute__((aligned(4096)));
};

struct rng {
	uint32_t device;
	uint64_t common, notify, queue_notify;
	uint64_t desc, driver, device_area; /* where the ring is said to be */
	uint16_t vector;		    /* of the queue; 0xffff: none */
};

extern struct rng rng;
extern struct rng_ring ring;
extern volatile uint8_t rng_buffer[4096];

void rng_find(void);
void rng_reset(void);
/* From reset to DRIVER_OK, with the ring where rng says. */
void rng_start(uint64_t features);
void rng_notify(void);
uint8_t rng_status(void);
/* rng_find, rng_start without features. */
void rng_begin(void);
void rng_set_desc(uint32_t number, uint64_t address, uint32_t size,
		  uint16_t flags, uint16_t next);
/* Make the chain that begins at @head available. */
void rng_offer(uint16_t head);
/* A good request on the split ring, after rng_start. */
void rng_request(void);
/* The device says that it needs a reset, or gives nothing back; and it works
 * again after the reset. */
void rng_check_recovery(void);

#endif
