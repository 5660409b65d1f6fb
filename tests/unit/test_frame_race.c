/*
 * Four CPUs on two nodes at once, for ThreadSanitizer: compile with
 * -fsanitize=thread. Frames change hands, so that CPUs free what others got.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernel/cpu/percpu.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "ram.h"

#define THREADS 4
#define ROUNDS	20000
#define SLOTS	1024
#define WINDOWS 12UL
#define NONE	(~0UL)

/* base | order: what some CPU has allocated and any may free. */
static uint64_t slots[SLOTS];
static bool is_over;

static void free_slot(uint64_t value)
{
	unsigned int order = (unsigned int)(value % PAGE_SIZE);
	hpa_t base = HPA(align_down(value, PAGE_SIZE));
	uint64_t *word;

	if (value == NONE)
		return;
	word = phys_to_virt(base);
	assert_int_equal(*word, value);
	frame_free(base, order);
}

static uint64_t exchange(uint32_t slot, uint64_t value)
{
	/* acq_rel: what the former owner wrote to the frame is seen */
	return __atomic_exchange_n(&slots[slot], value, __ATOMIC_ACQ_REL);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void round_trip(uint32_t *random)
{
	unsigned int order = next_random(random) % 16;
	uint32_t node = next_random(random) % 2;
	uint64_t value = NONE;
	hpa_t base;

	order = order < 9 ? 0 : order - 8; /* up to 7 */
	if (order == 7 && next_random(random) % 2)
		order = FRAME_ORDER_LARGE;
	base = frame_alloc(order, node);
	if (!hpa_equals(base, HPA_NONE)) {
		value = base.value | order;
		*(uint64_t *)phys_to_virt(base) = value;
	}
	free_slot(exchange(next_random(random) % SLOTS, value));
}

static void *run_cpu(void *argument)
{
	uint32_t random = (uint32_t)(uintptr_t)argument;

	fake_cpu = random;
	fake_node = random % 2;
	for (int i = 0; i < ROUNDS; i++) {
		round_trip(&random);
		if (i % 4096 == 4095)
			frame_cache_drain();
	}
	frame_cache_drain();
	return NULL;
}

/* Whatever the others do, the figures are those of one moment. */
static void *watch(void *argument)
{
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		struct frame_stats stats = frame_stats(0);

		if (stats.free + stats.records > stats.total)
			return argument;
		usleep(100);
	}
	return NULL;
}

/*
 * Small pieces in many windows, or few would be activated while the CPUs run. The
 * last extent of node 0 and the first of node 1 are buddies but for their nodes.
 */
static void start(void)
{
	struct host_map_tables tables;
	struct memmap map;

	memmap_init(&map);
	for (uint64_t i = 0; i < WINDOWS; i++) {
		memmap_add(&map, i * GIB, 14 * MIB);
		memmap_set_node(&map, i * GIB + 6 * MIB, 8 * MIB, 1);
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		slots[i] = NONE;
	fake_ram_init(WINDOWS * GIB, false);
	fake_ram_boot_tables(&map, &tables, HOST_MAP_TABLES_MIN);
	frame_init(&map, 2, &tables);
}

static void survives_four_cpus(void **state)
{
	pthread_t threads[THREADS], watcher;
	void *result;

	(void)state;
	start();
	pthread_create(&watcher, NULL, watch, &is_over);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run_cpu, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(watcher, &result);
	assert_null(result);
	assert_int_equal(fake_ram_call_count, 2 * WINDOWS);
	for (uint32_t i = 0; i < SLOTS; i++)
		free_slot(exchange(i, NONE));
	frame_cache_drain();
	for (uint32_t node = 0; node < 2; node++) {
		struct frame_stats stats = frame_stats(node);

		assert_int_equal(stats.free + stats.records, stats.total);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_four_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
