/* Virtqueues of both formats with a driver that keeps to the rules. */
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

#define RING	  0x10000UL
#define DATA	  0x20000UL
#define TABLE	  0x30ff8UL /* entries lie across pages */
#define QUEUE	  8
#define RAM_SIZE  (16 * MIB)
#define NO_MEMORY (64 * MIB)
#define PACKED	  VIRTIO_F_RING_PACKED
#define EVENT	  VIRTIO_F_EVENT_IDX
#define INDIRECT  VIRTIO_F_INDIRECT_DESC

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
	vq_driver_scatter(&fake_vm.memory, RAM_SIZE);
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

static void assert_usual(void)
{
	assert_int_equal(chain.read_count, 2);
	assert_int_equal(chain.write_count, 1);
	assert_int_equal(chain.read_size, 16 + 4096);
	assert_int_equal(chain.write_size, 1);
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		assert_int_equal(chain.segments[i].base.value, usual[i].base);
		assert_int_equal(chain.segments[i].size, usual[i].size);
	}
}

/* Four requests out, one a time round, far beyond all wraps. */
static void goes_round(uint16_t size, uint64_t features)
{
	uint16_t ids[8], id;
	uint32_t written;
	uint32_t head = 0, tail = 0;

	start(size, features);
	for (uint32_t i = 0; i < 70000; i++) {
		struct vq_buffer buffer = { DATA + i, i % 7 + 1,
					    VQ_DESC_WRITE };

		ids[head++ % 8] = vq_driver_add(&driver, &buffer, 1);
		if (i < 3)
			continue;
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
		assert_int_equal(chain.id, ids[tail % 8]);
		assert_int_equal(chain.write_size, (i - 3) % 7 + 1);
		assert_false(vq_driver_take(&driver, &id, &written));
		vq_complete(&vq, &chain, (i - 3) % 7 + 1);
		assert_true(vq_driver_take(&driver, &id, &written));
		assert_int_equal(id, ids[tail++ % 8]);
		assert_int_equal(written, (i - 3) % 7 + 1);
	}
}

static void carries_requests_round_and_round(void **state)
{
	(void)state;
	goes_round(QUEUE, 0);
	goes_round(256, EVENT);
	goes_round(QUEUE, PACKED);
	goes_round(5, PACKED | EVENT);
}

static void collects_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(QUEUE, formats[i]);
		assert_int_equal(vq_next_chain(&vq, &chain), 0);
		/* 8 lists of 3 in 8 slots: some lie round the end */
		for (int j = 0; j < 8; j++) {
			uint16_t id;
			uint32_t written;

			add_usual();
			assert_int_equal(vq_next_chain(&vq, &chain), 1);
			assert_usual();
			assert_int_equal(chain.taken, formats[i] ? 3 : 1);
			vq_complete(&vq, &chain, 1);
			assert_true(vq_driver_take(&driver, &id, &written));
			assert_int_equal(id, chain.id);
			assert_int_equal(vq_next_chain(&vq, &chain), 0);
		}
	}
}

/* An entry on two pages, entries on different pages, entries not aligned. */
static void collects_indirect_tables(void **state)
{
	static const uint64_t places[] = { TABLE, TABLE - 24, TABLE + 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(places); j++) {
			/* WRITE says nothing beside INDIRECT */
			struct vq_buffer table = { places[j], 3 * VQ_DESC_SIZE,
						   VQ_DESC_INDIRECT |
							   VQ_DESC_WRITE };

			start(QUEUE, formats[i] | INDIRECT);
			vq_driver_put_table(&driver, places[j], usual, 3);
			vq_driver_add(&driver, &table, 1);
			assert_int_equal(vq_next_chain(&vq, &chain), 1);
			assert_usual();
			assert_int_equal(chain.taken, 1);
		}
	}
}

/* 2.7.5.3.2: descriptors, then a table; split only. */
static void a_table_may_end_a_list(void **state)
{
	const struct vq_buffer buffers[] = {
		usual[0],
		{ TABLE, 32, VQ_DESC_INDIRECT },
	};

	(void)state;
	start(QUEUE, INDIRECT);
	vq_driver_put_table(&driver, TABLE, usual + 1, 2);
	vq_driver_add(&driver, buffers, 2);
	assert_int_equal(vq_next_chain(&vq, &chain), 1);
	assert_usual();
}

static void leaves_out_empty_segments(void **state)
{
	const struct vq_buffer buffers[] = {
		{ 0, 0, 0 },
		usual[0],
		{ ~0UL, 0, 0 },
		usual[1],
		{ DATA, 0, VQ_DESC_WRITE },
		usual[2],
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(QUEUE, formats[i]);
		vq_driver_add(&driver, buffers, ARRAY_SIZE(buffers));
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
		assert_usual();
	}
}

static void puts_back_the_last_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(formats[i] ? 5 : QUEUE, formats[i]);
		for (int j = 0; j < 9; j++) {
			uint16_t id;
			uint32_t written;

			add_usual();
			assert_int_equal(vq_next_chain(&vq, &chain), 1);
			vq_rewind(&vq, &chain);
			memset(&chain, 0, sizeof(chain));
			assert_int_equal(vq_next_chain(&vq, &chain), 1);
			assert_usual();
			assert_int_equal(vq_next_chain(&vq, &chain), 0);
			vq_complete(&vq, &chain, 0);
			assert_true(vq_driver_take(&driver, &id, &written));
		}
	}
}

static void copies_at_any_offset(void **state)
{
	const struct vq_buffer buffers[] = {
		{ DATA + 4090, 10, 0 },
		{ DATA + 0x3000, 1, 0 },
		{ DATA + 0x5ffe, 5000, 0 },
		{ DATA + 0x8000, 3, VQ_DESC_WRITE },
		{ DATA + 0x9fff, 100, VQ_DESC_WRITE },
	};
	uint8_t pattern[5011], read[5011], expected[103];

	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256);
	start(QUEUE, 0);
	guest_write(vq.memory, (gpa_t){ buffers[0].base }, pattern, 10);
	guest_write(vq.memory, (gpa_t){ buffers[1].base }, pattern + 10, 1);
	guest_write(vq.memory, (gpa_t){ buffers[2].base }, pattern + 11, 5000);
	vq_driver_add(&driver, buffers, ARRAY_SIZE(buffers));
	assert_int_equal(vq_next_chain(&vq, &chain), 1);
	for (uint64_t at = 0; at < 20; at++) {
		uint64_t size = sizeof(pattern) - at - 3;

		assert_int_equal(vq_read(&vq, &chain, at, read, size), 0);
		assert_memory_equal(read, pattern + at, size);
	}
	assert_int_equal(vq_write(&vq, &chain, 1, pattern, 102), 0);
	guest_read(vq.memory, (gpa_t){ DATA + 0x8000 }, expected, 3);
	guest_read(vq.memory, (gpa_t){ DATA + 0x9fff }, expected + 3, 100);
	assert_int_equal(expected[0], 0);
	assert_memory_equal(expected + 1, pattern, 102);
	assert_int_equal(vq_read(&vq, &chain, sizeof(pattern), read, 0), 0);
	assert_int_equal(vq_write(&vq, &chain, 103, read, 0), 0);
	assert_int_equal(vq_read(&vq, &chain, 1, read, sizeof(read)), -EINVAL);
	assert_int_equal(vq_read(&vq, &chain, ~0UL, read, 2), -EINVAL);
	assert_int_equal(vq_write(&vq, &chain, 100, read, 4), -EINVAL);
}

static void copying_needs_memory(void **state)
{
	const struct vq_buffer buffers[] = {
		{ NO_MEMORY, 8, 0 },
		{ NO_MEMORY, 8, VQ_DESC_WRITE },
	};
	uint64_t word = 0;

	(void)state;
	start(QUEUE, 0);
	vq_driver_add(&driver, buffers, 2);
	assert_int_equal(vq_next_chain(&vq, &chain), 1);
	assert_int_equal(vq_read(&vq, &chain, 0, &word, 8), -EFAULT);
	assert_int_equal(vq_write(&vq, &chain, 0, &word, 8), -EFAULT);
}

static void pins_while_enabled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(256, formats[i]);
		assert_false(list_is_empty(&fake_vm.memory.pins));
		assert_int_equal(vq_enable(&vq, 0), -EINVAL);
		vq_reset(&vq);
		assert_true(list_is_empty(&fake_vm.memory.pins));
		assert_ptr_equal(vq.memory, &fake_vm.memory);
		assert_int_equal(vq.size, VQ_SIZE_MAX);
		assert_int_equal(vq.vector, 0xffff);
		assert_int_equal(vq_next_chain(&vq, &chain), 0);
		assert_false(vq_take_signal(&vq));
		assert_false(vq_enable_notify(&vq));
		vq_disable_notify(&vq);
		vq_complete(&vq, &chain, 0);
	}
}

/* desc, driver, device, size, features -> what vq_enable says */
static void refuses_bad_places(void **state)
{
	static const struct {
		uint64_t desc, driver, device, features;
		uint16_t size;
		int error;
	} rows[] = {
		{ RING, RING + 0x4000, RING + 0x6000, 0, 0, -EINVAL },
		{ RING, RING + 0x4000, RING + 0x6000, 0, 6, -EINVAL },
		{ RING, RING + 0x4000, RING + 0x6000, 0, 512, -EINVAL },
		{ RING, RING + 0x4000, RING + 0x6000, PACKED, 257, -EINVAL },
		{ RING, RING + 0x4000, RING + 0x6000, PACKED, 0, -EINVAL },
		{ RING, RING + 0x4000, RING + 0x6000, PACKED, 6, 0 },
		{ RING + 8, RING + 0x4000, RING + 0x6000, 0, 8, -EINVAL },
		{ RING, RING + 0x4001, RING + 0x6000, 0, 8, -EINVAL },
		{ RING, RING + 0x4002, RING + 0x6000, 0, 8, 0 },
		{ RING, RING + 0x4002, RING + 0x6000, PACKED, 8, -EINVAL },
		{ RING, RING + 0x4000, RING + 0x6002, 0, 8, -EINVAL },
		{ NO_MEMORY, RING, RING + 0x6000, 0, 8, -EFAULT },
		{ RING, NO_MEMORY, RING + 0x6000, 0, 8, -EFAULT },
		{ RING, RING + 0x4000, NO_MEMORY, 0, 8, -EFAULT },
		{ RAM_SIZE - 128, RING, RING + 0x1000, 0, 8, 0 },
		{ RAM_SIZE - 128, RING, RING + 0x1000, 0, 16, -EFAULT },
		{ ~15UL, RING, RING + 0x1000, 0, 8, -EFAULT },
		{ RING, ~1UL, RING + 0x1000, 0, 8, -EFAULT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vq_reset(&vq);
		vq.desc = rows[i].desc;
		vq.driver = rows[i].driver;
		vq.device = rows[i].device;
		vq.size = rows[i].size;
		assert_int_equal(vq_enable(&vq, rows[i].features),
				 rows[i].error);
		assert_int_equal(vq.is_enabled, rows[i].error == 0);
		assert_int_equal(list_is_empty(&fake_vm.memory.pins),
				 rows[i].error != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(carries_requests_round_and_round,
				       set_up),
		cmocka_unit_test_setup(collects_lists, set_up),
		cmocka_unit_test_setup(collects_indirect_tables, set_up),
		cmocka_unit_test_setup(a_table_may_end_a_list, set_up),
		cmocka_unit_test_setup(leaves_out_empty_segments, set_up),
		cmocka_unit_test_setup(puts_back_the_last_one, set_up),
		cmocka_unit_test_setup(copies_at_any_offset, set_up),
		cmocka_unit_test_setup(copying_needs_memory, set_up),
		cmocka_unit_test_setup(pins_while_enabled, set_up),
		cmocka_unit_test_setup(refuses_bad_places, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
