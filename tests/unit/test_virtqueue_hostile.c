/* Rings that make no sense are refused, and nothing else happens. */
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
#define TABLE	  0x30000UL
#define QUEUE	  8
#define RAM_SIZE  (16 * MIB)
#define PACKED	  VIRTIO_F_RING_PACKED
#define INDIRECT  VIRTIO_F_INDIRECT_DESC
#define W	  VQ_DESC_WRITE
#define I	  VQ_DESC_INDIRECT
#define N	  VQ_DESC_NEXT
#define LARGEST	  UINT32_MAX
#define NO_MEMORY (64 * MIB)

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

/* Refused however often, and the position stays. */
static void assert_refused(void)
{
	uint16_t before = vq.next_avail;

	for (int i = 0; i < 3; i++)
		assert_int_equal(vq_next_chain(&vq, &chain), -EINVAL);
	assert_int_equal(vq.next_avail, before);
}

static void refuses_bad_lists(void **state)
{
	static const struct {
		uint32_t count;
		struct vq_buffer buffers[5];
	} rows[] = {
		/* read behind write */
		{ 2, { { DATA, 1, W }, { DATA, 1, 0 } } },
		{ 3, { { DATA, 1, 0 }, { DATA, 1, W }, { DATA, 1, 0 } } },
		/* wraps */
		{ 1, { { ~0UL, 1, 0 } } },
		{ 1, { { ~0UL - 10, 12, W } } },
		/* more than 4 GiB: 2.7.5.2 */
		{ 2, { { DATA, LARGEST, 0 }, { DATA, 2, 0 } } },
		{ 2, { { DATA, LARGEST, 0 }, { DATA, 2, W } } },
		{ 3, { { 0, LARGEST, W }, { 0, 1, W }, { 0, 1, W } } },
		/* tables without the feature */
		{ 1, { { TABLE, 16, I } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			start(QUEUE, formats[i]);
			vq_driver_add(&driver, rows[j].buffers, rows[j].count);
			assert_refused();
		}
	}
}

static void takes_exactly_4_gib(void **state)
{
	static const struct vq_buffer buffers[] = { { 0, LARGEST, 0 },
						    { 0, 1, W } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(QUEUE, formats[i]);
		vq_driver_add(&driver, buffers, 2);
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
	}
}

static void refuses_bad_tables(void **state)
{
	static const struct {
		struct vq_buffer table;
		struct vq_buffer entries[2];
	} rows[] = {
		{ { TABLE, 0, I }, { { 0 } } },
		{ { TABLE, 15, I }, { { 0 } } },
		{ { TABLE, 17, I }, { { DATA, 1, 0 } } },
		{ { TABLE, 257 * 16, I }, { { DATA, 1, 0 }, { DATA, 1, 0 } } },
		{ { TABLE, LARGEST - 15, I }, { { DATA, 1, 0 } } },
		{ { NO_MEMORY, 32, I }, { { 0 } } },
		{ { NO_MEMORY - 1, 32, I }, { { 0 } } },
		{ { ~0UL - 15, 32, I }, { { 0 } } },
		{ { TABLE, 32, I }, { { DATA, 1, W }, { DATA, 1, 0 } } },
		{ { TABLE, 32, I }, { { DATA, 1, W }, { ~0UL, 9, W } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			start(QUEUE, formats[i] | INDIRECT);
			vq_driver_put_table(&driver, TABLE, rows[j].entries, 2);
			vq_driver_add(&driver, &rows[j].table, 1);
			assert_refused();
		}
	}
}

/* INDIRECT with NEXT, inside a list (packed), inside a table (split). */
static void refuses_tables_in_odd_places(void **state)
{
	static const struct vq_buffer with_next[] = { { TABLE, 16, I },
						      { DATA, 1, 0 } };
	static const struct vq_buffer behind[] = { { DATA, 1, 0 },
						   { TABLE, 16, I } };
	static const struct vq_buffer nested = { TABLE, 16, I };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(QUEUE, formats[i] | INDIRECT);
		vq_driver_put_table(&driver, TABLE, behind, 1);
		vq_driver_add(&driver, with_next, 2);
		assert_refused();
	}
	start(QUEUE, PACKED | INDIRECT);
	vq_driver_put_table(&driver, TABLE, behind, 1);
	vq_driver_add(&driver, behind, 2);
	assert_refused();
	start(QUEUE, INDIRECT);
	vq_driver_put_table(&driver, TABLE, &nested, 1);
	vq_driver_add(&driver, &nested, 1);
	assert_refused();
}

static void offer(uint16_t head)
{
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 4, head);
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 2, 1);
}

static void refuses_loops(void **state)
{
	static const struct vq_buffer one = { DATA, 1, N };
	static const struct vq_buffer nothing = { DATA, 0, N };
	static const struct vq_buffer table = { TABLE, 32, I };

	(void)state;
	/* onto itself, and round the table; of empty ones too */
	start(QUEUE, 0);
	vq_driver_put_desc(&driver, RING + 16, one, 1);
	offer(1);
	assert_refused();
	for (uint16_t i = 0; i < QUEUE; i++)
		vq_driver_put_desc(&driver, RING + 16UL * i, nothing,
				   (uint16_t)((i + 1) % QUEUE));
	assert_refused();
	/* in an indirect table */
	start(QUEUE, INDIRECT);
	vq_driver_put_desc(&driver, TABLE, one, 1);
	vq_driver_put_desc(&driver, TABLE + 16, nothing, 0);
	vq_driver_add(&driver, &table, 1);
	assert_refused();
	/* packed: all slots, and no end */
	start(QUEUE, PACKED);
	for (uint64_t i = 0; i < QUEUE; i++) {
		vq_driver_put_desc(&driver, RING + 16 * i,
				   (struct vq_buffer){ DATA, 1, 0 },
				   N | VQ_DESC_AVAIL);
	}
	assert_refused();
}

static void refuses_indexes_beyond_the_table(void **state)
{
	static const struct vq_buffer one = { DATA, 1, N };
	static const struct vq_buffer table = { TABLE, 32, I };

	(void)state;
	start(QUEUE, INDIRECT);
	offer(QUEUE);
	assert_refused();
	offer(0xffff);
	assert_refused();
	vq_driver_put_desc(&driver, RING, one, QUEUE);
	offer(0);
	assert_refused();
	vq_driver_put_desc(&driver, TABLE, one, 2);
	vq_driver_put_desc(&driver, RING, table, 0);
	assert_refused();
}

static void refuses_jumps_of_the_index(void **state)
{
	static const struct vq_buffer one = { DATA, 1, 0 };

	(void)state;
	start(QUEUE, 0);
	vq_driver_put_desc(&driver, RING, one, 0);
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 2, QUEUE + 1);
	assert_refused();
	/* backwards */
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 2, 0xffff);
	assert_refused();
	/* the whole ring at once is fine */
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 2, QUEUE);
	for (int i = 0; i < QUEUE; i++)
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
	assert_int_equal(vq_next_chain(&vq, &chain), 0);
	vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + 2, QUEUE - 1);
	assert_refused();
}

/* Two direct and 255 in a table are one more than there is room for. */
static void bounds_segments(void **state)
{
	static struct vq_buffer entries[VQ_SEGMENTS_MAX];
	struct vq_buffer list[] = {
		{ DATA, 1, 0 },
		{ DATA, 1, 0 },
		{ TABLE, 254 * 16, I },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = (struct vq_buffer){ DATA + i, 1, 0 };
	start(QUEUE, INDIRECT);
	vq_driver_put_table(&driver, TABLE, entries, 254);
	vq_driver_add(&driver, list, 3);
	assert_int_equal(vq_next_chain(&vq, &chain), 1);
	assert_int_equal(chain.read_count, VQ_SEGMENTS_MAX);
	assert_int_equal(chain.read_size, VQ_SEGMENTS_MAX);
	vq_driver_put_table(&driver, TABLE, entries, 255);
	list[2].size = 255 * 16;
	vq_driver_add(&driver, list, 3);
	assert_refused();
}

/* The id is the driver's own affair: it gets back what it gave. */
static void bounds_empty_descriptors(void **state)
{
	static const struct vq_buffer empty = { DATA, 0, 0 };
	static const struct vq_buffer one = { DATA, 1, 0 };
	struct vq_buffer buffers[VQ_EMPTY_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		start(64, formats[i]);
		for (uint32_t j = 0; j < VQ_EMPTY_MAX + 1; j++)
			buffers[j] = empty;
		buffers[VQ_EMPTY_MAX + 1] = one;
		vq_driver_add(&driver, buffers + 1, VQ_EMPTY_MAX + 1);
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
		assert_int_equal(chain.read_size, 1);
		start(64, formats[i]);
		vq_driver_add(&driver, buffers, VQ_EMPTY_MAX + 2);
		assert_refused();
	}
}

static void gives_back_any_packed_id(void **state)
{
	static const uint16_t ids[] = { 0, 7, 8, 0x8000, 0xffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		start(QUEUE, PACKED);
		vq_driver_put_desc(&driver, RING,
				   (struct vq_buffer){ DATA, 1, ids[i] },
				   VQ_DESC_AVAIL);
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
		vq_complete(&vq, &chain, 0);
		assert_int_equal(vq_driver_get16(&driver, RING + 12), ids[i]);
	}
}

/* A descriptor that changes after it was taken changes nothing. */
static void keeps_its_copy(void **state)
{
	static const struct vq_buffer one = { DATA, 16, W };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		uint64_t pattern = 0x1122334455667788 + i, there = 0;

		start(QUEUE, formats[i]);
		vq_driver_add(&driver, &one, 1);
		assert_int_equal(vq_next_chain(&vq, &chain), 1);
		vq_driver_put_desc(&driver, RING,
				   (struct vq_buffer){ ~0UL, LARGEST, I },
				   0xffff);
		assert_int_equal(vq_write(&vq, &chain, 0, &pattern, 8), 0);
		guest_read(vq.memory, (gpa_t){ DATA }, &there, 8);
		assert_int_equal(there, pattern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_bad_lists, set_up),
		cmocka_unit_test_setup(takes_exactly_4_gib, set_up),
		cmocka_unit_test_setup(refuses_bad_tables, set_up),
		cmocka_unit_test_setup(refuses_tables_in_odd_places, set_up),
		cmocka_unit_test_setup(refuses_loops, set_up),
		cmocka_unit_test_setup(refuses_indexes_beyond_the_table,
				       set_up),
		cmocka_unit_test_setup(refuses_jumps_of_the_index, set_up),
		cmocka_unit_test_setup(bounds_segments, set_up),
		cmocka_unit_test_setup(bounds_empty_descriptors, set_up),
		cmocka_unit_test_setup(gives_back_any_packed_id, set_up),
		cmocka_unit_test_setup(keeps_its_copy, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
