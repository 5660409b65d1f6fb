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
 * Life of a queue against its reset: the transport waits, in the resetting vCPU's
 * thread, until nobody serves (virtio_quiesce).
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
	/* Device configuration space, bounded by config_size. */
	void (*config_read)(struct virtio_device *device, uint32_t offset,
			    void *to, uint32_t size);
	void (*config_write)(struct virtio_device *device, uint32_t offset,
			     const void *from, uint32_t size);
	/* Serve queue @index until it is empty; only one caller at a time a
	 * queue. vm->lock not held. */
	void (*serve)(struct virtio_device *device, uint16_t index);
	/* The driver has reset the device; all queues are idle. */
	void (*reset)(struct virtio_device *device);
	void (*destroy)(struct virtio_device *device);
};

struct virtio_queue_state {
	uint32_t serving; /* (a) somebody serves it */
	uint32_t kicked;  /* (a) notified since it last looked */
};

/* First member of every device. Legend: (o) set once, (a) atomic, [l] vm->lock. */
struct virtio_device {
	const struct virtio_ops *ops; /* (o) */
	struct vm *vm;		      /* (o) */
	uint64_t features;	      /* (o) offered by the device, without the
					 transport's and rings' */
	uint64_t driver_features;     /* [l] accepted */
	uint32_t config_size;	      /* (o) */
	uint16_t queue_count;	      /* (o) */
	uint8_t status;		      /* (a) */
	uint8_t config_generation;    /* [l] */
	struct virtqueue *queues;     /* (o) queue_count of them, by the
					 transport */
	struct virtio_queue_state *queue_states; /* (o) likewise */
	void *transport; /* (o) struct virtio_pci */
};

#define VIRTIO_STATUS_DRIVER_OK	  BIT(2)
#define VIRTIO_STATUS_NEEDS_RESET BIT(6)

/* Give the device its queues and a PCI function of its VM. -ENOMEM, -ENOSPC. */
int virtio_pci_attach(struct virtio_device *device);
void virtio_pci_detach(struct virtio_device *device);

/* A notification for queue @index: serve it unless somebody does. No lock. */
void virtio_kick(struct virtio_device *device, uint16_t index);

/* Interrupt for queue @index if its ring asks for one. No lock needed. */
void virtio_signal(struct virtio_device *device, uint16_t index);
/* Configuration changed: interrupt. No lock needed. */
void virtio_signal_config(struct virtio_device *device);

/* The driver misuses the device: NEEDS_RESET, and serve nothing until reset. */
void virtio_fail(struct virtio_device *device, const char *why);

static inline bool virtio_is_live(const struct virtio_device *device)
{
	uint8_t status = __atomic_load_n(&device->status, __ATOMIC_ACQUIRE);

	return (status & VIRTIO_STATUS_DRIVER_OK) &&
	       !(status & VIRTIO_STATUS_NEEDS_RESET);
}

/* The devices. Each allocates itself and attaches. */
struct blk_backend;
struct slice;
int virtio_blk_create(struct vm *vm, struct blk_backend *backend);
int virtio_net_create(struct vm *vm, struct slice network,
		      const uint8_t mac[6]);
int virtio_console_create(struct vm *vm);
int virtio_rng_create(struct vm *vm);

#endif
