/* Tests that need the machine. Debug builds only; a release build stops when
 * asked for one. */
#ifndef KERNEL_SELFTEST_H
#define KERNEL_SELFTEST_H

/* Start the self-test @name as a thread of CPU 0; "" is none. An unknown name
 * stops. */
void selftest_start(const char *name);

#endif
