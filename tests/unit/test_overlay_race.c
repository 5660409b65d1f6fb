/*
 * Four CPUs on one disk, for ThreadSanitizer: compile with -fsanitize=thread. Each
 * CPU has one sector of every block to itself, so that blocks are added by several
 * at once; whole blocks are taken away under their feet. What a sector reads as is
 * what its owner wrote, or zeroes after somebody's discard: never something else.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/virtio/blk_backend.h"
#include "frame_machine.h"
#include "kernel/cpu/percpu.h"
#include "mm/heap.h"

#define THREADS 4
#define ROUNDS	20000
#define BLOCKS	1024UL /* two lowest nodes */

static struct blk_backend *disk;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* All of the sector is one word: the owner's number, the block's and a count. */
static void check_sector(const uint64_t *sector, uint64_t owner, uint64_t block)
{
	uint64_t word = sector[0];

	for (int i = 1; i < 64; i++)
		assert_int_equal(sector[i], word);
	if (word == 0)
		return;
	assert_int_equal(word >> 56, owner);
	assert_int_equal(word >> 32 & 0xffff, block);
}

static void write_sector(uint64_t owner, uint64_t block, uint32_t round)
{
	uint64_t sector[64];

	for (int i = 0; i < 64; i++)
		sector[i] = owner << 56 | block << 32 | round;
	assert_int_equal(disk->ops->write(disk, block * 4096 + owner * 512,
					  sector, 512),
			 0);
}

static void read_sector(uint64_t owner, uint64_t block)
{
	uint64_t sector[64];

	assert_int_equal(disk->ops->read(disk, block * 4096 + owner * 512,
					 sector, 512),
			 0);
	check_sector(sector, owner, block);
}

static void clear_blocks(uint64_t block, uint32_t kind)
{
	uint64_t count = kind % 64 == 0 ? 512 : 1 + kind % 16;

	if (kind % 64 == 0)
		block = block / 512 * 512;
	count = min_u64(count, BLOCKS - block);
	assert_int_equal(disk->ops->discard(disk, block * 4096, count * 4096),
			 0);
}

/* All in the same order, so that they meet. */
static void *write_all(void *argument)
{
	uint64_t owner = (uint64_t)(uintptr_t)argument;

	fake_cpu = (uint32_t)owner;
	for (uint64_t block = 0; block < BLOCKS; block++)
		write_sector(owner, block, 1);
	frame_cache_drain();
	return NULL;
}

static void *run_cpu(void *argument)
{
	uint64_t owner = (uint64_t)(uintptr_t)argument;
	uint32_t random = (uint32_t)owner;

	fake_cpu = (uint32_t)owner;
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		uint64_t block = next_random(&random) % BLOCKS;
		uint32_t kind = next_random(&random);

		if (kind % 8 == 0)
			clear_blocks(block, kind / 8);
		else if (kind % 2)
			write_sector(owner, block, round);
		else
			read_sector(owner, block);
	}
	frame_cache_drain();
	return NULL;
}

static void run(void *(*cpu)(void *))
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 1; i <= THREADS; i++)
		pthread_create(&threads[i - 1], NULL, cpu, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static int set_up(void **state)
{
	frame_machine_reset(state);
	frame_machine_start_simple(GIB);
	heap_init();
	return 0;
}

static void blocks_come_and_go(void **state)
{
	uint64_t before;

	(void)state;
	frame_cache_drain();
	before = frame_machine_allocated(0);
	disk = ramdisk_create(BLOCKS * 4096);
	run(run_cpu);
	for (uint64_t block = 0; block < BLOCKS; block++) {
		for (uint64_t owner = 1; owner <= THREADS; owner++)
			read_sector(owner, block);
	}
	disk->ops->discard(disk, 0, disk->capacity);
	frame_cache_drain();
	/* the disk itself and its root node */
	assert_true(frame_machine_allocated(0) - before <= 2 * PAGE_SIZE);
	disk->ops->destroy(disk);
}

/* Who is not the first to add a block writes to the block of the first. */
static void no_write_is_lost(void **state)
{
	uint64_t word;

	(void)state;
	for (int i = 0; i < 20; i++) {
		disk = ramdisk_create(BLOCKS * 4096);
		run(write_all);
		for (uint64_t at = 0; at < BLOCKS * 8; at++) {
			disk->ops->read(disk, at * 512, &word, 8);
			assert_int_equal(word != 0,
					 at % 8 >= 1 && at % 8 <= THREADS);
		}
		disk->ops->destroy(disk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(blocks_come_and_go, set_up),
		cmocka_unit_test_setup(no_write_is_lost, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
