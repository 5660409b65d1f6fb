/* A ring of log records in memory. */
#include "kernel/lib/log_ring.h"

#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"

#define RECORD_ALIGN 8

static uint64_t record_size(const struct log_record *record)
{
	return align_up(sizeof(*record) + record->length, RECORD_ALIGN);
}

static void copy_in(struct log_ring *ring, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		ring->bytes[(ring->head + i) % LOG_RING_SIZE] =
			((const char *)from)[i];
}

static void copy_out(const struct log_ring *ring, uint64_t at, void *to,
		     size_t size)
{
	for (size_t i = 0; i < size; i++)
		((char *)to)[i] = ring->bytes[(at + i) % LOG_RING_SIZE];
}

static void drop_oldest(struct log_ring *ring)
{
	struct log_record record;

	copy_out(ring, ring->tail, &record, sizeof(record));
	ring->tail += record_size(&record);
}

void log_ring_write(struct log_ring *ring, uint64_t time, uint8_t level,
		    const char *text, size_t length)
{
	struct log_record record = {
		.sequence = ring->next_sequence++,
		.time = time,
		.level = level,
		.length = (uint16_t)min_u64(length, LOG_TEXT_MAX),
	};
	uint64_t size = record_size(&record);

	while (ring->head + size - ring->tail > LOG_RING_SIZE)
		drop_oldest(ring);
	copy_in(ring, &record, sizeof(record));
	ring->head += sizeof(record);
	copy_in(ring, text, record.length);
	ring->head += size - sizeof(record);
}

bool log_ring_read(const struct log_ring *ring, uint64_t *cursor,
		   struct log_record *record, char *text)
{
	uint64_t at = max_u64(*cursor, ring->tail);

	if (at >= ring->head)
		return false;
	copy_out(ring, at, record, sizeof(*record));
	copy_out(ring, at + sizeof(*record), text, record->length);
	*cursor = at + record_size(record);
	return true;
}
