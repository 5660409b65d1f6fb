/* Packets: checksums, and segments of large ones, for receivers that cannot do
 * them. */
#include "drivers/virtio/net_format.h"
#include "drivers/virtio/net_packet.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/* Bytes summed at once; even, so that pieces add up. */
#define PIECE 512

/* ---- checksums: RFC 1071, in the order of bytes of this machine ---- */

static uint64_t add_bytes(uint64_t sum, const uint8_t *bytes, uint32_t size)
{
	uint16_t word = 0;
	uint32_t pair;

	for (; size >= 4; size -= 4) {
		memcpy(&pair, bytes, sizeof(pair));
		sum += pair;
		bytes += sizeof(pair);
	}
	for (; size >= 2; size -= 2) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
		bytes += sizeof(word);
	}
	return size ? sum + bytes[0] : sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Never 0: to UDP that says "no checksum", to others it is the same as this. */
static void put_checksum(uint8_t *at, uint64_t sum)
{
	uint16_t checksum = (uint16_t)~fold(sum);

	if (checksum == 0)
		checksum = 0xffff;
	memcpy(at, &checksum, sizeof(checksum));
}

/* Bytes of the frame: those in the head are the checked copy's. */
static int read_bytes(const struct net_packet *packet, uint32_t offset,
		      uint8_t *to, uint32_t size)
{
	uint32_t part = 0;

	if (offset < packet->head_size) {
		part = (uint32_t)min_u64(size, packet->head_size - offset);
		memcpy(to, &packet->head[offset], part);
	}
	if (part == size)
		return 0;
	return vq_read(packet->vq, packet->chain,
		       NET_HEADER_SIZE + offset + part, to + part, size - part);
}

/* Add @size bytes from @offset of the frame, an even number of bytes after what
 * was added before. */
static int add_range(const struct net_packet *packet, uint32_t offset,
		     uint32_t size, uint64_t *sum)
{
	uint8_t piece[PIECE];

	while (size) {
		uint32_t part = (uint32_t)min_u64(size, sizeof(piece));
		int error = read_bytes(packet, offset, piece, part);

		if (error)
			return error;
		*sum = add_bytes(*sum, piece, part);
		offset += part;
		size -= part;
	}
	return 0;
}

/* The field holds the sum of the pseudo-header until then, and is summed too. */
int net_packet_checksum(const struct net_packet *packet, uint8_t *head,
			struct net_frame *frame)
{
	uint32_t start = packet->header.csum_start;
	uint32_t place = start + packet->header.csum_offset;
	uint64_t sum = 0;
	int error;

	if (place + 2 > packet->head_size)
		return -EINVAL;
	error = add_range(packet, start, packet->size - start, &sum);
	if (error)
		return error;
	memcpy(head, packet->head, packet->head_size);
	put_checksum(head + place, sum);
	*frame = net_packet_whole(packet);
	frame->head = head;
	frame->header = (struct net_header){ 0 };
	frame->features = 0;
	return 0;
}

/* ---- segments ---- */

uint32_t net_packet_segments(const struct net_packet *packet)
{
	uint32_t payload = packet->size - packet->headers_size;

	return (payload + packet->header.gso_size - 1) /
	       packet->header.gso_size;
}

/* Length, identification and checksum of the IP header at @ip. */
static void patch_ip(const struct net_packet *packet, uint32_t index,
		     uint8_t *ip, uint32_t size)
{
	uint32_t header_size;

	if (ip[0] >> 4 == 6) {
		net_put16(ip + IPV6_LENGTH, size - IPV6_SIZE);
		return;
	}
	header_size = packet->header.csum_start - packet->l3;
	net_put16(ip + IPV4_LENGTH, size);
	net_put16(ip + IPV4_ID, net_get16(ip + IPV4_ID) + index);
	net_put16(ip + IPV4_CHECKSUM, 0);
	put_checksum(ip + IPV4_CHECKSUM, add_bytes(0, ip, header_size));
}

/*
 * Sequence number, flags, and in place of the checksum the sum of the
 * pseudo-header, which differs from the packet's by the length only: RFC 1624
 * "Computation of the Internet Checksum via Incremental Update".
 */
static void patch_tcp(const struct net_packet *packet, uint32_t index,
		      uint8_t *tcp, uint32_t size)
{
	uint32_t old_size = packet->size - packet->header.csum_start;
	uint16_t sum = net_get16(tcp + TCP_CHECKSUM);

	net_put32(tcp + TCP_SEQUENCE, net_get32(tcp + TCP_SEQUENCE) +
					      index * packet->header.gso_size);
	if (index + 1 < net_packet_segments(packet))
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (index > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	net_put16(tcp + TCP_CHECKSUM,
		  fold((uint64_t)sum + (uint16_t)~fold(old_size) + size));
}

int net_packet_segment(const struct net_packet *packet, uint32_t index,
		       uint8_t *head, struct net_frame *frame)
{
	uint32_t headers = packet->headers_size;
	uint32_t start = packet->header.csum_start;
	uint32_t offset = headers + index * packet->header.gso_size;
	uint32_t size = (uint32_t)min_u64(packet->header.gso_size,
					  packet->size - offset);
	uint64_t sum;
	int error;

	memcpy(head, packet->head, headers);
	patch_ip(packet, index, head + packet->l3, headers - packet->l3 + size);
	patch_tcp(packet, index, head + start, headers - start + size);
	/* a TCP header is of whole words, so the payload adds up behind it */
	sum = add_bytes(0, head + start, headers - start);
	error = add_range(packet, offset, size, &sum);
	if (error)
		return error;
	put_checksum(head + start + TCP_CHECKSUM, sum);
	*frame = (struct net_frame){
		.packet = packet,
		.head = head,
		.head_size = headers,
		.rest_offset = offset,
		.rest_size = size,
	};
	return 0;
}
