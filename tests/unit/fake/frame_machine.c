#include "frame_machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernel/cpu/percpu.h"
#include "ram.h"

static struct memmap map;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "frame machine: %s\n", what);
	abort();
}

int frame_machine_reset(void **state)
{
	(void)state;
	memmap_init(&map);
	fake_node = 0;
	return 0;
}

void frame_machine_add(uint64_t base, uint64_t size, uint32_t node)
{
	require(memmap_add(&map, base, size) == 0, "too many ranges");
	require(memmap_set_node(&map, base, size, node) == 0,
		"too many ranges");
}

/* RAM beyond what the fake has is in the map only. */
void frame_machine_start(uint32_t node_count, bool has_huge_pages)
{
	struct host_map_tables tables;
	uint64_t end = memmap_range_end(&map.ranges[map.count - 1]);

	fake_ram_init(align_up(min_u64(end, FAKE_RAM_SIZE_MAX), GIB),
		      has_huge_pages);
	fake_ram_boot_tables(&map, &tables, HOST_MAP_TABLES_MIN);
	frame_init(&map, node_count, &tables);
	require(map.count == 0 && tables.count == 0, "not taken over");
}

void frame_machine_start_simple(uint64_t size)
{
	frame_machine_add(0, size, 0);
	frame_machine_start(1, true);
}

uint64_t frame_machine_allocated(uint32_t node)
{
	struct frame_stats stats = frame_stats(node);

	return stats.total - stats.free - stats.records;
}
