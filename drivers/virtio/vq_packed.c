/* Packed virtqueues: virtio 1.2, 2.8 "Packed Virtqueues". */
#include "drivers/virtio/vq_ring.h"
#include "kernel/lib/errno.h"
#include "kernel/vmexit.h"

/* An event suppression structure, 2.8.14 "Event Suppression Structure Format":
 * position in bits 0 to 14, wrap counter in bit 15, flags from bit 16 on. It is
 * read and written as one word. */
#define EVENT_SIZE     4
#define EVENT_POSITION BITS(14, 0)
#define EVENT_WRAP     BIT(15)
#define EVENT_FLAGS    BITS(17, 16)
#define EVENT_ENABLE   0
#define EVENT_DISABLE  1
#define EVENT_DESC     2

static uint32_t load_event(const struct guest_pin *pin)
{
	return __atomic_load_n((uint32_t *)guest_pin_at(pin, 0),
			       __ATOMIC_RELAXED);
}

/* Sequentially consistent: a locked instruction, which loads do not pass. */
static void store_event(const struct guest_pin *pin, uint32_t value)
{
	__atomic_store_n((uint32_t *)guest_pin_at(pin, 0), value,
			 __ATOMIC_SEQ_CST);
}

int vq_packed_enable(struct virtqueue *vq)
{
	return vq_pin(vq,
		      (struct vq_area){ VQ_DESC_SIZE * (uint64_t)vq->size,
					VQ_DESC_SIZE, ACCESS_WRITE },
		      (struct vq_area){ EVENT_SIZE, EVENT_SIZE, ACCESS_READ },
		      (struct vq_area){ EVENT_SIZE, EVENT_SIZE, ACCESS_WRITE });
}

static uint64_t *desc_at(const struct virtqueue *vq, uint16_t index)
{
	return guest_pin_at(&vq->desc_pin, VQ_DESC_SIZE * (uint64_t)index);
}

static struct vq_desc read_desc(const struct virtqueue *vq, uint16_t index)
{
	const uint64_t *words = desc_at(vq, index);
	/* acquire: pairs with the driver's barrier between writing the list
	 * and the flags of its first descriptor, which share this word */
	uint64_t high = __atomic_load_n(&words[1], __ATOMIC_ACQUIRE);

	return vq_desc_packed(__atomic_load_n(&words[0], __ATOMIC_RELAXED),
			      high);
}

/* 2.8.1 "Driver and Device Ring Wrap Counters": available, and not used. */
static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & VQ_DESC_AVAIL) == wrap &&
	       !!(flags & VQ_DESC_USED) != wrap;
}

/* Move a position on by @count slots (at most the queue's size). */
static void advance(const struct virtqueue *vq, uint16_t *index, bool *wrap,
		    uint16_t count)
{
	uint32_t at = (uint32_t)*index + count;

	if (at >= vq->size) {
		at -= vq->size;
		*wrap = !*wrap;
	}
	*index = (uint16_t)at;
}

/*
 * A list lies in slots one after the other, round the end of the ring; its last
 * descriptor has the id. An indirect table stands alone ("Driver Requirements:
 * Indirect Descriptors").
 */
static int walk(struct virtqueue *vq, struct vq_chain *chain,
		struct vq_desc desc)
{
	uint16_t index = vq->next_avail;

	if (desc.flags & VQ_DESC_INDIRECT) {
		chain->taken = 1;
		chain->id = desc.link;
		return vq_chain_add_table(vq, chain, &desc);
	}
	while (chain->taken < vq->size) {
		int error = vq_chain_add(chain, &desc);

		if (error)
			return error;
		chain->taken++;
		chain->id = desc.link;
		if (!(desc.flags & VQ_DESC_NEXT))
			return 0;
		if (++index == vq->size)
			index = 0;
		desc = read_desc(vq, index);
		if (desc.flags & VQ_DESC_INDIRECT)
			return -EINVAL;
	}
	return -EINVAL;
}

int vq_packed_next_chain(struct virtqueue *vq, struct vq_chain *chain)
{
	struct vq_desc desc = read_desc(vq, vq->next_avail);

	if (!is_available(desc.flags, vq->avail_wrap))
		return 0;
	vq_chain_clear(chain);
	if (walk(vq, chain, desc))
		return -EINVAL;
	advance(vq, &vq->next_avail, &vq->avail_wrap, chain->taken);
	return 1;
}

void vq_packed_rewind(struct virtqueue *vq, const struct vq_chain *chain)
{
	if (vq->next_avail < chain->taken) {
		vq->next_avail = (uint16_t)(vq->next_avail + vq->size);
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->next_avail = (uint16_t)(vq->next_avail - chain->taken);
}

/* Size, id and flags are one word, which is written at once: 2.8.6 "Next Flag:
 * Descriptor Chaining", one used descriptor stands for the whole list. */
static uint64_t used_word(const struct virtqueue *vq,
			  const struct vq_used *used)
{
	uint64_t flags = vq->used_wrap ? VQ_DESC_AVAIL | VQ_DESC_USED : 0;

	if (used->written)
		flags |= VQ_DESC_WRITE;
	return flags << 48 | (uint64_t)used->id << 32 | used->written;
}

/* The driver looks at the first one before it looks at others, so that is
 * written last. */
void vq_packed_complete(struct virtqueue *vq, const struct vq_used *used,
			uint32_t count)
{
	uint64_t *first = &desc_at(vq, vq->next_used)[1];
	uint64_t first_word = used_word(vq, &used[0]);

	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			__atomic_store_n(&desc_at(vq, vq->next_used)[1],
					 used_word(vq, &used[i]),
					 __ATOMIC_RELAXED);
		advance(vq, &vq->next_used, &vq->used_wrap, used[i].taken);
		vq->unsignalled += used[i].taken;
	}
	/* release: pairs with the driver's barrier between reading the flags
	 * and reading the rest and the buffer */
	__atomic_store_n(first, first_word, __ATOMIC_RELEASE);
}

/* A position with the other wrap counter lies one round back. */
bool vq_packed_is_signal_due(const struct virtqueue *vq, uint32_t completed)
{
	uint32_t event = load_event(&vq->driver_pin);
	uint64_t position = event & EVENT_POSITION;

	if (FIELD_GET(EVENT_FLAGS, event) == EVENT_DISABLE)
		return false;
	if (FIELD_GET(EVENT_FLAGS, event) != EVENT_DESC || !vq->has_event_index)
		return true;
	if (completed > UINT16_MAX)
		return true;
	if (!!(event & EVENT_WRAP) != vq->used_wrap)
		position -= vq->size;
	return vq_is_event_due((uint16_t)position, vq->next_used,
			       (uint16_t)(vq->next_used - completed));
}

void vq_packed_disable_notify(struct virtqueue *vq)
{
	store_event(&vq->device_pin,
		    (uint32_t)FIELD_PUT(EVENT_FLAGS, EVENT_DISABLE));
}

bool vq_packed_enable_notify(struct virtqueue *vq)
{
	uint64_t event = FIELD_PUT(EVENT_FLAGS, EVENT_ENABLE);

	if (vq->has_event_index)
		event = FIELD_PUT(EVENT_FLAGS, EVENT_DESC) | vq->next_avail |
			(vq->avail_wrap ? EVENT_WRAP : 0);
	/* Our wish before our look: pairs with the driver's barrier between
	 * writing flags of a descriptor and reading our wish. */
	store_event(&vq->device_pin, (uint32_t)event);
	return is_available(read_desc(vq, vq->next_avail).flags,
			    vq->avail_wrap);
}
