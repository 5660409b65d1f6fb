#include "tests/bench/guest/pages.h"

#include "tests/bench/guest/instructions.h"
#include "tests/bench/guest/timing.h"

#define PAGE	   0x1000UL
#define LARGE_PAGE 0x200000UL

/* Nobody has touched these before: extents of 2 MiB, and the end of RAM, where
 * there is less than 2 MiB left, so that it is backed by small pages. */
#define LARGE_FIRST 0x1000000UL
#define LARGE_COUNT 16
#define WRITE_FIRST 0x4000000UL
#define READ_FIRST  0x4080000UL
#define SMALL_COUNT 128

static uint64_t write_page(uint64_t address)
{
	uint64_t before = ticks();

	*(volatile uint64_t *)address = 1;
	return ticks() - before;
}

static uint64_t read_page(uint64_t address)
{
	uint64_t before = ticks();

	(void)*(volatile uint64_t *)address;
	return ticks() - before;
}

static uint64_t write_large(uint64_t address)
{
	uint64_t before = ticks();

	for (uint64_t at = address; at < address + LARGE_PAGE; at += PAGE)
		*(volatile uint64_t *)at = 1;
	return ticks() - before;
}

static struct timing time_of_each(uint64_t (*touch)(uint64_t address),
				  uint64_t first, uint64_t size, uint64_t count)
{
	uint64_t least = ~0UL, sum = 0;

	for (uint64_t i = 0; i < count; i++) {
		uint64_t taken = touch(first + i * size);

		sum += taken;
		if (taken < least)
			least = taken;
	}
	return timing_of(least, sum, count);
}

void pages_measure(void)
{
	struct timing large;

	report("page-write",
	       time_of_each(write_page, WRITE_FIRST, PAGE, SMALL_COUNT));
	report("page-read",
	       time_of_each(read_page, READ_FIRST, PAGE, SMALL_COUNT));
	report("page-write-after-read",
	       time_of_each(write_page, READ_FIRST, PAGE, SMALL_COUNT));
	large = time_of_each(write_large, LARGE_FIRST, LARGE_PAGE, LARGE_COUNT);
	large.least = large.least * PAGE / LARGE_PAGE;
	large.mean = large.mean * PAGE / LARGE_PAGE;
	report("page-large", large);
}
