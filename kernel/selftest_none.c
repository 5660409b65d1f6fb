/* Release builds have no self-tests. */
#include "kernel/selftest.h"
#include "kernel/lib/stop.h"

void selftest_start(const char *name)
{
	if (name[0])
		stop("selftest = \"%s\": only debug builds have self-tests",
		     name);
}
