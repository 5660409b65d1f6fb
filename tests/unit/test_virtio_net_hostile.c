/* Virtio network cards: headers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net_packets.h"
#include "virtio_rest.h"

static struct net_header good;
static struct layout good_layout;

/* The packet is lost on the way, whatever the receiver can do, and nothing else
 * happens. */
static void refuses(struct net_header header, uint64_t features)
{
	uint64_t before = virtio_net_counts(net(0)).dropped;

	card_start(0, features);
	for (uint32_t i = 0; i < 2; i++) {
		card_start(1, i ? GUEST_ALL : NET_F_MRG_RXBUF);
		fill_queue(1, 10, 4096);
		send_with(0, 0, &header, frame, good_layout.size);
		assert_int_equal(take(1), 0);
	}
	assert_int_equal(virtio_net_counts(net(0)).dropped, before + 2);
	assert_int_equal(cards[0].device->status, VIRTIO_STATUS_DRIVER_OK);
}

#define REFUSES(member, value)                                \
	do {                                                  \
		struct net_header bad = good;                 \
		bad.member = (__typeof__(bad.member))(value); \
		refuses(bad, HOST_ALL);                       \
	} while (0)

static void start_good(bool is_v6)
{
	good_layout = make_tcp(is_v6, 3000);
	good = tcp_header(good_layout, is_v6 ? TCPV6 : TCPV4, 1000);
}

static void refuses_lies(void **state)
{
	(void)state;
	start_good(false);
	REFUSES(flags, 0);
	REFUSES(gso_type, 2);
	REFUSES(gso_type, 3); /* UDP: not offered */
	REFUSES(gso_type, TCPV6);
	REFUSES(gso_type, 5);
	REFUSES(gso_type, ECN);
	REFUSES(gso_size, 0);
	REFUSES(gso_size, 47);
	REFUSES(csum_start, 0);
	REFUSES(csum_start, 13);
	REFUSES(csum_start, good.csum_start - 1);
	REFUSES(csum_start, good.csum_start + 20);
	REFUSES(csum_start, 0xffff);
	REFUSES(csum_offset, 6);
	REFUSES(csum_offset, 0xffff);
	good.gso_type = 0;
	good.gso_size = 0;
	REFUSES(csum_start, 13);
	REFUSES(csum_offset, good_layout.size - good.csum_start - 1);
	REFUSES(csum_start, 0xffff);
	start_good(false);
	refuses(good, HOST_ALL & ~NET_F_CSUM);
	refuses(good, HOST_ALL & ~NET_F_HOST_TSO4);
	good.gso_type |= ECN;
	refuses(good, HOST_ALL & ~NET_F_HOST_ECN);
}

/* Bytes of the frame that make it something else than TCP. */
static void refuses_other_frames(void **state)
{
	static const struct {
		bool is_v6;
		uint32_t at;
		uint8_t value;
	} rows[] = {
		{ false, 13, 0x01 },	  /* no tag, no IP */
		{ false, 17, 0x01 },	  /* not IP behind the tag */
		{ false, 18, 0x66 },	  /* version 6 */
		{ false, 18, 0x44 },	  /* header of 16 bytes */
		{ false, 18, 0x47 },	  /* of 28: TCP is elsewhere */
		{ false, 18 + 9, 17 },	  /* UDP */
		{ false, 18 + 6, 0x20 },  /* more fragments */
		{ false, 18 + 7, 1 },	  /* a fragment */
		{ false, 42 + 12, 0x40 }, /* TCP header of 16 bytes */
		{ true, 18, 0x46 },
		{ true, 18 + 6, 6 }, /* no extension */
		{ true, 18 + 6, 17 },
		{ true, 18 + 40, 44 },	/* a fragment */
		{ true, 18 + 41, 1 },	/* a longer one */
		{ true, 18 + 41, 255 }, /* beyond what is looked at */
		{ true, 66 + 12, 0x40 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start_good(rows[i].is_v6);
		frame[rows[i].at] = rows[i].value;
		refuses(good, HOST_ALL);
	}
	/* TCP would be beyond what is looked at; so would an extension */
	start_good(true);
	frame[18 + 41] = 255;
	good.csum_start = 18 + 40 + 256 * 8;
	refuses(good, HOST_ALL);
	start_good(true);
	frame[18 + 40] = 60;
	frame[18 + 41] = 16;
	refuses(good, HOST_ALL);
	/* the end is in its options */
	start_good(false);
	frame[good_layout.l4 + 12] = 0xf0;
	good_layout.size = good_layout.l4 + 40;
	refuses(good, HOST_ALL);
	start_good(true);
	good_layout.size = good_layout.l4 + 19; /* ends inside TCP */
	refuses(good, HOST_ALL);
}

/* A checksum that lies deeper than we look can be passed on, but not completed. */
static void deep_checksums(void **state)
{
	struct net_header header = { .flags = NEEDS_CSUM,
				     .csum_start = 100,
				     .csum_offset = NET_HEAD_MAX - 101 };

	(void)state;
	make_frame(frame, 1000, 1, 0, 0);
	card_start(0, HOST_ALL);
	post(1, 0, 2000);
	send_with(0, 0, &header, frame, 1000);
	assert_int_equal(take(1), 0);
	header.csum_offset--;
	send_with(0, 0, &header, frame, 1000);
	assert_int_equal(take(1), 1012);
	card_start(1, GUEST_ALL);
	post(1, 0, 2000);
	header.csum_offset++;
	send_with(0, 0, &header, frame, 1000);
	assert_got(1, frame, 1000);
}

/* 64 bytes, one a descriptor, 32 of them to a chain, then plenty at once: whoever
 * sends does not walk through all those descriptors. */
static void crumbs_lose_packets(void **state)
{
	struct vq_buffer buffers[32];

	(void)state;
	card_start(1, NET_F_MRG_RXBUF);
	for (uint32_t i = 0; i < 32; i++)
		buffers[i] = (struct vq_buffer){ BENCH_POSTED + i, 1,
						 VQ_DESC_WRITE };
	for (uint32_t i = 0; i < 2; i++)
		vq_driver_add(&cards[1].drivers[RX(0)], buffers, 32);
	post(1, 0, 2000);
	make_frame(frame, 1000, 1, 0, 1);
	send(0, frame, 1000);
	assert_int_equal(take(1), 0);
	assert_int_equal(virtio_net_counts(net(1)).dropped, 1);
	assert_int_equal(net(1)->device.queues[RX(0)].next_avail, 0);
}

/* @count descriptors of @size bytes that take nothing in, then room for a small
 * frame in two pieces: is it received? */
static bool is_received(uint32_t count, uint32_t size)
{
	struct vq_driver *driver = &cards[1].drivers[RX(0)];
	struct vq_buffer buffers[40];
	uint32_t written;
	uint16_t id;

	card_start(1, NET_F_MRG_RXBUF);
	for (uint32_t i = 0; i < count; i++)
		buffers[i] = (struct vq_buffer){ BENCH_POSTED, size, 0 };
	buffers[count] = (struct vq_buffer){ BENCH_POSTED, 12, VQ_DESC_WRITE };
	buffers[count + 1] =
		(struct vq_buffer){ BENCH_POSTED + 12, 2000, VQ_DESC_WRITE };
	vq_driver_add(driver, buffers, count + 2);
	make_frame(frame, 60, 1, 0, 1);
	send(0, frame, 60);
	return vq_driver_take(driver, &id, &written);
}

static void useless_ones_count(void **state)
{
	(void)state;
	for (uint32_t size = 0; size < 2; size++) {
		assert_true(is_received(31, size));
		assert_false(is_received(32, size));
	}
	assert_false(cards[1].device->status & VIRTIO_STATUS_NEEDS_RESET);
}

/* The receiver was reset after the sender chose among its pairs. */
static void no_pair_that_is_gone(void **state)
{
	static struct net_packet packet;
	static struct vq_chain chain = {
		.read_count = 1,
		.read_size = 1012,
		.segments = { { { BENCH_SEND }, 1012 } },
	};
	struct net_frame to_come;

	(void)state;
	bench_stop();
	bench_start(4);
	packet = (struct net_packet){
		.vq = &cards[0].device->queues[TX(0)],
		.chain = &chain,
		.size = 1000,
	};
	to_come = net_packet_whole(&packet);
	post(1, 3, 2000);
	net(1)->pair_count = 4;
	net_rx_deliver(net(1), 3, &to_come);
	assert_int_equal(take_from(1, 3), 1012);
	post(1, 3, 2000);
	net(1)->pair_count = 3;
	net_rx_deliver(net(1), 3, &to_come);
	assert_int_equal(take_from(1, 3), 0);
	assert_int_equal(virtio_net_counts(net(1)).dropped, 1);
}

static void check_bounded(uint32_t to, uint32_t max)
{
	const struct vq_buffer buffer = { BENCH_SEND, 112, 0 };

	make_frame(frame, 100, to, 0, 1);
	put_guest(BENCH_SEND, &(struct net_header){ 0 }, 12);
	put_guest(BENCH_SEND + 12, frame, 100);
	rest_check(cards[0].device, TX(0),
		   (struct rest_request){ &cards[0].drivers[TX(0)], &buffer,
					  1 },
		   4000, max);
}

static void siblings_cannot_keep_the_server(void **state)
{
	(void)state;
	make_frame(frame, 60, 0, 1, 1);
	send(1, frame, 60); /* so that the switch knows the address */
	check_bounded(1, REST_REQUESTS_MAX);
}

/* A frame that nobody has the address of goes to both others. */
static void every_port_is_work(void **state)
{
	(void)state;
	check_bounded(77, REST_REQUESTS_MAX / 3 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(refuses_lies),
		TEST(refuses_other_frames),
		TEST(deep_checksums),
		TEST(crumbs_lose_packets),
		TEST(useless_ones_count),
		TEST(no_pair_that_is_gone),
		TEST(siblings_cannot_keep_the_server),
		TEST(every_port_is_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
