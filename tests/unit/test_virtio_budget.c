/* How much one notification serves, and what becomes of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "virtio_card.h"
#include "virtio_rest.h"

#define DELAY (50 * NS_PER_US)

static uint32_t offered_count, offered_max;

static int setup(void **state)
{
	(void)state;
	card_start();
	card_drive();
	offered_count = offered_max = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	card_stop();
	return 0;
}

/* A sibling adds one for each that is served; its index goes round. */
static void offer_next(void)
{
	if (offered_count < offered_max)
		offer((uint16_t)++offered_count);
}

static void feed(uint32_t count)
{
	offered_max = count;
	card_after_request = offer_next;
	offer_next();
}

static void a_notification_ends(void **state)
{
	const uint32_t count = 10 * REST_REQUESTS_MAX;
	uint32_t before;

	(void)state;
	feed(count);
	notify(0);
	assert_in_range(card_chains, REST_REQUESTS_MAX - 1, REST_REQUESTS_MAX);
	assert_int_equal(card.queue_states[0].serving, 0);
	assert_int_equal(fake_vm.deadlines[VM_TIMER_VIRTIO], DELAY);
	/* so does each serving of the rest, and all of it is served */
	for (before = card_chains; rest_serve(); before = card_chains)
		assert_true(card_chains - before <= REST_REQUESTS_MAX);
	assert_int_equal(card_chains, count);
	assert_in_range(fake_now, 10 * DELAY, 11 * DELAY);
}

static void bytes_count(void **state)
{
	(void)state;
	card.queue_states[0].budget = VIRTIO_BUDGET;
	virtio_spend(&card, 0, MIB);
	assert_int_equal(card.queue_states[0].budget,
			 3 * MIB - VIRTIO_REQUEST_COST);
	assert_true(virtio_may_serve(&card, 0));
	virtio_spend(&card, 0, 4 * GIB);
	assert_int_equal(card.queue_states[0].budget, 0);
	assert_false(virtio_may_serve(&card, 0));
	/* the next notification has its own */
	offer(3);
	notify(0);
	assert_int_equal(card_chains, 3);
	assert_false(rest_is_due());
}

static void few_requests_leave_no_rest(void **state)
{
	(void)state;
	for (uint16_t i = 1; i <= 3 * REST_REQUESTS_MAX; i++) {
		offer(i);
		notify(0);
		assert_int_equal(card_chains, i);
	}
	assert_false(rest_is_due());
	assert_true(list_is_empty(&fake_vm.virtio_rests));
	assert_int_equal(fake_windows, 0);
}

static void kick_again(void)
{
	virtio_kick(&card, 0);
}

/* Siblings that notify without end, of nothing. */
static void kicks_cost_too(void **state)
{
	(void)state;
	card_while_serving = kick_again;
	notify(0);
	assert_int_equal(card_serves, REST_REQUESTS_MAX);
	assert_true(rest_is_due());
	card_while_serving = NULL;
	assert_int_equal(rest_serve_all(), 1);
	assert_int_equal(card_serves, REST_REQUESTS_MAX + 1);
	assert_int_equal(card.queue_states[0].kicked, 0);
}

static uint32_t kick_at;

static void kick_late(void)
{
	offer_next();
	if (card_chains == kick_at)
		virtio_kick(&card, 0);
}

/* Whenever it comes, as long as the queue is held: the server has no budget to
 * see it, but vCPU 0 comes. */
static void a_kick_without_budget_is_kept(void **state)
{
	const uint32_t count = REST_REQUESTS_MAX + 5;

	for (kick_at = REST_REQUESTS_MAX - 3; kick_at <= count; kick_at++) {
		teardown(state);
		setup(state);
		feed(count);
		card_after_request = kick_late;
		notify(0);
		rest_serve_all();
		assert_int_equal(card_chains, count);
		assert_int_equal(card.queue_states[0].kicked, 0);
	}
}

/* Whoever notifies while there is a rest serves it; vCPU 0 comes for nothing. */
static void a_rest_can_be_served_by_others(void **state)
{
	(void)state;
	feed(REST_REQUESTS_MAX + 10);
	notify(0);
	assert_true(rest_is_due());
	notify(0);
	assert_int_equal(card_chains, REST_REQUESTS_MAX + 10);
	assert_int_equal(rest_serve_all(), 1);
	assert_int_equal(card_chains, REST_REQUESTS_MAX + 10);
	assert_false(rest_is_due());
}

/* A queue is there once, and with its first deadline. */
static void notifying_on_does_not_put_it_off(void **state)
{
	(void)state;
	feed(20 * REST_REQUESTS_MAX);
	for (uint32_t i = 0; i < 10; i++) {
		notify(0);
		assert_int_equal(fake_vm.deadlines[VM_TIMER_VIRTIO], DELAY);
		fake_now += 4 * NS_PER_US;
	}
	assert_in_range(rest_serve_all(), 10, 12);
	assert_int_equal(card_chains, 20 * REST_REQUESTS_MAX);
}

static uint16_t last_served;

static void spend_all(struct virtio_device *device, uint16_t index)
{
	last_served = index;
	device->queue_states[index].budget = 0;
	fake_now += 7 * NS_PER_MS;
}

/* Several queues have their turns, and the guest as much time as they took. */
static void queues_take_turns(void **state)
{
	static struct virtio_ops ops;
	const uint16_t order[] = { 2, 0, 1, 2, 0, 1 };

	(void)state;
	ops = card_ops;
	ops.serve = spend_all;
	card.ops = &ops;
	for (uint32_t i = 0; i < 3; i++)
		notify(order[i]);
	/* the first one's, which the others do not put off */
	assert_int_equal(fake_vm.deadlines[VM_TIMER_VIRTIO],
			 7 * NS_PER_MS + DELAY);
	for (uint32_t i = 0; i < 6; i++) {
		assert_true(rest_serve());
		assert_int_equal(last_served, order[i]);
		assert_int_equal(fake_vm.deadlines[VM_TIMER_VIRTIO],
				 fake_now + 7 * NS_PER_MS);
	}
	ops.serve = card_serve;
	assert_int_equal(rest_serve_all(), 3);
	card.ops = &card_ops;
}

static void reset_forgets_the_rest(void **state)
{
	(void)state;
	feed(2 * REST_REQUESTS_MAX);
	notify(0);
	assert_false(list_is_empty(&fake_vm.virtio_rests));
	set_status(0);
	assert_true(list_is_empty(&fake_vm.virtio_rests));
	/* the timer comes all the same */
	fake_vm.deadlines[VM_TIMER_VIRTIO] = TIME_NEVER;
	card_drive();
	card_serves = 0;
	virtio_serve_rest(&fake_vm);
	assert_int_equal(card_serves, 0);
}

/* What is left after the reset is looked at for nothing. */
static void reset_before_the_rest_is_left(void **state)
{
	(void)state;
	feed(2 * REST_REQUESTS_MAX);
	notify(0);
	set_status(0);
	list_push_back(&fake_vm.virtio_rests, &card.queue_states[0].rest);
	card_chains = 0;
	rest_serve_all();
	assert_int_equal(card_chains, 0);
}

static void nothing_is_served_at_the_end(void **state)
{
	(void)state;
	feed(2 * REST_REQUESTS_MAX);
	notify(0);
	card_serves = 0;
	fake_vm.end = VM_END_RESET;
	rest_serve_all();
	assert_int_equal(card_serves, 0);
}

static void a_device_that_goes_takes_its_rest_along(void **state)
{
	(void)state;
	feed(2 * REST_REQUESTS_MAX);
	notify(0);
	virtio_pci_detach(&card);
	assert_true(list_is_empty(&fake_vm.virtio_rests));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_notification_ends),
		CASE(bytes_count),
		CASE(few_requests_leave_no_rest),
		CASE(kicks_cost_too),
		CASE(a_kick_without_budget_is_kept),
		CASE(a_rest_can_be_served_by_others),
		CASE(notifying_on_does_not_put_it_off),
		CASE(queues_take_turns),
		CASE(reset_forgets_the_rest),
		CASE(reset_before_the_rest_is_left),
		CASE(nothing_is_served_at_the_end),
		CASE(a_device_that_goes_takes_its_rest_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
