#include "tests/bench/guest/timing.h"

#include "tests/bench/guest/console.h"

static uint64_t nothing;

void timing_calibrate(struct timing timing)
{
	nothing = timing.least;
}

struct timing timing_of(uint64_t least, uint64_t sum, uint64_t count)
{
	return (struct timing){ least - nothing, sum / count - nothing };
}

void report(const char *name, struct timing timing)
{
	print("figure ");
	print(name);
	print(" ");
	print_number(timing.least);
	print(" ");
	print_number(timing.mean);
	print(";\n");
}
