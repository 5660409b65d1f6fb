/* The boot-time view of free RAM. */
#include "mm/memmap.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/* Ranges end here at the latest, so that the end of a range is always a number.
 */
#define SPACE_END align_down(~0UL, PAGE_SIZE)

struct span {
	uint64_t start;
	uint64_t end;
};

static struct span span_of(uint64_t base, uint64_t size)
{
	struct span span = { min_u64(base, SPACE_END), SPACE_END };

	if (size < SPACE_END - span.start)
		span.end = span.start + size;
	return span;
}

static struct span span_inwards(uint64_t base, uint64_t size)
{
	struct span span = span_of(base, size);

	span.start = align_up(span.start, PAGE_SIZE);
	span.end = align_down(span.end, PAGE_SIZE);
	return span;
}

static struct span span_outwards(uint64_t base, uint64_t size)
{
	struct span span = span_of(base, size);

	if (span.start == span.end)
		return span;
	span.start = align_down(span.start, PAGE_SIZE);
	span.end = align_up(span.end, PAGE_SIZE);
	return span;
}

/* Number of the first range that ends above @address. */
static uint32_t find(const struct memmap *map, uint64_t address)
{
	uint32_t at = 0;

	while (at < map->count && memmap_range_end(&map->ranges[at]) <= address)
		at++;
	return at;
}

/* The caller has seen that there is room. */
static void insert(struct memmap *map, uint32_t at, struct memmap_range range)
{
	memmove(&map->ranges[at + 1], &map->ranges[at],
		(map->count - at) * sizeof(range));
	map->ranges[at] = range;
	map->count++;
}

static void remove_at(struct memmap *map, uint32_t at)
{
	map->count--;
	memmove(&map->ranges[at], &map->ranges[at + 1],
		(map->count - at) * sizeof(map->ranges[0]));
}

static void merge_neighbours(struct memmap *map)
{
	uint32_t at = 1;

	while (at < map->count) {
		struct memmap_range *low = &map->ranges[at - 1];
		const struct memmap_range *high = &map->ranges[at];

		if (low->node != high->node ||
		    memmap_range_end(low) != high->base.value) {
			at++;
			continue;
		}
		low->size += high->size;
		remove_at(map, at);
	}
}

/* Is @address inside a range, and not its first byte? */
static bool is_straddled(const struct memmap *map, uint64_t address)
{
	uint32_t at = find(map, address);

	return at < map->count && map->ranges[at].base.value < address;
}

/*
 * Make @address a range's end, if it is inside one. The caller has seen that
 * there is room.
 */
static void split(struct memmap *map, uint64_t address)
{
	uint32_t at = find(map, address);
	struct memmap_range high;

	if (!is_straddled(map, address))
		return;
	high = map->ranges[at];
	high.size = memmap_range_end(&high) - address;
	high.base = HPA(address);
	map->ranges[at].size -= high.size;
	insert(map, at + 1, high);
}

void memmap_init(struct memmap *map)
{
	map->count = 0;
}

/* Add a span that touches no range, before range @at. */
static int add_gap(struct memmap *map, uint32_t at, struct span gap)
{
	struct memmap_range *low = at ? &map->ranges[at - 1] : NULL;
	uint64_t size = gap.end - gap.start;

	if (low && low->node == 0 && memmap_range_end(low) == gap.start)
		low->size += size;
	else if (map->count < MEMMAP_RANGES_MAX)
		insert(map, at,
		       (struct memmap_range){ HPA(gap.start), size, 0 });
	else
		return -ENOSPC;
	merge_neighbours(map);
	return 0;
}

int memmap_add(struct memmap *map, uint64_t base, uint64_t size)
{
	struct span span = span_inwards(base, size);

	while (span.start < span.end) {
		uint32_t at = find(map, span.start);
		struct span gap = span;

		if (at < map->count)
			gap.end = min_u64(span.end, map->ranges[at].base.value);
		if (at < map->count && gap.end <= gap.start) {
			span.start = memmap_range_end(&map->ranges[at]);
			continue;
		}
		if (add_gap(map, at, gap))
			return -ENOSPC;
		span.start = gap.end;
	}
	return 0;
}

int memmap_reserve(struct memmap *map, uint64_t base, uint64_t size)
{
	struct span span = span_outwards(base, size);
	uint32_t at = find(map, span.start);
	uint32_t needed = 0;

	if (span.start >= span.end)
		return 0;
	/*
	 * every end that cuts a range makes one range more until the inner ones
	 * go
	 */
	if (at < map->count && is_straddled(map, span.start) &&
	    memmap_range_end(&map->ranges[at]) > span.end)
		needed = 1;
	if (map->count + needed > MEMMAP_RANGES_MAX)
		return -ENOSPC;
	if (needed)
		split(map, span.end);
	if (is_straddled(map, span.start)) {
		map->ranges[at].size = span.start - map->ranges[at].base.value;
		at++;
	}
	while (at < map->count &&
	       memmap_range_end(&map->ranges[at]) <= span.end)
		remove_at(map, at);
	if (at < map->count && map->ranges[at].base.value < span.end) {
		map->ranges[at].size =
			memmap_range_end(&map->ranges[at]) - span.end;
		map->ranges[at].base = HPA(span.end);
	}
	return 0;
}

int memmap_set_node(struct memmap *map, uint64_t base, uint64_t size,
		    uint32_t node)
{
	struct span span = span_inwards(base, size);
	uint32_t needed;

	if (span.start >= span.end)
		return 0;
	needed = (is_straddled(map, span.start) ? 1U : 0U) +
		 (is_straddled(map, span.end) ? 1U : 0U);
	if (map->count + needed > MEMMAP_RANGES_MAX)
		return -ENOSPC;
	split(map, span.start);
	split(map, span.end);
	for (uint32_t at = find(map, span.start);
	     at < map->count && map->ranges[at].base.value < span.end; at++)
		map->ranges[at].node = node;
	merge_neighbours(map);
	return 0;
}

hpa_t memmap_take(struct memmap *map, uint64_t size, uint64_t align,
		  uint64_t limit)
{
	for (uint32_t at = map->count; at-- > 0;) {
		const struct memmap_range *range = &map->ranges[at];
		uint64_t end = min_u64(memmap_range_end(range), limit);
		uint64_t start;

		if (end < size)
			continue;
		start = align_down(end - size, align);
		/*
		 * a full table may refuse the split here and not in another
		 * range
		 */
		if (start >= range->base.value &&
		    memmap_reserve(map, start, size) == 0)
			return HPA(start);
	}
	return HPA_NONE;
}

uint64_t memmap_total(const struct memmap *map)
{
	uint64_t total = 0;

	for (uint32_t at = 0; at < map->count; at++)
		total += map->ranges[at].size;
	return total;
}
