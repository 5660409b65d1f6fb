#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/cpu/percpu.h"
#include "kernel/lib/log.h"
#include "kernel/lib/panic.h"

_Thread_local uint32_t fake_cpu;
_Thread_local uint32_t fake_node;
bool fake_panic_expected;
jmp_buf fake_panic_jump;
char fake_panic_text[256];
unsigned int fake_log_count[4];
char fake_log_last[256];

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fake_panic_text, sizeof(fake_panic_text), format, args);
	va_end(args);
	if (!fake_panic_expected) {
		fprintf(stderr, "unexpected panic: %s\n", fake_panic_text);
		abort();
	}
	fake_panic_expected = false;
	longjmp(fake_panic_jump, 1);
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fake_log_last, sizeof(fake_log_last), format, args);
	va_end(args);
	fake_log_count[level]++;
}

void fake_log_reset(void)
{
	memset(fake_log_count, 0, sizeof(fake_log_count));
	fake_log_last[0] = '\0';
}
