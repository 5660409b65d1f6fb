/* What vm_serve_timers does for queues that were left unfinished. Include it after
 * cmocka.h. */
#ifndef TESTS_VIRTIO_REST_H
#define TESTS_VIRTIO_REST_H

#include "drivers/virtio/virtio.h"
#include "kernel/cpu/time.h"
#include "vm_machine.h"
#include "vq_driver.h"

/* Requests that one serving may take: each costs more than nothing. */
#define REST_REQUESTS_MAX (VIRTIO_BUDGET / VIRTIO_REQUEST_COST)

static inline bool rest_is_due(void)
{
	return fake_vm.deadlines[VM_TIMER_VIRTIO] != TIME_NEVER;
}

/* Let the timer come out, if it is armed: was it? */
static inline bool rest_serve(void)
{
	uint64_t *deadline = &fake_vm.deadlines[VM_TIMER_VIRTIO];

	/* a queue that waits without a timer would wait for ever */
	assert_int_equal(*deadline == TIME_NEVER,
			 list_is_empty(&fake_vm.virtio_rests));
	if (*deadline == TIME_NEVER)
		return false;
	fake_now = max_u64(fake_now, *deadline);
	*deadline = TIME_NEVER;
	virtio_serve_rest(&fake_vm);
	/* the guest goes on between */
	assert_true(*deadline > fake_now);
	return true;
}

/* Until nothing is left: how many times it took. */
static inline uint32_t rest_serve_all(void)
{
	uint32_t count = 0;

	while (rest_serve())
		assert_true(++count < 100000);
	return count;
}

/* What a sibling adds again each time one is done, while the server gives way: so
 * the queue is never empty before the last one. */
struct rest_request {
	struct vq_driver *driver;
	const struct vq_buffer *buffers;
	size_t count;
};

static struct rest_request rest_request;
static uint32_t rest_left, rest_done;

static inline void rest_add(void)
{
	vq_driver_add(rest_request.driver, rest_request.buffers,
		      rest_request.count);
}

static inline void rest_feed(void)
{
	uint32_t written;
	uint16_t id;

	while (vq_driver_take(rest_request.driver, &id, &written)) {
		rest_done++;
		if (rest_left) {
			rest_left--;
			rest_add();
		}
	}
}

/* Queue @index, empty, of @device is given @total such requests, two at a time:
 * all are served, and not more than @max at once. */
static inline void rest_check(struct virtio_device *device, uint16_t index,
			      struct rest_request request, uint32_t total,
			      uint32_t max)
{
	uint32_t before = 0;

	rest_request = request;
	rest_left = total - 2;
	rest_done = 0;
	rest_add();
	rest_add();
	fake_in_window = rest_feed;
	virtio_kick(device, index);
	assert_true(rest_is_due());
	do {
		rest_feed();
		assert_true(rest_done - before <= max);
		before = rest_done;
		/* who will serve the rest need not be told */
		if (rest_is_due())
			assert_false(vq_driver_must_kick(request.driver));
	} while (rest_serve());
	assert_int_equal(rest_done, total);
	/* and the next one is asked for again */
	rest_add();
	assert_true(vq_driver_must_kick(request.driver));
	virtio_kick(device, index);
	rest_feed();
	assert_int_equal(rest_done, total + 1);
	assert_int_equal(device->status, VIRTIO_STATUS_DRIVER_OK);
	fake_in_window = NULL;
}

#endif
