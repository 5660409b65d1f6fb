/* The entropy device: how much it gives, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio_rng.h"
#include "fake_random.h"
#include "frame_machine.h"
#include "mm/heap.h"
#include "virtio_rest.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define RING	  0x10000UL
#define DATA	  0x20000UL
#define NO_MEMORY (64 * MIB)
#define W	  VQ_DESC_WRITE

static struct virtio_device *rng;
static struct vq_driver driver;

static void start(void)
{
	rng->queues[0].memory = &fake_vm.memory;
	assert_int_equal(vq_driver_start(&driver, &rng->queues[0], RING, 16, 0),
			 0);
	rng->status = VIRTIO_STATUS_DRIVER_OK;
}

static int set_up(void **state)
{
	(void)state;
	fake_vm_reset(1, 16 * MIB);
	heap_init();
	fake_random_fails = false;
	fake_random_next = 1;
	if (pci_create(&fake_vm))
		return -1;
	rng = virtio_rng_make(&fake_vm);
	if (!rng || virtio_pci_attach(rng))
		return -1;
	start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pci_destroy(&fake_vm);
	return 0;
}

static uint32_t request(const struct vq_buffer *buffers, size_t count)
{
	uint16_t id;
	uint32_t written = ~0U;

	vq_driver_add(&driver, buffers, count);
	virtio_kick(rng, 0);
	assert_true(vq_driver_take(&driver, &id, &written));
	return written;
}

static void assert_counts_up(uint64_t gpa, uint8_t first, uint32_t size)
{
	uint8_t bytes[512];

	guest_read(&fake_vm.memory, (gpa_t){ gpa }, bytes, size);
	for (uint32_t i = 0; i < size; i++)
		assert_int_equal(bytes[i], (uint8_t)(first + i));
}

static void fills_buffers(void **state)
{
	const struct vq_buffer two[] = { { DATA, 10, W },
					 { DATA + 0x1000, 54, W } };

	(void)state;
	assert_int_equal(request(two, 2), 64);
	assert_counts_up(DATA, 1, 10);
	assert_counts_up(DATA + 0x1000, 11, 54);
	assert_int_equal(rng->ops->type, 4);
	assert_int_equal(rng->config_size, 0);
}

static void gives_a_part_of_what_is_much(void **state)
{
	const struct vq_buffer buffer = { DATA, 300, W };
	uint8_t mark = 0xaa;

	(void)state;
	guest_write(&fake_vm.memory, (gpa_t){ DATA + 256 }, &mark, 1);
	assert_int_equal(request(&buffer, 1), 256);
	assert_counts_up(DATA, 1, 255);
	guest_read(&fake_vm.memory, (gpa_t){ DATA + 256 }, &mark, 1);
	assert_int_equal(mark, 0xaa);
}

static void gives_nothing_where_there_is_no_room(void **state)
{
	const struct vq_buffer buffer = { DATA, 64, 0 };

	(void)state;
	assert_int_equal(request(&buffer, 1), 0);
}

static void gives_nothing_without_a_source(void **state)
{
	const struct vq_buffer buffer = { DATA, 8, W };
	uint64_t word = 1;

	(void)state;
	fake_random_fails = true;
	assert_int_equal(request(&buffer, 1), 0);
	guest_read(&fake_vm.memory, (gpa_t){ DATA }, &word, 8);
	assert_int_equal(word, 0);
}

static void fails_on_bad_buffers(void **state)
{
	const struct vq_buffer buffer = { NO_MEMORY, 8, W };

	(void)state;
	vq_driver_add(&driver, &buffer, 1);
	virtio_kick(rng, 0);
	assert_false(virtio_is_live(rng));
	start();
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 2, 17);
	virtio_kick(rng, 0);
	assert_false(virtio_is_live(rng));
}

static void siblings_cannot_keep_the_server(void **state)
{
	static const uint64_t features[] = {
		0,
		VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED,
		VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
	};
	const struct vq_buffer buffer = { DATA, 16, W };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		vq_driver_start(&driver, &rng->queues[0], RING, 16,
				features[i]);
		rest_check(rng, 0, (struct rest_request){ &driver, &buffer, 1 },
			   4000, REST_REQUESTS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(fills_buffers),
		TEST(gives_a_part_of_what_is_much),
		TEST(gives_nothing_where_there_is_no_room),
		TEST(gives_nothing_without_a_source),
		TEST(fails_on_bad_buffers),
		TEST(siblings_cannot_keep_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
