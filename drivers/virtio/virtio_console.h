/*
 * The console of virtio 1.2, 5.3 "Console Device". [pure]
 *
 * Output is with the VM's console when the driver's notification ends. Typed
 * characters go straight into the driver's buffers; while it has none, up to
 * CONSOLE_INPUT_MAX of them wait. Receive queues belong to whoever has
 * console_port.lock, so that characters can come from any thread; reset and destroy
 * keep others out as network cards do (net_device.h).
 *
 *	virtio_console.c	the device, and output
 *	console_control.c	control queues: which ports there are
 *	console_port.c		input
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_CONSOLE_H
#define DRIVERS_VIRTIO_VIRTIO_CONSOLE_H

#include "drivers/virtio/virtio.h"

#define CONSOLE_INPUT_MAX 256

/* Ports offered: console_control.c has their names. */
#define CONSOLE_PORTS 1

/* 5.3.2 "Virtqueues": two of port 0, two for control, two of each other port. */
#define CONSOLE_CONTROL_IN  2
#define CONSOLE_CONTROL_OUT 3
#define CONSOLE_QUEUES	    (2 * CONSOLE_PORTS + 2)

/* Legend: (q) by the server of the queue, (a) atomic, [i] lock, which also guards
 * the receive queue. */
struct console_port {
	struct spinlock lock;	       /* LOCK_RANK_PORT */
	struct vq_chain in_chain;      /* [i] */
	struct vq_chain out_chain;     /* (q) */
	uint32_t pending;	       /* (a) BIT(event) to tell the driver */
	uint32_t input_head;	       /* [i] next character to hand over */
	uint32_t input_count;	       /* [i] */
	char input[CONSOLE_INPUT_MAX]; /* [i] */
};

struct virtio_console {
	struct virtio_device device;
	uint32_t users; /* (a) who hold it */
	struct console_port ports[CONSOLE_PORTS];
	struct vq_chain control_in, control_out; /* (q) */
};

static inline struct virtio_console *console_of(struct virtio_device *device)
{
	return CONTAINER_OF(device, struct virtio_console, device);
}

/* Take in a control message of the driver's. -E: it is not in memory. */
int console_control_read(struct virtio_console *console, struct virtqueue *vq,
			 const struct vq_chain *chain);
/* Serve the queue of control messages for the driver. */
void console_control_serve(struct virtio_console *console);

/* Characters for port @index, none or more; hand over what there is buffers for.
 * As virtio_console_input. */
void console_port_input(struct virtio_console *console, uint16_t index,
			const char *data, uint32_t size);

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
