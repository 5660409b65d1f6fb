/* What the bench guest says, and its end. */
#ifndef TESTS_BENCH_GUEST_CONSOLE_H
#define TESTS_BENCH_GUEST_CONSOLE_H

#include <stdint.h>

void print(const char *text);
void print_number(uint64_t value);

/* End the machine with @status by the test device's port, or stop for good. */
_Noreturn void end(uint8_t status);

#endif
