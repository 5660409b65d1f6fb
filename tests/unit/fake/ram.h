/*
 * Machine memory of host tests: address space without memory behind it, which
 * may only be touched where the fake host_map_direct or a test has mapped it.
 */
#ifndef FAKE_RAM_H
#define FAKE_RAM_H

#include "mm/host_map.h"
#include "mm/memmap.h"

#define FAKE_RAM_SIZE_MAX  (2 * TIB)
#define FAKE_RAM_CALLS_MAX 4096

/*
 * @size bytes (whole GiB) of machine memory, none of it mapped; what was before
 * is gone. With @has_huge_pages the direct map uses 1 GiB pages.
 */
void fake_ram_init(uint64_t size, bool has_huge_pages);
void fake_ram_fini(void);

/* What boot does: cut @count frames out of @map below 4 GiB and map them. */
void fake_ram_boot_tables(struct memmap *map, struct host_map_tables *tables,
			  uint32_t count);

/* Is every page of the range mapped? */
bool fake_ram_is_mapped(uint64_t base, uint64_t size);

/* The calls of host_map_direct since fake_ram_init. */
struct fake_ram_call {
	uint64_t base;
	uint64_t size;
	uint32_t tables; /* taken */
};
extern struct fake_ram_call fake_ram_calls[FAKE_RAM_CALLS_MAX];
extern uint32_t fake_ram_call_count;

/* From now to fake_ram_init host_map_direct runs out of tables. */
extern bool fake_ram_fails;

#endif
