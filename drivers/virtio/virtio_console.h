/*
 * The console of virtio 1.2, 5.3 "Console Device". [pure]
 *
 * Output is on the VM's console when the driver's notification ends. Typed
 * characters go straight into the driver's buffers; while it has none, up to
 * CONSOLE_INPUT_MAX of them wait. Receive queues belong to whoever has
 * console_port.lock, so that characters can come from any thread; reset and destroy
 * keep others out as network cards do (net_device.h).
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_CONSOLE_H
#define DRIVERS_VIRTIO_VIRTIO_CONSOLE_H

#include "drivers/virtio/virtio.h"

#define CONSOLE_INPUT_MAX 256

/* The device, not attached. NULL: no memory. */
struct virtio_device *virtio_console_make(struct vm *vm);

/* Typed characters for port 0; what does not fit is dropped, and all of it if the
 * driver is not there. May take vm->lock: only locks before that held. */
void virtio_console_input(struct virtio_device *device, const char *data,
			  uint32_t size);

/* Keep the device from being destroyed: vm->lock is held and pc_set_console has
 * not taken it away. And let go, without any lock; the holder does not give way
 * between. */
void virtio_console_hold(struct virtio_device *device);
void virtio_console_put(struct virtio_device *device);

#endif
