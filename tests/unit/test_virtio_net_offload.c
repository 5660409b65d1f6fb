/* Virtio network cards: checksums and large packets, for receivers that can and
 * for those that cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "net_packets.h"

static void assert_checksum(const uint8_t *packet, struct layout l,
			    uint32_t protocol, uint32_t size)
{
	const uint8_t *ip = packet + l.l3;
	uint32_t sum = pseudo(ip, protocol, size - l.l4);

	assert_int_equal(sum_of(sum, packet + l.l4, size - l.l4), 0xffff);
	if (ip[0] >> 4 == 4)
		assert_int_equal(sum_of(0, ip, (ip[0] & 15U) * 4), 0xffff);
}

static void passes_checksums_on(void **state)
{
	struct layout l = make_tcp(false, 777);
	struct net_header header = tcp_header(l, 0, 0);

	(void)state;
	header.flags |= 0xfe; /* what a driver may not set */
	card_start(0, HOST_ALL);
	card_start(1, GUEST_ALL);
	post(1, 0, 2000);
	send_with(0, 0, &header, frame, l.size);
	assert_got(1, frame, l.size);
	assert_int_equal(got_header().flags, NEEDS_CSUM);
	assert_int_equal(got_header().csum_start, l.l4);
	assert_int_equal(got_header().csum_offset, 16);
	assert_int_equal(got_header().gso_type, 0);
	assert_int_equal(got_header().num_buffers, 1);
}

static void completes_checksums(void **state)
{
	(void)state;
	card_start(0, HOST_ALL);
	for (uint32_t size = 0; size < 1700; size += 41) {
		struct layout l = make_tcp(size % 2, size);
		struct net_header header = tcp_header(l, 0, 0);
		static const struct net_header none = { .num_buffers = 1 };

		post(1, 0, 2000);
		send_with(0, 0, &header, frame, l.size);
		assert_int_equal(take(1), l.size + 12);
		assert_memory_equal(got, &none, 12);
		assert_checksum(got + 12, l, 6, l.size);
		memset(got + 12 + l.l4 + 16, 0, 2);
		memset(frame + l.l4 + 16, 0, 2);
		assert_memory_equal(got + 12, frame, l.size);
		next_buffer = BENCH_POSTED;
	}
}

/* A sum that comes out as 0 is sent as 0xffff: 0 means "none" to UDP. */
static void no_checksum_is_zero(void **state)
{
	struct net_header header = { .flags = NEEDS_CSUM,
				     .csum_start = 34,
				     .csum_offset = 6 };

	(void)state;
	card_start(0, HOST_ALL);
	make_frame(frame, 60, 1, 0, 0);
	memset(frame + 34, 0, 26);
	set16(frame + 34 + 6, 0xffff);
	post(1, 0, 2000);
	send_with(0, 0, &header, frame, 60);
	assert_int_equal(take(1), 72);
	assert_int_equal(be16(got + 12 + 40), 0xffff);
}

static void passes_large_packets_on(void **state)
{
	(void)state;
	card_start(0, HOST_ALL);
	card_start(1, GUEST_ALL);
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		struct layout l = make_tcp(v6, 60000);
		uint8_t type = v6 ? TCPV6 : TCPV4;
		struct net_header header = tcp_header(l, type | ECN, 1448);

		header.hdr_len = 7777; /* a hint, and wrong */
		fill_queue(1, 20, 4096);
		send_with(0, 0, &header, frame, l.size);
		assert_got(1, frame, l.size);
		header.hdr_len = (uint16_t)l.headers;
		header.num_buffers = 15;
		assert_memory_equal(got, &header, 12);
		/* one segment is nothing to segment */
		while (take(1))
			;
		header.gso_size = 60000;
		card_start(1, GUEST_ALL);
		fill_queue(1, 20, 4096);
		send_with(0, 0, &header, frame, l.size);
		assert_got(1, frame, l.size);
		assert_int_equal(got_header().gso_type, 0);
		assert_int_equal(got_header().gso_size, 0);
		assert_int_equal(got_header().flags, NEEDS_CSUM);
		card_start(1, GUEST_ALL);
	}
}

/* Segment @i of @l, @size bytes of payload each. */
static void check_segment(struct layout l, uint32_t i, uint32_t size)
{
	uint32_t payload = l.size - l.headers, at = i * size;
	uint32_t part = (uint32_t)min_u64(size, payload - at);
	bool is_last = at + part == payload;
	const uint8_t *ip, *tcp;
	static const struct net_header none = { .num_buffers = 1 };

	assert_int_equal(take(1), 12 + l.headers + part);
	assert_memory_equal(got, &none, 12);
	ip = got + 12 + l.l3;
	tcp = got + 12 + l.l4;
	assert_memory_equal(got + 12, frame, l.l3);
	assert_checksum(got + 12, l, 6, l.headers + part);
	if (ip[0] >> 4 == 4) {
		assert_int_equal(be16(ip + 2), l.headers - l.l3 + part);
		assert_int_equal(be16(ip + 4), (0xfffe + i) & 0xffff);
	} else {
		assert_int_equal(be16(ip + 4), l.headers - l.l3 - 40 + part);
	}
	assert_int_equal(be32(tcp + 4), 0xffffff00 + at);
	assert_int_equal(tcp[13], 0x10 | (i ? 0 : 0x80) | (is_last ? 9 : 0));
	assert_memory_equal(got + 12 + l.headers, frame + l.headers + at, part);
}

static void segments_for_others(void **state)
{
	static const struct {
		uint32_t payload;
		uint16_t size;
	} rows[] = { { 2896, 1448 },  { 2897, 1448 }, { 1449, 1448 },
		     { 60001, 1001 }, { 200, 48 },    { 10007, 333 } };

	(void)state;
	card_start(0, HOST_ALL);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		uint32_t payload = rows[i / 2].payload;
		uint16_t size = rows[i / 2].size;
		struct layout l = make_tcp(i % 2, payload);
		struct net_header header =
			tcp_header(l, i % 2 ? TCPV6 : TCPV4, size);

		/* the other one's large packets are of no use */
		card_start(1, NET_F_GUEST_CSUM | (i % 2 ? NET_F_GUEST_TSO4
							: NET_F_GUEST_TSO6));
		fill_queue(1, 100, 1600);
		send_with(0, 0, &header, frame, l.size);
		for (uint32_t j = 0; j * size < payload; j++)
			check_segment(l, j, size);
		assert_int_equal(take(1), 0);
	}
}

/* Who cannot do ECN gets segments although it can do TCP. */
static void ecn_is_a_feature(void **state)
{
	struct layout l = make_tcp(false, 3000);
	struct net_header header = tcp_header(l, TCPV4 | ECN, 1000);

	(void)state;
	card_start(0, HOST_ALL);
	card_start(1, GUEST_ALL & ~NET_F_GUEST_ECN);
	fill_queue(1, 10, 4096);
	send_with(0, 0, &header, frame, l.size);
	for (uint32_t i = 0; i < 3; i++)
		check_segment(l, i, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(passes_checksums_on), TEST(completes_checksums),
		TEST(no_checksum_is_zero), TEST(passes_large_packets_on),
		TEST(segments_for_others), TEST(ecn_is_a_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
