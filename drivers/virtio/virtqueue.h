/*
 * Virtqueues, split and packed: virtio 1.2, 2.7 "Split Virtqueues" and 2.8
 * "Packed Virtqueues". [pure]
 *
 * Everything in a ring is the guest's and may change at any time: a descriptor is
 * copied once, checked, then used. A ring that makes no sense is -EINVAL: the
 * device goes to NEEDS_RESET (virtio_fail), nothing else notices. Ring pages are
 * pinned while the queue is enabled, so ring words are plain loads and stores.
 *
 *	virtqueue.c	what devices call; which of the two formats
 *	vq_split.c, vq_packed.c		rings, notifications, interrupts
 *	vq_chain.c	segments, indirect tables, copying
 *
 * A queue is served by one thread at a time: its user sees to that.
 */
#ifndef DRIVERS_VIRTIO_VIRTQUEUE_H
#define DRIVERS_VIRTIO_VIRTQUEUE_H

#include "mm/guest_mem.h"

#define VQ_SIZE_MAX	256
#define VQ_SEGMENTS_MAX 256 /* of one chain, indirect ones too */
#define VQ_EMPTY_MAX	32  /* descriptors of one chain */

struct vq_segment {
	gpa_t base;
	uint32_t size;
};

/* A request: segments the device reads, then those it writes. None is empty or
 * wraps, and all together are at most 4 GiB; nothing says that there is memory.
 * Too large for a stack. */
struct vq_chain {
	uint16_t id;	/* head or buffer id */
	uint16_t taken; /* ring slots it takes (packed) */
	uint32_t read_count;
	uint32_t write_count;
	uint32_t empty_count; /* descriptors that say nothing */
	uint64_t read_size;   /* bytes in all */
	uint64_t write_size;
	struct vq_segment segments[VQ_SEGMENTS_MAX]; /* read ones first */
};

/* What is left of a chain when it is done: all that giving it back takes. */
struct vq_used {
	uint16_t id;
	uint16_t taken;
	uint32_t written; /* bytes, into its write segments */
};

struct virtqueue {
	struct guest_mem *memory;
	/* as the driver set them, before it enables the queue */
	uint16_t size;
	uint64_t desc, driver, device; /* gpa */
	uint16_t vector;	       /* of MSI-X, 0xffff: none */
	bool is_enabled; /* (a) the last to be set: who sees it set sees the
			    rest as vq_enable left it */
	/* negotiated */
	bool is_packed;
	bool has_event_index;
	bool has_indirect;
	/* the device's position */
	uint16_t next_avail;
	uint16_t next_used;
	bool avail_wrap, used_wrap; /* packed */
	uint32_t unsignalled; /* ring slots completed since vq_take_signal */
	struct guest_pin desc_pin, driver_pin, device_pin;
};

/* Check addresses and size, pin. -EINVAL, -EFAULT, -ENOMEM. */
int vq_enable(struct virtqueue *vq, uint64_t features);
/* Unpin and forget all but the memory: VQ_SIZE_MAX slots, no vector. */
void vq_reset(struct virtqueue *vq);

/* Take the next request: 1, 0 (none, or not enabled), -EINVAL. */
int vq_next_chain(struct virtqueue *vq, struct vq_chain *chain);
/* Give it back, @written bytes into its write segments. */
void vq_complete(struct virtqueue *vq, const struct vq_chain *chain,
		 uint32_t written);
/* Give @count of them back, of which the driver sees none or all. */
void vq_complete_all(struct virtqueue *vq, const struct vq_used *used,
		     uint32_t count);
/* Put the last chain taken back unserved; of it, only `taken` is looked at. */
void vq_rewind(struct virtqueue *vq, const struct vq_chain *chain);

/* Should the driver be interrupted for what completed since the last call? */
bool vq_take_signal(struct virtqueue *vq);

/* Ask the driver for no notifications / for them again. The latter returns true
 * if a request came meanwhile: serve on. */
void vq_disable_notify(struct virtqueue *vq);
bool vq_enable_notify(struct virtqueue *vq);

/* Copy between the read or write part of a chain, from byte @offset on, and the
 * hypervisor. -EFAULT, -EINVAL (beyond the part). */
int vq_read(struct virtqueue *vq, const struct vq_chain *chain, uint64_t offset,
	    void *to, uint64_t size);
int vq_write(struct virtqueue *vq, const struct vq_chain *chain,
	     uint64_t offset, const void *from, uint64_t size);

#endif
