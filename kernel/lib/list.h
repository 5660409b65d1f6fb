/* Circular doubly linked lists with the node inside the object. [pure] */
#ifndef KERNEL_LIB_LIST_H
#define KERNEL_LIB_LIST_H

#include "kernel/lib/bits.h"

/* A head, or a member's link. A node that is in no list points to itself. */
struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}
#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

#define list_for_each(node, head)                              \
	for (struct list *node = (head)->next; node != (head); \
	     node = node->next)

static inline void list_init(struct list *node)
{
	node->next = node;
	node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_add_between(struct list *node, struct list *prev,
				    struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_add_between(node, head, head->next);
}

static inline void list_push_back(struct list *head, struct list *node)
{
	list_add_between(node, head->prev, head);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first node, taken out; NULL if the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

#endif
