/*
 * The network card of virtio 1.2, 5.1 "Network Device". [pure]
 *
 *	virtio_net.c	the device: configuration, queues, reset
 *	net_tx.c	packets that its driver sends, and where they go
 *	net_rx.c	into the buffers of a receiver
 *	net_ctrl.c	the control queue
 *	net_packet.c	headers, checksums, segments
 *
 * A packet is delivered by the vCPU thread that sends it: it copies from its own
 * guest's buffers to the receiver's, under the lock of the receive queue. There is
 * no queue between: without buffers the receiver loses the packet, and counts it.
 *
 * Transmit and control queues are served as virtio.h says. A receive queue is
 * served by senders, under net_rx.lock, and nobody holds it: its driver's kick has
 * nothing to do.
 *
 *	reset	clears the status, then the reset hook takes and lets go each
 *		net_rx.lock. A sender looks at the status under the lock, so
 *		those that come later touch nothing, until the driver sets
 *		DRIVER_OK again
 *	enable	is_enabled of a queue is set last, and a sender looks at it first
 *	destroy	the port leaves the switch, which waits for whoever holds it
 *
 * The interrupt is sent after the lock is let go (virtio_pci_signal_queue may take
 * vm->lock): the sender still holds the port then, so the device is there.
 */
#ifndef DRIVERS_VIRTIO_NET_DEVICE_H
#define DRIVERS_VIRTIO_NET_DEVICE_H

#include "drivers/virtio/net_packet.h"
#include "drivers/virtio/switch.h"
#include "drivers/virtio/virtio.h"

#define NET_PAIRS_MAX	4
#define NET_UNICAST_MAX 32 /* addresses of a receive filter */
#define NET_FLOWS	256

/* 5.1.3 "Feature bits" */
#define NET_F_CSUM	    BIT(0)
#define NET_F_GUEST_CSUM    BIT(1)
#define NET_F_MAC	    BIT(5)
#define NET_F_GUEST_TSO4    BIT(7)
#define NET_F_GUEST_TSO6    BIT(8)
#define NET_F_GUEST_ECN	    BIT(9)
#define NET_F_HOST_TSO4	    BIT(11)
#define NET_F_HOST_TSO6	    BIT(12)
#define NET_F_HOST_ECN	    BIT(13)
#define NET_F_MRG_RXBUF	    BIT(15)
#define NET_F_STATUS	    BIT(16)
#define NET_F_CTRL_VQ	    BIT(17)
#define NET_F_CTRL_RX	    BIT(18)
#define NET_F_CTRL_RX_EXTRA BIT(20)
#define NET_F_MQ	    BIT(22)
#define NET_F_CTRL_MAC_ADDR BIT(23)

/* 5.1.4 "Device configuration layout"; what follows needs features that are not
 * offered. */
struct net_config {
	uint8_t mac[SWITCH_MAC_SIZE];
	uint16_t status;
	uint16_t max_virtqueue_pairs;
};
_Static_assert(sizeof(struct net_config) == 10, "as specified");

/* Which flooded frames the driver wants: 5.1.6.5.1 "Packet Receive Filtering".
 * Commands with a flag each, in order of their numbers. */
enum net_filter_flag {
	NET_FILTER_PROMISC,
	NET_FILTER_ALLMULTI,
	NET_FILTER_ALLUNI,
	NET_FILTER_NOMULTI,
	NET_FILTER_NOUNI,
	NET_FILTER_NOBCAST,
	NET_FILTER_FLAGS
};

struct net_filter {
	bool flags[NET_FILTER_FLAGS];
	uint32_t unicast_count; /* NET_UNICAST_MAX + 1: too many, so all */
	uint8_t unicast[NET_UNICAST_MAX][SWITCH_MAC_SIZE];
};

/* A receive queue. [r] lock guards all, and the queue itself. */
struct net_rx {
	struct spinlock lock;		  /* LOCK_RANK_PORT */
	struct vq_chain first, next;	  /* of the packet that is received */
	struct vq_used used[VQ_SIZE_MAX]; /* its buffers */
	uint64_t received, dropped;	  /* packets */
};

/* A transmit queue, by its server. */
struct net_tx {
	struct vq_chain chain;
	struct net_packet packet;
	uint8_t head[NET_HEAD_MAX]; /* of a segment */
	uint64_t sent, dropped;	    /* packets; dropped for their header */
};

struct net_pair {
	struct net_rx rx;
	struct net_tx tx;
};

/* Legend: (o) set once, (a) atomic, [f] filter_lock, (c) by the server of the
 * control queue. */
struct virtio_net {
	struct virtio_device device;
	struct switch_port port;
	uint8_t own_mac[SWITCH_MAC_SIZE]; /* (o) */
	uint16_t pair_max;		  /* (o) */
	uint16_t pair_count;		  /* (a) in use */
	struct spinlock filter_lock;	  /* LOCK_RANK_PORT */
	struct net_config config;	  /* [f] */
	struct net_filter filter;	  /* [f] */
	struct vq_chain ctrl_chain;	  /* (c) */
	uint8_t flows[NET_FLOWS]; /* (a) by hash: pair + 1 that sent last */
	struct net_pair *pairs[NET_PAIRS_MAX]; /* (o) pair_max of them */
};

static inline struct virtio_net *net_of(struct virtio_device *device)
{
	return CONTAINER_OF(device, struct virtio_net, device);
}

/* The device, not attached and in no network. NULL: no memory. */
struct virtio_device *virtio_net_make(struct vm *vm, const uint8_t mac[6]);

/* Packets that all queues received, sent, and lost. */
struct net_counts {
	uint64_t received, sent, dropped;
};
struct net_counts virtio_net_counts(const struct virtio_net *net);

/* Power-on state of the filter, the address and the pairs in use. */
void net_filter_reset(struct virtio_net *net);
/* Does the driver want a frame to @mac that was flooded? */
bool net_filter_passes(struct virtio_net *net, const uint8_t mac[6]);

/* Serve transmit queue @pair, or the control queue, queue @index of the device. */
void net_tx_serve(struct virtio_net *net, uint16_t pair);
void net_ctrl_serve(struct virtio_net *net, uint16_t index);

/* Deliver to receive queue @pair of @net, held; or lose it. No lock held. */
void net_rx_deliver(struct virtio_net *net, uint16_t pair,
		    const struct net_frame *frame);
/* Wait until no sender is in a receive queue. Status is 0. */
void net_rx_expel(struct virtio_net *net);

#endif
