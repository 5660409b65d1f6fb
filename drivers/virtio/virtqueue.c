/* Virtqueues: what devices call, and the life of a queue. */
#include "drivers/virtio/virtqueue.h"

#include "drivers/virtio/virtio.h"
#include "drivers/virtio/vq_ring.h"
#include "kernel/lib/errno.h"

#define VECTOR_NONE 0xffff

static void unpin(struct virtqueue *vq)
{
	struct guest_pin *pins[] = { &vq->desc_pin, &vq->driver_pin,
				     &vq->device_pin };

	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		if (pins[i]->size)
			guest_unpin(vq->memory, pins[i]);
		pins[i]->size = 0;
	}
}

static int pin_area(struct virtqueue *vq, struct guest_pin *pin, uint64_t base,
		    struct vq_area area)
{
	int error;

	if (!is_aligned(base, area.align))
		return -EINVAL;
	error = guest_pin(vq->memory, pin, (gpa_t){ base }, area.size,
			  area.access);
	if (error)
		pin->size = 0;
	return error;
}

int vq_pin(struct virtqueue *vq, struct vq_area desc, struct vq_area driver,
	   struct vq_area device)
{
	int error = pin_area(vq, &vq->desc_pin, vq->desc, desc);

	if (!error)
		error = pin_area(vq, &vq->driver_pin, vq->driver, driver);
	if (!error)
		error = pin_area(vq, &vq->device_pin, vq->device, device);
	if (error)
		unpin(vq);
	return error;
}

int vq_enable(struct virtqueue *vq, uint64_t features)
{
	int error;

	if (vq->is_enabled || vq->size == 0 || vq->size > VQ_SIZE_MAX)
		return -EINVAL;
	vq->is_packed = features & VIRTIO_F_RING_PACKED;
	vq->has_event_index = features & VIRTIO_F_EVENT_IDX;
	vq->has_indirect = features & VIRTIO_F_INDIRECT_DESC;
	vq->next_avail = 0;
	vq->next_used = 0;
	vq->avail_wrap = true;
	vq->used_wrap = true;
	vq->unsignalled = 0;
	error = vq->is_packed ? vq_packed_enable(vq) : vq_split_enable(vq);
	/* release: pairs with is_enabled() of those who serve the queue without
	 * holding it, under a lock of their own */
	__atomic_store_n(&vq->is_enabled, !error, __ATOMIC_RELEASE);
	return error;
}

void vq_reset(struct virtqueue *vq)
{
	struct guest_mem *memory = vq->memory;

	unpin(vq);
	*vq = (struct virtqueue){
		.memory = memory,
		.size = VQ_SIZE_MAX,
		.vector = VECTOR_NONE,
	};
}

static bool is_enabled(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->is_enabled, __ATOMIC_ACQUIRE);
}

int vq_next_chain(struct virtqueue *vq, struct vq_chain *chain)
{
	if (!is_enabled(vq))
		return 0;
	return vq->is_packed ? vq_packed_next_chain(vq, chain)
			     : vq_split_next_chain(vq, chain);
}

void vq_complete(struct virtqueue *vq, const struct vq_chain *chain,
		 uint32_t written)
{
	vq_complete_all(
		vq, &(struct vq_used){ chain->id, chain->taken, written }, 1);
}

void vq_complete_all(struct virtqueue *vq, const struct vq_used *used,
		     uint32_t count)
{
	if (!is_enabled(vq) || count == 0)
		return;
	if (vq->is_packed)
		vq_packed_complete(vq, used, count);
	else
		vq_split_complete(vq, used, count);
}

void vq_rewind(struct virtqueue *vq, const struct vq_chain *chain)
{
	if (vq->is_packed)
		vq_packed_rewind(vq, chain);
	else
		vq->next_avail--;
}

bool vq_take_signal(struct virtqueue *vq)
{
	uint32_t completed;

	if (!is_enabled(vq) || vq->unsignalled == 0)
		return false;
	/*
	 * What completed must be visible before the driver's wish is read:
	 * pairs with the driver's barrier between asking for an interrupt and
	 * looking at the ring once more. A locked instruction orders both (SDM
	 * 3A 9.2.2 "Memory Ordering in P6 and More Recent Processor
	 * Families").
	 */
	completed = __atomic_exchange_n(&vq->unsignalled, 0, __ATOMIC_SEQ_CST);
	return vq->is_packed ? vq_packed_is_signal_due(vq, completed)
			     : vq_split_is_signal_due(vq, completed);
}

void vq_disable_notify(struct virtqueue *vq)
{
	if (!is_enabled(vq))
		return;
	if (vq->is_packed)
		vq_packed_disable_notify(vq);
	else
		vq_split_disable_notify(vq);
}

bool vq_enable_notify(struct virtqueue *vq)
{
	if (!is_enabled(vq))
		return false;
	return vq->is_packed ? vq_packed_enable_notify(vq)
			     : vq_split_enable_notify(vq);
}
