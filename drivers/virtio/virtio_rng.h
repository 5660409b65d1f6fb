/* The entropy device of virtio 1.2, 5.4 "Entropy Device": random bytes of
 * kernel/random.h. [pure] */
#ifndef DRIVERS_VIRTIO_VIRTIO_RNG_H
#define DRIVERS_VIRTIO_VIRTIO_RNG_H

#include "drivers/virtio/virtio.h"

/* The device, not attached. NULL: no memory. */
struct virtio_device *virtio_rng_make(struct vm *vm);

#endif
