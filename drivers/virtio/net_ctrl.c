/* The control queue: virtio 1.2, 5.1.6.5 "Control Virtqueue". */
#include "drivers/virtio/net_device.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/thread.h"

enum ctrl_class { CTRL_RX = 0, CTRL_MAC = 1, CTRL_MQ = 4 };
enum ctrl_ack { CTRL_OK = 0, CTRL_ERROR = 1 };

#define MAC_TABLE_SET 0
#define MAC_ADDR_SET  1
#define MQ_PAIRS_SET  0

/* What a command begins with; its own data follows, and the byte that we write. */
struct ctrl_header {
	uint8_t class;
	uint8_t command;
};

struct request {
	struct virtio_net *net;
	struct virtqueue *vq;
	const struct vq_chain *chain;
	struct ctrl_header header;
};

/* @size bytes of the command's data, from @offset on. */
static int read_data(const struct request *request, uint64_t offset, void *to,
		     uint64_t size)
{
	return vq_read(request->vq, request->chain,
		       sizeof(struct ctrl_header) + offset, to, size);
}

/* PROMISC and ALLMULTI go with CTRL_RX, the others with CTRL_RX_EXTRA. */
static int set_flag(const struct request *request)
{
	struct virtio_net *net = request->net;
	uint8_t command = request->header.command;
	uint64_t feature = command <= NET_FILTER_ALLMULTI ? NET_F_CTRL_RX
							  : NET_F_CTRL_RX_EXTRA;
	uint8_t value;
	int error;

	if (command >= NET_FILTER_FLAGS ||
	    !(net->device.driver_features & feature))
		return -EINVAL;
	error = read_data(request, 0, &value, sizeof(value));
	if (error)
		return error;
	spin_lock(&net->filter_lock);
	net->filter.flags[command] = value != 0;
	spin_unlock(&net->filter_lock);
	return 0;
}

/*
 * Two tables, each a 32-bit count and addresses. Multicast is passed in any case,
 * so the second one is only looked at for its size.
 */
static int set_table(const struct request *request)
{
	struct virtio_net *net = request->net;
	uint8_t unicast[NET_UNICAST_MAX][SWITCH_MAC_SIZE];
	uint32_t count, multicast_count;
	uint64_t size;
	int error = read_data(request, 0, &count, sizeof(count));

	if (error)
		return error;
	size = (uint64_t)count * SWITCH_MAC_SIZE;
	error = read_data(request, sizeof(count) + size, &multicast_count,
			  sizeof(multicast_count));
	if (!error && count <= NET_UNICAST_MAX)
		error = read_data(request, sizeof(count), unicast, size);
	if (error)
		return error;
	spin_lock(&net->filter_lock);
	net->filter.unicast_count =
		(uint32_t)min_u64(count, NET_UNICAST_MAX + 1);
	if (count <= NET_UNICAST_MAX)
		memcpy(net->filter.unicast, unicast, size);
	spin_unlock(&net->filter_lock);
	return 0;
}

/* The switch keeps to the address that the card was made with; it learns this one
 * when it is used. */
static int set_address(const struct request *request)
{
	struct virtio_net *net = request->net;
	uint8_t mac[SWITCH_MAC_SIZE];
	int error;

	if (!(net->device.driver_features & NET_F_CTRL_MAC_ADDR))
		return -EINVAL;
	error = read_data(request, 0, mac, sizeof(mac));
	if (error)
		return error;
	spin_lock(&net->filter_lock);
	memcpy(net->config.mac, mac, sizeof(mac));
	spin_unlock(&net->filter_lock);
	return 0;
}

static int set_mac(const struct request *request)
{
	if (!(request->net->device.driver_features &
	      (NET_F_CTRL_RX | NET_F_CTRL_MAC_ADDR)))
		return -EINVAL;
	switch (request->header.command) {
	case MAC_TABLE_SET: return set_table(request);
	case MAC_ADDR_SET: return set_address(request);
	default: return -EINVAL;
	}
}

static int set_pairs(const struct request *request)
{
	struct virtio_net *net = request->net;
	uint16_t count;
	int error;

	if (request->header.command != MQ_PAIRS_SET ||
	    !(net->device.driver_features & NET_F_MQ))
		return -EINVAL;
	error = read_data(request, 0, &count, sizeof(count));
	if (error)
		return error;
	if (count == 0 || count > net->pair_max)
		return -EINVAL;
	__atomic_store_n(&net->pair_count, count, __ATOMIC_RELAXED);
	return 0;
}

static int execute(const struct request *request)
{
	switch (request->header.class) {
	case CTRL_RX: return set_flag(request);
	case CTRL_MAC: return set_mac(request);
	case CTRL_MQ: return set_pairs(request);
	default: return -EINVAL;
	}
}

/* A command whose data is not there fails; one whose answer has no room is the
 * driver's misuse. */
static int serve_command(struct virtio_net *net, struct virtqueue *vq)
{
	struct request request = {
		.net = net,
		.vq = vq,
		.chain = &net->ctrl_chain,
	};
	int error = vq_read(vq, request.chain, 0, &request.header,
			    sizeof(request.header));
	uint8_t ack;

	if (!error)
		error = execute(&request);
	ack = error ? CTRL_ERROR : CTRL_OK;
	error = vq_write(vq, request.chain, 0, &ack, sizeof(ack));
	if (!error)
		vq_complete(vq, request.chain, sizeof(ack));
	return error;
}

/* The next command. False: none, or the driver went wrong. */
static bool serve_next(struct virtio_net *net, struct virtqueue *vq)
{
	int found = vq_next_chain(vq, &net->ctrl_chain);

	if (found > 0 && serve_command(net, vq))
		found = -EINVAL;
	if (found < 0)
		virtio_fail(&net->device, "net: commands that make no sense");
	return found > 0;
}

void net_ctrl_serve(struct virtio_net *net, uint16_t index)
{
	struct virtqueue *vq = &net->device.queues[index];

	do {
		vq_disable_notify(vq);
		while (virtio_may_serve(&net->device, index) &&
		       serve_next(net, vq)) {
			virtio_spend(&net->device, index, 0);
			thread_window();
		}
		virtio_signal(&net->device, index);
	} while (virtio_may_serve(&net->device, index) && vq_enable_notify(vq));
}

/* ---- the receive filter ---- */

/* Until the driver says otherwise everything passes: one that does not know the
 * commands expects that. */
void net_filter_reset(struct virtio_net *net)
{
	spin_lock(&net->filter_lock);
	net->filter = (struct net_filter){ .flags[NET_FILTER_PROMISC] = true };
	memcpy(net->config.mac, net->own_mac, SWITCH_MAC_SIZE);
	spin_unlock(&net->filter_lock);
}

static bool is_listed(const struct virtio_net *net, const uint8_t *mac)
{
	const struct net_filter *filter = &net->filter;

	if (filter->unicast_count > NET_UNICAST_MAX)
		return true;
	for (uint32_t i = 0; i < filter->unicast_count; i++) {
		if (memcmp(filter->unicast[i], mac, SWITCH_MAC_SIZE) == 0)
			return true;
	}
	return memcmp(net->config.mac, mac, SWITCH_MAC_SIZE) == 0;
}

/*
 *	frame		passes
 *	any		with PROMISC
 *	broadcast	without NOBCAST
 *	multicast	without NOMULTI: more than the table asks for, which the
 *			guest sorts out itself
 *	unicast		without NOUNI: the card's address, the table's, or all
 *			with ALLUNI
 */
static bool passes(const struct virtio_net *net, const uint8_t *mac)
{
	static const uint8_t broadcast[SWITCH_MAC_SIZE] = { 0xff, 0xff, 0xff,
							    0xff, 0xff, 0xff };
	const bool *flags = net->filter.flags;

	if (flags[NET_FILTER_PROMISC])
		return true;
	if (memcmp(mac, broadcast, sizeof(broadcast)) == 0)
		return !flags[NET_FILTER_NOBCAST];
	if (mac[0] & 1)
		return !flags[NET_FILTER_NOMULTI];
	if (flags[NET_FILTER_NOUNI])
		return false;
	return flags[NET_FILTER_ALLUNI] || is_listed(net, mac);
}

bool net_filter_passes(struct virtio_net *net, const uint8_t mac[6])
{
	bool result;

	spin_lock(&net->filter_lock);
	result = passes(net, mac);
	spin_unlock(&net->filter_lock);
	return result;
}
