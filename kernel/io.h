/*
 * Who answers at a port or at a guest-physical address without RAM. [pure]
 *
 * An io_space is a sorted table of regions. Looking up takes no lock: readers
 * copy the region out under a sequence count and look again if a writer came
 * between. Devices live as long as their VM, so what was copied stays valid.
 * Searching the table costs more than most devices do, so where an address was
 * found last is remembered by a hash of it; a hint is checked before it is used.
 */
#ifndef KERNEL_IO_H
#define KERNEL_IO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Called with the VM's device lock held (vm->lock), unless the region is
 * is_unlocked. @offset is relative to the region, @size is 1, 2, 4 (memory: also
 * 8), and offset + size lies inside it. Nothing says that offset is a multiple
 * of size. A read gives at most size bytes.
 */
struct io_ops {
	uint64_t (*read)(void *device, uint64_t offset, unsigned int size);
	void (*write)(void *device, uint64_t offset, unsigned int size,
		      uint64_t value);
};

struct io_region {
	uint64_t base;
	uint64_t size;
	const struct io_ops *ops;
	void *device;
	bool is_unlocked;
};

#define IO_REGIONS_MAX 96
#define IO_HINTS       128

/* Zeroed: empty. */
struct io_space {
	uint32_t sequence; /* odd: being changed */
	uint32_t count;
	uint8_t hints[IO_HINTS]; /* (a) indices into regions */
	/* by base, disjoint; zero from count on, one at least */
	struct io_region regions[IO_REGIONS_MAX + 1];
};

/* Changes: the VM's device lock held, or before the VM runs. -EEXIST: overlaps
 * another, -ENOSPC, -EINVAL: size 0 or wrapping. */
int io_add(struct io_space *space, const struct io_region *region);
/* The region that begins at @base. -ENOENT. */
int io_remove(struct io_space *space, uint64_t base);

/* Copy the region in which [address, address + size) lies. False: none. */
bool io_find(const struct io_space *space, uint64_t address, unsigned int size,
	     struct io_region *region);

struct vm;

/* One access by a vCPU of @vm: to the device, with its lock; nobody there reads
 * as ones and swallows writes. An access that two regions share is split into
 * bytes. */
uint64_t io_read(struct vm *vm, struct io_space *space, uint64_t address,
		 unsigned int size);
void io_write(struct vm *vm, struct io_space *space, uint64_t address,
	      unsigned int size, uint64_t value);

#endif
