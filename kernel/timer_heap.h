/* A pairing heap of deadlines, earliest first. [pure] */
#ifndef KERNEL_TIMER_HEAP_H
#define KERNEL_TIMER_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Inside the object that waits. All zero: in no heap. */
struct timer_node {
	uint64_t deadline;
	struct timer_node *child;   /* leftmost */
	struct timer_node *sibling; /* to the right */
	struct timer_node
		*back; /* left sibling, or parent of a leftmost child */
	bool is_queued;
};

struct timer_heap {
	struct timer_node *root;
};

/* @node must not be queued. O(1). */
void timer_heap_add(struct timer_heap *heap, struct timer_node *node,
		    uint64_t deadline);

/* Take @node out if it is queued. Amortised O(log n). */
void timer_heap_remove(struct timer_heap *heap, struct timer_node *node);

/* The earliest, still queued; NULL: empty. */
static inline struct timer_node *timer_heap_first(const struct timer_heap *heap)
{
	return heap->root;
}

#endif
