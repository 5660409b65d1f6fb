/* A ring of log records in memory: the newest stay, the oldest go. [pure] */
#ifndef KERNEL_LIB_LOG_RING_H
#define KERNEL_LIB_LOG_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_RING_SIZE 32768UL /* bytes, a power of two */
#define LOG_TEXT_MAX  400

struct log_record {
	uint64_t sequence; /* from 0, without gaps as written */
	uint64_t time;	   /* ns since boot */
	uint8_t level;	   /* enum log_level */
	uint8_t reserved;
	uint16_t length; /* bytes of text */
	uint32_t reserved2;
};
_Static_assert(sizeof(struct log_record) == 24, "stored as it is");

/* All zero is an empty ring. The caller serialises. head and tail count bytes
 * ever written and ever dropped. */
struct log_ring {
	uint64_t head;
	uint64_t tail;
	uint64_t next_sequence;
	char bytes[LOG_RING_SIZE];
};

/* Add a record; @length over LOG_TEXT_MAX is cut. */
void log_ring_write(struct log_ring *ring, uint64_t time, uint8_t level,
		    const char *text, size_t length);

/*
 * Read the record at *cursor (0: the oldest there is) and move on to the next.
 * A cursor whose record has been dropped reads the oldest; gaps in sequence
 * tell. @text needs LOG_TEXT_MAX bytes. False: nothing newer.
 */
bool log_ring_read(const struct log_ring *ring, uint64_t *cursor,
		   struct log_record *record, char *text);

#endif
