/* Self-tests that must end in a panic. */
#ifndef KERNEL_SELFTEST_PANIC_H
#define KERNEL_SELFTEST_PANIC_H

/* Run the test @name; returns only if there is none. */
void selftest_panic(const char *name);

#endif
