/* Virtio network cards: the control queue, several queues, and reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net_bench.h"
#include "virtio_rest.h"

enum { RX_MODE = 0, MAC = 1, MQ = 4 };
enum { OK = 0, ERROR = 1, UNTOUCHED = 0xee };

#define CTRL_ALL                                               \
	(NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA | \
	 NET_F_CTRL_MAC_ADDR)

static uint8_t frame[2000];

static uint16_t ctrl_index(uint32_t card)
{
	return cards[card].device->driver_features & NET_F_MQ
		       ? (uint16_t)(2 * net(card)->pair_max)
		       : 2;
}

/* Command with @size bytes of data, and the answer. */
static uint8_t command(uint32_t card, uint8_t class, uint8_t number,
		       const void *data, uint32_t size)
{
	struct vq_driver *driver = &cards[card].drivers[ctrl_index(card)];
	uint8_t header[2] = { class, number }, ack = UNTOUCHED;
	const struct vq_buffer buffers[] = {
		{ BENCH_CTRL, 2, 0 },
		{ BENCH_CTRL + 16, size, 0 },
		{ BENCH_CTRL + 8, 1, VQ_DESC_WRITE },
	};
	uint32_t written;
	uint16_t id;

	put_guest(BENCH_CTRL, header, 2);
	put_guest(BENCH_CTRL + 8, &ack, 1);
	put_guest(BENCH_CTRL + 16, data, size);
	vq_driver_add(driver, buffers, 3);
	virtio_kick(cards[card].device, ctrl_index(card));
	assert_true(vq_driver_take(driver, &id, &written));
	assert_int_equal(written, 1);
	get_guest(BENCH_CTRL + 8, &ack, 1);
	return ack;
}

static uint8_t set_mode(uint8_t mode, uint8_t value)
{
	return command(1, RX_MODE, mode, &value, 1);
}

/* Does card 1 get a frame that is flooded to @mac? */
static bool hears(const char *mac)
{
	make_frame(frame, 100, 9, 0, 3);
	memcpy(frame, mac, 6);
	post(1, 0, 200);
	send(0, frame, 100);
	card_start(0, 0);
	if (take(1) == 112)
		return true;
	/* the buffer is still there */
	make_frame(frame, 100, 1, 0, 4);
	send(0, frame, 100);
	assert_got(1, frame, 100);
	return false;
}

#define STRANGER  "\x52\x54\x00\x00\x77\x77"
#define FRIEND	  "\x52\x54\x00\x00\x66\x66"
#define BROADCAST "\xff\xff\xff\xff\xff\xff"
#define MULTICAST "\x33\x33\x00\x00\x00\x01"

static void filters_floods(void **state)
{
	(void)state;
	assert_true(hears(STRANGER)); /* nothing said yet: everything */
	card_start(1, CTRL_ALL);
	assert_int_equal(set_mode(NET_FILTER_PROMISC, 0), OK);
	assert_false(hears(STRANGER));
	assert_true(hears(BROADCAST));
	assert_true(hears(MULTICAST));
	assert_int_equal(set_mode(NET_FILTER_ALLUNI, 1), OK);
	assert_true(hears(STRANGER));
	assert_int_equal(set_mode(NET_FILTER_NOUNI, 1), OK);
	assert_false(hears(STRANGER));
	assert_int_equal(set_mode(NET_FILTER_NOMULTI, 1), OK);
	assert_false(hears(MULTICAST));
	assert_true(hears(BROADCAST));
	assert_int_equal(set_mode(NET_FILTER_NOBCAST, 1), OK);
	assert_false(hears(BROADCAST));
	assert_int_equal(set_mode(NET_FILTER_ALLMULTI, 1), OK);
	assert_int_equal(set_mode(NET_FILTER_PROMISC, 7), OK);
	assert_true(hears(BROADCAST));
	assert_true(hears(STRANGER));
	cards[1].device->ops->reset(cards[1].device);
	assert_true(hears(STRANGER));
}

/* The two tables of a command: @count addresses, the last one is FRIEND. */
static uint8_t set_table(uint32_t count, uint32_t cut)
{
	uint8_t data[4 + 40 * 6 + 4 + 6] = { 0 };

	memcpy(data, &count, 4);
	for (uint32_t i = 0; i < count; i++)
		memcpy(data + 4 + 6 * i, i + 1 == count ? FRIEND : MULTICAST,
		       6);
	data[4 + 6 * count] = 1; /* one for multicast */
	return command(1, MAC, 0, data, 4 + 6 * count + 4 + 6 - cut);
}

static void knows_more_addresses(void **state)
{
	(void)state;
	card_start(1, CTRL_ALL);
	assert_int_equal(set_mode(NET_FILTER_PROMISC, 0), OK);
	assert_false(hears(FRIEND));
	assert_int_equal(set_table(1, 0), OK);
	assert_true(hears(FRIEND));
	assert_false(hears(STRANGER));
	assert_int_equal(set_table(32, 0), OK);
	assert_true(hears(FRIEND));
	assert_false(hears(STRANGER));
	/* more than there is room for: all */
	assert_int_equal(set_table(33, 0), OK);
	assert_true(hears(STRANGER));
	assert_int_equal(set_table(0, 0), OK);
	assert_false(hears(FRIEND));
	/* cut off: nothing changes */
	assert_int_equal(set_table(1, 7), ERROR);
	assert_false(hears(FRIEND));
}

static void has_another_address(void **state)
{
	uint8_t own[6], mac[6];

	(void)state;
	card_start(1, CTRL_ALL);
	set_mode(NET_FILTER_PROMISC, 0);
	assert_int_equal(command(1, MAC, 1, FRIEND, 5), ERROR);
	assert_int_equal(command(1, MAC, 1, FRIEND, 6), OK);
	assert_true(hears(FRIEND));
	cards[1].device->ops->config_read(cards[1].device, 0, mac, 6);
	assert_memory_equal(mac, FRIEND, 6);
	cards[1].device->ops->reset(cards[1].device);
	cards[1].device->ops->config_read(cards[1].device, 0, mac, 6);
	card_mac(1, own);
	assert_memory_equal(mac, own, 6);
}

static void knows_its_commands(void **state)
{
	uint8_t one[8] = { 1 };
	uint64_t huge = ~0UL;

	(void)state;
	card_start(1, CTRL_ALL);
	assert_int_equal(command(1, RX_MODE, 6, one, 1), ERROR);
	assert_int_equal(command(1, RX_MODE, 0, one, 0), ERROR);
	assert_int_equal(command(1, MAC, 2, one, 6), ERROR);
	assert_int_equal(command(1, MAC, 0, &huge, 8), ERROR);
	assert_int_equal(command(1, MAC, 0, &huge, 3), ERROR);
	assert_int_equal(command(1, 2, 0, one, 2), ERROR);
	assert_int_equal(command(1, 3, 0, one, 0), ERROR);
	assert_int_equal(command(1, MQ, 0, one, 2), ERROR);
	card_start(1, NET_F_CTRL_VQ);
	assert_int_equal(command(1, RX_MODE, 0, one, 1), ERROR);
	assert_int_equal(command(1, MAC, 0, one, 8), ERROR);
	assert_int_equal(command(1, MAC, 1, one, 6), ERROR);
	card_start(1, NET_F_CTRL_VQ | NET_F_CTRL_RX);
	assert_int_equal(command(1, RX_MODE, 2, one, 1), ERROR);
	assert_int_equal(command(1, RX_MODE, 1, one, 1), OK);
	assert_int_equal(command(1, MAC, 1, one, 6), ERROR);
}

static void no_room_for_an_answer(void **state)
{
	struct vq_buffer buffer = { BENCH_CTRL, 3, 0 };

	(void)state;
	card_start(1, CTRL_ALL);
	vq_driver_add(&cards[1].drivers[2], &buffer, 1);
	virtio_kick(cards[1].device, 2);
	assert_true(cards[1].device->status & VIRTIO_STATUS_NEEDS_RESET);
}

/* ---- several queues ---- */

static void make_udp(uint32_t to, uint32_t from, uint8_t port)
{
	make_frame(frame, 100, to, from, 0);
	frame[12] = 8;
	frame[13] = 0;
	memset(frame + 14, 0, 28);
	frame[14] = 0x45;
	frame[14 + 9] = 17;
	frame[14 + 12 + (to == 0 ? 3 : 7)] = 1;
	frame[14 + 20 + (to == 0 ? 1 : 3)] = port;
}

/* The queue in which card 1 finds what card 0 sent. */
static uint16_t pair_taken(void)
{
	uint16_t pair = 99;

	for (uint16_t i = 0; i < 4; i++) {
		if (take_from(1, i)) {
			assert_int_equal(pair, 99);
			pair = i;
		}
	}
	return pair;
}

static void start_pairs(uint16_t count)
{
	card_start(0, 0);
	card_start(1, CTRL_ALL | NET_F_MQ);
	for (uint16_t i = 0; i < 4; i++) {
		for (uint32_t j = 0; j < 200; j++) {
			next_buffer = BENCH_POSTED + (200 * i + j) * 8192UL;
			post(1, i, 200);
		}
	}
	assert_int_equal(command(1, MQ, 0, &count, 2), OK);
}

static void spreads_flows(void **state)
{
	static const struct net_header none;
	uint32_t seen = 0;

	tear_down(state);
	bench_start(4);
	start_pairs(3);
	for (uint8_t port = 0; port < 40; port++) {
		uint16_t pair;

		make_udp(1, 0, port);
		send(0, frame, 100);
		pair = pair_taken();
		assert_true(pair < 3);
		seen |= 1U << pair;
		send(0, frame, 100);
		assert_int_equal(pair_taken(), pair);
		/* the answer's queue is the flow's from then on */
		make_udp(0, 1, port);
		send_with(1, port % 3, &none, frame, 100);
		make_udp(1, 0, port);
		send(0, frame, 100);
		assert_int_equal(pair_taken(), port % 3);
	}
	assert_int_equal(seen, 7);
	/* queues that are not in use any more */
	for (uint8_t port = 0; port < 10; port++) {
		make_udp(0, 1, port);
		send_with(1, 2, &none, frame, 100);
	}
	assert_int_equal(command(1, MQ, 0, &(uint16_t){ 2 }, 2), OK);
	for (uint8_t port = 0; port < 10; port++) {
		make_udp(1, 0, port);
		send(0, frame, 100);
		assert_true(pair_taken() < 2);
	}
	start_pairs(1);
	for (uint8_t port = 0; port < 10; port++) {
		make_udp(1, 0, port);
		send(0, frame, 100);
		assert_int_equal(pair_taken(), 0);
	}
}

static void counts_its_pairs(void **state)
{
	uint16_t count;

	tear_down(state);
	bench_start(4);
	start_pairs(4);
	count = 0;
	assert_int_equal(command(1, MQ, 0, &count, 2), ERROR);
	count = 5;
	assert_int_equal(command(1, MQ, 0, &count, 2), ERROR);
	assert_int_equal(command(1, MQ, 0, &count, 1), ERROR);
	assert_int_equal(command(1, MQ, 1, &count, 2), ERROR);
	assert_int_equal(net(1)->pair_count, 4);
	cards[1].device->ops->reset(cards[1].device);
	assert_int_equal(net(1)->pair_count, 1);
	/* without MQ the control queue is the third one */
	card_start(1, CTRL_ALL);
	assert_int_equal(set_mode(NET_FILTER_PROMISC, 0), OK);
	assert_int_equal(command(1, MQ, 0, &count, 2), ERROR);
}

static void siblings_cannot_keep_the_server(void **state)
{
	const struct vq_buffer buffers[] = {
		{ BENCH_CTRL, 3, 0 },
		{ BENCH_CTRL + 8, 1, VQ_DESC_WRITE },
	};

	(void)state;
	rest_check(cards[1].device, ctrl_index(1),
		   (struct rest_request){ &cards[1].drivers[ctrl_index(1)],
					  buffers, 2 },
		   4000, REST_REQUESTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(filters_floods),
		TEST(knows_more_addresses),
		TEST(has_another_address),
		TEST(knows_its_commands),
		TEST(no_room_for_an_answer),
		TEST(spreads_flows),
		TEST(counts_its_pairs),
		TEST(siblings_cannot_keep_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
