#include "ram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/lib/errno.h"
#include "mm/phys.h"

char *fake_ram;
struct fake_ram_call fake_ram_calls[FAKE_RAM_CALLS_MAX];
uint32_t fake_ram_call_count;
bool fake_ram_fails;

static uint64_t ram_size;
static bool has_huge;
/* Which page tables the direct map has: of 512 GiB, 1 GiB and 2 MiB. */
static bool has_table_512g[FAKE_RAM_SIZE_MAX >> 39];
static bool has_table_1g[FAKE_RAM_SIZE_MAX >> 30];
static bool has_table_2m[FAKE_RAM_SIZE_MAX >> 21];

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fake ram: %s\n", what);
	abort();
}

void fake_ram_fini(void)
{
	if (fake_ram)
		munmap(fake_ram, ram_size);
	fake_ram = NULL;
}

void fake_ram_init(uint64_t size, bool has_huge_pages)
{
	void *ram;

	fake_ram_fini();
	require(size <= FAKE_RAM_SIZE_MAX, "too large");
	ram = mmap(NULL, size, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	require(ram != MAP_FAILED, "no address space");
	fake_ram = ram;
	ram_size = size;
	has_huge = has_huge_pages;
	fake_ram_call_count = 0;
	fake_ram_fails = false;
	memset(has_table_512g, 0, sizeof(has_table_512g));
	memset(has_table_1g, 0, sizeof(has_table_1g));
	memset(has_table_2m, 0, sizeof(has_table_2m));
}

static void map(uint64_t base, uint64_t size)
{
	require(range_fits(base, size, ram_size), "mapping beyond RAM");
	require(mprotect(fake_ram + base, size, PROT_READ | PROT_WRITE) == 0,
		"mprotect failed");
}

void fake_ram_boot_tables(struct memmap *memmap, struct host_map_tables *tables,
			  uint32_t count)
{
	for (tables->count = 0; tables->count < count; tables->count++) {
		hpa_t frame =
			memmap_take(memmap, PAGE_SIZE, PAGE_SIZE, 4 * GIB);

		require(!hpa_equals(frame, HPA_NONE), "no memory for tables");
		map(frame.value, PAGE_SIZE);
		tables->frames[tables->count] = frame;
	}
}

bool fake_ram_is_mapped(uint64_t base, uint64_t size)
{
	for (uint32_t i = 0; i < fake_ram_call_count; i++) {
		const struct fake_ram_call *call = &fake_ram_calls[i];

		if (base >= call->base &&
		    base + size <= call->base + call->size)
			return true;
	}
	return false;
}

/* The frame is zeroed, as a page table must be: it crashes if it is not mapped. */
static int take_table(bool *has_table, struct host_map_tables *tables)
{
	if (*has_table)
		return 0;
	if (tables->count == 0)
		return -ENOMEM;
	memset(phys_to_virt(tables->frames[--tables->count]), 0, PAGE_SIZE);
	*has_table = true;
	return 0;
}

static int take_tables(uint64_t base, uint64_t end,
		       struct host_map_tables *tables)
{
	int error = take_table(&has_table_512g[base >> 39], tables);

	if (has_huge && end - base == HUGE_PAGE_SIZE)
		return error;
	if (!error)
		error = take_table(&has_table_1g[base >> 30], tables);
	if (!error && base % LARGE_PAGE_SIZE)
		error = take_table(&has_table_2m[base >> 21], tables);
	if (!error && end % LARGE_PAGE_SIZE)
		error = take_table(&has_table_2m[end >> 21], tables);
	return error;
}

int host_map_direct(hpa_t base, uint64_t size, struct host_map_tables *tables)
{
	uint64_t first = base.value;
	uint64_t end = first + size;
	uint32_t before = tables->count;
	struct fake_ram_call *call = &fake_ram_calls[fake_ram_call_count];
	int error;

	require(size && is_aligned(first | size, PAGE_SIZE), "not whole pages");
	require(first >> 30 == (end - 1) >> 30, "not in one window");
	require(before >= HOST_MAP_TABLES_MIN, "a short stock");
	for (uint32_t i = 0; i < fake_ram_call_count; i++)
		require(!range_overlaps(first, size, fake_ram_calls[i].base,
					fake_ram_calls[i].size),
			"mapped twice");
	require(fake_ram_call_count < FAKE_RAM_CALLS_MAX, "too many calls");
	error = fake_ram_fails ? -ENOMEM : take_tables(first, end, tables);
	if (error)
		return error;
	map(first, size);
	*call = (struct fake_ram_call){ first, size, before - tables->count };
	fake_ram_call_count++;
	return 0;
}
