/*
 * A virtio device behind its transport (virtio_pci.c): virtio 1.2, chapter 2
 * "Basic Facilities of a Virtio Device". [pure]
 *
 * Who serves a queue: the thread of the vCPU that notifies, on the spot. While
 * one serves, another's notification is remembered (`serving`, `kicked`: atomic),
 * so a queue has one server at a time and nobody spins. Serving passes
 * thread_window() between requests, so that it delays others no longer than one
 * request takes.
 *
 * How long one serves: other vCPUs may add requests as fast as they are served,
 * so a notification serves VIRTIO_BUDGET at most, and ends with the request that
 * goes beyond. The queue then waits in vm->virtio_rests, from where vCPU 0 serves
 * it by a VM timer (virtio_serve_rest), again as much at most, and for half of its
 * time at most. Meanwhile the driver need not notify: until somebody has found the
 * queue empty, notifications stay off.
 *
 * Who changes a queue (enables it, resets it) holds it meanwhile as a server does:
 * the vCPU's thread waits, passing scheduling points, until the server has left.
 * That is after one request, because status is changed first and serve() looks at
 * it (virtio_is_live) between requests.
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_H
#define DRIVERS_VIRTIO_VIRTIO_H

#include "drivers/virtio/virtqueue.h"

#define VIRTIO_QUEUES_MAX 34

#define VIRTIO_F_INDIRECT_DESC	 BIT(28)
#define VIRTIO_F_EVENT_IDX	 BIT(29)
#define VIRTIO_F_VERSION_1	 BIT(32)
#define VIRTIO_F_ACCESS_PLATFORM BIT(33)
#define VIRTIO_F_RING_PACKED	 BIT(34)

struct virtio_device;
struct vm;

/* What kind of device it is. Called by the transport. */
struct virtio_ops {
	uint16_t type; /* virtio 1.2, chapter 5 "Device Types": 1 net, … */
	uint32_t pci_class; /* class, subclass, interface: 0xCCSSII */
	/* Device configuration space, bounded by config_size. One caller at a
	 * time a device; vm->lock not held. config_write may be NULL. */
	void (*config_read)(struct virtio_device *device, uint32_t offset,
			    void *to, uint32_t size);
	void (*config_write)(struct virtio_device *device, uint32_t offset,
			     const void *from, uint32_t size);
	/* Serve queue @index until it is empty or !virtio_may_serve(), which
	 * is asked before each request; virtio_spend for what each took. Only
	 * one caller at a time a queue, by virtio_kick. vm->lock not held. */
	void (*serve)(struct virtio_device *device, uint16_t index);
	/* The driver has reset the device: status is 0, nobody serves, and the
	 * queues are reset when this returns. Whoever else touches queues must
	 * be kept out by then. May be NULL. */
	void (*reset)(struct virtio_device *device);
	/* The VM is over: keep out whoever touches the device from outside,
	 * virtio_pci_detach, free. */
	void (*destroy)(struct virtio_device *device);
};

/* What a notification may serve: so many bytes moved, where each request is as
 * much work as so many more. */
#define VIRTIO_BUDGET	    (4 * MIB)
#define VIRTIO_REQUEST_COST (4 * KIB)

/* Legend, here and below: (o) set once, (a) atomic, (q) by the server of the
 * queue, [l] vm->lock. */
struct virtio_queue_state {
	uint32_t serving;	      /* (a) somebody serves it */
	uint32_t kicked;	      /* (a) notified since it last looked */
	uint64_t budget;	      /* (q) what is left of it */
	struct list rest;	      /* [l] in vm->virtio_rests */
	struct virtio_device *device; /* (o) */
};

/* First member of every device. */
struct virtio_device {
	const struct virtio_ops *ops; /* (o) */
	struct vm *vm;		      /* (o) */
	uint64_t features;	      /* (o) offered by the device, without the
					 transport's and rings' */
	uint64_t driver_features;     /* accepted; set before FEATURES_OK */
	uint32_t config_size;	      /* (o) */
	uint16_t queue_count;	      /* (o) */
	uint8_t status;		      /* (a) */
	uint8_t config_generation;    /* (a) */
	struct virtqueue *queues;     /* (o) queue_count of them, by the
					 transport */
	struct virtio_queue_state *queue_states; /* (o) likewise */
	void *transport;			 /* (o) struct virtio_pci */
};

/* 2.1 "Device Status Field" */
#define VIRTIO_STATUS_ACKNOWLEDGE BIT(0)
#define VIRTIO_STATUS_DRIVER	  BIT(1)
#define VIRTIO_STATUS_DRIVER_OK	  BIT(2)
#define VIRTIO_STATUS_FEATURES_OK BIT(3)
#define VIRTIO_STATUS_NEEDS_RESET BIT(6)
#define VIRTIO_STATUS_FAILED	  BIT(7)

/* Give the device its queues and a PCI function of its VM, whose bus exists.
 * -ENOMEM, -ENOSPC; -EINVAL: too many queues or too much configuration. */
int virtio_pci_attach(struct virtio_device *device);
/* Take them away. No vCPU runs; nothing if it is not attached. */
void virtio_pci_detach(struct virtio_device *device);

/* A notification for queue @index: serve it unless somebody does. No lock. */
void virtio_kick(struct virtio_device *device, uint16_t index);

/* On vCPU 0's thread, when VM_TIMER_VIRTIO has come: serve the queue that has
 * waited longest for the rest of it to be served. No lock. */
void virtio_serve_rest(struct vm *vm);
/* No queue of the device waits for that any more: its transport resets it, or
 * takes it away. No lock. */
void virtio_forget_rests(struct virtio_device *device);

/* Be the only one who touches queue @index: false if somebody serves or holds it.
 * With a wait: not under any lock, nor by who holds a queue. Kicks that come
 * meanwhile are remembered until the next one. */
bool virtio_try_hold(struct virtio_device *device, uint16_t index);
void virtio_hold(struct virtio_device *device, uint16_t index);
void virtio_release(struct virtio_device *device, uint16_t index);

/* Interrupt for queue @index if its ring asks for one. By who holds it (serves
 * it). Takes vm->lock if the driver uses no MSI-X: no lock held. */
void virtio_signal(struct virtio_device *device, uint16_t index);
/* Configuration has changed: interrupt. No lock held. */
void virtio_signal_config(struct virtio_device *device);

/* The driver misuses the device: NEEDS_RESET, and serve nothing until reset. No
 * lock held. Nothing if it was reset meanwhile. */
void virtio_fail(struct virtio_device *device, const char *why);

static inline bool virtio_is_live(const struct virtio_device *device)
{
	uint8_t status = __atomic_load_n(&device->status, __ATOMIC_ACQUIRE);

	return (status & VIRTIO_STATUS_DRIVER_OK) &&
	       !(status & VIRTIO_STATUS_NEEDS_RESET);
}

/* Is there somebody to serve? No: the device was reset or has failed, or the VM
 * is to end: its own vCPUs' threads must come out, and they are the ones that
 * serve. */
bool virtio_is_wanted(const struct virtio_device *device);

/* By who serves queue @index: is there somebody to serve, and budget? */
static inline bool virtio_may_serve(const struct virtio_device *device,
				    uint16_t index)
{
	return device->queue_states[index].budget != 0 &&
	       virtio_is_wanted(device);
}

/* By who serves queue @index: a request took the work of moving @bytes. */
static inline void virtio_spend(struct virtio_device *device, uint16_t index,
				uint64_t bytes)
{
	uint64_t *budget = &device->queue_states[index].budget;

	*budget -= min_u64(*budget, VIRTIO_REQUEST_COST + bytes);
}

/* The devices. Each allocates itself and attaches: -ENOMEM, -ENOSPC. A disk's
 * @backend outlives it. */
struct blk_backend;
struct slice;
int virtio_blk_create(struct vm *vm, struct blk_backend *backend);
int virtio_net_create(struct vm *vm, struct slice network,
		      const uint8_t mac[6]);
int virtio_console_create(struct vm *vm);
int virtio_rng_create(struct vm *vm);

#endif
