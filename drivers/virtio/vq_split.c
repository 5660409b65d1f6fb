/* Split virtqueues: virtio 1.2, 2.7 "Split Virtqueues". */
#include "drivers/virtio/vq_ring.h"
#include "kernel/lib/errno.h"
#include "kernel/vmexit.h"

/* Offsets in the available and the used ring: 2.7.6, 2.7.8. Entries of the used
 * ring are 4-byte aligned only, so they may lie across two pages. */
#define RING_FLAGS   0
#define RING_INDEX   2
#define RING_ENTRIES 4
#define AVAIL_ENTRY  2
#define USED_ENTRY   8
#define EVENT_SIZE   2 /* used_event, avail_event */

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY	   1

static uint16_t load16(const struct guest_pin *pin, uint64_t offset)
{
	return __atomic_load_n((uint16_t *)guest_pin_at(pin, offset),
			       __ATOMIC_RELAXED);
}

static void store16(const struct guest_pin *pin, uint64_t offset,
		    uint16_t value)
{
	__atomic_store_n((uint16_t *)guest_pin_at(pin, offset), value,
			 __ATOMIC_RELAXED);
}

static void store32(const struct guest_pin *pin, uint64_t offset,
		    uint32_t value)
{
	__atomic_store_n((uint32_t *)guest_pin_at(pin, offset), value,
			 __ATOMIC_RELAXED);
}

static uint64_t used_event_offset(const struct virtqueue *vq)
{
	return RING_ENTRIES + AVAIL_ENTRY * (uint64_t)vq->size;
}

static uint64_t avail_event_offset(const struct virtqueue *vq)
{
	return RING_ENTRIES + USED_ENTRY * (uint64_t)vq->size;
}

int vq_split_enable(struct virtqueue *vq)
{
	uint64_t event = vq->has_event_index ? EVENT_SIZE : 0;

	if (vq->size & (vq->size - 1))
		return -EINVAL;
	return vq_pin(vq,
		      (struct vq_area){ VQ_DESC_SIZE * (uint64_t)vq->size,
					VQ_DESC_SIZE, ACCESS_READ },
		      (struct vq_area){ used_event_offset(vq) + event, 2,
					ACCESS_READ },
		      (struct vq_area){ avail_event_offset(vq) + event, 4,
					ACCESS_WRITE });
}

static struct vq_desc read_desc(const struct virtqueue *vq, uint16_t index)
{
	const uint64_t *words =
		guest_pin_at(&vq->desc_pin, VQ_DESC_SIZE * (uint64_t)index);

	return vq_desc_split(__atomic_load_n(&words[0], __ATOMIC_RELAXED),
			     __atomic_load_n(&words[1], __ATOMIC_RELAXED));
}

/* A chain has at most as many descriptors as the table, so a loop ends. It may
 * end in an indirect table: 2.7.5.3.2 "Device Requirements: Indirect
 * Descriptors". */
static int walk(struct virtqueue *vq, struct vq_chain *chain, uint16_t index)
{
	for (uint32_t left = vq->size; left; left--) {
		struct vq_desc desc;
		int error;

		if (index >= vq->size)
			return -EINVAL;
		desc = read_desc(vq, index);
		if (desc.flags & VQ_DESC_INDIRECT)
			return vq_chain_add_table(vq, chain, &desc);
		error = vq_chain_add(chain, &desc);
		if (error || !(desc.flags & VQ_DESC_NEXT))
			return error;
		index = desc.link;
	}
	return -EINVAL;
}

int vq_split_next_chain(struct virtqueue *vq, struct vq_chain *chain)
{
	const uint16_t *index = guest_pin_at(&vq->driver_pin, RING_INDEX);
	/* acquire: pairs with the driver's barrier between filling entries and
	 * descriptors and writing the index */
	uint16_t avail = __atomic_load_n(index, __ATOMIC_ACQUIRE);
	uint16_t pending = (uint16_t)(avail - vq->next_avail);
	uint16_t slot = vq->next_avail & (uint16_t)(vq->size - 1);
	int error;

	if (pending == 0)
		return 0;
	if (pending > vq->size)
		return -EINVAL;
	vq_chain_clear(chain);
	chain->taken = 1;
	chain->id = load16(&vq->driver_pin,
			   RING_ENTRIES + AVAIL_ENTRY * (uint64_t)slot);
	error = walk(vq, chain, chain->id);
	if (error)
		return -EINVAL;
	vq->next_avail++;
	return 1;
}

void vq_split_complete(struct virtqueue *vq, const struct vq_used *used,
		       uint32_t count)
{
	uint16_t *index = guest_pin_at(&vq->device_pin, RING_INDEX);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t slot = vq->next_used & (uint16_t)(vq->size - 1);
		uint64_t entry = RING_ENTRIES + USED_ENTRY * slot;

		store32(&vq->device_pin, entry, used[i].id);
		store32(&vq->device_pin, entry + 4, used[i].written);
		vq->next_used++;
	}
	vq->unsignalled += count;
	/* release: pairs with the driver's barrier between reading the index
	 * and reading the entry and the buffer */
	__atomic_store_n(index, vq->next_used, __ATOMIC_RELEASE);
}

bool vq_split_is_signal_due(const struct virtqueue *vq, uint32_t completed)
{
	if (!vq->has_event_index)
		return !(load16(&vq->driver_pin, RING_FLAGS) &
			 AVAIL_NO_INTERRUPT);
	if (completed > UINT16_MAX)
		return true;
	return vq_is_event_due(load16(&vq->driver_pin, used_event_offset(vq)),
			       vq->next_used,
			       (uint16_t)(vq->next_used - completed));
}

/* With event indexes it is enough not to move avail_event on; the flags are
 * then to stay 0 (2.7.10.1). */
void vq_split_disable_notify(struct virtqueue *vq)
{
	if (!vq->has_event_index)
		store16(&vq->device_pin, RING_FLAGS, USED_NO_NOTIFY);
}

/*
 * Our wish before our look: pairs with the driver's barrier between writing the
 * index and reading our wish. One of the two sees the other, so no request is
 * left lying. A sequentially consistent store is a locked instruction here,
 * which loads do not pass.
 */
bool vq_split_enable_notify(struct virtqueue *vq)
{
	uint64_t offset =
		vq->has_event_index ? avail_event_offset(vq) : RING_FLAGS;
	uint16_t wish = vq->has_event_index ? vq->next_avail : 0;

	__atomic_store_n((uint16_t *)guest_pin_at(&vq->device_pin, offset),
			 wish, __ATOMIC_SEQ_CST);
	return load16(&vq->driver_pin, RING_INDEX) != vq->next_avail;
}
