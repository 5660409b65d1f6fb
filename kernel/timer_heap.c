/*
 * A pairing heap: a tree in which no child is earlier than its parent. Joining
 * two trees makes the later root the leftmost child of the earlier one; taking
 * the root out joins its children pairwise from the left, then all pairs from
 * the right. (Fredman et al., "The Pairing Heap: A New Form of Self-Adjusting
 * Heap", 1986)
 */
#include "kernel/timer_heap.h"

#include <stddef.h>

#include "kernel/lib/panic.h"

/* Both are roots without siblings; either may be NULL. */
static struct timer_node *join(struct timer_node *a, struct timer_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->deadline < a->deadline) {
		struct timer_node *swap = a;

		a = b;
		b = swap;
	}
	b->sibling = a->child;
	if (b->sibling)
		b->sibling->back = b;
	b->back = a;
	a->child = b;
	return a;
}

/* Cut the first node off the list *rest and make it a root. */
static struct timer_node *take_first(struct timer_node **rest)
{
	struct timer_node *node = *rest;

	if (node) {
		*rest = node->sibling;
		node->sibling = NULL;
		node->back = NULL;
	}
	return node;
}

static struct timer_node *join_all(struct timer_node *list)
{
	struct timer_node *pairs = NULL, *root = NULL;

	while (list) {
		struct timer_node *a = take_first(&list);
		struct timer_node *pair = join(a, take_first(&list));

		pair->sibling = pairs; /* a stack, so the next pass goes from
					  the right */
		pairs = pair;
	}
	while (pairs)
		root = join(take_first(&pairs), root);
	return root;
}

void timer_heap_add(struct timer_heap *heap, struct timer_node *node,
		    uint64_t deadline)
{
	CHECK(!node->is_queued);
	*node = (struct timer_node){ .deadline = deadline, .is_queued = true };
	heap->root = join(heap->root, node);
}

static void cut(struct timer_node *node)
{
	if (node->back->child == node)
		node->back->child = node->sibling;
	else
		node->back->sibling = node->sibling;
	if (node->sibling)
		node->sibling->back = node->back;
}

void timer_heap_remove(struct timer_heap *heap, struct timer_node *node)
{
	if (!node->is_queued)
		return;
	if (node == heap->root) {
		heap->root = join_all(node->child);
	} else {
		cut(node);
		heap->root = join(heap->root, join_all(node->child));
	}
	*node = (struct timer_node){ 0 };
}
