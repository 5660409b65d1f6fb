/*
 * Who answers at a port or at a guest-physical address without RAM.
 *
 * A sequence lock: a writer makes `sequence` odd, changes the table and makes it
 * even again; a reader that saw an odd or a changed number looks again. What a
 * reader sees meanwhile is torn but in bounds: `count` never exceeds the table.
 */
#include "kernel/io.h"

#include "kernel/lib/bits.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

_Static_assert(IO_REGIONS_MAX <= UINT8_MAX && IO_HINTS == 1 << (64 - 57),
	       "hints are bytes, hashes seven bits");

/* Number of regions that begin at or below @address. Without branches that
 * depend on the table: the compiler makes conditional moves of it. */
static uint32_t count_up_to(const struct io_space *space, uint64_t address)
{
	const struct io_region *at = space->regions;
	uint32_t left = __atomic_load_n(&space->count, __ATOMIC_RELAXED);

	if (left == 0 || __atomic_load_n(&at->base, __ATOMIC_RELAXED) > address)
		return 0;
	while (left > 1) {
		uint32_t half = left / 2;

		if (__atomic_load_n(&at[half].base, __ATOMIC_RELAXED) <=
		    address)
			at += half;
		left -= half;
	}
	return (uint32_t)(at - space->regions) + 1;
}

static void change_begin(struct io_space *space)
{
	__atomic_store_n(&space->sequence, space->sequence + 1,
			 __ATOMIC_RELAXED);
	/* pairs with the fence in io_find: who sees a changed region sees the
	 * odd number too */
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void change_end(struct io_space *space, uint32_t count)
{
	__atomic_store_n(&space->count, count, __ATOMIC_RELAXED);
	/* pairs with the first load in io_find */
	__atomic_store_n(&space->sequence, space->sequence + 1,
			 __ATOMIC_RELEASE);
}

static bool is_free(const struct io_space *space, uint32_t at,
		    const struct io_region *region)
{
	const struct io_region *regions = space->regions;

	if (at > 0 &&
	    region->base - regions[at - 1].base < regions[at - 1].size)
		return false;
	return at == space->count ||
	       regions[at].base - region->base >= region->size;
}

int io_add(struct io_space *space, const struct io_region *region)
{
	uint32_t at = count_up_to(space, region->base);
	struct io_region *slot = &space->regions[at];

	if (region->size == 0 ||
	    !range_fits(region->base, region->size, UINT64_MAX))
		return -EINVAL;
	if (!is_free(space, at, region))
		return -EEXIST;
	if (space->count == IO_REGIONS_MAX)
		return -ENOSPC;
	change_begin(space);
	memmove(slot + 1, slot, (space->count - at) * sizeof(*slot));
	*slot = *region;
	change_end(space, space->count + 1);
	return 0;
}

int io_remove(struct io_space *space, uint64_t base)
{
	uint32_t after = count_up_to(space, base);
	struct io_region *slot = &space->regions[after];

	if (after == 0 || slot[-1].base != base)
		return -ENOENT;
	change_begin(space);
	memmove(slot - 1, slot, (space->count - after) * sizeof(*slot));
	/* a hint may still name it */
	memset(&space->regions[space->count - 1], 0, sizeof(*slot));
	change_end(space, space->count - 1);
	return 0;
}

/* Does [address, address + size) lie in it? In an empty one nothing does. */
static bool is_inside(const struct io_region *region, uint64_t address,
		      unsigned int size)
{
	return range_fits(address - region->base, size, region->size);
}

/* Has nobody changed the table since @sequence was read? */
static bool is_unchanged(const struct io_space *space, uint32_t sequence)
{
	/* pairs with change_begin */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(sequence & 1) &&
	       __atomic_load_n(&space->sequence, __ATOMIC_RELAXED) == sequence;
}

/* The region that begins last at or below @address, and its index; none: -1. */
static int32_t search(const struct io_space *space, uint64_t address,
		      struct io_region *region)
{
	uint32_t sequence, count;

	for (;;) {
		sequence = __atomic_load_n(&space->sequence, __ATOMIC_ACQUIRE);
		count = count_up_to(space, address);
		if (count)
			*region = space->regions[count - 1];
		if (is_unchanged(space, sequence))
			return (int32_t)count - 1;
		__builtin_ia32_pause();
	}
}

bool io_find(const struct io_space *space, uint64_t address, unsigned int size,
	     struct io_region *region)
{
	return search(space, address, region) >= 0 &&
	       is_inside(region, address, size);
}

/*
 * Multiplicative hashing, upper bits. The factor was found by trial: it spreads
 * registers that lie 1 to 256 bytes apart, and notification registers of devices
 * 4 to 32 KiB apart, where the usual one (the golden ratio) piles up those 16
 * bytes apart.
 */
static uint8_t *hint_of(struct io_space *space, uint64_t address)
{
	uint64_t hash = (address ^ address >> 12) * 0x2c13071316d5b1d1UL;

	return &space->hints[hash >> 57];
}

enum finding { FOUND_REGION, FOUND_NOBODY, FOUND_NOTHING };

/* Does all of it lie behind the region and before the one that begins at @next?
 * An empty one begins at 0, so behind the last region the answer is no. */
static bool is_between(const struct io_region *region, uint64_t next,
		       uint64_t address, unsigned int size)
{
	return address >= region->base &&
	       address - region->base >= region->size && next > address &&
	       next - address >= size;
}

/* What the hint says, which names the region that began last at or below the
 * address when it was written; nothing if that does not help. */
static inline enum finding find_hinted(struct io_space *space, uint64_t address,
				       unsigned int size,
				       struct io_region *region)
{
	uint32_t sequence = __atomic_load_n(&space->sequence, __ATOMIC_ACQUIRE);
	uint8_t index =
		__atomic_load_n(hint_of(space, address), __ATOMIC_RELAXED);
	uint64_t next;

	*region = space->regions[index];
	if (__builtin_expect(is_inside(region, address, size), 1))
		return is_unchanged(space, sequence) ? FOUND_REGION
						     : FOUND_NOTHING;
	next = __atomic_load_n(&space->regions[index + 1].base,
			       __ATOMIC_RELAXED);
	if (is_between(region, next, address, size) &&
	    is_unchanged(space, sequence))
		return FOUND_NOBODY;
	return FOUND_NOTHING;
}

/* io_find, and the hint is right from now on. */
static bool find(struct io_space *space, uint64_t address, unsigned int size,
		 struct io_region *region)
{
	int32_t index = search(space, address, region);
	uint8_t *hint = hint_of(space, address);

	if (index < 0)
		return false;
	/* only when it was wrong, so that CPUs can share its cache line */
	if (__atomic_load_n(hint, __ATOMIC_RELAXED) != index)
		__atomic_store_n(hint, (uint8_t)index, __ATOMIC_RELAXED);
	return is_inside(region, address, size);
}

static inline uint64_t read_region(struct vm *vm,
				   const struct io_region *region,
				   uint64_t address, unsigned int size)
{
	uint64_t offset = address - region->base;
	uint64_t value;

	if (region->is_unlocked)
		return region->ops->read(region->device, offset, size);
	spin_lock(&vm->lock);
	value = region->ops->read(region->device, offset, size);
	spin_unlock(&vm->lock);
	return value;
}

static inline void write_region(struct vm *vm, const struct io_region *region,
				uint64_t address, unsigned int size,
				uint64_t value)
{
	uint64_t offset = address - region->base;

	if (region->is_unlocked) {
		region->ops->write(region->device, offset, size, value);
		return;
	}
	spin_lock(&vm->lock);
	region->ops->write(region->device, offset, size, value);
	spin_unlock(&vm->lock);
}

/*
 * Without a hint. Kept apart from io_read and io_write, which so need neither the
 * registers nor the stack of it. What is not wholly inside one region goes byte by
 * byte, and nobody's reads as ones.
 */
static __attribute__((noinline)) uint64_t read_searching(struct vm *vm,
							 struct io_space *space,
							 uint64_t address,
							 unsigned int size)
{
	struct io_region region;
	uint64_t value = 0;

	if (find(space, address, size, &region))
		return read_region(vm, &region, address, size);
	for (unsigned int i = 0; i < size; i++) {
		uint64_t byte = 0xff;

		if (find(space, address + i, 1, &region))
			byte = read_region(vm, &region, address + i, 1);
		value |= byte << (8 * i);
	}
	return value;
}

static __attribute__((noinline)) void write_searching(struct vm *vm,
						      struct io_space *space,
						      uint64_t address,
						      unsigned int size,
						      uint64_t value)
{
	struct io_region region;

	if (find(space, address, size, &region)) {
		write_region(vm, &region, address, size, value);
		return;
	}
	for (unsigned int i = 0; i < size; i++) {
		if (find(space, address + i, 1, &region))
			write_region(vm, &region, address + i, 1,
				     value >> (8 * i) & 0xff);
	}
}

uint64_t io_read(struct vm *vm, struct io_space *space, uint64_t address,
		 unsigned int size)
{
	struct io_region region;

	switch (find_hinted(space, address, size, &region)) {
	case FOUND_REGION: return read_region(vm, &region, address, size);
	case FOUND_NOBODY: return BITS(8 * size - 1, 0);
	default: return read_searching(vm, space, address, size);
	}
}

void io_write(struct vm *vm, struct io_space *space, uint64_t address,
	      unsigned int size, uint64_t value)
{
	struct io_region region;

	switch (find_hinted(space, address, size, &region)) {
	case FOUND_REGION:
		write_region(vm, &region, address, size, value);
		break;
	case FOUND_NOBODY: break;
	default: write_searching(vm, space, address, size, value);
	}
}
