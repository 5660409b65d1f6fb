/* Who answers where: io_add, io_find, and accesses, against a naive table. */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vm_machine.h"
#include "kernel/io.h"
#include "kernel/lib/errno.h"

static struct io_space space;
static uint64_t seen_offset, seen_value;
static unsigned int seen_size, seen_count;
static bool was_locked;

static void note(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	seen_offset = offset;
	seen_size = size;
	seen_count++;
	was_locked = fake_vm.lock.next != fake_vm.lock.owner;
}

static uint64_t read_number(void *device, uint64_t offset, unsigned int size)
{
	note(device, offset, size);
	return (uintptr_t)device + offset;
}

static void write_number(void *device, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	note(device, offset, size);
	seen_value = seen_value << 8 | value;
}

static const struct io_ops ops = { read_number, write_number };

static int add(uint64_t base, uint64_t size)
{
	return io_add(&space, &(struct io_region){ base, size, &ops,
						   (void *)base, false });
}

static int reset(void **state)
{
	(void)state;
	memset(&space, 0, sizeof(space));
	fake_vm_reset(1, 0);
	seen_count = 0;
	seen_value = 0;
	return 0;
}

static void refuses_what_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(add(0x100, 0), -EINVAL);
	assert_int_equal(add(UINT64_MAX, 2), -EINVAL);
	assert_int_equal(add(0x100, 0x10), 0);
	assert_int_equal(add(0x100, 1), -EEXIST);
	assert_int_equal(add(0x10f, 1), -EEXIST);
	assert_int_equal(add(0xff, 2), -EEXIST);
	assert_int_equal(add(0, UINT64_MAX), -EEXIST);
	assert_int_equal(add(0x110, 1), 0);
	assert_int_equal(add(0xff, 1), 0);
	assert_int_equal(io_remove(&space, 0x101), -ENOENT);
	assert_int_equal(io_remove(&space, 0x50), -ENOENT);
	assert_int_equal(io_remove(&space, 0x100), 0);
	assert_int_equal(add(0x100, 0x10), 0);
}

static void is_full_once(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < IO_REGIONS_MAX; i++)
		assert_int_equal(add((IO_REGIONS_MAX - i) * 16, 16), 0);
	assert_int_equal(add(0, 1), -ENOSPC);
	assert_int_equal(add(0x10000, 1), -ENOSPC);
	assert_int_equal(space.sequence, 2 * IO_REGIONS_MAX);
	for (uint64_t i = 1; i <= IO_REGIONS_MAX; i++)
		assert_int_equal(io_remove(&space, i * 16), 0);
	assert_int_equal(space.count, 0);
}

/* What four bytes at @at read as: of one region, or byte by byte. */
static uint64_t four_bytes(const uint8_t *owner, uint64_t at)
{
	uint64_t value = 0;

	if (owner[at] && owner[at] == owner[at + 3])
		return at;
	for (uint64_t i = 0; i < 4; i++)
		value |= (owner[at + i] ? at + i : 0xff) << (8 * i);
	return value;
}

/* Against a byte map of small address space. */
static void finds_like_a_map(void **state)
{
	static uint8_t owner[512];
	struct io_region region;

	(void)state;
	srand(1);
	for (unsigned int round = 0; round < 2000; round++) {
		uint64_t base = (uint64_t)rand() % 500;
		uint64_t size = (uint64_t)rand() % 12 + 1;
		bool is_free = true;

		if (rand() % 3 == 0) {
			bool is_base =
				owner[base] &&
				(base == 0 || owner[base - 1] != owner[base]);

			assert_int_equal(io_remove(&space, base),
					 is_base ? 0 : -ENOENT);
			for (uint64_t i = base; is_base && i < 512; i++)
				owner[i] = owner[i] == (base % 255) + 1
						   ? 0
						   : owner[i];
			continue;
		}
		for (uint64_t i = base; i < base + size; i++)
			is_free = is_free && !owner[i];
		/* one colour must mean one region */
		for (uint64_t i = 0; i < 512; i++)
			is_free = is_free && owner[i] != (base % 255) + 1;
		if (is_free && space.count < IO_REGIONS_MAX) {
			assert_int_equal(add(base, size), 0);
			memset(owner + base, (int)(base % 255) + 1, size);
		}
		for (uint64_t i = 0; i < 500; i++) {
			bool is_there = owner[i] && owner[i] == owner[i + 3];

			assert_int_equal(io_find(&space, i, 4, &region),
					 is_there);
			if (is_there)
				assert_int_equal(region.base % 255 + 1,
						 owner[i]);
			/* by hints, which adding and removing leave wrong */
			assert_int_equal(io_read(&fake_vm, &space, i, 1),
					 owner[i] ? i : 0xff);
			assert_int_equal(io_read(&fake_vm, &space, i, 4),
					 four_bytes(owner, i));
		}
	}
}

static void passes_offset_size_and_lock(void **state)
{
	(void)state;
	add(0x1000, 0x100);
	assert_int_equal(io_read(&fake_vm, &space, 0x1010, 4), 0x1010);
	assert_int_equal(seen_offset, 0x10);
	assert_int_equal(seen_size, 4);
	assert_true(was_locked);
	io_write(&fake_vm, &space, 0x10fc, 4, 0xabcd);
	assert_int_equal(seen_offset, 0xfc);
	assert_int_equal(seen_value, 0xabcd);
	assert_int_equal(fake_vm.lock.next, fake_vm.lock.owner);
}

static void leaves_the_lock_alone_when_asked(void **state)
{
	struct io_region region = { 0x20, 4, &ops, NULL, true };

	(void)state;
	io_add(&space, &region);
	io_read(&fake_vm, &space, 0x20, 1);
	assert_false(was_locked);
	io_write(&fake_vm, &space, 0x20, 1, 0);
	assert_int_equal(seen_count, 2);
	assert_false(was_locked);
}

static void nobody_is_ones(void **state)
{
	(void)state;
	add(0x10, 1);
	assert_int_equal(io_read(&fake_vm, &space, 0x20, 4), 0xffffffff);
	assert_int_equal(io_read(&fake_vm, &space, 0x20, 1), 0xff);
	assert_true(io_read(&fake_vm, &space, 0x20, 8) == UINT64_MAX);
	io_write(&fake_vm, &space, 0x20, 4, 0);
	assert_int_equal(seen_count, 0);
}

static void splits_what_is_shared(void **state)
{
	(void)state;
	add(0x10, 1);
	add(0x11, 2);
	/* each device answers its address; 0x13 is nobody's */
	assert_int_equal(io_read(&fake_vm, &space, 0x10, 4), 0xff121110);
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen_size, 1);
	io_write(&fake_vm, &space, 0x0f, 4, 0x44332211);
	assert_int_equal(seen_value, 0x223344);
	/* the end of the address space */
	assert_int_equal(io_read(&fake_vm, &space, UINT64_MAX, 4), 0xffffffff);
}

static uint64_t changes;

/* Adds and removes below regions that stay, which moves them in the table. */
static void *change_table(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		add(changes % 30, 1);
		io_remove(&space, (changes + 15) % 30);
		__atomic_fetch_add(&changes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void finds_while_others_change(void **state)
{
	struct io_region region;
	uint64_t value;
	bool stop = false;
	pthread_t thread;

	(void)state;
	changes = 0;
	for (uint64_t i = 0; i < 64; i++)
		add(0x100 + 0x10 * i, 0x10);
	pthread_create(&thread, NULL, change_table, &stop);
	while (__atomic_load_n(&changes, __ATOMIC_RELAXED) < 200000) {
		assert_true(io_find(&space, 0x4ec, 4, &region));
		assert_int_equal(region.base, 0x4e0);
		assert_int_equal(region.size, 0x10);
		assert_ptr_equal(region.device, (void *)0x4e0);
		if (io_find(&space, 7, 1, &region))
			assert_ptr_equal(region.device, (void *)region.base);
		assert_int_equal(io_read(&fake_vm, &space, 0x4ec, 4), 0x4ec);
		value = io_read(&fake_vm, &space, 7, 1);
		assert_true(value == 7 || value == 0xff);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_what_cannot_be, reset),
		cmocka_unit_test_setup(is_full_once, reset),
		cmocka_unit_test_setup(finds_like_a_map, reset),
		cmocka_unit_test_setup(passes_offset_size_and_lock, reset),
		cmocka_unit_test_setup(leaves_the_lock_alone_when_asked, reset),
		cmocka_unit_test_setup(nobody_is_ones, reset),
		cmocka_unit_test_setup(splits_what_is_shared, reset),
		cmocka_unit_test_setup(finds_while_others_change, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
