/* The log's other side: settings, lines without a time stamp, reading back. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "kernel/lib/log.h"
#include "kernel/lib/log_ring.h"

/* Show lines of @level and more important ones on the consoles. */
void log_set_level(enum log_level level);

/* A line for machines and for the last words: no time stamp, on every console
 * whatever the level. */
void log_announce(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Output of guests: to the consoles only, not into the ring. A line of the log
 * that comes in the middle of a guest's line begins on a new one. */
void log_console_raw(const char *text, size_t size);
void log_console_line(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* As log_ring_read, under the log's lock. */
bool log_read(uint64_t *cursor, struct log_record *record, char *text);

/* All other CPUs are stopped, perhaps inside the log: take no lock any more. */
void log_enter_panic(void);

#endif
