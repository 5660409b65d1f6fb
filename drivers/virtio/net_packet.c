/* Packets: what their headers say. */
#include "drivers/virtio/net_packet.h"

#include "drivers/virtio/net_device.h"
#include "drivers/virtio/net_format.h"
#include "kernel/lib/errno.h"

/* Kinds of segmentation: what sender and receiver must have negotiated. */
static const struct gso_kind {
	uint8_t type;
	uint16_t ethertype;
	uint64_t sender;
	uint64_t receiver;
} gso_kinds[] = {
	{ NET_GSO_TCPV4, TYPE_IPV4, NET_F_HOST_TSO4, NET_F_GUEST_TSO4 },
	{ NET_GSO_TCPV6, TYPE_IPV6, NET_F_HOST_TSO6, NET_F_GUEST_TSO6 },
};

/* ---- taking in ---- */

int net_packet_read(struct net_packet *packet, struct virtqueue *vq,
		    const struct vq_chain *chain)
{
	char *start = (char *)packet + offsetof(struct net_packet, header);

	if (chain->read_size < NET_HEADER_SIZE + NET_FRAME_MIN ||
	    chain->read_size > NET_HEADER_SIZE + NET_FRAME_MAX)
		return -EINVAL;
	packet->vq = vq;
	packet->chain = chain;
	packet->size = (uint32_t)(chain->read_size - NET_HEADER_SIZE);
	packet->head_size = (uint32_t)min_u64(packet->size, NET_HEAD_MAX);
	return vq_read(vq, chain, 0, start,
		       NET_HEADER_SIZE + packet->head_size);
}

/* Offset of what is behind Ethernet and tags, and its type. 0: not there. */
static uint32_t find_l3(const struct net_packet *packet, uint16_t *type)
{
	uint32_t at = TYPE_OFFSET;

	for (uint32_t tags = 0; at + 2 <= packet->head_size; tags++) {
		*type = net_get16(&packet->head[at]);
		if (*type != TYPE_VLAN && *type != TYPE_VLAN_OUT)
			return at + 2;
		if (tags == VLANS_MAX)
			return 0;
		at += VLAN_SIZE;
	}
	return 0;
}

static uint32_t find_tcp_v4(const struct net_packet *packet, uint32_t l3)
{
	const uint8_t *ip = &packet->head[l3];
	uint32_t size;

	if (l3 + IPV4_SIZE_MIN > packet->head_size || ip[0] >> 4 != 4)
		return 0;
	size = (ip[0] & 15U) * 4;
	if (size < IPV4_SIZE_MIN || ip[IPV4_PROTOCOL] != PROTOCOL_TCP ||
	    net_get16(ip + IPV4_FRAGMENT) & FRAGMENT_BITS)
		return 0;
	return l3 + size;
}

static uint32_t find_tcp_v6(const struct net_packet *packet, uint32_t l3)
{
	uint32_t at = l3 + IPV6_SIZE;
	uint8_t next;

	if (at > packet->head_size || packet->head[l3] >> 4 != 6)
		return 0;
	next = packet->head[l3 + IPV6_NEXT];
	for (uint32_t i = 0; i < EXTENSIONS_MAX; i++) {
		if (next == PROTOCOL_TCP)
			return at;
		if ((next != PROTOCOL_HOP_BY_HOP && next != PROTOCOL_ROUTING &&
		     next != PROTOCOL_DESTINATION) ||
		    at + 2 > packet->head_size)
			return 0;
		next = packet->head[at];
		at += (packet->head[at + 1] + 1U) * 8;
	}
	return 0;
}

/* Offset of the TCP header of an IP packet of @kind. 0: it is none. */
static uint32_t find_tcp(struct net_packet *packet, const struct gso_kind *kind)
{
	uint16_t type;
	uint32_t l3 = find_l3(packet, &type);

	if (!l3 || type != kind->ethertype)
		return 0;
	packet->l3 = (uint16_t)l3;
	return type == TYPE_IPV4 ? find_tcp_v4(packet, l3)
				 : find_tcp_v6(packet, l3);
}

static const struct gso_kind *kind_of(uint8_t gso_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(gso_kinds); i++) {
		if (gso_kinds[i].type == (gso_type & ~NET_GSO_ECN))
			return &gso_kinds[i];
	}
	return NULL;
}

/* 5.1.6.2.1 "Driver Requirements: Packet Transmission". */
static bool check_checksum(const struct net_packet *packet,
			   const struct net_header *given,
			   struct net_header *header, uint64_t features)
{
	if (!(given->flags & NET_FLAG_NEEDS_CSUM))
		return true;
	if (!(features & NET_F_CSUM) || given->csum_start < NET_ETHERNET_SIZE ||
	    given->csum_start + given->csum_offset + 2U > packet->size)
		return false;
	header->flags = NET_FLAG_NEEDS_CSUM;
	header->csum_start = given->csum_start;
	header->csum_offset = given->csum_offset;
	return true;
}

/* A packet of one segment is none to segment. */
static bool check_gso(struct net_packet *packet, const struct net_header *given,
		      struct net_header *header, uint64_t features)
{
	const struct gso_kind *kind = kind_of(given->gso_type);
	uint32_t tcp, size;

	if (given->gso_type == NET_GSO_NONE)
		return true;
	if (!kind || !(features & kind->sender) || !header->flags ||
	    ((given->gso_type & NET_GSO_ECN) && !(features & NET_F_HOST_ECN)))
		return false;
	tcp = find_tcp(packet, kind);
	if (!tcp || tcp != given->csum_start ||
	    given->csum_offset != TCP_CHECKSUM ||
	    tcp + TCP_SIZE_MIN > packet->head_size)
		return false;
	size = (packet->head[tcp + TCP_OFFSET] >> 4) * 4U;
	if (size < TCP_SIZE_MIN || tcp + size > packet->head_size ||
	    given->gso_size < NET_GSO_SIZE_MIN)
		return false;
	if (packet->size - tcp - size <= given->gso_size)
		return true;
	packet->headers_size = (uint16_t)(tcp + size);
	header->gso_type = given->gso_type;
	header->gso_size = given->gso_size;
	header->hdr_len = packet->headers_size;
	return true;
}

bool net_packet_check(struct net_packet *packet, uint64_t features)
{
	const struct net_header given = packet->header;
	struct net_header header = { 0 };

	packet->l3 = 0;
	packet->headers_size = 0;
	if (!check_checksum(packet, &given, &header, features) ||
	    !check_gso(packet, &given, &header, features))
		return false;
	packet->header = header;
	return true;
}

uint64_t net_packet_features(const struct net_packet *packet)
{
	const struct net_header *header = &packet->header;
	uint64_t features = 0;

	if (header->flags & NET_FLAG_NEEDS_CSUM)
		features |= NET_F_GUEST_CSUM;
	if (header->gso_type != NET_GSO_NONE)
		features |= kind_of(header->gso_type)->receiver;
	if (header->gso_type & NET_GSO_ECN)
		features |= NET_F_GUEST_ECN;
	return features;
}

struct net_frame net_packet_whole(const struct net_packet *packet)
{
	return (struct net_frame){
		.packet = packet,
		.header = packet->header,
		.features = net_packet_features(packet),
		.head = packet->head,
		.head_size = packet->head_size,
		.rest_offset = packet->head_size,
		.rest_size = packet->size - packet->head_size,
	};
}

/* ---- flows ---- */

/* Source and destination are combined so that their order does not matter. */
static uint32_t mix_ports(const struct net_packet *packet, uint32_t at,
			  uint8_t protocol)
{
	if ((protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) ||
	    at + 4 > packet->head_size)
		return 0;
	return (uint32_t)net_get16(&packet->head[at]) ^
	       net_get16(&packet->head[at + 2]);
}

uint32_t net_packet_flow(const struct net_packet *packet)
{
	uint16_t type;
	uint32_t l3 = find_l3(packet, &type);
	const uint8_t *ip = &packet->head[l3];
	uint32_t mixed = 0;

	if (type == TYPE_IPV4 && l3 &&
	    l3 + IPV4_SIZE_MIN <= packet->head_size) {
		mixed = net_get32(ip + IPV4_ADDRESSES) ^
			net_get32(ip + IPV4_ADDRESSES + 4);
		if (!(net_get16(ip + IPV4_FRAGMENT) & FRAGMENT_BITS))
			mixed ^= mix_ports(packet, l3 + (ip[0] & 15U) * 4,
					   ip[IPV4_PROTOCOL]);
	} else if (type == TYPE_IPV6 && l3 &&
		   l3 + IPV6_SIZE <= packet->head_size) {
		for (uint32_t i = 0; i < 32; i += 4)
			mixed ^= net_get32(ip + IPV6_ADDRESSES + i);
		mixed ^= mix_ports(packet, l3 + IPV6_SIZE, ip[IPV6_NEXT]);
	}
	/* Fibonacci hashing: the high bits are the good ones */
	return mixed * 0x9e3779b1U;
}
