/* The log: a ring of lines in memory, and the consoles that show them. */
#ifndef KERNEL_LIB_LOG_H
#define KERNEL_LIB_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * error: Basalt or the machine is broken; warn: something the operator should
 * look at; info: the course of boot and management; debug: for us. What a guest
 * can cause is never above debug and is rate limited.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Write one line (no newline in @format): into the ring always, to the consoles
 * if @level is shown there. */
void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
