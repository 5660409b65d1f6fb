/* The network switch: networks, ports, addresses. */
#include "drivers/virtio/switch.h"

#include "kernel/cpu/time.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/spinlock.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "mm/heap.h"

#define BUCKET_BITS 8
#define BUCKETS	    (1 << BUCKET_BITS)
#define NAME_MAX    64	   /* longer names are the same if these bytes are */
#define MULTICAST   BIT(0) /* of an address's first byte */

/* Legend: (o) set once, [s] list_lock, [n] lock. */
struct network {
	struct list link;     /* [s] */
	uint32_t members;     /* [s] ports that joined and have not left */
	uint32_t name_size;   /* (o) */
	char name[NAME_MAX];  /* (o) */
	struct spinlock lock; /* LOCK_RANK_SWITCH */
	uint64_t key;	      /* (o) of the hash, odd */
	struct list buckets[BUCKETS]; /* [n] of addresses */
	uint32_t port_limit;	      /* [n] slots of ports */
	struct switch_port **ports;   /* [n] NULL: a free slot */
};

/* Of the list of networks. Never held together with a network's lock. */
static struct spinlock list_lock = SPINLOCK_INIT(LOCK_RANK_SWITCH);
static struct list networks = LIST_INIT(networks); /* [list_lock] */

static uint64_t mac_from(const uint8_t bytes[SWITCH_MAC_SIZE])
{
	uint64_t mac = 0;

	memcpy(&mac, bytes, SWITCH_MAC_SIZE);
	return mac;
}

/*
 * Multiply-shift with a secret factor: a guest that makes up addresses cannot
 * have them meet in one bucket.
 */
static struct list *bucket_of(struct network *network, uint64_t mac)
{
	return &network->buckets[mac * network->key >> (64 - BUCKET_BITS)];
}

static struct switch_address *find_address(struct network *network,
					   uint64_t mac)
{
	struct list *bucket = bucket_of(network, mac);

	list_for_each (node, bucket) {
		struct switch_address *address =
			LIST_ENTRY(node, struct switch_address, link);

		if (address->mac == mac)
			return address;
	}
	return NULL;
}

static bool is_own(const struct switch_address *address)
{
	return address == &address->port->own;
}

static void add_address(struct network *network, struct switch_address *address,
			struct switch_port *port, uint64_t mac)
{
	address->port = port;
	address->mac = mac;
	list_push_back(bucket_of(network, mac), &address->link);
}

static void remove_address(struct switch_address *address)
{
	if (address->mac)
		list_remove(&address->link);
	address->mac = 0;
	address->seen = 0;
}

/* ---- networks ---- */

static void free_network(struct network *network)
{
	heap_free(network->ports);
	heap_free(network);
}

static struct network *make_network(struct slice name)
{
	struct network *network = heap_alloc(sizeof(*network));

	if (!network)
		return NULL;
	network->lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_SWITCH);
	network->name_size = (uint32_t)min_u64(name.len, NAME_MAX);
	memcpy(network->name, name.ptr, network->name_size);
	/* without randomness it stays a hash, only a known one */
	if (!random_bytes(&network->key, sizeof(network->key)))
		network->key = 0x9e3779b97f4a7c15;
	network->key |= 1;
	for (uint32_t i = 0; i < BUCKETS; i++)
		list_init(&network->buckets[i]);
	return network;
}

static struct network *find_network(struct slice name)
{
	name.len = min_u64(name.len, NAME_MAX);
	list_for_each (node, &networks) {
		struct network *network =
			LIST_ENTRY(node, struct network, link);
		struct slice own = { network->name, network->name_size };

		if (slice_equals(name, own))
			return network;
	}
	return NULL;
}

/* The network of that name, with one member more. */
static struct network *enter_network(struct slice name)
{
	struct network *spare = make_network(name);
	struct network *network;

	spin_lock(&list_lock);
	network = find_network(name);
	if (!network && spare) {
		network = spare;
		spare = NULL;
		list_push_back(&networks, &network->link);
	}
	if (network)
		network->members++;
	spin_unlock(&list_lock);
	if (spare)
		free_network(spare);
	return network;
}

static void exit_network(struct network *network)
{
	bool is_last;

	spin_lock(&list_lock);
	is_last = --network->members == 0;
	if (is_last)
		list_remove(&network->link);
	spin_unlock(&list_lock);
	if (is_last)
		free_network(network);
}

/* ---- ports ---- */

/* Room for @limit ports instead; the old array, to be freed without the lock. */
static struct switch_port **grow(struct network *network,
				 struct switch_port **ports, uint32_t limit)
{
	struct switch_port **old = network->ports;

	for (uint32_t i = 0; i < network->port_limit; i++)
		ports[i] = old[i];
	network->ports = ports;
	network->port_limit = limit;
	return old;
}

/* A free slot; port_limit: none. */
static uint32_t find_slot(const struct network *network)
{
	uint32_t i = 0;

	while (i < network->port_limit && network->ports[i])
		i++;
	return i;
}

static int add_port(struct network *network, struct switch_port *port)
{
	uint32_t slot, limit;
	struct switch_port **ports;

	slot = find_slot(network);
	if (slot == network->port_limit) {
		limit = slot ? 2 * slot : 4;
		if (limit > SWITCH_PORTS_MAX)
			return -ENOSPC;
		ports = heap_alloc(limit * sizeof(struct switch_port *));
		if (!ports)
			return -ENOMEM;
		heap_free(grow(network, ports, limit));
	}
	network->ports[slot] = port;
	port->index = slot;
	port->network = network;
	return 0;
}

/* An address that somebody had learned is its owner's from now on. */
static void own_address(struct switch_port *port, uint64_t mac)
{
	struct network *network = port->network;
	struct switch_address *other = find_address(network, mac);

	if (other && !is_own(other))
		remove_address(other);
	add_address(network, &port->own, port, mac);
}

int switch_join(struct switch_port *port, struct slice name,
		const uint8_t mac[SWITCH_MAC_SIZE])
{
	struct network *network = enter_network(name);
	int error;

	if (!network)
		return -ENOMEM;
	spin_lock(&network->lock);
	error = add_port(network, port);
	if (!error)
		own_address(port, mac_from(mac));
	spin_unlock(&network->lock);
	if (error)
		exit_network(network);
	return error;
}

void switch_leave(struct switch_port *port)
{
	struct network *network = port->network;

	if (!network)
		return;
	spin_lock(&network->lock);
	network->ports[port->index] = NULL;
	remove_address(&port->own);
	for (uint32_t i = 0; i < SWITCH_LEARNED_MAX; i++)
		remove_address(&port->learned[i]);
	spin_unlock(&network->lock);
	/* acquire: pairs with switch_put of the last holder */
	while (__atomic_load_n(&port->users, __ATOMIC_ACQUIRE))
		thread_window();
	port->network = NULL;
	exit_network(network);
}

/* The network's lock is held, so the port has not left. */
static struct switch_port *hold(struct switch_port *port)
{
	__atomic_fetch_add(&port->users, 1, __ATOMIC_RELAXED);
	return port;
}

void switch_put(struct switch_port *port)
{
	__atomic_fetch_sub(&port->users, 1, __ATOMIC_RELEASE);
}

/* ---- addresses ---- */

/* A place for one more address of @port: a free one, or that of the oldest. */
static struct switch_address *take_place(struct switch_port *port)
{
	struct switch_address *place = &port->learned[0];

	for (uint32_t i = 1; i < SWITCH_LEARNED_MAX && place->mac; i++) {
		struct switch_address *other = &port->learned[i];

		if (!other->mac || other->seen < place->seen)
			place = other;
	}
	remove_address(place);
	return place;
}

static void learn(struct switch_port *port, uint64_t mac)
{
	struct network *network = port->network;
	struct switch_address *address;

	if (mac == port->own.mac || mac == 0 || (mac & MULTICAST))
		return;
	address = find_address(network, mac);
	if (address && is_own(address))
		return;
	if (!address || address->port != port) {
		if (address)
			remove_address(address);
		address = take_place(port);
		add_address(network, address, port, mac);
	}
	address->seen = time_now();
}

static enum switch_way find_way(struct switch_port *from, uint64_t mac,
				struct switch_port **to)
{
	struct switch_address *address;

	if (mac & MULTICAST)
		return SWITCH_TO_ALL;
	address = find_address(from->network, mac);
	if (address && !is_own(address) &&
	    time_now() - address->seen > SWITCH_AGE_NS) {
		remove_address(address);
		address = NULL;
	}
	if (!address)
		return SWITCH_TO_ALL;
	if (address->port == from)
		return SWITCH_NOWHERE;
	*to = hold(address->port);
	return SWITCH_TO_PORT;
}

enum switch_way switch_route(struct switch_port *from,
			     const uint8_t destination[SWITCH_MAC_SIZE],
			     const uint8_t source[SWITCH_MAC_SIZE],
			     struct switch_port **to)
{
	struct network *network = from->network;
	enum switch_way way;

	spin_lock(&network->lock);
	learn(from, mac_from(source));
	way = find_way(from, mac_from(destination), to);
	spin_unlock(&network->lock);
	return way;
}

struct switch_port *switch_next(const struct switch_port *from,
				uint32_t *cursor)
{
	struct network *network = from->network;
	struct switch_port *found = NULL;

	spin_lock(&network->lock);
	while (!found && *cursor < network->port_limit) {
		struct switch_port *port = network->ports[(*cursor)++];

		if (port && port != from)
			found = hold(port);
	}
	spin_unlock(&network->lock);
	return found;
}
