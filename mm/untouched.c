/* Untouched memory. */
#include "mm/untouched.h"

#include "kernel/lib/log.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"

/* Smaller pieces could cost as much in page tables as they give. */
#define PIECE_MIN (2 * HOST_MAP_TABLES_MIN * PAGE_SIZE)

static struct memmap memory;

static hpa_t window_of(uint64_t address)
{
	return HPA(align_down(address, HUGE_PAGE_SIZE));
}

/* The part of @range in @window; of size 0 if there is none. */
static struct memmap_range piece_of(const struct memmap_range *range,
				    hpa_t window)
{
	uint64_t base = max_u64(range->base.value, window.value);
	uint64_t end =
		min_u64(memmap_range_end(range), window.value + HUGE_PAGE_SIZE);

	return (struct memmap_range){ HPA(base), end > base ? end - base : 0,
				      range->node };
}

bool untouched_next(hpa_t window, uint32_t *cursor, struct memmap_range *piece)
{
	while (*cursor < memory.count) {
		*piece = piece_of(&memory.ranges[(*cursor)++], window);
		if (piece->size)
			return true;
	}
	return false;
}

struct memmap_range untouched_host(hpa_t window, uint32_t *extents)
{
	struct memmap_range largest = { 0 };
	struct memmap_range piece;
	uint64_t end = window.value;
	uint32_t cursor = 0;

	while (untouched_next(window, &cursor, &piece)) {
		end = memmap_range_end(&piece);
		if (piece.size > largest.size)
			largest = piece;
	}
	end = align_up(end, EXTENT_SIZE);
	*extents = (uint32_t)((end - window.value) / EXTENT_SIZE);
	return largest;
}

/* Could the window hold its own records, and gain a frame at least? */
static bool can_host(hpa_t window)
{
	uint32_t extents;
	struct memmap_range host = untouched_host(window, &extents);

	return host.size > extent_records_size(extents) +
				   (1 + HOST_MAP_TABLES_MIN) * PAGE_SIZE;
}

/*
 * Cut the piece of @range in the window of @address, if it is of no use. Such a
 * piece is at an end of its range, so the table cannot overflow.
 */
static bool cut_useless(const struct memmap_range *range, uint64_t address)
{
	hpa_t window = window_of(address);
	struct memmap_range piece = piece_of(range, window);

	if (!can_host(window))
		memmap_reserve(&memory, window.value, HUGE_PAGE_SIZE);
	else if (piece.size < PIECE_MIN)
		memmap_reserve(&memory, piece.base.value, piece.size);
	else
		return false;
	return true;
}

/*
 * Make every extent one node's: RAM of other nodes goes to that of the lowest. If
 * the table is full, such RAM is lost (less than 2 MiB).
 */
static void unite_extents(void)
{
	for (uint32_t i = 0; i + 1 < memory.count;) {
		const struct memmap_range *low = &memory.ranges[i];
		const struct memmap_range *high = &memory.ranges[i + 1];
		uint64_t end = align_up(memmap_range_end(low), EXTENT_SIZE);
		uint64_t base = high->base.value;
		uint64_t size;

		if (low->node == high->node || base >= end) {
			i++;
			continue;
		}
		size = min_u64(end, memmap_range_end(high)) - base;
		if (memmap_set_node(&memory, base, size, low->node))
			memmap_reserve(&memory, base, size);
	}
}

static void cut_unusable(void)
{
	uint64_t before = memmap_total(&memory);

	memmap_reserve(&memory, DIRECT_SIZE, ~0UL);
	unite_extents();
	for (uint32_t i = 0; i < memory.count;) {
		const struct memmap_range *range = &memory.ranges[i];

		if (!cut_useless(range, range->base.value) &&
		    !cut_useless(range, memmap_range_end(range) - 1))
			i++;
	}
	if (memmap_total(&memory) != before)
		log_info("memory: %lu KiB cannot be used",
			 (before - memmap_total(&memory)) / KIB);
}

void untouched_init(struct memmap *map, uint32_t node_count)
{
	memcpy(&memory, map, sizeof(memory));
	memmap_init(map);
	cut_unusable();
	for (uint32_t i = 0; i < memory.count; i++) {
		const struct memmap_range *range = &memory.ranges[i];

		CHECK(range->node < node_count);
		frame_nodes[range->node].total += range->size;
		frame_nodes[range->node].untouched += range->size;
	}
}

uint32_t untouched_whole_windows(uint32_t node)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < memory.count; i++) {
		const struct memmap_range *range = &memory.ranges[i];
		uint64_t base = align_up(range->base.value, HUGE_PAGE_SIZE);
		uint64_t end =
			align_down(memmap_range_end(range), HUGE_PAGE_SIZE);

		if (range->node == node && end > base)
			count += (end - base) / HUGE_PAGE_SIZE;
	}
	return (uint32_t)count;
}

static bool has_block(const struct memmap_range *piece, unsigned int order)
{
	uint64_t size = PAGE_SIZE << order;
	uint64_t base = align_up(piece->base.value, size);
	uint64_t end = memmap_range_end(piece);

	return base < end && end - base >= size;
}

static hpa_t find_in(const struct memmap_range *range, unsigned int order)
{
	uint64_t address = memmap_range_end(range);

	while (address > range->base.value) {
		hpa_t window = window_of(address - 1);
		struct memmap_range piece = piece_of(range, window);

		if (!extent_window_exists(window) && has_block(&piece, order))
			return window;
		address = window.value;
	}
	return HPA_NONE;
}

hpa_t untouched_find(uint32_t node, unsigned int order)
{
	for (uint32_t i = memory.count; i-- > 0;) {
		hpa_t window = HPA_NONE;

		if (memory.ranges[i].node == node)
			window = find_in(&memory.ranges[i], order);
		if (!hpa_equals(window, HPA_NONE))
			return window;
	}
	return HPA_NONE;
}
