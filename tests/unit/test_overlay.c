/* Disks over a module and over nothing, against a plain array; their memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/virtio/blk_backend.h"
#include "frame_hoard.h"
#include "frame_machine.h"
#include "kernel/lib/errno.h"
#include "mm/heap.h"

#define MODULE_SIZE (3 * MIB + 1536) /* 2 lowest nodes; a last block in part */

static struct blk_backend *disk;
static uint8_t *module; /* exactly as large as the disk: ASan watches */
static uint8_t *model;
static uint64_t at_start; /* frames in use before there was a disk */

static uint64_t allocated(void)
{
	frame_cache_drain();
	return frame_machine_allocated(0) - at_start;
}

static void open_disk(const void *base, uint64_t size)
{
	disk = overlay_create(base, size, false);
	assert_non_null(disk);
	at_start += allocated();
}

static int set_up(void **state)
{
	frame_machine_reset(state);
	frame_machine_start_simple(128 * MIB);
	heap_init();
	at_start = 0;
	at_start = allocated();
	disk = NULL;
	module = malloc(MODULE_SIZE);
	model = malloc(MODULE_SIZE);
	for (size_t i = 0; i < MODULE_SIZE; i++)
		module[i] = (uint8_t)(i * 31 + i / 4096 + 1);
	memcpy(model, module, MODULE_SIZE);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (disk) {
		disk->ops->destroy(disk);
		frame_cache_drain();
	}
	free(module);
	free(model);
	return 0;
}

static void assert_reads(uint64_t offset, uint64_t size)
{
	uint8_t *read = malloc(size);

	assert_int_equal(disk->ops->read(disk, offset, read, size), 0);
	if (memcmp(read, model + offset, size))
		fail_msg("%lu bytes at %lu differ", size, offset);
	free(read);
}

static void assert_same(void)
{
	assert_reads(0, disk->capacity);
}

static void write_both(uint64_t offset, uint64_t size, uint8_t seed)
{
	for (uint64_t i = 0; i < size; i++)
		model[offset + i] = (uint8_t)(seed + i * 13);
	assert_int_equal(disk->ops->write(disk, offset, model + offset, size),
			 0);
}

static void zero_both(uint64_t offset, uint64_t size, bool may_unmap)
{
	memset(model + offset, 0, size);
	assert_int_equal(disk->ops->write_zeroes(disk, offset, size, may_unmap),
			 0);
}

/* What is promised is the whole blocks inside; the rest stays. */
static void discard_both(uint64_t offset, uint64_t size)
{
	uint64_t first = align_up(offset, 4096);
	uint64_t end = align_down(offset + size, 4096);

	if (offset + size == disk->capacity)
		end = offset + size;
	if (first < end)
		memset(model + first, 0, end - first);
	assert_int_equal(disk->ops->discard(disk, offset, size), 0);
}

static void begins_as_the_module(void **state)
{
	(void)state;
	open_disk(module, MODULE_SIZE);
	assert_int_equal(disk->capacity, MODULE_SIZE);
	assert_same();
	assert_reads(1, 1);
	assert_reads(4095, 2);
	assert_reads(MODULE_SIZE - 1, 1);
	assert_int_equal(allocated(), 0);
}

static void rounds_down_to_sectors(void **state)
{
	(void)state;
	open_disk(module, 1023);
	assert_int_equal(disk->capacity, 512);
	disk->ops->destroy(disk);
	disk = ramdisk_create(511);
	assert_int_equal(disk->capacity, 0);
}

static void takes_memory_only_for_what_is_written(void **state)
{
	(void)state;
	open_disk(module, MODULE_SIZE);
	write_both(10, 5, 1);
	/* a block, and the nodes of the root and of the first 2 MiB */
	assert_int_equal(allocated(), 3 * PAGE_SIZE);
	assert_same();
	write_both(4090, 50, 2);
	write_both(8192, 4096, 3);
	assert_int_equal(allocated(), 5 * PAGE_SIZE);
	write_both(0, 8192, 4);
	assert_int_equal(allocated(), 5 * PAGE_SIZE);
	write_both(MODULE_SIZE - 600, 600, 5);
	assert_int_equal(allocated(), 7 * PAGE_SIZE);
	assert_same();
	/* the module is as it was */
	for (size_t i = 0; i < MODULE_SIZE; i++)
		assert_int_equal(module[i], (uint8_t)(i * 31 + i / 4096 + 1));
}

static void never_takes_more_than_its_size(void **state)
{
	uint64_t blocks = MODULE_SIZE / 4096 + 1;

	(void)state;
	open_disk(module, MODULE_SIZE);
	for (int i = 0; i < 3; i++)
		write_both(0, MODULE_SIZE, (uint8_t)i);
	assert_int_equal(allocated(), (blocks + 3) * PAGE_SIZE);
	assert_same();
}

static void gives_memory_back(void **state)
{
	(void)state;
	open_disk(module, MODULE_SIZE);
	write_both(0, MODULE_SIZE, 1);
	discard_both(0, 2 * MIB);
	assert_int_equal(allocated(), (256 + 1 + 2) * PAGE_SIZE);
	zero_both(2 * MIB, MODULE_SIZE - 2 * MIB, true);
	assert_int_equal(allocated(), PAGE_SIZE);
	assert_same();
	/* in part, so nodes stay */
	write_both(0, MODULE_SIZE, 2);
	discard_both(100 * 512, 400 * 512);
	assert_same();
	zero_both(3 * MIB - 512, 1024, true);
	assert_same();
	zero_both(MIB, 512, true);
	assert_same();
	disk->ops->destroy(disk);
	disk = NULL;
	assert_true((int64_t)allocated() <= 0);
}

/* What was discarded is not the module again. */
static void hides_the_module_for_good(void **state)
{
	(void)state;
	open_disk(module, MODULE_SIZE);
	discard_both(0, MODULE_SIZE);
	assert_same();
	assert_reads(0, 1);
	write_both(5000, 10, 1);
	assert_same();
	zero_both(0, MODULE_SIZE, true);
	write_both(2 * MIB + 5, 1, 1);
	assert_same();
}

static void zeroes_in_place_unless_it_may_unmap(void **state)
{
	(void)state;
	open_disk(module, MODULE_SIZE);
	write_both(0, 16384, 1);
	zero_both(0, 8192, false);
	assert_int_equal(allocated(), 6 * PAGE_SIZE);
	zero_both(512, 16384, false);
	assert_int_equal(allocated(), 7 * PAGE_SIZE);
	assert_same();
}

static void ramdisk_is_zeroes(void **state)
{
	(void)state;
	memset(model, 0, MODULE_SIZE);
	disk = ramdisk_create(MODULE_SIZE);
	at_start += allocated();
	assert_same();
	discard_both(0, MODULE_SIZE);
	zero_both(0, MODULE_SIZE, true);
	zero_both(512, MIB, false);
	assert_int_equal(allocated(), 0);
	write_both(5, 6, 7);
	write_both(3 * MIB, 512, 7);
	assert_same();
	assert_int_equal(allocated(), 5 * PAGE_SIZE);
	discard_both(0, MODULE_SIZE);
	assert_same();
	assert_int_equal(allocated(), PAGE_SIZE);
}

/* The far end of a disk of 2^52 blocks costs a path of nodes. */
static void is_sparse_at_any_size(void **state)
{
	static const uint64_t sizes[] = { GIB, 5 * TIB, 1UL << 60, ~0UL };
	static const unsigned int levels[] = { 2, 4, 6, 6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t last;
		uint8_t byte = 9;

		disk = ramdisk_create(sizes[i]);
		at_start += allocated();
		last = disk->capacity - 1;
		assert_int_equal(disk->ops->write(disk, last, &byte, 1), 0);
		assert_int_equal(allocated(), (levels[i] + 1) * PAGE_SIZE);
		byte = 0;
		assert_int_equal(disk->ops->read(disk, last, &byte, 1), 0);
		assert_int_equal(byte, 9);
		assert_int_equal(disk->ops->read(disk, last - 1, &byte, 1), 0);
		assert_int_equal(byte, 0);
		assert_int_equal(disk->ops->discard(disk,
						    disk->capacity - 8 * MIB,
						    8 * MIB),
				 0);
		assert_int_equal(allocated(), (levels[i] - 1) * PAGE_SIZE);
		disk->ops->destroy(disk);
		at_start += allocated();
	}
	disk = NULL;
}

/* Steps of all kinds at random places. */
static void equals_an_array(void **state)
{
	uint32_t random = 1;

	(void)state;
	open_disk(module, MODULE_SIZE);
	for (int i = 0; i < 20000; i++) {
		uint64_t sectors = MODULE_SIZE / 512, first, count;

		random = random * 1664525 + 1013904223;
		first = (random >> 8) % sectors;
		random = random * 1664525 + 1013904223;
		count = (random >> 8) % (i % 50 ? 20 : 5000) + 1;
		count = min_u64(count, sectors - first);
		switch (random >> 29) {
		case 0: discard_both(first * 512, count * 512); break;
		case 1: zero_both(first * 512, count * 512, true); break;
		case 2: zero_both(first * 512, count * 512, false); break;
		default: write_both(first * 512, count * 512, (uint8_t)i);
		}
		assert_reads(first * 512, count * 512);
	}
	assert_same();
	assert_true(allocated() <= (MODULE_SIZE / 4096 + 4) * PAGE_SIZE);
}

/* No frame for the block, or for one of the nodes: -ENOMEM, nothing changes, and
 * nothing is lost. */
static void survives_want_of_memory(void **state)
{
	uint8_t byte = 77;

	(void)state;
	open_disk(module, MODULE_SIZE);
	for (uint32_t left = 0; left < 3; left++) {
		frame_hoard_all_but(left);
		assert_int_equal(disk->ops->write(disk, 5, &byte, 1), -ENOMEM);
		if (left < 1)
			assert_int_equal(disk->ops->discard(disk, 0, 4096),
					 -ENOMEM);
		assert_same();
		frame_hoard_release();
		assert_int_equal(allocated(), left < 2 ? 0 : PAGE_SIZE);
	}
	write_both(5, 1, 1);
	assert_same();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(begins_as_the_module, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(rounds_down_to_sectors, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			takes_memory_only_for_what_is_written, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(never_takes_more_than_its_size,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(gives_memory_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(hides_the_module_for_good,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			zeroes_in_place_unless_it_may_unmap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ramdisk_is_zeroes, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(is_sparse_at_any_size, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(equals_an_array, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(survives_want_of_memory, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
