/* The rest of the hypervisor's address space beside the direct map
 * (docs/architecture.md has its map). */
#ifndef MM_HOST_SPACE_H
#define MM_HOST_SPACE_H

#include "mm/host_map.h"
#include "mm/memmap.h"
#include "mm/pgtable.h"

/*
 * Build the final address space and leave start.asm's: the image at @image_base
 * with the permissions of its sections, and a first stock of page-table frames
 * cut out of @map below 4 GiB. -ENOMEM.
 */
int host_space_init(struct memmap *map, hpa_t image_base);

/* What is left of that stock; asked for once, by frame_init, which takes it over. */
struct host_map_tables *host_space_boot_tables(void);

/* Let the direct map cover RAM that the frame allocator does not own (boot
 * modules): any pages. -ENOMEM. */
int host_space_map_ram(hpa_t base, uint64_t size);

/* Device registers, @flags of pgtable.h. NULL: no memory, or out of the CPU's
 * reach. */
void *host_space_map_device(hpa_t base, uint64_t size, uint32_t flags);

/* Take such a mapping away again; only this CPU forgets it, so it must be the
 * only one that used it. */
void host_space_unmap_device(void *virt, uint64_t size);

/*
 * Fill the frame @root below 4 GiB (which nothing maps) as a root that shares
 * our upper half and maps frame @code, executable, at its own address: what a
 * CPU needs on its way out of real mode. False: no memory.
 */
bool host_space_copy_root(hpa_t root, hpa_t code);

/* A look at @size bytes (at most 2 MiB - 4 KiB) of firmware memory, read-only,
 * replacing what window @slot (0 or 1) showed. */
#define HOST_SPACE_WINDOWS 2
const void *host_space_window(unsigned int slot, hpa_t base, uint64_t size);

/* Map frame @frame at @virt, readable and writable. -ENOMEM. */
int host_space_map_page(uint64_t virt, hpa_t frame);

/* May @size bytes at @virt be read without a fault? For backtraces. */
bool host_space_is_mapped(uint64_t virt, uint64_t size);

/* Root of the tables, for other CPUs, and the table itself for those who check
 * it. */
const struct pgtable *host_space_tables(void);
void host_space_enter(void);

#endif
