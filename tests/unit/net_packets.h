/* TCP packets for tests of network cards. Include it once in a program, after
 * cmocka.h. */
#ifndef TESTS_NET_PACKETS_H
#define TESTS_NET_PACKETS_H

#include "net_bench.h"

#define NEEDS_CSUM 1
#define TCPV4	   1
#define TCPV6	   4
#define ECN	   0x80

#define GUEST_ALL                                                \
	(NET_F_MRG_RXBUF | NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | \
	 NET_F_GUEST_TSO6 | NET_F_GUEST_ECN)
#define HOST_ALL \
	(NET_F_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN)

static uint8_t frame[70000];

static inline uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t be32(const uint8_t *at)
{
	return be16(at) << 16 | be16(at + 2);
}

static inline void set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* RFC 1071, a byte at a time. */
static inline uint32_t sum_of(uint32_t sum, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum of the pseudo-header of the packet at @ip. */
static inline uint32_t pseudo(const uint8_t *ip, uint32_t protocol,
			      uint32_t size)
{
	if (ip[0] >> 4 == 4)
		return sum_of(protocol + size, ip + 12, 8);
	return sum_of(protocol + size, ip + 8, 32);
}

/* What lies under a frame: offsets in it. */
struct layout {
	uint32_t l3, l4, headers, size;
};

static inline void put_ipv4(uint8_t *ip, uint32_t header, uint32_t size,
			    uint8_t protocol)
{
	memset(ip, 0, header);
	ip[0] = (uint8_t)(0x40 | header / 4);
	set16(ip + 2, size);
	set16(ip + 4, 0xfffe); /* identification, about to wrap */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
	set16(ip + 10, ~sum_of(0, ip, header) & 0xffff);
}

static inline void put_ipv6(uint8_t *ip, uint32_t size, uint8_t next)
{
	memset(ip, 0, 40);
	ip[0] = 0x60;
	set16(ip + 4, size - 40);
	ip[6] = next;
	for (uint32_t i = 8; i < 40; i++)
		ip[i] = (uint8_t)(i * 29);
}

/* TCP over IPv4 with options and one tag, or over IPv6 with an extension, FIN,
 * PSH and CWR set, the checksum field as the driver leaves it. */
static inline struct layout make_tcp(bool is_v6, uint32_t payload)
{
	struct layout l = { .l3 = 18, .l4 = is_v6 ? 18 + 48 : 18 + 24 };
	uint8_t *ip = frame + l.l3, *tcp = frame + l.l4;

	l.headers = l.l4 + 32;
	l.size = l.headers + payload;
	make_frame(frame, l.size, 1, 0, 3);
	set16(frame + 12, 0x8100);
	set16(frame + 14, 5);
	set16(frame + 16, is_v6 ? 0x86dd : 0x0800);
	if (is_v6) {
		put_ipv6(ip, l.size - l.l3, 60);
		memcpy(ip + 40, "\x06\x00\x01\x04\x00\x00\x00\x00", 8);
	} else {
		put_ipv4(ip, 24, l.size - l.l3, 6);
	}
	memcpy(tcp + 4, "\xff\xff\xff\x00", 4);
	tcp[12] = 0x80;
	tcp[13] = 0x99; /* CWR, ACK, PSH, FIN */
	set16(tcp + 16, pseudo(ip, 6, l.size - l.l4));
	return l;
}

static inline struct net_header tcp_header(struct layout l, uint8_t type,
					   uint16_t segment)
{
	return (struct net_header){
		.flags = NEEDS_CSUM,
		.gso_type = type,
		.gso_size = segment,
		.csum_start = (uint16_t)l.l4,
		.csum_offset = 16,
	};
}

static inline void fill_queue(uint32_t card, uint32_t count, uint32_t size)
{
	next_buffer = BENCH_POSTED;
	for (uint32_t i = 0; i < count; i++)
		post(card, 0, size);
}

#endif
