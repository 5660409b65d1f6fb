/* Sending: packets out of a transmit queue, to whom they are for. */
#include "drivers/virtio/net_device.h"
#include "kernel/lib/errno.h"
#include "kernel/thread.h"
#include "kernel/vm.h"

/* Packets after which a driver that waits for several is told. */
#define BATCH 16

static uint16_t tx_index(uint16_t pair)
{
	return (uint16_t)(2 * pair + 1);
}

static struct virtio_net *net_at(struct switch_port *port)
{
	return CONTAINER_OF(port, struct virtio_net, port);
}

/* The queue of a flow: the one the receiver itself used last for it. 5.1.6.5.5
 * "Automatic receive steering in multiqueue mode". */
static uint16_t choose_pair(struct virtio_net *to,
			    const struct net_packet *packet)
{
	uint16_t count = __atomic_load_n(&to->pair_count, __ATOMIC_RELAXED);
	uint32_t flow;
	uint8_t pair;

	if (count == 1)
		return 0;
	flow = net_packet_flow(packet) / (UINT32_MAX / NET_FLOWS + 1);
	pair = __atomic_load_n(&to->flows[flow], __ATOMIC_RELAXED);
	if (pair == 0 || pair > count)
		return (uint16_t)(flow % count);
	return (uint16_t)(pair - 1);
}

static void note_flow(struct virtio_net *from, uint16_t pair,
		      const struct net_packet *packet)
{
	uint32_t flow;

	if (__atomic_load_n(&from->pair_count, __ATOMIC_RELAXED) == 1)
		return;
	flow = net_packet_flow(packet) / (UINT32_MAX / NET_FLOWS + 1);
	__atomic_store_n(&from->flows[flow], (uint8_t)(pair + 1),
			 __ATOMIC_RELAXED);
}

/* Both are the sender's own memory that may be gone: then it loses the packet. */
static void send_segments(struct virtio_net *to, uint16_t pair,
			  struct net_tx *tx)
{
	uint32_t count = net_packet_segments(&tx->packet);
	struct net_frame frame;

	for (uint32_t i = 0; i < count; i++) {
		if (net_packet_segment(&tx->packet, i, tx->head, &frame))
			return;
		net_rx_deliver(to, pair, &frame);
		thread_window();
	}
}

/* In the form that @to, held, can take. */
static void send_to(struct virtio_net *to, struct net_tx *tx)
{
	const struct net_packet *packet = &tx->packet;
	uint64_t needed = net_packet_features(packet);
	uint16_t pair = choose_pair(to, packet);
	struct net_frame frame = net_packet_whole(packet);

	if (!(needed & ~to->device.driver_features)) {
		net_rx_deliver(to, pair, &frame);
	} else if (packet->header.gso_type != NET_GSO_NONE) {
		send_segments(to, pair, tx);
	} else if (!net_packet_checksum(packet, tx->head, &frame)) {
		net_rx_deliver(to, pair, &frame);
	}
}

/* Every port is asked one after the other: the work is bounded by their number,
 * and others get the CPU between. Each is as much work as a packet to one. */
static void flood(struct virtio_net *net, uint16_t pair, struct net_tx *tx)
{
	struct switch_port *port;
	uint32_t cursor = 0;

	while ((port = switch_next(&net->port, &cursor)) != NULL) {
		if (net_filter_passes(net_at(port), tx->packet.head))
			send_to(net_at(port), tx);
		switch_put(port);
		virtio_spend(&net->device, tx_index(pair), tx->chain.read_size);
		thread_window();
	}
}

static void send(struct virtio_net *net, uint16_t pair, struct net_tx *tx)
{
	const uint8_t *head = tx->packet.head;
	struct switch_port *port;

	switch (switch_route(&net->port, head, head + SWITCH_MAC_SIZE, &port)) {
	case SWITCH_NOWHERE: break;
	case SWITCH_TO_ALL: flood(net, pair, tx); break;
	case SWITCH_TO_PORT:
		send_to(net_at(port), tx);
		switch_put(port);
		break;
	}
}

/* The next packet of the queue. False: none, or the driver went wrong. */
static bool serve_next(struct virtio_net *net, uint16_t pair)
{
	struct virtqueue *vq = &net->device.queues[tx_index(pair)];
	struct net_tx *tx = &net->pairs[pair]->tx;
	int found = vq_next_chain(vq, &tx->chain);
	int error = 0;

	if (found > 0)
		error = net_packet_read(&tx->packet, vq, &tx->chain);
	if (found < 0 || error == -EFAULT)
		virtio_fail(&net->device, "net: packets that make no sense");
	if (found <= 0 || error == -EFAULT)
		return false;
	if (!error &&
	    net_packet_check(&tx->packet, net->device.driver_features)) {
		note_flow(net, pair, &tx->packet);
		send(net, pair, tx);
		tx->sent++;
	} else {
		tx->dropped++;
	}
	vq_complete(vq, &tx->chain, 0);
	virtio_spend(&net->device, tx_index(pair), tx->chain.read_size);
	return true;
}

static void serve_some(struct virtio_net *net, uint16_t pair)
{
	uint16_t index = tx_index(pair);
	uint32_t served = 0;

	while (virtio_may_serve(&net->device, index) && serve_next(net, pair)) {
		if (++served % BATCH == 0)
			virtio_signal(&net->device, index);
		thread_window();
	}
	virtio_signal(&net->device, index);
}

void net_tx_serve(struct virtio_net *net, uint16_t pair)
{
	uint16_t index = tx_index(pair);
	struct virtqueue *vq = &net->device.queues[index];

	do {
		vq_disable_notify(vq);
		serve_some(net, pair);
	} while (virtio_may_serve(&net->device, index) && vq_enable_notify(vq));
}
