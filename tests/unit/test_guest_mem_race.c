/*
 * Four CPUs in one guest at once, for ThreadSanitizer: compile with
 * -fsanitize=thread. They touch the same pages first, write the same pages of an
 * image, count in the same words, and hide pages from each other.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest_fixture.h"
#include "kernel/cpu/percpu.h"

#define THREADS	    4
#define ROUNDS	    500
#define RAM_SIZE    (32 * MIB)
#define IMAGE_GPA   (16 * MIB)
#define COUNT_EVERY (64 * KIB)

static pthread_barrier_t together;

static const struct {
	const struct pt_format *format;
	uint8_t leaf_level_max;
} kinds[] = { { &pt_format_npt, 1 }, { &pt_format_npt, 2 } };

/* Add one to a word of the guest, as a CPU's LOCK INC would. */
static void count(uint64_t gpa)
{
	uint64_t expected = 0, was;

	do {
		was = expected;
		assert_int_equal(guest_compare_exchange(&gm, (gpa_t){ gpa }, 8,
							&expected, was + 1),
				 0);
	} while (expected != was);
}

/*
 * What a vCPU does: fault until the CPU has what it needs. Others may hide the
 * page in between.
 */
static void touch(uint64_t gpa, uint32_t access)
{
	struct pt_leaf leaf;

	for (int tries = 0; tries < 1000; tries++) {
		assert_int_equal(guest_mem_fault(&gm, (gpa_t){ gpa }, access),
				 GUEST_FAULT_DONE);
		if (pgtable_find(&gm.table, gpa, &leaf) &&
		    (!access || (leaf.entry & NPTE_WRITE)))
			return;
	}
	fail_msg("no end of faults");
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Its own part of the image, so that nobody reads what is being written. */
static void write_image(uint32_t cpu, uint32_t page)
{
	uint64_t gpa = IMAGE_GPA + page * PAGE_SIZE + cpu * 8;
	uint64_t old;

	assert_int_equal(guest_read_u64(&gm, (gpa_t){ gpa }, &old), 0);
	assert_int_equal((uint8_t)old, (uint8_t)(page + 1));
	assert_int_equal(guest_write_u64(&gm, (gpa_t){ gpa }, old), 0);
}

static void *run_cpu(void *argument)
{
	uint32_t cpu = (uint32_t)(uintptr_t)argument;
	uint32_t random = 1; /* the same for all: they meet */
	uint64_t generation = 0;

	fake_cpu = cpu;
	pthread_barrier_wait(&together);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t gpa = next_random(&random) % (IMAGE_GPA / COUNT_EVERY);
		uint64_t now = guest_mem_flush_generation(&gm);
		struct guest_pin pin = { 0 };

		assert_true(now >= generation);
		generation = now;
		touch(gpa * COUNT_EVERY, i & PT_WRITE);
		count(gpa * COUNT_EVERY);
		touch(IMAGE_GPA + i % PT_ENTRIES * PAGE_SIZE, ACCESS_READ);
		write_image(cpu, i % PT_ENTRIES);
		if (i % 16 == cpu)
			guest_mem_hide(&gm, (gpa_t){ gpa * COUNT_EVERY });
		assert_int_equal(guest_pin(&gm, &pin,
					   (gpa_t){ gpa * COUNT_EVERY }, 9000,
					   ACCESS_WRITE),
				 0);
		guest_unpin(&gm, &pin);
	}
	frame_cache_drain();
	return NULL;
}

/* Every count that each CPU made is there, and nothing is there twice. */
static void check(void)
{
	uint64_t total = 0;

	for (uint64_t gpa = 0; gpa < IMAGE_GPA; gpa += COUNT_EVERY) {
		uint64_t value;

		assert_int_equal(guest_read_u64(&gm, (gpa_t){ gpa }, &value),
				 0);
		total += value;
	}
	assert_int_equal(total, THREADS * ROUNDS);
	assert_int_equal(frame_machine_allocated(0) - allocated_before,
			 gm.own_size + guest_mem_table_size(&gm) +
				 LARGE_PAGE_SIZE);
	assert_int_equal(gm.foreign_size, LARGE_PAGE_SIZE - ROUNDS * PAGE_SIZE);
}

static void survives_four_cpus(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	pthread_barrier_init(&together, NULL, THREADS);
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		hpa_t image;

		start(kinds[kind].leaf_level_max);
		image = make_image();
		add(GUEST_RAM, 0, RAM_SIZE);
		assert_int_equal(guest_mem_share(&gm, (gpa_t){ IMAGE_GPA },
						 image, LARGE_PAGE_SIZE),
				 0);
		for (uintptr_t i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, run_cpu, (void *)i);
		for (size_t i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		check();
		guest_mem_fini(&gm);
		frame_free(image, FRAME_ORDER_LARGE);
		assert_int_equal(frame_machine_allocated(0), allocated_before);
		fake_ram_fini();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_four_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
