/* Refusing to go on because of what we were given: not our bug, so not a panic.
 */
#ifndef KERNEL_LIB_STOP_H
#define KERNEL_LIB_STOP_H

/* Stop all CPUs, print `basalt: stopped: …` on every console, halt. */
_Noreturn void stop(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Choose this boot's stack canary. The caller must not return to a function
 * that has one. */
void stop_set_canary(void);

#endif
