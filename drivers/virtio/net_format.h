/* Headers of Ethernet, IP and TCP, as bytes. [pure] */
#ifndef DRIVERS_VIRTIO_NET_FORMAT_H
#define DRIVERS_VIRTIO_NET_FORMAT_H

#include "kernel/lib/bits.h"

/* Ethernet: IEEE 802.3, 802.1Q. */
#define TYPE_OFFSET   12
#define TYPE_IPV4     0x0800
#define TYPE_IPV6     0x86dd
#define TYPE_VLAN     0x8100
#define TYPE_VLAN_OUT 0x88a8
#define VLAN_SIZE     4
#define VLANS_MAX     2

/* IPv4: RFC 791, 3.1 "Internet Header Format". */
#define IPV4_SIZE_MIN  20
#define IPV4_LENGTH    2
#define IPV4_ID	       4
#define IPV4_FRAGMENT  6
#define IPV4_PROTOCOL  9
#define IPV4_CHECKSUM  10
#define IPV4_ADDRESSES 12
#define FRAGMENT_BITS  0x3fff /* more fragments, and the offset */

/* IPv6: RFC 8200, 3 "IPv6 Header Format", 4 "IPv6 Extension Headers". */
#define IPV6_SIZE      40
#define IPV6_LENGTH    4
#define IPV6_NEXT      6
#define IPV6_ADDRESSES 8
#define EXTENSIONS_MAX 8

#define PROTOCOL_HOP_BY_HOP  0
#define PROTOCOL_TCP	     6
#define PROTOCOL_UDP	     17
#define PROTOCOL_ROUTING     43
#define PROTOCOL_DESTINATION 60

/* TCP: RFC 9293, 3.1 "Header Format". */
#define TCP_SIZE_MIN 20
#define TCP_SEQUENCE 4
#define TCP_OFFSET   12
#define TCP_FLAGS    13
#define TCP_CHECKSUM 16
#define TCP_FIN	     BIT(0)
#define TCP_PSH	     BIT(3)
#define TCP_CWR	     BIT(7)

/* Network byte order. */
static inline uint16_t net_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void net_put16(uint8_t *at, uint64_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint32_t net_get32(const uint8_t *at)
{
	return (uint32_t)net_get16(at) << 16 | net_get16(at + 2);
}

static inline void net_put32(uint8_t *at, uint32_t value)
{
	net_put16(at, value >> 16);
	net_put16(at + 2, value);
}

#endif
