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
	change_end(space, space->count - 1);
	return 0;
}

bool io_find(const struct io_space *space, uint64_t address, unsigned int size,
	     struct io_region *region)
{
	uint32_t sequence, after;

	for (;;) {
		sequence = __atomic_load_n(&space->sequence, __ATOMIC_ACQUIRE);
		after = count_up_to(space, address);
		if (after)
			*region = space->regions[after - 1];
		/* pairs with change_begin */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(sequence & 1) &&
		    __atomic_load_n(&space->sequence, __ATOMIC_RELAXED) ==
			    sequence)
			break;
		__builtin_ia32_pause();
	}
	return after && range_fits(address - region->base, size, region->size);
}

static uint64_t read_region(struct vm *vm, const struct io_region *region,
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

static void write_region(struct vm *vm, const struct io_region *region,
			 uint64_t address, unsigned int size, uint64_t value)
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

/* Not wholly inside one region: each byte by itself, and nobody's reads as
 * ones. */
static uint64_t read_bytes(struct vm *vm, const struct io_space *space,
			   uint64_t address, unsigned int size)
{
	struct io_region region;
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++) {
		uint64_t byte = 0xff;

		if (io_find(space, address + i, 1, &region))
			byte = read_region(vm, &region, address + i, 1);
		value |= byte << (8 * i);
	}
	return value;
}

uint64_t io_read(struct vm *vm, struct io_space *space, uint64_t address,
		 unsigned int size)
{
	struct io_region region;

	if (__builtin_expect(io_find(space, address, size, &region), 1))
		return read_region(vm, &region, address, size);
	return read_bytes(vm, space, address, size);
}

void io_write(struct vm *vm, struct io_space *space, uint64_t address,
	      unsigned int size, uint64_t value)
{
	struct io_region region;

	if (__builtin_expect(io_find(space, address, size, &region), 1)) {
		write_region(vm, &region, address, size, value);
		return;
	}
	for (unsigned int i = 0; i < size; i++) {
		if (io_find(space, address + i, 1, &region))
			write_region(vm, &region, address + i, 1,
				     value >> (8 * i) & 0xff);
	}
}
