/*
 * The network switch: which network cards hear each other. [pure]
 *
 * A network exists by being named: the first port that joins makes it, the last
 * one that leaves ends it. The switch says where a frame goes; it never touches
 * one. Who sends (net_tx.c) asks for the port and delivers.
 *
 *	destination			goes to
 *	multicast, broadcast		all other ports
 *	an address of another port	that port
 *	an address of the sender's	nowhere
 *	not known			all other ports
 *
 * Addresses. A port has one address of its own, which its configuration gave it,
 * and up to SWITCH_LEARNED_MAX learned ones, from the frames it sends: enough for
 * a guest that bridges to its own guests. A new one beyond that takes the place of
 * the port's own oldest. So the table is bounded by the number of ports, and a
 * guest that makes up addresses evicts only its own. A learned address moves to
 * the port that used it last, as in every switch, but one that is a port's own is
 * never learned elsewhere: nobody can draw another's traffic to himself. A learned
 * address that was silent for SWITCH_AGE_NS is forgotten.
 *
 * Life of a port. Whoever gets a port from switch_route or switch_next holds it
 * until switch_put. switch_leave takes it out of the network, so that nobody gets
 * it any more, then waits, passing scheduling points, until nobody holds it. After
 * that nobody touches the device around it. A holder may pass scheduling points
 * but does not wait for others.
 */
#ifndef DRIVERS_VIRTIO_SWITCH_H
#define DRIVERS_VIRTIO_SWITCH_H

#include "kernel/lib/list.h"
#include "kernel/lib/slice.h"

#define SWITCH_MAC_SIZE	   6
#define SWITCH_PORTS_MAX   1024
#define SWITCH_LEARNED_MAX 64
#define SWITCH_AGE_NS	   (300UL * 1000 * 1000 * 1000) /* IEEE 802.1Q, table 8-6 */

struct network;
struct switch_port;

/* [n] the network's lock guards all. */
struct switch_address {
	struct list link; /* in a bucket of the table, if mac is set */
	struct switch_port *port;
	uint64_t seen; /* time_now() when a frame came from it */
	uint64_t mac;  /* the six bytes, first one lowest; 0: not in use */
};

/* Legend: (o) set by switch_join, (a) atomic, [n] network's lock. */
struct switch_port {
	struct network *network;   /* (o) NULL: in none */
	uint32_t index;		   /* (o) among the network's ports */
	uint32_t users;		   /* (a) who hold it */
	struct switch_address own; /* [n] */
	struct switch_address learned[SWITCH_LEARNED_MAX]; /* [n] */
};

enum switch_way { SWITCH_NOWHERE, SWITCH_TO_PORT, SWITCH_TO_ALL };

/* Let @port, all zero, be one of @network (copied) with @mac as its own address.
 * -ENOMEM; -ENOSPC: too many ports. */
int switch_join(struct switch_port *port, struct slice network,
		const uint8_t mac[SWITCH_MAC_SIZE]);
/* Nothing if it is in no network. No lock held; gives way. */
void switch_leave(struct switch_port *port);

/* Where does a frame from @from go? Learns its @source. SWITCH_TO_PORT: *to is
 * held. */
enum switch_way switch_route(struct switch_port *from,
			     const uint8_t destination[SWITCH_MAC_SIZE],
			     const uint8_t source[SWITCH_MAC_SIZE],
			     struct switch_port **to);

/* The ports of the network but @from, one after the other, each held. Begin with
 * *cursor 0. NULL: that was all. */
struct switch_port *switch_next(const struct switch_port *from,
				uint32_t *cursor);

void switch_put(struct switch_port *port);

#endif
