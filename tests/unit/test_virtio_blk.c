/* The virtio disk: what it says of itself, what it reads and writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/lib/errno.h"
#include "blk_bench.h"
#include "virtio_rest.h"

#define W VQ_DESC_WRITE

static struct blk_config config(void)
{
	struct blk_config all = { 0 };

	for (uint32_t i = 0; i < blk->config_size; i++)
		blk->ops->config_read(blk, i, (char *)&all + i, 1);
	return all;
}

static void tells_its_geometry(void **state)
{
	struct blk_config c = config();

	(void)state;
	assert_int_equal(blk->config_size, 60);
	assert_int_equal(c.capacity, SECTORS);
	assert_int_equal(c.blk_size, 512);
	assert_int_equal(c.seg_max, 254);
	assert_int_equal(c.physical_block_exp, 3);
	assert_int_equal(c.num_queues, 1);
	assert_int_equal(c.max_discard_sectors, 32768);
	assert_int_equal(c.max_discard_seg, 16);
	assert_int_equal(c.discard_sector_alignment, 8);
	assert_int_equal(c.max_write_zeroes_sectors, 32768);
	assert_int_equal(c.max_write_zeroes_seg, 16);
	assert_int_equal(c.write_zeroes_may_unmap, 1);
	/* SEG_MAX, BLK_SIZE, TOPOLOGY, DISCARD, WRITE_ZEROES */
	assert_int_equal(blk->features,
			 BIT(2) | BIT(6) | BIT(10) | BIT(13) | BIT(14));
	assert_int_equal(blk->ops->type, 2);
}

static void has_a_queue_a_vcpu_up_to_four(void **state)
{
	static const uint16_t queues[] = { 1, 1, 2, 3, 4, 4, 4 };

	for (uint32_t vcpus = 1; vcpus < ARRAY_SIZE(queues); vcpus++) {
		tear_down(state);
		bench_machine(vcpus);
		bench_plug_in(ramdisk_create(MIB));
		assert_int_equal(blk->queue_count, queues[vcpus]);
		assert_int_equal(config().num_queues, queues[vcpus]);
		assert_int_equal(!!(blk->features & BIT(12)), vcpus > 1);
	}
	put_header(IN, 0);
	bench_offer(3, &(struct vq_buffer){ BENCH_DATA, 512, W }, 1);
	assert_int_equal(bench_serve(3), OK);
}

static void reads_and_writes(void **state)
{
	uint8_t data[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 5 + 3);
	assert_int_equal(bench_simple(IN, 3, 8192), OK);
	assert_int_equal(last_written, 8193);
	assert_guest(BENCH_DATA, module + 3 * 512, 8192);
	put_guest(BENCH_DATA, data, sizeof(data));
	assert_int_equal(bench_simple(OUT, 5, 8192), OK);
	assert_int_equal(last_written, 1);
	assert_int_equal(bench_simple(IN, 5, 8192), OK);
	assert_guest(BENCH_DATA, data, sizeof(data));
	assert_int_equal(bench_simple(IN, 4, 512), OK);
	assert_guest(BENCH_DATA, module + 4 * 512, 512);
	assert_int_equal(bench_simple(IN, SECTORS - 1, 512), OK);
	assert_guest(BENCH_DATA, module + (SECTORS - 1) * 512, 512);
	assert_int_equal(bench_simple(IN, SECTORS, 0), OK);
}

/* Header and status cut anywhere, data in odd pieces across pages. */
static void knows_no_layout(void **state)
{
	const struct vq_buffer buffers[] = {
		{ BENCH_HEADER, 1, 0 },
		{ BENCH_HEADER + 1, 14, 0 },
		/* the header's last byte and 1024 of data are one segment */
		{ BENCH_DATA - 1, 1025, 0 },
		{ BENCH_DATA + 5000, 511, 0 },
		{ BENCH_DATA + 8191, 1, 0 },
		{ BENCH_STATUS, 1, W },
	};
	const struct vq_buffer read[] = {
		{ BENCH_HEADER, 16, 0 },
		{ BENCH_DATA + 0x3fff, 1000, W },
		{ BENCH_DATA + 0x8000, 1, W },
		{ BENCH_DATA + 0x9100, 535 + 1, W },
	};
	uint8_t data[1536], there[1537], zero = 0;
	uint16_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 3 + 1);
	put_header(OUT, 9);
	put_guest(BENCH_DATA - 1, &zero, 1);
	put_guest(BENCH_DATA, data, 1024);
	put_guest(BENCH_DATA + 5000, data + 1024, 511);
	put_guest(BENCH_DATA + 8191, data + 1535, 1);
	vq_driver_add(&drivers[0], buffers, ARRAY_SIZE(buffers));
	assert_int_equal(bench_serve(0), OK);
	put_header(IN, 9);
	vq_driver_add(&drivers[0], read, ARRAY_SIZE(read));
	virtio_kick(blk, 0);
	assert_true(vq_driver_take(&drivers[0], &id, &last_written));
	assert_int_equal(last_written, 1537);
	get_guest(BENCH_DATA + 0x3fff, there, 1000);
	get_guest(BENCH_DATA + 0x8000, there + 1000, 1);
	get_guest(BENCH_DATA + 0x9100, there + 1001, 536);
	assert_memory_equal(there, data, 1536);
	assert_int_equal(there[1536], OK);
}

static void works_with_every_ring(void **state)
{
	static const uint64_t features[] = {
		VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED,
		VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		bench_start(features[i]);
		for (uint64_t j = 0; j < 300; j++) {
			assert_int_equal(bench_simple(IN, j, 512), OK);
			assert_guest(BENCH_DATA, module + j * 512, 512);
		}
	}
}

static void tells_its_id(void **state)
{
	char id[21] = "0123456789012345678X";

	(void)state;
	put_guest(BENCH_DATA, id, 21);
	assert_int_equal(bench_simple(GET_ID, 0, 20), OK);
	assert_int_equal(last_written, 21);
	get_guest(BENCH_DATA, id, 21);
	assert_string_equal(id, "basalt-disk");
	/* less room, more room */
	assert_int_equal(bench_simple(GET_ID, 0, 3), OK);
	assert_int_equal(last_written, 4);
	assert_int_equal(bench_simple(GET_ID, 0, 100), OK);
	assert_int_equal(last_written, 20);
}

static void flushing_nothing_is_fine(void **state)
{
	(void)state;
	assert_int_equal(bench_simple(FLUSH, 0, 0), OK);
}

static unsigned int flushes;

static int broken_read(struct blk_backend *backend, uint64_t offset, void *to,
		       uint64_t size)
{
	(void)backend;
	(void)offset;
	(void)to;
	(void)size;
	return -ENOMEM;
}

static int broken_flush(struct blk_backend *backend)
{
	(void)backend;
	return ++flushes == 1 ? 0 : -EIO;
}

static void broken_destroy(struct blk_backend *backend)
{
	(void)backend;
}

static const struct blk_backend_ops broken_ops = {
	.read = broken_read,
	.flush = broken_flush,
	.destroy = broken_destroy,
};
static struct blk_backend broken = {
	.ops = &broken_ops,
	.capacity = MIB,
	.id = "12345678901234567890", /* all of its bytes */
};

/* FLUSH is offered, DISCARD and WRITE_ZEROES are not; errors arrive. */
static void asks_the_back_end(void **state)
{
	static const struct bench_range range = { 0, 8, 0 };

	tear_down(state);
	bench_machine(1);
	bench_plug_in(&broken);
	assert_int_equal(blk->features, BIT(2) | BIT(6) | BIT(9) | BIT(10));
	assert_int_equal(bench_simple(FLUSH, 0, 0), OK);
	assert_int_equal(bench_simple(FLUSH, 0, 0), IOERR);
	assert_int_equal(flushes, 2);
	assert_int_equal(bench_simple(IN, 0, 512), IOERR);
	assert_int_equal(bench_ranges(DISCARD, &range, 1), UNSUPP);
	assert_int_equal(bench_ranges(ZEROES, &range, 1), UNSUPP);
	assert_int_equal(bench_simple(GET_ID, 0, 20), OK);
	assert_guest(BENCH_DATA, broken.id, 20);
}

static void gives_way(void **state)
{
	uint32_t before = fake_windows;

	(void)state;
	assert_int_equal(bench_simple(IN, 0, MIB), OK);
	assert_true(fake_windows - before >= 4);
	before = fake_windows;
	for (int i = 0; i < 3; i++)
		bench_offer(0, NULL, 0);
	virtio_kick(blk, 0);
	assert_true(fake_windows - before >= 3);
}

/* A VM that is to end, or a device that is reset, is not served on. */
static void stops_when_nobody_is_there(void **state)
{
	uint16_t id;
	uint32_t written;

	(void)state;
	put_header(FLUSH, 0);
	bench_offer(0, NULL, 0);
	fake_vm.end = VM_END_STOPPED;
	virtio_kick(blk, 0);
	assert_false(vq_driver_take(&drivers[0], &id, &written));
	fake_vm.end = VM_END_NONE;
	blk->status = 0;
	virtio_kick(blk, 0);
	assert_false(vq_driver_take(&drivers[0], &id, &written));
	blk->status = VIRTIO_STATUS_DRIVER_OK;
	assert_int_equal(bench_serve(0), OK);
}

static void interrupts_when_done(void **state)
{
	unsigned int before;

	(void)state;
	before = fake_irq_count;
	assert_int_equal(bench_simple(IN, 0, 512), OK);
	assert_true(fake_irq_count > before);
	before = fake_irq_count;
	vq_driver_mute(&drivers[0]);
	assert_int_equal(bench_simple(IN, 0, 512), OK);
	assert_int_equal(fake_irq_count, before);
}

static void siblings_cannot_keep_the_server(void **state)
{
	const struct vq_buffer header = { BENCH_HEADER, 16, 0 };
	const struct vq_buffer done = { BENCH_STATUS, 1, W };
	const struct vq_buffer small[] = { header,
					   { BENCH_DATA, 512, W },
					   done };
	const struct vq_buffer large[] = { header,
					   { BENCH_DATA, MIB, W },
					   done };

	(void)state;
	put_header(IN, 0);
	rest_check(blk, 0, (struct rest_request){ &drivers[0], small, 3 }, 4000,
		   REST_REQUESTS_MAX);
	/* the last one goes beyond */
	rest_check(blk, 0, (struct rest_request){ &drivers[0], large, 3 }, 50,
		   4);
}

/* However few bytes say so. */
static void ranges_are_work(void **state)
{
	const struct bench_range range = { 0, 8192, 0 };
	const struct vq_buffer buffers[] = { { BENCH_HEADER, 16, 0 },
					     { BENCH_DATA, sizeof(range), 0 },
					     { BENCH_STATUS, 1, W } };

	(void)state;
	put_header(DISCARD, 0);
	put_guest(BENCH_DATA, &range, sizeof(range));
	rest_check(blk, 0, (struct rest_request){ &drivers[0], buffers, 3 }, 10,
		   1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(tells_its_geometry),
		TEST(has_a_queue_a_vcpu_up_to_four),
		TEST(reads_and_writes),
		TEST(knows_no_layout),
		TEST(works_with_every_ring),
		TEST(tells_its_id),
		TEST(flushing_nothing_is_fine),
		TEST(asks_the_back_end),
		TEST(gives_way),
		TEST(stops_when_nobody_is_there),
		TEST(interrupts_when_done),
		TEST(siblings_cannot_keep_the_server),
		TEST(ranges_are_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
