/*
 * What the parts of the virtqueue share: descriptors, and the split and packed
 * forms of what virtqueue.h offers. [pure]
 */
#ifndef DRIVERS_VIRTIO_VQ_RING_H
#define DRIVERS_VIRTIO_VQ_RING_H

#include "drivers/virtio/virtqueue.h"
#include "kernel/lib/errno.h"

/* Flags of a descriptor: virtio 1.2, 2.7.5 "The Virtqueue Descriptor Table" and
 * 2.8.1 "Driver and Device Ring Wrap Counters". */
#define VQ_DESC_NEXT	 BIT(0)
#define VQ_DESC_WRITE	 BIT(1)
#define VQ_DESC_INDIRECT BIT(2)
#define VQ_DESC_AVAIL	 BIT(7)	 /* packed */
#define VQ_DESC_USED	 BIT(15) /* packed */

#define VQ_DESC_SIZE 16

/* A descriptor as copied out of guest memory. */
struct vq_desc {
	uint64_t base;
	uint32_t size;
	uint16_t flags;
	uint16_t link; /* split: the next one; packed: the buffer's id */
};

/* From the two words that a descriptor is, in a split ring. */
static inline struct vq_desc vq_desc_split(uint64_t low, uint64_t high)
{
	return (struct vq_desc){ low, (uint32_t)high, (uint16_t)(high >> 32),
				 (uint16_t)(high >> 48) };
}

/* The same in a packed ring: id and flags change places. */
static inline struct vq_desc vq_desc_packed(uint64_t low, uint64_t high)
{
	return (struct vq_desc){ low, (uint32_t)high, (uint16_t)(high >> 48),
				 (uint16_t)(high >> 32) };
}

/* Has the position of an event been passed on the way from @old to @new? virtio
 * 1.2, 2.7.7.2 "Device Requirements: Used Buffer Notification Suppression":
 * the event is asked for the entry written at index @event. */
static inline bool vq_is_event_due(uint16_t event, uint16_t new_index,
				   uint16_t old_index)
{
	return (uint16_t)(new_index - event - 1) <
	       (uint16_t)(new_index - old_index);
}

static inline void vq_chain_clear(struct vq_chain *chain)
{
	chain->taken = 0;
	chain->read_count = 0;
	chain->write_count = 0;
	chain->empty_count = 0;
	chain->read_size = 0;
	chain->write_size = 0;
}

/* virtio 1.2, 2.7.5.2 "Driver Requirements: The Virtqueue Descriptor Table" */
#define VQ_CHAIN_BYTES_MAX (4 * GIB)

/*
 * Append what @desc describes. -EINVAL. Inline: every descriptor passes here.
 *
 * An empty descriptor says nothing, and users of a chain need not know of it: the
 * specification neither allows nor forbids one. But it takes time to read, and in
 * a receive queue that is another VM's: so there may be a few only.
 */
static inline int vq_chain_add(struct vq_chain *chain,
			       const struct vq_desc *desc)
{
	uint32_t count = chain->read_count + chain->write_count;

	if (desc->size == 0)
		return ++chain->empty_count > VQ_EMPTY_MAX ? -EINVAL : 0;
	if (count == VQ_SEGMENTS_MAX || desc->base + desc->size < desc->base)
		return -EINVAL;
	chain->segments[count] =
		(struct vq_segment){ { desc->base }, desc->size };
	if (desc->flags & VQ_DESC_WRITE) {
		chain->write_count++;
		chain->write_size += desc->size;
	} else {
		/* 2.7.4.2 "Driver Requirements: Message Framing" */
		if (chain->write_count)
			return -EINVAL;
		chain->read_count++;
		chain->read_size += desc->size;
	}
	if (chain->read_size + chain->write_size > VQ_CHAIN_BYTES_MAX)
		return -EINVAL;
	return 0;
}

/* vq_chain.c */
/* Append all of the indirect table that @desc refers to. -EINVAL, -EFAULT,
 * -ENOMEM. */
int vq_chain_add_table(struct virtqueue *vq, struct vq_chain *chain,
		       const struct vq_desc *desc);

/* vq_split.c; @completed: slots since it was last asked */
int vq_split_enable(struct virtqueue *vq);
int vq_split_next_chain(struct virtqueue *vq, struct vq_chain *chain);
void vq_split_complete(struct virtqueue *vq, const struct vq_used *used,
		       uint32_t count);
bool vq_split_is_signal_due(const struct virtqueue *vq, uint32_t completed);
void vq_split_disable_notify(struct virtqueue *vq);
bool vq_split_enable_notify(struct virtqueue *vq);

/* vq_packed.c */
int vq_packed_enable(struct virtqueue *vq);
int vq_packed_next_chain(struct virtqueue *vq, struct vq_chain *chain);
void vq_packed_complete(struct virtqueue *vq, const struct vq_used *used,
			uint32_t count);
void vq_packed_rewind(struct virtqueue *vq, const struct vq_chain *chain);
bool vq_packed_is_signal_due(const struct virtqueue *vq, uint32_t completed);
void vq_packed_disable_notify(struct virtqueue *vq);
bool vq_packed_enable_notify(struct virtqueue *vq);

/* virtqueue.c: pin the three areas of these sizes and alignments. -EINVAL,
 * -EFAULT, -ENOMEM. */
struct vq_area {
	uint64_t size;
	uint64_t align;
	uint32_t access;
};
int vq_pin(struct virtqueue *vq, struct vq_area desc, struct vq_area driver,
	   struct vq_area device);

#endif
