/* Virtio network cards: what they say, and packets from one to the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "drivers/virtio/virtio_pci.h"
#include "net_bench.h"

static uint8_t frame[70000];

static void tells_what_it_is(void **state)
{
	struct net_config config;
	uint64_t basic = BIT(0) | BIT(1) | BIT(5) | BITS(9, 7) | BITS(13, 11) |
			 BITS(18, 15) | BIT(20) | BIT(23);

	for (uint32_t vcpus = 1; vcpus <= 6; vcpus++) {
		uint16_t pairs = (uint16_t)min_u64(vcpus, 4);
		uint8_t mac[6];

		tear_down(state);
		bench_start(vcpus);
		assert_int_equal(cards[1].device->queue_count, 2 * pairs + 1);
		assert_int_equal(cards[1].device->features,
				 basic | (vcpus > 1 ? BIT(22) : 0));
		assert_int_equal(cards[1].device->config_size, 10);
		cards[1].device->ops->config_read(cards[1].device, 0, &config,
						  10);
		card_mac(1, mac);
		assert_memory_equal(config.mac, mac, 6);
		assert_int_equal(config.status, 1);
		assert_int_equal(config.max_virtqueue_pairs, pairs);
	}
	assert_int_equal(cards[0].device->ops->type, 1);
}

static void goes_to_whom_it_is_for(void **state)
{
	const struct net_header sent = { .num_buffers = 0x5555, .hdr_len = 9 };
	const struct net_header expected = { .num_buffers = 1 };
	struct net_header header;

	(void)state;
	for (uint32_t size = 14; size < 1600; size += 61) {
		post(1, 0, 1614);
		post(2, 0, 1614);
		make_frame(frame, size, 1, 0, (uint8_t)size);
		send_with(0, 0, &sent, frame, size);
		assert_got(1, frame, size);
		header = got_header();
		assert_memory_equal(&header, &expected, sizeof(header));
		assert_int_equal(take(1), 0);
		assert_int_equal(take(2), 0);
	}
	assert_int_equal(virtio_net_counts(net(1)).received, 26);
	assert_int_equal(virtio_net_counts(net(0)).sent, 26);
	assert_int_equal(virtio_net_counts(net(1)).dropped, 0);
}

static void broadcasts_reach_the_others(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CARDS; i++)
		post(i, 0, 1514);
	make_frame(frame, 100, 0, 1, 5);
	memset(frame, 0xff, 6);
	send(1, frame, 100);
	assert_got(0, frame, 100);
	assert_got(2, frame, 100);
	assert_int_equal(take(1), 0);
	/* its own address leads nowhere */
	make_frame(frame, 100, 1, 1, 5);
	send(1, frame, 100);
	assert_int_equal(take(1), 0);
}

/* Header, Ethernet and data cut anywhere, on both sides. */
static void knows_no_layout(void **state)
{
	struct vq_buffer buffers[40];
	uint32_t written;
	uint16_t id;

	(void)state;
	make_frame(frame, 1000, 1, 0, 77);
	put_guest(BENCH_SEND, &(struct net_header){ 0 }, 12);
	put_guest(BENCH_SEND + 12, frame, 1000);
	for (uint32_t i = 0; i < 40; i++)
		buffers[i] =
			(struct vq_buffer){ BENCH_POSTED + 4093 * i,
					    i < 20 ? 7 : 100, VQ_DESC_WRITE };
	for (uint32_t piece = 5; piece < 1012; piece += 97) {
		uint32_t done = 0;

		vq_driver_add(&cards[1].drivers[0], buffers, 40);
		send_pieces(0, 0, 1012, piece);
		assert_true(
			vq_driver_take(&cards[1].drivers[0], &id, &written));
		assert_int_equal(written, 1012);
		for (uint32_t i = 0; done < 1012; i++) {
			get_guest(buffers[i].base, got + done, buffers[i].size);
			done += buffers[i].size;
		}
		assert_memory_equal(got + 12, frame, 1000);
	}
}

static const uint64_t rings[] = {
	0,
	VIRTIO_F_EVENT_IDX,
	VIRTIO_F_RING_PACKED,
	VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
};

/* All buffers of a packet or none: with too few, they stay for the next. */
static void merges_buffers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		card_start(1, rings[i] | NET_F_MRG_RXBUF);
		for (uint32_t round = 0; round < 60; round++) {
			make_frame(frame, 5000, 1, 0, (uint8_t)round);
			post(1, 0, 1000);
			post(1, 0, 12);
			post(1, 0, 4000);
			send(0, frame, 5001);
			assert_int_equal(take(1), 0);
			send(0, frame, 5000);
			assert_got(1, frame, 5000);
			assert_int_equal(got_header().num_buffers, 3);
			next_buffer = BENCH_POSTED;
		}
		send(0, frame, 60);
		assert_int_equal(take(1), 0);
	}
	assert_int_equal(virtio_net_counts(net(1)).dropped, 4 * 61);
}

static void takes_the_largest(void **state)
{
	(void)state;
	card_start(1, NET_F_MRG_RXBUF);
	make_frame(frame, NET_FRAME_MAX + 1, 1, 0, 9);
	for (uint32_t i = 0; i < 44; i++)
		post(1, 0, 1526);
	send(0, frame, NET_FRAME_MAX + 1);
	assert_int_equal(take(1), 0);
	send(0, frame, NET_FRAME_MAX);
	assert_got(1, frame, NET_FRAME_MAX);
	assert_int_equal(got_header().num_buffers, 43);
	assert_int_equal(virtio_net_counts(net(0)).dropped, 1);
}

/* Without the feature one buffer must do; a larger packet is lost and takes none
 * with it. */
static void one_buffer_without_merging(void **state)
{
	(void)state;
	make_frame(frame, 1000, 1, 0, 9);
	post(1, 0, 1011);
	post(1, 0, 1012);
	send(0, frame, 1000);
	assert_int_equal(take(1), 0);
	send(0, frame, 999);
	assert_got(1, frame, 999);
	send(0, frame, 1000);
	assert_got(1, frame, 1000);
	send(0, frame, 1000);
	assert_int_equal(take(1), 0);
	assert_int_equal(virtio_net_counts(net(1)).dropped, 2);
}

static void short_frames_are_lost(void **state)
{
	(void)state;
	post(1, 0, 1514);
	make_frame(frame, 100, 1, 0, 1);
	for (uint32_t size = 0; size < 14; size++)
		send(0, frame, size);
	put_guest(BENCH_SEND, frame, 12);
	for (uint32_t size = 1; size < 12; size++)
		send_pieces(0, 0, size, 12);
	assert_int_equal(take(1), 0);
	assert_int_equal(virtio_net_counts(net(0)).dropped, 25);
}

static bool is_failed(uint32_t card)
{
	return cards[card].device->status & VIRTIO_STATUS_NEEDS_RESET;
}

/* Whose memory is not there is the one that fails. */
static void blames_the_right_one(void **state)
{
	const struct vq_buffer beyond[] = {
		{ BENCH_SEND, 300, 0 },
		{ BENCH_RAM - 100, 200, 0 },
	};
	const struct vq_buffer nowhere = { BENCH_RAM, 2000, VQ_DESC_WRITE };
	const struct vq_buffer partly = { BENCH_RAM - 300, 2000,
					  VQ_DESC_WRITE };
	const struct vq_buffer small = { BENCH_POSTED, 11, VQ_DESC_WRITE };
	const struct vq_buffer receive[] = { nowhere, partly, small };

	make_frame(frame, 1000, 1, 0, 1);
	post(1, 0, 1514);
	put_guest(BENCH_SEND, &(struct net_header){ 0 }, 12);
	put_guest(BENCH_SEND + 12, frame, 1000);
	vq_driver_add(&cards[0].drivers[1], beyond, 2);
	virtio_kick(cards[0].device, 1);
	assert_false(is_failed(1));
	assert_int_equal(take(1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(receive); i++) {
		tear_down(state);
		set_up(state);
		vq_driver_add(&cards[1].drivers[0], &receive[i], 1);
		post(1, 0, 1514);
		send(0, frame, 1000);
		assert_true(is_failed(1));
		assert_false(is_failed(0));
		send(0, frame, 1000);
		assert_int_equal(take(1), 0);
	}
	/* a ring with more than it holds */
	tear_down(state);
	set_up(state);
	vq_driver_put16(&cards[1].drivers[0],
			cards[1].drivers[0].base + VQ_DRIVER_AVAIL + 2, 300);
	send(0, frame, 1000);
	assert_true(is_failed(1));
	assert_false(is_failed(0));
	/* a header that is not there */
	vq_driver_add(&cards[0].drivers[1],
		      &(struct vq_buffer){ BENCH_RAM, 100, 0 }, 1);
	virtio_kick(cards[0].device, 1);
	assert_true(is_failed(0));
}

/* Who is not there receives nothing, and keeps his buffers. */
static void leaves_others_alone(void **state)
{
	(void)state;
	make_frame(frame, 100, 1, 0, 1);
	post(1, 0, 1514);
	cards[1].device->status = 0;
	send(0, frame, 100);
	cards[1].device->status =
		VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET;
	send(0, frame, 100);
	cards[1].device->status = VIRTIO_STATUS_DRIVER_OK;
	assert_int_equal(take(1), 0);
	send(0, frame, 100);
	assert_got(1, frame, 100);
	/* a queue that is not enabled */
	vq_reset(&cards[1].device->queues[0]);
	send(0, frame, 100);
	assert_int_equal(virtio_net_counts(net(1)).dropped, 3);
}

static void stops_when_nobody_is_there(void **state)
{
	uint32_t written;
	uint16_t id;

	(void)state;
	make_frame(frame, 100, 1, 0, 1);
	post(1, 0, 1514);
	put_guest(BENCH_SEND + 12, frame, 100);
	vq_driver_add(&cards[0].drivers[1],
		      &(struct vq_buffer){ BENCH_SEND, 112, 0 }, 1);
	fake_vm.end = VM_END_STOPPED;
	virtio_kick(cards[0].device, 1);
	assert_false(vq_driver_take(&cards[0].drivers[1], &id, &written));
	fake_vm.end = VM_END_NONE;
	virtio_kick(cards[0].device, 1);
	assert_true(vq_driver_take(&cards[0].drivers[1], &id, &written));
}

/* Receive buffers are not announced more than once; sent packets are. */
static void asks_for_few_kicks(void **state)
{
	(void)state;
	post(1, 0, 100);
	assert_true(vq_driver_must_kick(&cards[1].drivers[0]));
	virtio_kick(cards[1].device, 0);
	post(1, 0, 100);
	assert_false(vq_driver_must_kick(&cards[1].drivers[0]));
	make_frame(frame, 60, 1, 0, 1);
	send(0, frame, 60);
	send(0, frame, 60);
	assert_got(1, frame, 60);
	assert_got(1, frame, 60);
	put_guest(BENCH_SEND + 12, frame, 100);
	vq_driver_add(&cards[0].drivers[1],
		      &(struct vq_buffer){ BENCH_SEND, 112, 0 }, 1);
	assert_true(vq_driver_must_kick(&cards[0].drivers[1]));
}

static void interrupts_the_receiver(void **state)
{
	unsigned int before = fake_irq_count;

	(void)state;
	make_frame(frame, 60, 1, 0, 1);
	vq_driver_mute(&cards[0].drivers[1]);
	send(0, frame, 60);
	assert_int_equal(fake_irq_count, before);
	post(1, 0, 100);
	send(0, frame, 60);
	assert_true(fake_irq_count > before);
	before = fake_irq_count;
	vq_driver_mute(&cards[1].drivers[0]);
	post(1, 0, 100);
	send(0, frame, 60);
	assert_int_equal(fake_irq_count, before);
}

/* Did the card raise its pin? Lowers it. */
static bool take_interrupt(uint32_t card)
{
	struct virtio_pci *transport = cards[card].device->transport;
	bool is_high = transport->isr != 0;

	transport->isr = 0;
	virtio_pci_update_pin(transport);
	return is_high;
}

/* The driver may ask for an interrupt after any buffer of a packet. */
static void interrupts_for_any_buffer(void **state)
{
	(void)state;
	vq_driver_mute(&cards[0].drivers[1]);
	make_frame(frame, 1000, 1, 0, 1);
	for (uint16_t i = 1; i <= 4; i++) {
		card_start(1, VIRTIO_F_EVENT_IDX | NET_F_MRG_RXBUF);
		for (uint32_t j = 0; j < 3; j++)
			post(1, 0, 400);
		vq_driver_ask(&cards[1].drivers[0], i);
		send(0, frame, 1000);
		assert_int_equal(take_interrupt(1), i <= 3);
	}
}

static void gives_way(void **state)
{
	uint32_t before = fake_windows;

	(void)state;
	make_frame(frame, 60, 9, 0, 1);
	send(0, frame, 60);
	/* two ports flooded, one packet served */
	assert_int_equal(fake_windows - before, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(tells_what_it_is),
		TEST(goes_to_whom_it_is_for),
		TEST(broadcasts_reach_the_others),
		TEST(knows_no_layout),
		TEST(merges_buffers),
		TEST(takes_the_largest),
		TEST(one_buffer_without_merging),
		TEST(short_frames_are_lost),
		TEST(blames_the_right_one),
		TEST(leaves_others_alone),
		TEST(stops_when_nobody_is_there),
		TEST(asks_for_few_kicks),
		TEST(interrupts_the_receiver),
		TEST(interrupts_for_any_buffer),
		TEST(gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
