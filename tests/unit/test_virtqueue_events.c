/* When a virtqueue of either format interrupts, and when it wants kicks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errno.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define RING	 0x10000UL
#define DATA	 0x20000UL
#define QUEUE	 8
#define RAM_SIZE (16 * MIB)
#define PACKED	 VIRTIO_F_RING_PACKED
#define EVENT	 VIRTIO_F_EVENT_IDX

static struct virtqueue vq;
static struct vq_driver driver;
static struct vq_chain chain;

static const uint64_t formats[] = { 0, PACKED };

static void start(uint16_t size, uint64_t features)
{
	assert_int_equal(vq_driver_start(&driver, &vq, RING, size, features),
			 0);
}

static int set_up(void **state)
{
	(void)state;
	fake_vm_reset(1, RAM_SIZE);
	memset(&vq, 0, sizeof(vq));
	vq.memory = &fake_vm.memory;
	return 0;
}

static const struct vq_buffer usual[] = {
	{ DATA, 16, 0 },
	{ DATA + 0x1000, 4096, 0 },
	{ DATA + 0x3000, 1, VQ_DESC_WRITE },
};

static void add_usual(void)
{
	vq_driver_add(&driver, usual, ARRAY_SIZE(usual));
}

static void serve_one(void)
{
	uint16_t id;
	uint32_t written;

	add_usual();
	assert_int_equal(vq_next_chain(&vq, &chain), 1);
	vq_complete(&vq, &chain, 1);
	assert_true(vq_driver_take(&driver, &id, &written));
}

static void signals_unless_muted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(QUEUE, formats[i]);
		assert_false(vq_take_signal(&vq));
		serve_one();
		assert_true(vq_take_signal(&vq));
		assert_false(vq_take_signal(&vq));
		vq_driver_mute(&driver);
		serve_one();
		assert_false(vq_take_signal(&vq));
		/* what was muted is over */
		vq_driver_unmute(&driver);
		assert_false(vq_take_signal(&vq));
		serve_one();
		assert_true(vq_take_signal(&vq));
	}
}

/* The driver asks for the second request from now; each takes @slots. */
static void signals_at_the_event(uint64_t features, uint16_t size)
{
	start(size, features | EVENT);
	for (int i = 0; i < 50000; i++) {
		vq_driver_ask(&driver, features ? 4 : 2);
		serve_one();
		assert_false(vq_take_signal(&vq));
		serve_one();
		assert_true(vq_take_signal(&vq));
		serve_one();
		assert_false(vq_take_signal(&vq));
		vq_driver_ask(&driver, features ? 4 : 2);
		serve_one();
		serve_one();
		serve_one();
		assert_true(vq_take_signal(&vq));
	}
}

static void signals_at_event_indexes(void **state)
{
	(void)state;
	signals_at_the_event(0, QUEUE);
	signals_at_the_event(PACKED, QUEUE);
	signals_at_the_event(PACKED, 7);
}

/* An interrupt that was due 65536 requests ago is due. */
static void signals_after_a_whole_round_of_the_index(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(QUEUE, formats[i] | EVENT);
		vq_driver_ask(&driver, 1);
		for (int j = 0; j < 65536; j++)
			serve_one();
		assert_true(vq_take_signal(&vq));
	}
}

static void asks_for_kicks_only_when_it_waits(void **state)
{
	static const uint64_t features[] = { 0, EVENT, PACKED, PACKED | EVENT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		start(7 + !(features[i] & PACKED), features[i]);
		add_usual();
		assert_true(vq_driver_must_kick(&driver));
		for (int j = 0; j < 40; j++) {
			vq_disable_notify(&vq);
			assert_int_equal(vq_next_chain(&vq, &chain), 1);
			vq_complete(&vq, &chain, 1);
			assert_int_equal(vq_next_chain(&vq, &chain), 0);
			assert_false(vq_enable_notify(&vq));
			/* the next one comes while it waits */
			vq_driver_add(&driver, usual + 2, 1);
			assert_true(vq_driver_must_kick(&driver));
			/* and one more while it serves */
			vq_disable_notify(&vq);
			assert_int_equal(vq_next_chain(&vq, &chain), 1);
			vq_complete(&vq, &chain, 1);
			add_usual();
			assert_false(vq_driver_must_kick(&driver));
			/* which is seen before it waits again */
			assert_true(vq_enable_notify(&vq));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(signals_unless_muted, set_up),
		cmocka_unit_test_setup(signals_at_event_indexes, set_up),
		cmocka_unit_test_setup(signals_after_a_whole_round_of_the_index,
				       set_up),
		cmocka_unit_test_setup(asks_for_kicks_only_when_it_waits,
				       set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
