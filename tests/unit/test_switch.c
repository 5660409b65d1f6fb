/* The network switch: who hears whom, and what it learns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/virtio/switch.h"
#include "frame_machine.h"
#include "kernel/lib/errno.h"
#include "mm/heap.h"
#include "vm_machine.h"

#define PORTS 4

static struct switch_port *ports[PORTS];
static uint64_t heap_before;

struct mac {
	uint8_t bytes[6];
};

/* Address @number that port @port uses; 0 is its own. */
static struct mac mac_of(uint32_t port, uint32_t number)
{
	return (struct mac){ { 0x52, (uint8_t)port, 0, 0,
			       (uint8_t)(number >> 8), (uint8_t)number } };
}

static const struct mac broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

static int join(uint32_t port, const char *network)
{
	struct mac mac = mac_of(port, 0);

	ports[port] = heap_alloc(sizeof(*ports[port]));
	return switch_join(ports[port], slice_from(network), mac.bytes);
}

static void leave(uint32_t port)
{
	switch_leave(ports[port]);
	heap_free(ports[port]);
	ports[port] = NULL;
}

static int set_up(void **state)
{
	(void)state;
	fake_vm_reset(1, MIB);
	heap_init();
	heap_before = heap_used();
	for (uint32_t i = 0; i < PORTS; i++)
		assert_int_equal(join(i, "lan"), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < PORTS; i++) {
		if (ports[i])
			leave(i);
	}
	/* the last one out took the network with it */
	assert_int_equal(heap_used(), heap_before);
	return 0;
}

enum { ALL = -1, NOWHERE = -2 };

/* Where a frame goes: a port's number, ALL, NOWHERE. */
static int route(uint32_t from, struct mac to, struct mac source)
{
	struct switch_port *port = NULL;

	switch (switch_route(ports[from], to.bytes, source.bytes, &port)) {
	case SWITCH_TO_ALL: return ALL;
	case SWITCH_NOWHERE: return NOWHERE;
	case SWITCH_TO_PORT: break;
	}
	switch_put(port);
	for (int i = 0; i < PORTS; i++) {
		if (ports[i] == port)
			return i;
	}
	fail();
	return 0;
}

/* The ports that a flood from @from reaches, a bit each. */
static uint32_t flood(uint32_t from)
{
	uint32_t reached = 0, cursor = 0;
	struct switch_port *port;

	while ((port = switch_next(ports[from], &cursor)) != NULL) {
		assert_int_equal(port->users, 1);
		for (uint32_t i = 0; i < PORTS; i++) {
			if (ports[i] == port)
				reached |= 1U << i;
		}
		switch_put(port);
	}
	return reached;
}

static void knows_own_addresses(void **state)
{
	(void)state;
	assert_int_equal(route(0, mac_of(1, 0), mac_of(0, 0)), 1);
	assert_int_equal(route(3, mac_of(2, 0), mac_of(3, 0)), 2);
	assert_int_equal(route(2, mac_of(2, 0), mac_of(2, 0)), NOWHERE);
	assert_int_equal(route(2, mac_of(9, 0), mac_of(2, 0)), ALL);
	assert_int_equal(route(2, broadcast, mac_of(2, 0)), ALL);
	assert_int_equal(route(2, (struct mac){ { 1, 0, 0x5e, 1, 2, 3 } },
			       mac_of(2, 0)),
			 ALL);
}

static void floods_all_but_the_sender(void **state)
{
	(void)state;
	assert_int_equal(flood(0), 0xe);
	assert_int_equal(flood(2), 0xb);
	leave(1);
	assert_int_equal(flood(2), 0x9);
	assert_int_equal(join(1, "lan"), 0);
	assert_int_equal(flood(2), 0xb);
}

static void keeps_networks_apart(void **state)
{
	(void)state;
	leave(1);
	leave(2);
	assert_int_equal(join(1, "la"), 0);
	assert_int_equal(join(2, "la"), 0);
	assert_int_equal(flood(0), 0x8);
	assert_int_equal(flood(1), 0x4);
	assert_int_equal(route(0, mac_of(1, 0), mac_of(0, 0)), ALL);
	assert_int_equal(route(2, mac_of(1, 0), mac_of(2, 0)), 1);
}

static void learns_what_is_used(void **state)
{
	(void)state;
	assert_int_equal(route(0, mac_of(1, 7), mac_of(0, 0)), ALL);
	assert_int_equal(route(1, broadcast, mac_of(1, 7)), ALL);
	assert_int_equal(route(0, mac_of(1, 7), mac_of(0, 0)), 1);
	assert_int_equal(route(1, mac_of(1, 7), mac_of(1, 0)), NOWHERE);
	/* it moves to where it was used last */
	assert_int_equal(route(2, broadcast, mac_of(1, 7)), ALL);
	assert_int_equal(route(0, mac_of(1, 7), mac_of(0, 0)), 2);
	leave(2);
	assert_int_equal(route(0, mac_of(1, 7), mac_of(0, 0)), ALL);
}

static void learns_no_groups(void **state)
{
	const struct mac group = { { 3, 1, 2, 3, 4, 5 } };
	const struct mac zero = { { 0 } };

	(void)state;
	assert_int_equal(route(1, broadcast, group), ALL);
	assert_int_equal(route(0, group, mac_of(0, 0)), ALL);
	assert_int_equal(route(1, broadcast, zero), ALL);
	assert_int_equal(route(0, zero, mac_of(0, 0)), ALL);
	assert_int_equal(ports[1]->learned[0].mac, 0);
}

/* Nobody can draw the traffic of another's own address to himself. */
static void own_addresses_stay(void **state)
{
	(void)state;
	assert_int_equal(route(2, broadcast, mac_of(1, 0)), ALL);
	assert_int_equal(route(0, mac_of(1, 0), mac_of(0, 0)), 1);
	/* not even one who was there first */
	leave(1);
	assert_int_equal(route(2, broadcast, mac_of(1, 0)), ALL);
	assert_int_equal(route(0, mac_of(1, 0), mac_of(0, 0)), 2);
	assert_int_equal(join(1, "lan"), 0);
	assert_int_equal(route(0, mac_of(1, 0), mac_of(0, 0)), 1);
	assert_int_equal(route(2, mac_of(1, 0), mac_of(1, 0)), 1);
}

/* Of two with the same address of their own, the first; then the other. */
static void one_owner_at_a_time(void **state)
{
	struct mac mac = mac_of(1, 0);

	(void)state;
	leave(3);
	ports[3] = heap_alloc(sizeof(*ports[3]));
	assert_int_equal(switch_join(ports[3], slice_from("lan"), mac.bytes),
			 0);
	assert_int_equal(route(0, mac, mac_of(0, 0)), 1);
	leave(1);
	assert_int_equal(route(0, mac, mac_of(0, 0)), 3);
}

/* A guest that makes up addresses evicts only its own, the oldest first. */
static void is_bounded(void **state)
{
	(void)state;
	route(1, broadcast, mac_of(1, 1));
	for (uint32_t i = 1; i <= SWITCH_LEARNED_MAX + 10; i++) {
		fake_now += 1000;
		route(2, broadcast, mac_of(2, i));
		/* one of them stays in use */
		fake_now += 1000;
		route(2, broadcast, mac_of(2, 5));
	}
	assert_int_equal(route(0, mac_of(1, 1), mac_of(0, 0)), 1);
	for (uint32_t i = 1; i <= 11; i++)
		assert_int_equal(route(0, mac_of(2, i), mac_of(0, 0)),
				 i == 5 ? 2 : ALL);
	for (uint32_t i = 12; i <= SWITCH_LEARNED_MAX + 10; i++)
		assert_int_equal(route(0, mac_of(2, i), mac_of(0, 0)), 2);
	assert_int_equal(route(0, mac_of(2, 0), mac_of(0, 0)), 2);
}

static void forgets_what_is_silent(void **state)
{
	(void)state;
	route(1, broadcast, mac_of(1, 1));
	fake_now += SWITCH_AGE_NS;
	assert_int_equal(route(0, mac_of(1, 1), mac_of(0, 0)), 1);
	fake_now++;
	assert_int_equal(route(0, mac_of(1, 1), mac_of(0, 0)), ALL);
	/* own ones are never too old */
	assert_int_equal(route(0, mac_of(1, 0), mac_of(0, 0)), 1);
	/* a frame from it keeps it */
	route(1, broadcast, mac_of(1, 1));
	fake_now += SWITCH_AGE_NS;
	route(1, broadcast, mac_of(1, 1));
	fake_now += SWITCH_AGE_NS;
	assert_int_equal(route(0, mac_of(1, 1), mac_of(0, 0)), 1);
}

/* Joins until it is full, finding everybody; slots are used again. */
static void is_full_in_the_end(void **state)
{
	static struct switch_port *many[SWITCH_PORTS_MAX];
	uint32_t count = 0, cursor = 0, seen = 0;
	struct switch_port *port;
	int error;

	(void)state;
	for (;; count++) {
		struct mac mac = mac_of(77, count);

		many[count] = heap_alloc(sizeof(*many[count]));
		error = switch_join(many[count], slice_from("lan"), mac.bytes);
		if (error)
			break;
	}
	assert_int_equal(error, -ENOSPC);
	assert_null(many[count]->network);
	switch_leave(many[count]);
	heap_free(many[count]);
	assert_int_equal(count, SWITCH_PORTS_MAX - PORTS);
	while ((port = switch_next(ports[0], &cursor)) != NULL) {
		switch_put(port);
		seen++;
	}
	assert_int_equal(seen, SWITCH_PORTS_MAX - 1);
	while (count) {
		switch_leave(many[--count]);
		heap_free(many[count]);
	}
	assert_int_equal(flood(0), 0xe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(knows_own_addresses),    TEST(floods_all_but_the_sender),
		TEST(keeps_networks_apart),   TEST(learns_what_is_used),
		TEST(learns_no_groups),	      TEST(own_addresses_stay),
		TEST(one_owner_at_a_time),    TEST(is_bounded),
		TEST(forgets_what_is_silent), TEST(is_full_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
