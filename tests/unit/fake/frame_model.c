#include "frame_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cpu/percpu.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "ram.h"

#define RAM_SIZE (7 * GIB)
#define PAGES	 (RAM_SIZE / PAGE_SIZE)
#define NODES	 2U
#define RUNS_MAX 4096U

struct run {
	hpa_t base;
	unsigned int order;
	uint64_t tag;
};

static const struct memmap_range layout[] = {
	{ { 4 * KIB }, 636 * KIB, 0 },
	{ { MIB }, 900 * MIB + 12 * KIB, 0 },
	{ { 950 * MIB }, 60 * KIB, 1 },
	{ { 2 * GIB }, GIB, 0 },
	{ { 3 * GIB }, 777 * MIB, 0 },
	/* from here on node 1's, but for the rest of this extent */
	{ { 3 * GIB + 777 * MIB + 40 * KIB }, 984 * KIB, 0 },
	{ { 3 * GIB + 778 * MIB }, 3 * GIB, 1 },
};

/* Number of the node whose allocator has the page, or none; and: is it given? */
#define NOBODY 0xff
static uint8_t owner[PAGES];
static bool is_given[PAGES];
static struct run runs[RUNS_MAX];
static uint32_t run_count;
static uint64_t given[NODES]; /* bytes */
static uint64_t total[NODES];
static uint64_t next_tag;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "frame model: %s\n", what);
	abort();
}

static void set_owner(uint64_t base, uint64_t size, uint8_t node)
{
	memset(&owner[base / PAGE_SIZE], node, size / PAGE_SIZE);
}

static bool is_shared_extent(const struct memmap_range *range)
{
	return range->base.value == 3 * GIB + 777 * MIB + 40 * KIB;
}

static void make_owners(const struct host_map_tables *tables)
{
	memset(owner, NOBODY, sizeof(owner));
	memset(is_given, 0, sizeof(is_given));
	for (size_t i = 0; i < ARRAY_SIZE(layout); i++)
		set_owner(layout[i].base.value, layout[i].size,
			  (uint8_t)layout[i].node);
	for (uint32_t i = 0; i < tables->count; i++)
		set_owner(tables->frames[i].value, PAGE_SIZE, NOBODY);
	memset(total, 0, sizeof(total));
	for (uint64_t i = 0; i < PAGES; i++) {
		if (owner[i] != NOBODY)
			total[owner[i]] += PAGE_SIZE;
	}
}

static void check_figures(void)
{
	for (uint32_t node = 0; node < NODES; node++) {
		struct frame_stats stats = frame_stats(node);

		require(stats.total == total[node], "wrong total");
		require(stats.free + stats.records + given[node] == total[node],
			"wrong figures");
	}
}

void frame_model_start(bool has_huge_pages)
{
	struct host_map_tables tables;
	struct memmap map;

	memmap_init(&map);
	for (size_t i = 0; i < ARRAY_SIZE(layout); i++) {
		const struct memmap_range *range = &layout[i];

		memmap_add(&map, range->base.value, range->size);
		memmap_set_node(&map, range->base.value, range->size,
				is_shared_extent(range) ? 1 : range->node);
	}
	fake_ram_init(RAM_SIZE, has_huge_pages);
	fake_ram_boot_tables(&map, &tables, HOST_MAP_TABLES_MIN);
	make_owners(&tables);
	fake_node = 0;
	frame_init(&map, NODES, &tables);
	run_count = 0;
	memset(given, 0, sizeof(given));
	check_figures();
}

static void take_page(uint64_t page, uint8_t node)
{
	require(owner[page] == node, "not RAM, or of another node");
	require(!is_given[page], "given twice");
	is_given[page] = true;
}

static uint64_t *first_word(const struct run *run)
{
	return phys_to_virt(run->base);
}

static uint64_t *last_word(const struct run *run)
{
	return (uint64_t *)phys_to_virt(
		       hpa_add(run->base, PAGE_SIZE << run->order)) -
	       1;
}

static void take_run(hpa_t base, unsigned int order)
{
	struct run *run = &runs[run_count++];
	uint8_t node;

	require(is_aligned(base.value, PAGE_SIZE << order), "not aligned");
	require(range_fits(base.value, PAGE_SIZE << order, RAM_SIZE), "no RAM");
	node = owner[base.value / PAGE_SIZE];
	require(node < NODES, "not RAM");
	for (uint64_t i = 0; i < 1UL << order; i++)
		take_page(base.value / PAGE_SIZE + i, node);
	given[node] += PAGE_SIZE << order;
	*run = (struct run){ base, order, ++next_tag };
	*first_word(run) = run->tag;
	*last_word(run) = run->tag;
}

static uint64_t free_bytes(void)
{
	return frame_stats(0).free + frame_stats(1).free;
}

static void step_alloc(unsigned int order, uint32_t node)
{
	hpa_t base;

	if (run_count == RUNS_MAX)
		return;
	base = frame_alloc(order, node);
	if (!hpa_equals(base, HPA_NONE))
		take_run(base, order);
	else if (order == 0)
		require(free_bytes() == 0, "no frame, though some are free");
}

static void step_free(uint32_t number)
{
	struct run *run = &runs[number];
	uint64_t page = run->base.value / PAGE_SIZE;

	require(*first_word(run) == run->tag && *last_word(run) == run->tag,
		"somebody else wrote there");
	frame_free(run->base, run->order);
	memset(&is_given[page], 0, 1UL << run->order);
	given[owner[page]] -= PAGE_SIZE << run->order;
	*run = runs[--run_count];
}

/* Half of the kinds free, large orders are rarer than small ones. */
void frame_model_step(uint8_t kind, uint16_t argument)
{
	uint32_t node = kind / 128 % NODES;

	switch (kind % 16) {
	case 0:
	case 1:
	case 2:
	case 3: step_alloc(0, node); break;
	case 4:
	case 5: step_alloc(argument % 9, node); break;
	case 6: step_alloc(argument % 14, node); break;
	case 7: step_alloc(argument % FRAME_ORDER_COUNT, node); break;
	case 8: frame_cache_drain(); break;
	case 9:
		frame_cache_drain();
		fake_node = node;
		break;
	default:
		if (run_count)
			step_free(argument % run_count);
	}
	check_figures();
}

static void free_all(void)
{
	while (run_count)
		step_free(run_count - 1);
	frame_cache_drain();
	check_figures();
}

/* The largest runs first, or it would take a million steps. */
static void take_all(void)
{
	for (unsigned int order = FRAME_ORDER_COUNT; order-- > 0;) {
		uint32_t before;

		do {
			before = run_count;
			step_alloc(order, 0);
		} while (run_count > before);
	}
	check_figures();
	require(free_bytes() == 0, "frames lost");
}

void frame_model_finish(void)
{
	free_all();
	take_all();
	free_all();
	fake_ram_fini();
}
