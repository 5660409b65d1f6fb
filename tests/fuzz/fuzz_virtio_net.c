/*
 * Hostile network drivers: three cards, whose features the first bytes choose;
 * then a step is a byte and what it needs. Headers and frames are any bytes,
 * buffers anywhere. Whatever arrives must have a header that fits its frame and
 * what the receiver negotiated.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/pci/pci.h"
#include "drivers/virtio/net_device.h"
#include "mm/heap.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define CARDS	 3
#define QUEUES	 (2 * NET_PAIRS_MAX + 1)
#define RINGS	 0x100000UL
#define DATA	 0x300000UL
#define POSTED	 0x400000UL
#define BUFFER	 0x1000UL
#define RAM_SIZE (8 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static struct virtio_device *cards[CARDS];
static struct vq_driver drivers[CARDS][QUEUES];
static uint64_t posted[CARDS][VQ_SIZE_MAX];
static uint32_t next_posted;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "virtio net: %s\n", what);
	abort();
}

static uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	bytes = min_u64(bytes, input->size);
	memcpy(&value, input->data, bytes);
	input->data += bytes;
	input->size -= bytes;
	return value;
}

static void start(uint32_t card, uint64_t features)
{
	struct virtio_device *device = cards[card];

	device->status = 0;
	device->ops->reset(device);
	features &=
		device->features | VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX;
	for (uint16_t i = 0; i < device->queue_count; i++)
		vq_driver_start(&drivers[card][i], &device->queues[i],
				RINGS + (card * QUEUES + i) * 0x8000UL, 64,
				features);
	device->driver_features = features | VIRTIO_F_VERSION_1;
	device->status = VIRTIO_STATUS_DRIVER_OK;
}

static void plug(uint32_t card)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, (uint8_t)card };

	cards[card] = virtio_net_make(&fake_vm, mac);
	require(cards[card] && !virtio_pci_attach(cards[card]) &&
			!switch_join(&net_of(cards[card])->port,
				     slice_from("lan"), mac),
		"no card");
}

static void post(struct input *input, uint32_t card)
{
	uint64_t word = take(input, 2);
	struct vq_buffer buffer = {
		POSTED + next_posted++ % 256 * BUFFER,
		(uint32_t)(word % (BUFFER + 1)),
		VQ_DESC_WRITE,
	};
	uint16_t id;

	if (word >> 13 == 7)
		buffer.base = RAM_SIZE - word % 512;
	id = vq_driver_add(&drivers[card][0], &buffer, 1);
	posted[card][id % VQ_SIZE_MAX] = buffer.base;
}

/* Bytes of the input are header and frame; the chain may be longer. */
static void send(struct input *input, uint32_t card, uint16_t queue)
{
	struct vq_buffer buffers[3];
	uint64_t word = take(input, 3);
	uint32_t size = (uint32_t)min_u64(word & 0xff, input->size);
	size_t count = 1 + (word >> 8 & 1);

	guest_write(&fake_vm.memory, (gpa_t){ DATA }, input->data, size);
	input->data += size;
	input->size -= size;
	buffers[0] = (struct vq_buffer){ DATA, size, 0 };
	buffers[1] =
		(struct vq_buffer){ DATA + size,
				    (uint32_t)(word >> 9 & 0x7fff) * 3, 0 };
	buffers[count++] =
		(struct vq_buffer){ DATA - 16, word >> 23 & 1, VQ_DESC_WRITE };
	vq_driver_add(&drivers[card][queue], buffers, count);
	virtio_kick(cards[card], queue);
}

/* 5.1.6.4.1 "Device Requirements: Processing of Incoming Packets". */
static void check_header(const struct net_header *header, uint32_t size,
			 uint64_t features)
{
	require(size >= NET_FRAME_MIN && size <= NET_FRAME_MAX, "frame size");
	require(!(header->flags & ~NET_FLAG_NEEDS_CSUM), "flags");
	if (header->flags) {
		require(features & NET_F_GUEST_CSUM, "checksum not asked for");
		require(header->csum_start + header->csum_offset + 2U <= size,
			"checksum beyond the frame");
	}
	if (header->gso_type == NET_GSO_NONE)
		return;
	require(header->flags, "large, without checksum");
	require(features &
			(header->gso_type & NET_GSO_TCPV4 ? NET_F_GUEST_TSO4
							  : NET_F_GUEST_TSO6),
		"large, not asked for");
	require(!(header->gso_type & NET_GSO_ECN) ||
			(features & NET_F_GUEST_ECN),
		"ECN not asked for");
	require(header->gso_size && header->hdr_len < size &&
			header->gso_size < size - header->hdr_len,
		"segment size");
}

static void receive(uint32_t card)
{
	uint64_t features = cards[card]->driver_features;
	struct net_header header;
	uint32_t written, size;
	uint16_t id;

	if (!vq_driver_take(&drivers[card][0], &id, &written))
		return;
	require(written >= sizeof(header), "no header");
	guest_read(&fake_vm.memory, (gpa_t){ posted[card][id % VQ_SIZE_MAX] },
		   &header, sizeof(header));
	require(header.num_buffers == 1 ||
			(header.num_buffers && (features & NET_F_MRG_RXBUF)),
		"number of buffers");
	size = written - (uint32_t)sizeof(header);
	for (uint16_t i = 1; i < header.num_buffers; i++) {
		require(vq_driver_take(&drivers[card][0], &id, &written),
			"not all buffers");
		size += written;
	}
	check_header(&header, size, features);
}

static void step(struct input *input)
{
	uint8_t what = (uint8_t)take(input, 1);
	uint32_t card = (what >> 4) % CARDS;

	switch (what % 8) {
	case 0:
	case 1: post(input, card); break;
	case 2:
	case 3: send(input, card, 1); break;
	case 4: receive(card); break;
	case 5:
		send(input, card,
		     cards[card]->driver_features & NET_F_MQ ? 2 * NET_PAIRS_MAX
							     : 2);
		break;
	case 6: virtio_kick(cards[card], what >> 6); break;
	case 7: start(card, take(input, 5)); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	fake_vm_reset(4, RAM_SIZE);
	heap_init();
	require(!pci_create(&fake_vm), "no bus");
	next_posted = 0;
	for (uint32_t i = 0; i < CARDS; i++) {
		plug(i);
		start(i, take(&input, 5));
	}
	while (input.size)
		step(&input);
	pci_destroy(&fake_vm);
	guest_mem_fini(&fake_vm.memory);
	return 0;
}
