/*
 * A packet on its way between two network cards: virtio 1.2, 5.1.6 "Device
 * Operation" of the network device. [pure]
 *
 * The sender's header and the first bytes of the frame are copied once, checked,
 * and used from the copy; the rest goes straight from the sender's buffers to the
 * receiver's.
 */
#ifndef DRIVERS_VIRTIO_NET_PACKET_H
#define DRIVERS_VIRTIO_NET_PACKET_H

#include "drivers/virtio/virtqueue.h"

/* 5.1.6 "Device Operation": struct virtio_net_hdr. Little endian. */
struct net_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct net_header) == 12, "as specified");
_Static_assert(offsetof(struct net_header, num_buffers) == 10, "as specified");

#define NET_HEADER_SIZE sizeof(struct net_header)

#define NET_FLAG_NEEDS_CSUM BIT(0)

enum net_gso {
	NET_GSO_NONE = 0,
	NET_GSO_TCPV4 = 1,
	NET_GSO_TCPV6 = 4,
	NET_GSO_ECN = 0x80, /* or'ed to one of TCP */
};

#define NET_ETHERNET_SIZE 14
#define NET_FRAME_MIN	  NET_ETHERNET_SIZE
#define NET_FRAME_MAX	  (65535 + NET_ETHERNET_SIZE + 2 * 4) /* two tags */

/* Enough for Ethernet with two VLAN tags, IPv4 and TCP with all options. */
#define NET_HEAD_MAX 192

/* Of one packet to segment, and the least payload a segment may have: Linux
 * sends no less than 48 (net.ipv4.tcp_min_snd_mss). */
#define NET_GSO_SIZE_MIN 48

/* Legend: (g) as the sender's guest gave it, checked where said. */
struct net_packet {
	struct virtqueue *vq;	      /* the sender's */
	const struct vq_chain *chain; /* (g) NET_HEADER_SIZE + size bytes */
	uint32_t size;		      /* of the frame */
	uint32_t head_size;	      /* of it in head */
	/* net_packet_check has seen that flags, gso_type, gso_size, csum_start
	 * and csum_offset fit to each other and the frame; the rest is 0 */
	struct net_header header;
	uint8_t head[NET_HEAD_MAX]; /* (g) follows header */
	uint16_t l3;		    /* offset of the IP header */
	uint16_t headers_size;	    /* GSO: all headers */
};
_Static_assert(offsetof(struct net_packet, head) ==
		       offsetof(struct net_packet, header) + NET_HEADER_SIZE,
	       "header and head are read at once");

/* What one receiver gets at once: a packet, or a segment of one. */
struct net_frame {
	const struct net_packet *packet;
	struct net_header header; /* but num_buffers */
	uint64_t features;	  /* that the receiver must have */
	const uint8_t *head;	  /* first bytes of it */
	uint32_t head_size;
	uint32_t rest_offset; /* the others: from here in the packet */
	uint32_t rest_size;
};

/* Take the packet of @chain in. 0; -EINVAL: not a frame, or too long. -EFAULT. */
int net_packet_read(struct net_packet *packet, struct virtqueue *vq,
		    const struct vq_chain *chain);

/* Is the header all right, for a sender that negotiated @features? What is not
 * needed of it is cleared. */
bool net_packet_check(struct net_packet *packet, uint64_t features);

/* What a receiver must have negotiated to get it as it is. */
uint64_t net_packet_features(const struct net_packet *packet);

/* The packet as it is. */
struct net_frame net_packet_whole(const struct net_packet *packet);

/* Complete the checksum in @head (net_packet.head_size bytes, a copy) and have
 * @frame use that. -EFAULT, -EINVAL: the place is not in the head. */
int net_packet_checksum(const struct net_packet *packet, uint8_t *head,
			struct net_frame *frame);

/* Segments of a GSO packet. */
uint32_t net_packet_segments(const struct net_packet *packet);
/* Segment @index of it, complete with checksums; its headers go to @head
 * (NET_HEAD_MAX bytes). -EFAULT. */
int net_packet_segment(const struct net_packet *packet, uint32_t index,
		       uint8_t *head, struct net_frame *frame);

/* The same for both directions of a connection. */
uint32_t net_packet_flow(const struct net_packet *packet);

#endif
