/* Network cards on a bench, all in one VM, and their drivers. Include it once in a
 * program, after cmocka.h. */
#ifndef TESTS_NET_BENCH_H
#define TESTS_NET_BENCH_H

#include <stdlib.h>
#include <string.h>

#include "drivers/pci/pci.h"
#include "drivers/virtio/net_device.h"
#include "frame_machine.h"
#include "mm/heap.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define CARDS	     3
#define CARD_QUEUES  (2 * NET_PAIRS_MAX + 1)
#define BENCH_RAM    (32 * MIB)
#define BENCH_RINGS  0x100000UL
#define BENCH_SEND   0x800000UL /* what is sent, header first */
#define BENCH_CTRL   0xa00000UL
#define BENCH_POSTED 0x1000000UL /* receive buffers, one after the other */
#define BENCH_SLOTS  256

#define RX(pair) ((uint16_t)(2 * (pair)))
#define TX(pair) ((uint16_t)(2 * (pair) + 1))

struct card {
	struct virtio_device *device;
	struct vq_driver drivers[CARD_QUEUES];
	uint64_t posted[CARD_QUEUES][VQ_SIZE_MAX]; /* gpa, by id */
};

static struct card cards[CARDS];
static uint64_t next_buffer;	/* gpa */
static uint8_t got[256 * 1024]; /* of the last take */

static inline void put_guest(uint64_t gpa, const void *from, uint64_t size)
{
	if (guest_write(&fake_vm.memory, (gpa_t){ gpa }, from, size))
		abort();
}

static inline void get_guest(uint64_t gpa, void *to, uint64_t size)
{
	if (guest_read(&fake_vm.memory, (gpa_t){ gpa }, to, size))
		abort();
}

static inline void card_mac(uint32_t card, uint8_t mac[6])
{
	const uint8_t bytes[6] = { 0x52, 0x54, 0, 0, 0, (uint8_t)(card + 1) };

	memcpy(mac, bytes, sizeof(bytes));
}

static inline struct virtio_net *net(uint32_t card)
{
	return net_of(cards[card].device);
}

/* As after DRIVER_OK, with ring and network features. */
static inline void card_start(uint32_t card, uint64_t features)
{
	struct virtio_device *device = cards[card].device;

	for (uint16_t i = 0; i < device->queue_count; i++) {
		uint64_t base = BENCH_RINGS + (card * CARD_QUEUES + i) *
						      (uint64_t)VQ_DRIVER_SIZE;

		if (vq_driver_start(&cards[card].drivers[i], &device->queues[i],
				    base, BENCH_SLOTS, features))
			abort();
	}
	device->driver_features = features | VIRTIO_F_VERSION_1;
	device->status = VIRTIO_STATUS_DRIVER_OK;
}

static inline void card_plug(uint32_t card, const char *network)
{
	uint8_t mac[6];

	card_mac(card, mac);
	cards[card].device = virtio_net_make(&fake_vm, mac);
	if (!cards[card].device || virtio_pci_attach(cards[card].device) ||
	    switch_join(&net(card)->port, slice_from(network), mac))
		abort();
	card_start(card, 0);
}

static inline void bench_machine(uint32_t vcpus)
{
	fake_vm_reset(vcpus, BENCH_RAM);
	heap_init();
	if (pci_create(&fake_vm))
		abort();
	memset(cards, 0, sizeof(cards));
	next_buffer = BENCH_POSTED;
}

static inline void bench_start(uint32_t vcpus)
{
	bench_machine(vcpus);
	for (uint32_t i = 0; i < CARDS; i++)
		card_plug(i, "lan");
}

static inline void bench_stop(void)
{
	pci_destroy(&fake_vm);
	guest_mem_fini(&fake_vm.memory);
}

static inline int set_up(void **state)
{
	(void)state;
	bench_start(1);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	bench_stop();
	return 0;
}

/* A buffer of @size bytes for receive queue @pair; pages apart. */
static inline uint64_t post(uint32_t card, uint16_t pair, uint32_t size)
{
	struct vq_buffer buffer = { next_buffer, size, VQ_DESC_WRITE };
	uint16_t id = vq_driver_add(&cards[card].drivers[RX(pair)], &buffer, 1);

	cards[card].posted[RX(pair)][id] = next_buffer;
	next_buffer += align_up(size, PAGE_SIZE) + PAGE_SIZE;
	return buffer.base;
}

/* Send header and frame, which are at BENCH_SEND, in pieces of @piece bytes. */
static inline void send_pieces(uint32_t card, uint16_t pair, uint32_t size,
			       uint32_t piece)
{
	struct vq_buffer buffers[BENCH_SLOTS];
	struct vq_driver *driver = &cards[card].drivers[TX(pair)];
	size_t count = 0;
	uint32_t written;
	uint16_t id;

	for (uint32_t at = 0; at < size; at += piece)
		buffers[count++] = (struct vq_buffer){
			BENCH_SEND + at, (uint32_t)min_u64(piece, size - at), 0
		};
	vq_driver_add(driver, buffers, count);
	virtio_kick(cards[card].device, TX(pair));
	if (cards[card].device->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	assert_true(vq_driver_take(driver, &id, &written));
	assert_int_equal(written, 0);
}

static inline void send_with(uint32_t card, uint16_t pair,
			     const struct net_header *header, const void *frame,
			     uint32_t size)
{
	put_guest(BENCH_SEND, header, sizeof(*header));
	put_guest(BENCH_SEND + sizeof(*header), frame, size);
	send_pieces(card, pair, (uint32_t)sizeof(*header) + size, 4096);
}

static inline void send(uint32_t card, const void *frame, uint32_t size)
{
	static const struct net_header none;

	send_with(card, 0, &none, frame, size);
}

/* The next packet that the card received, header first, to `got`: its size with
 * the header, 0: none. */
static inline uint32_t take_from(uint32_t card, uint16_t pair)
{
	struct vq_driver *driver = &cards[card].drivers[RX(pair)];
	uint32_t size = 0, written;
	uint16_t buffers = 1, id;

	for (uint16_t i = 0; i < buffers; i++) {
		if (!vq_driver_take(driver, &id, &written)) {
			assert_int_equal(i, 0);
			return 0;
		}
		get_guest(cards[card].posted[RX(pair)][id], got + size,
			  written);
		size += written;
		if (i == 0)
			memcpy(&buffers, got + 10, 2);
	}
	assert_true(size >= sizeof(struct net_header));
	return size;
}

static inline uint32_t take(uint32_t card)
{
	return take_from(card, 0);
}

static inline struct net_header got_header(void)
{
	struct net_header header;

	memcpy(&header, got, sizeof(header));
	return header;
}

/* An Ethernet frame with bytes that depend on @seed behind the type. */
static inline void make_frame(uint8_t *frame, uint32_t size, uint32_t to,
			      uint32_t from, uint8_t seed)
{
	for (uint32_t i = 0; i < size; i++)
		frame[i] = (uint8_t)(i * 7 + i / 256 + seed);
	card_mac(to, frame);
	card_mac(from, frame + 6);
	frame[12] = 0x88;
	frame[13] = 0xb5; /* IEEE 802.1Q: local experiments */
}

static inline void assert_got(uint32_t card, const uint8_t *frame,
			      uint32_t size)
{
	assert_int_equal(take(card), size + 12);
	assert_memory_equal(got + 12, frame, size);
}

#endif
