/* Characters on their way from who writes them to who shows them: a bounded
 * queue. The caller serialises. [pure] */
#ifndef KERNEL_LIB_CHAR_RING_H
#define KERNEL_LIB_CHAR_RING_H

#include <stdint.h>

#define CHAR_RING_SIZE 2048U /* a power of two */

/* All zero is an empty ring. Both count characters, modulo 2^32; count is read
 * without the lock, too. */
struct char_ring {
	uint32_t head;	/* of the oldest */
	uint32_t count; /* (a) that wait */
	char text[CHAR_RING_SIZE];
};

static inline uint32_t char_ring_room(const struct char_ring *ring)
{
	return CHAR_RING_SIZE - __atomic_load_n(&ring->count, __ATOMIC_RELAXED);
}

/* How many of the @size fit; those, the first ones, are in. */
static inline uint32_t char_ring_put(struct char_ring *ring, const char *from,
				     uint32_t size)
{
	uint32_t room = char_ring_room(ring);
	uint32_t count = size < room ? size : room;
	uint32_t at = ring->head + ring->count;

	for (uint32_t i = 0; i < count; i++)
		ring->text[(at + i) % CHAR_RING_SIZE] = from[i];
	__atomic_store_n(&ring->count, ring->count + count, __ATOMIC_RELAXED);
	return count;
}

/* Take the oldest, @size at most; how many. */
static inline uint32_t char_ring_take(struct char_ring *ring, char *to,
				      uint32_t size)
{
	uint32_t count = size < ring->count ? size : ring->count;

	for (uint32_t i = 0; i < count; i++)
		to[i] = ring->text[(ring->head + i) % CHAR_RING_SIZE];
	ring->head += count;
	__atomic_store_n(&ring->count, ring->count - count, __ATOMIC_RELAXED);
	return count;
}

#endif
