/* Requests to the virtio disk that it refuses, and ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/lib/errno.h"
#include "blk_bench.h"

#define NO_MEMORY (64 * MIB)
#define W	  VQ_DESC_WRITE

static void assert_zero_at(uint64_t sector, bool is_zero)
{
	static const uint8_t zeroes[512];

	assert_int_equal(bench_simple(IN, sector, 512), OK);
	assert_guest(BENCH_DATA, is_zero ? zeroes : module + sector * 512, 512);
}

static void refuses_what_is_out_of_range(void **state)
{
	static const struct {
		uint32_t type, size;
		uint64_t sector;
	} rows[] = {
		{ IN, 512, SECTORS },
		{ IN, 1024, SECTORS - 1 },
		{ IN, 512, ~0UL },
		{ IN, 512, ~0UL / 512 + 1 },
		{ IN, 511, 0 },
		{ IN, 513, 0 },
		{ IN, 0, SECTORS + 1 },
		{ OUT, 512, SECTORS },
		{ OUT, 1024, SECTORS - 1 },
		{ OUT, 512, 1UL << 55 },
		{ OUT, 100, 0 },
		{ OUT, 0, SECTORS + 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(bench_simple(rows[i].type, rows[i].sector,
					      rows[i].size),
				 IOERR);
		assert_true(last_written <= 1);
	}
	assert_true(virtio_is_live(blk));
}

static void refuses_what_it_does_not_know(void **state)
{
	static const uint32_t types[] = { 2,  3,  5,  7,	  9,  10,
					  12, 14, 16, 0x80000000, ~0U };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(bench_simple(types[i], 0, 512), UNSUPP);
}

static void discards_and_zeroes_ranges(void **state)
{
	static const struct bench_range discards[] = { { 16, 8, 0 },
						       { 32, 20, 0 } };
	static const struct bench_range zeroes[] = { { 101, 1, 0 },
						     { 200, 33, 1 },
						     { SECTORS - 1, 1, 1 },
						     { 0, 0, 0 } };

	(void)state;
	assert_int_equal(bench_ranges(DISCARD, discards, 2), OK);
	assert_int_equal(bench_ranges(ZEROES, zeroes, 4), OK);
	for (uint64_t i = 0; i < 300; i++)
		assert_zero_at(i, (i >= 16 && i < 24) || (i >= 32 && i < 48) ||
					  i == 101 || (i >= 200 && i < 233));
	assert_zero_at(SECTORS - 1, true);
	assert_zero_at(SECTORS - 2, false);
}

/* All ranges are looked at before any is touched. */
static void checks_ranges(void **state)
{
	static const struct {
		uint32_t type;
		uint8_t status;
		struct bench_range range;
	} rows[] = {
		{ DISCARD, UNSUPP, { 0, 8, 1 } },
		{ DISCARD, UNSUPP, { 0, 8, 2 } },
		{ ZEROES, UNSUPP, { 0, 8, 2 } },
		{ ZEROES, UNSUPP, { 0, 8, 0x80000001 } },
		{ DISCARD, IOERR, { SECTORS, 8, 0 } },
		{ DISCARD, IOERR, { SECTORS - 1, 8, 0 } },
		{ ZEROES, IOERR, { ~0UL, 1, 0 } },
		{ ZEROES, IOERR, { 0, 32769, 0 } },
		{ ZEROES, IOERR, { 0, ~0U, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct bench_range ranges[] = { { 8, 8, 0 },
						      rows[i].range };

		assert_int_equal(bench_ranges(rows[i].type, ranges, 2),
				 rows[i].status);
		assert_zero_at(8, false);
	}
}

static void bounds_ranges(void **state)
{
	static const struct bench_range ranges[17];

	(void)state;
	assert_int_equal(bench_ranges(ZEROES, ranges, 16), OK);
	assert_int_equal(bench_ranges(ZEROES, ranges, 17), IOERR);
	assert_int_equal(bench_simple(ZEROES, 0, 0), IOERR);
	assert_int_equal(bench_simple(DISCARD, 0, 15), IOERR);
	assert_int_equal(bench_simple(DISCARD, 0, 17), IOERR);
}

static void read_only_disks_stay_as_they_are(void **state)
{
	static const struct bench_range range = { 0, 8, 0 };

	tear_down(state);
	bench_machine(1);
	bench_plug_in(overlay_create(module, sizeof(module), true));
	/* SEG_MAX, RO, BLK_SIZE, TOPOLOGY */
	assert_int_equal(blk->features, BIT(2) | BIT(5) | BIT(6) | BIT(10));
	assert_int_equal(bench_simple(OUT, 0, 512), IOERR);
	assert_int_equal(bench_ranges(DISCARD, &range, 1), IOERR);
	assert_int_equal(bench_ranges(ZEROES, &range, 1), IOERR);
	assert_zero_at(0, false);
}

static void errors_in_memory_are_the_guests(void **state)
{
	const struct vq_buffer in = { NO_MEMORY, 512, W };
	const struct vq_buffer out[] = { { BENCH_DATA, 256, 0 },
					 { NO_MEMORY, 256, 0 } };

	(void)state;
	assert_int_equal(bench_request(IN, 0, &in, 1), IOERR);
	assert_int_equal(last_written, 0);
	assert_int_equal(bench_request(OUT, 0, out, 2), IOERR);
	assert_true(virtio_is_live(blk));
}

static void assert_fails(void)
{
	uint16_t id;
	uint32_t written;

	virtio_kick(blk, 0);
	assert_false(virtio_is_live(blk));
	assert_int_equal(blk->status & VIRTIO_STATUS_NEEDS_RESET,
			 VIRTIO_STATUS_NEEDS_RESET);
	assert_false(vq_driver_take(&drivers[0], &id, &written));
	bench_start(0);
}

static void without_a_status_byte_it_fails(void **state)
{
	static const struct vq_buffer read_only = { BENCH_HEADER, 16, 0 };
	static const struct vq_buffer nowhere[] = { { BENCH_HEADER, 16, 0 },
						    { NO_MEMORY, 1, W } };

	(void)state;
	put_header(FLUSH, 0);
	vq_driver_add(&drivers[0], &read_only, 1);
	assert_fails();
	vq_driver_add(&drivers[0], nowhere, 2);
	assert_fails();
	/* a ring that makes no sense */
	vq_driver_put16(&drivers[0], BENCH_RING + VQ_DRIVER_AVAIL + 2, 999);
	assert_fails();
	assert_int_equal(bench_simple(IN, 0, 512), OK);
}

static void a_short_header_is_an_error(void **state)
{
	static const struct vq_buffer buffers[] = { { BENCH_HEADER, 15, 0 },
						    { BENCH_STATUS, 1, W } };

	(void)state;
	put_header(IN, 0);
	vq_driver_add(&drivers[0], buffers, 2);
	assert_int_equal(bench_serve(0), IOERR);
}

/* 4 GiB of the same page: more than a request may be. */
static void bounds_transfers(void **state)
{
	struct vq_buffer buffers[65];
	uint64_t before;

	tear_down(state);
	bench_machine(1);
	bench_plug_in(ramdisk_create(8 * GIB));
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
		buffers[i] = (struct vq_buffer){ 0, 16 * MIB, W };
	buffers[64].size = 512;
	assert_int_equal(bench_request(IN, 0, buffers, 65), IOERR);
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
		buffers[i].flags = 0;
	frame_cache_drain();
	before = frame_machine_allocated(0);
	assert_int_equal(bench_request(OUT, 0, buffers, 65), IOERR);
	frame_cache_drain();
	assert_int_equal(frame_machine_allocated(0), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(refuses_what_is_out_of_range),
		TEST(refuses_what_it_does_not_know),
		TEST(discards_and_zeroes_ranges),
		TEST(checks_ranges),
		TEST(bounds_ranges),
		TEST(read_only_disks_stay_as_they_are),
		TEST(errors_in_memory_are_the_guests),
		TEST(without_a_status_byte_it_fails),
		TEST(a_short_header_is_an_error),
		TEST(bounds_transfers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
