/* panic: our own bug. Never reached by what a guest, a file or the firmware
 * says. */
#ifndef KERNEL_LIB_PANIC_H
#define KERNEL_LIB_PANIC_H

/* Stop all CPUs, print the line, registers and a backtrace on every console,
 * halt. */
_Noreturn void panic(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* An invariant whose failure means memory can no longer be trusted: checked in
 * every build. */
#define CHECK(condition)                                                    \
	do {                                                                \
		if (__builtin_expect(!(condition), 0))                      \
			panic("%s:%d: %s", __FILE__, __LINE__, #condition); \
	} while (0)

/* An invariant on a hot path: checked in debug builds only. */
#ifdef DEBUG
#define ASSERT(condition) CHECK(condition)
#else
#define ASSERT(condition) ((void)sizeof(condition))
#endif

#endif
