/* The virtio network card: configuration, queues, reset. */
#include "drivers/virtio/net_device.h"
#include "drivers/virtio/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"
#include "mm/heap.h"

#define TYPE_NET      1
#define PCI_CLASS_NET 0x020000 /* network, Ethernet */

#define STATUS_LINK_UP BIT(0)

#define FEATURES                                                             \
	(NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MAC | NET_F_GUEST_TSO4 |      \
	 NET_F_GUEST_TSO6 | NET_F_GUEST_ECN | NET_F_HOST_TSO4 |              \
	 NET_F_HOST_TSO6 | NET_F_HOST_ECN | NET_F_MRG_RXBUF | NET_F_STATUS | \
	 NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA |               \
	 NET_F_CTRL_MAC_ADDR)

/* 5.1.2 "Virtqueues": receive and transmit queues in pairs, then the control
 * queue; without MQ that follows the first pair. */
static uint16_t control_index(const struct virtio_net *net)
{
	return net->device.driver_features & NET_F_MQ
		       ? (uint16_t)(2 * net->pair_max)
		       : 2;
}

/* Nobody needs to know of new receive buffers, so the first kick of a queue is
 * also the last one, where the driver knows the flag. */
static void quiet(struct virtio_net *net, uint16_t index)
{
	struct net_rx *rx = &net->pairs[index / 2]->rx;

	spin_lock(&rx->lock);
	vq_disable_notify(&net->device.queues[index]);
	spin_unlock(&rx->lock);
}

static void serve(struct virtio_device *device, uint16_t index)
{
	struct virtio_net *net = net_of(device);

	if (index == control_index(net))
		net_ctrl_serve(net, index);
	else if (index >= 2 * net->pair_max)
		return;
	else if (index % 2)
		net_tx_serve(net, index / 2);
	else
		quiet(net, index);
}

static void config_read(struct virtio_device *device, uint32_t offset, void *to,
			uint32_t size)
{
	struct virtio_net *net = net_of(device);
	const char *config = (const char *)&net->config;

	if (!range_fits(offset, size, sizeof(net->config)))
		return;
	spin_lock(&net->filter_lock);
	memcpy(to, config + offset, size);
	spin_unlock(&net->filter_lock);
}

static void reset(struct virtio_device *device)
{
	struct virtio_net *net = net_of(device);

	net_rx_expel(net);
	net_filter_reset(net);
	__atomic_store_n(&net->pair_count, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < NET_FLOWS; i++)
		__atomic_store_n(&net->flows[i], 0, __ATOMIC_RELAXED);
}

struct net_counts virtio_net_counts(const struct virtio_net *net)
{
	struct net_counts counts = { 0 };

	for (uint16_t i = 0; i < net->pair_max; i++) {
		const struct net_pair *pair = net->pairs[i];

		counts.received += pair->rx.received;
		counts.sent += pair->tx.sent;
		counts.dropped += pair->rx.dropped + pair->tx.dropped;
	}
	return counts;
}

static void free_net(struct virtio_net *net)
{
	for (uint16_t i = 0; i < net->pair_max; i++)
		heap_free(net->pairs[i]);
	heap_free(net);
}

static void destroy(struct virtio_device *device)
{
	struct virtio_net *net = net_of(device);
	struct net_counts counts = virtio_net_counts(net);

	switch_leave(&net->port);
	log_debug("%s: network card: received %lu, sent %lu, lost %lu packets",
		  device->vm->name, counts.received, counts.sent,
		  counts.dropped);
	virtio_pci_detach(device);
	free_net(net);
}

static const struct virtio_ops net_ops = {
	.type = TYPE_NET,
	.pci_class = PCI_CLASS_NET,
	.config_read = config_read,
	.serve = serve,
	.reset = reset,
	.destroy = destroy,
};

static int make_pairs(struct virtio_net *net, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		net->pairs[i] = heap_alloc(sizeof(*net->pairs[i]));
		if (!net->pairs[i])
			return -ENOMEM;
		net->pairs[i]->rx.lock =
			(struct spinlock)SPINLOCK_INIT(LOCK_RANK_PORT);
		net->pair_max++;
	}
	return 0;
}

struct virtio_device *virtio_net_make(struct vm *vm, const uint8_t mac[6])
{
	uint16_t pair_count =
		(uint16_t)min_u64(max_u64(vm->vcpu_count, 1), NET_PAIRS_MAX);
	struct virtio_net *net = heap_alloc(sizeof(*net));

	if (!net)
		return NULL;
	if (make_pairs(net, pair_count)) {
		free_net(net);
		return NULL;
	}
	net->device.ops = &net_ops;
	net->device.vm = vm;
	net->device.features = FEATURES | (pair_count > 1 ? NET_F_MQ : 0);
	net->device.config_size = sizeof(net->config);
	net->device.queue_count = (uint16_t)(2 * pair_count + 1);
	net->filter_lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_PORT);
	memcpy(net->own_mac, mac, sizeof(net->own_mac));
	net->config.status = STATUS_LINK_UP;
	net->config.max_virtqueue_pairs = pair_count;
	net->pair_count = 1;
	net_filter_reset(net);
	return &net->device;
}

int virtio_net_create(struct vm *vm, struct slice network, const uint8_t mac[6])
{
	struct virtio_device *device = virtio_net_make(vm, mac);
	int error;

	if (!device)
		return -ENOMEM;
	error = virtio_pci_attach(device);
	if (error)
		goto free;
	error = switch_join(&net_of(device)->port, network, mac);
	if (error)
		goto detach;
	return 0;

detach:
	virtio_pci_detach(device);
free:
	free_net(net_of(device));
	return error;
}
