/* Formatting text: the part of printf(3) that Basalt uses. [pure] */
#ifndef KERNEL_LIB_FMT_H
#define KERNEL_LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Write at most @size bytes, always with a final NUL (if @size > 0). Knows %d
 * %i %u %x %X %c %s %p %%, the sizes l, ll and z, the flags 0, - and #, a width
 * and a precision (digits or *; for %s the most bytes read). Anything else is
 * written as it stands. Returns the length the whole text would have had,
 * without the NUL.
 */
size_t fmt_print_v(char *buf, size_t size, const char *format, va_list args);
size_t fmt_print(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
