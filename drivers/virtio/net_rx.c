/* Receiving: a frame into the buffers of a card, by the thread that sends it. */
#include "drivers/virtio/net_device.h"
#include "drivers/virtio/virtio_pci.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

/* What a packet may take: a descriptor for that many bytes, and some for those of
 * drivers with odd ideas. */
#define DESCRIPTOR_BYTES  64
#define DESCRIPTORS_SPARE 32

/* Header and head, as they go to the receiver. */
struct start {
	struct net_header header;
	uint8_t head[NET_HEAD_MAX];
};

/* A frame on its way into a receive queue, under the queue's lock. */
struct delivery {
	const struct net_frame *frame;
	struct virtqueue *vq;
	const struct vq_segment *from; /* the sender's, where it goes on */
	uint64_t from_skip;	       /* bytes of it that are done */
	struct start start;
	uint32_t start_size;
	uint32_t descriptors; /* of the receiver, that it may take */
};

enum outcome {
	RECEIVED,
	LOST,	/* no buffers, or the sender's memory is not there */
	BROKEN, /* the receiver's buffers make no sense */
};

static void begin(struct delivery *delivery)
{
	const struct net_frame *frame = delivery->frame;
	const struct vq_chain *chain = frame->packet->chain;

	delivery->start.header = frame->header;
	delivery->start.header.num_buffers = 1;
	memcpy(delivery->start.head, frame->head, frame->head_size);
	delivery->start_size = (uint32_t)(NET_HEADER_SIZE + frame->head_size);
	delivery->from = chain->segments;
	delivery->from_skip = NET_HEADER_SIZE + frame->rest_offset;
}

/* Is there memory all the way? Only asked when a copy has failed. */
static bool is_memory(const struct guest_mem *gm, uint64_t base, uint64_t size)
{
	for (uint64_t at = align_down(base, PAGE_SIZE); at < base + size;
	     at += PAGE_SIZE) {
		if (!guest_mem_has(gm, (gpa_t){ at }))
			return false;
	}
	return true;
}

/* @size bytes at most, from where the sender's part stands; how many: *done. */
static enum outcome copy_piece(struct delivery *delivery, gpa_t to,
			       uint64_t size, uint64_t *done)
{
	struct guest_mem *gm = delivery->frame->packet->vq->memory;
	gpa_t base;
	int error;

	while (delivery->from_skip >= delivery->from->size) {
		delivery->from_skip -= delivery->from->size;
		delivery->from++;
	}
	base.value = delivery->from->base.value + delivery->from_skip;
	size = min_u64(size, delivery->from->size - delivery->from_skip);
	error = guest_copy(delivery->vq->memory, to, gm, base, size);
	delivery->from_skip += size;
	*done = size;
	if (error == -EFAULT && is_memory(gm, base.value, size))
		return BROKEN;
	return error ? LOST : RECEIVED;
}

/* @size bytes of the sender's into @chain from byte @at on. Both have as many. */
static enum outcome copy(struct delivery *delivery,
			 const struct vq_chain *chain, uint64_t at,
			 uint64_t size)
{
	const struct vq_segment *to = chain->segments + chain->read_count;
	enum outcome outcome = RECEIVED;

	while (size && outcome == RECEIVED) {
		uint64_t done;
		gpa_t base;

		if (at >= to->size) {
			at -= to->size;
			to++;
			continue;
		}
		base.value = to->base.value + at;
		outcome = copy_piece(delivery, base,
				     min_u64(size, to->size - at), &done);
		at += done;
		size -= done;
	}
	return outcome;
}

/* Bytes [offset, offset + size) of header and frame to the start of @chain. */
static enum outcome fill(struct delivery *delivery,
			 const struct vq_chain *chain, uint32_t offset,
			 uint32_t size)
{
	const char *start = (const char *)&delivery->start;
	uint32_t part = 0;
	int error = 0;

	if (offset < delivery->start_size) {
		part = (uint32_t)min_u64(size, delivery->start_size - offset);
		error = vq_write(delivery->vq, chain, 0, start + offset, part);
	}
	if (error)
		return error == -ENOMEM ? LOST : BROKEN;
	return copy(delivery, chain, part, size - part);
}

/*
 * The sender pays for the receiver's descriptors, so a packet may take a few only:
 * those of less than DESCRIPTOR_BYTES each, on average, lose it. Are there as many left
 * as @size bytes of @chain take?
 */
static bool is_payable(struct delivery *delivery, const struct vq_chain *chain,
		       uint32_t size)
{
	const struct vq_segment *to = chain->segments + chain->read_count;
	uint32_t count = chain->read_count + chain->empty_count;

	for (; size; to++, count++)
		size -= (uint32_t)min_u64(size, to->size);
	if (count > delivery->descriptors)
		return false;
	delivery->descriptors -= count;
	return true;
}

/* Put the @count chains taken back, the last one first. */
static void unwind(struct net_rx *rx, struct virtqueue *vq, uint32_t count)
{
	while (count) {
		rx->next.taken = rx->used[--count].taken;
		vq_rewind(vq, &rx->next);
	}
}

/*
 * As many chains as it takes: 5.1.6.3.2 "Device Requirements: Setting Up Receive
 * Buffers", 5.1.6.4 "Processing of Incoming Packets". None of them is given back
 * before all is there; if it does not fit, all stay for the next packet. A first
 * chain that has no room for a header never will.
 */
static enum outcome receive(struct delivery *delivery, struct net_rx *rx,
			    bool may_merge)
{
	struct virtqueue *vq = delivery->vq;
	uint32_t total = delivery->start_size + delivery->frame->rest_size;
	enum outcome outcome = RECEIVED;
	uint32_t count = 0, done = 0;

	delivery->descriptors = total / DESCRIPTOR_BYTES + DESCRIPTORS_SPARE;
	while (done < total && outcome == RECEIVED) {
		struct vq_chain *chain = count ? &rx->next : &rx->first;
		int found = vq_next_chain(vq, chain);
		uint32_t part;

		if (found <= 0) {
			outcome = found ? BROKEN : LOST;
			break;
		}
		part = (uint32_t)min_u64(chain->write_size, total - done);
		rx->used[count++] =
			(struct vq_used){ chain->id, chain->taken, part };
		if (part == 0 || done + part < NET_HEADER_SIZE)
			outcome = BROKEN;
		else if ((part < total && !may_merge) || count == VQ_SIZE_MAX ||
			 !is_payable(delivery, chain, part))
			outcome = LOST;
		else
			outcome = fill(delivery, chain, done, part);
		done += part;
	}
	if (outcome == RECEIVED && count > 1 &&
	    vq_write(vq, &rx->first, offsetof(struct net_header, num_buffers),
		     &count, sizeof(uint16_t)))
		outcome = BROKEN;
	if (outcome == RECEIVED)
		vq_complete_all(vq, rx->used, count);
	else
		unwind(rx, vq, count);
	return outcome;
}

/* The device may have been reset since the sender looked at its features and
 * chose one of its pairs. */
static bool may_receive(const struct virtio_net *net, uint16_t pair,
			const struct net_frame *frame)
{
	return virtio_is_live(&net->device) &&
	       pair < __atomic_load_n(&net->pair_count, __ATOMIC_RELAXED) &&
	       !(frame->features & ~net->device.driver_features);
}

void net_rx_deliver(struct virtio_net *net, uint16_t pair,
		    const struct net_frame *frame)
{
	struct net_rx *rx = &net->pairs[pair]->rx;
	struct virtqueue *vq = &net->device.queues[2 * pair];
	struct delivery delivery = { .frame = frame, .vq = vq };
	enum outcome outcome = LOST;
	uint16_t vector;
	bool is_signal_due;

	begin(&delivery);
	spin_lock(&rx->lock);
	if (may_receive(net, pair, frame))
		outcome =
			receive(&delivery, rx,
				net->device.driver_features & NET_F_MRG_RXBUF);
	if (outcome == RECEIVED)
		rx->received++;
	else
		rx->dropped++;
	is_signal_due = outcome == RECEIVED && vq_take_signal(vq);
	vector = __atomic_load_n(&vq->vector, __ATOMIC_RELAXED);
	spin_unlock(&rx->lock);
	if (is_signal_due)
		virtio_pci_signal_queue(net->device.transport, vector);
	if (outcome == BROKEN)
		virtio_fail(&net->device, "net: receive buffers that make no "
					  "sense");
}

void net_rx_expel(struct virtio_net *net)
{
	for (uint16_t i = 0; i < net->pair_max; i++) {
		spin_lock(&net->pairs[i]->rx.lock);
		spin_unlock(&net->pairs[i]->rx.lock);
	}
}
