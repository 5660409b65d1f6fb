/*
 * A driver's side of a virtqueue, split or packed, in the memory of fake_vm. It
 * keeps to the rules; a test that does not writes to the rings itself.
 */
#ifndef FAKE_VQ_DRIVER_H
#define FAKE_VQ_DRIVER_H

#include "drivers/virtio/virtio.h"
#include "drivers/virtio/vq_ring.h"

/* Where the areas lie, from vq_driver.base on. */
#define VQ_DRIVER_AVAIL 0x4000
#define VQ_DRIVER_USED	0x6000
#define VQ_DRIVER_SIZE	0x8000

struct vq_buffer {
	uint64_t base;
	uint32_t size;
	uint16_t flags; /* VQ_DESC_WRITE, VQ_DESC_INDIRECT */
};

struct vq_driver {
	struct virtqueue *vq;
	uint64_t base;
	uint16_t next_desc;   /* slot for the next descriptor */
	uint16_t avail_index; /* split */
	uint16_t used_index;  /* split: of the next used entry; packed: slot */
	uint16_t next_id;     /* packed */
	bool avail_wrap, used_wrap;
	uint16_t taken[VQ_SIZE_MAX]; /* packed: slots, by id */
};

/* Power-on state, then @size slots at guest address @base, enabled with
 * @features: what vq_enable says. */
int vq_driver_start(struct vq_driver *driver, struct virtqueue *vq,
		    uint64_t base, uint16_t size, uint64_t features);

/* Make a request available: its id. */
uint16_t vq_driver_add(struct vq_driver *driver,
		       const struct vq_buffer *buffers, size_t count);
/* The next used one. False: none. */
bool vq_driver_take(struct vq_driver *driver, uint16_t *id, uint32_t *written);

/* An indirect table at @gpa, in the queue's format. */
void vq_driver_put_table(const struct vq_driver *driver, uint64_t gpa,
			 const struct vq_buffer *buffers, size_t count);
/* Give @gm, which has RAM of @size bytes at 0, pages of which no two neighbours
 * are neighbours in the machine. */
void vq_driver_scatter(struct guest_mem *gm, uint64_t size);

/* One descriptor at @gpa, as it is: split's order of words. */
void vq_driver_put_desc(const struct vq_driver *driver, uint64_t gpa,
			struct vq_buffer buffer, uint16_t link);

void vq_driver_put16(const struct vq_driver *driver, uint64_t gpa,
		     uint16_t value);
uint16_t vq_driver_get16(const struct vq_driver *driver, uint64_t gpa);

/* Ask for no interrupt; for one with every request; when the @count-th request
 * from now on is used (with event indexes; packed: slot). */
void vq_driver_mute(const struct vq_driver *driver);
void vq_driver_unmute(const struct vq_driver *driver);
void vq_driver_ask(const struct vq_driver *driver, uint16_t count);

/* Does the device want to be told of the request made available last? */
bool vq_driver_must_kick(const struct vq_driver *driver);

#endif
