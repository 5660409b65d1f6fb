/*
 * Stacks. The area is divided into slots of four pages: the first is never
 * mapped, so running off a stack faults. A freed stack stays mapped and is used
 * again: nothing is ever taken out of the address space, so no TLB needs
 * flushing.
 */
#include "mm/stack.h"

#include "kernel/cpu/percpu.h"
#include "kernel/lib/list.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"
#include "mm/frame.h"
#include "mm/host_space.h"

#define SLOT_SIZE ((STACK_PAGES_MAX + 1) * PAGE_SIZE)

extern char boot_stack_guard[];

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_STACKS);
static uint32_t slot_count; /* [lock] slots in use, from STACK_BASE on */

/* [lock] Freed stacks by pages; the node lies at the stack's bottom. */
static struct list freed[STACK_PAGES_MAX + 1];

static void *take_freed(unsigned int pages)
{
	struct list *node;

	if (!freed[pages].next)
		list_init(&freed[pages]);
	node = list_pop_front(&freed[pages]);
	return node ? (char *)node + pages * PAGE_SIZE : NULL;
}

static uint64_t take(unsigned int pages, void **top)
{
	uint64_t slot = 0;

	spin_lock(&lock);
	*top = take_freed(pages);
	if (!*top)
		slot = STACK_BASE + slot_count++ * SLOT_SIZE;
	spin_unlock(&lock);
	return slot;
}

void *stack_alloc(unsigned int pages)
{
	void *top;
	uint64_t slot;

	CHECK(pages >= 1 && pages <= STACK_PAGES_MAX);
	slot = take(pages, &top);
	if (top)
		return top;
	/* out of memory half-way leaves this slot unused, as a machine that
	 * cannot spare three frames may */
	for (unsigned int i = 1; i <= pages; i++) {
		hpa_t frame = frame_alloc_zeroed(0, cpu_node());

		if (hpa_equals(frame, HPA_NONE))
			return NULL;
		if (host_space_map_page(slot + i * PAGE_SIZE, frame)) {
			frame_free(frame, 0);
			return NULL;
		}
	}
	return (void *)(slot + (pages + 1) * PAGE_SIZE);
}

void stack_free(void *top, unsigned int pages)
{
	struct list *node = (struct list *)((char *)top - pages * PAGE_SIZE);

	spin_lock(&lock);
	if (!freed[pages].next)
		list_init(&freed[pages]);
	list_push_front(&freed[pages], node);
	spin_unlock(&lock);
}

bool stack_is_guard(uint64_t address)
{
	if (address - (uint64_t)boot_stack_guard < PAGE_SIZE)
		return true;
	return address - STACK_BASE < slot_count * SLOT_SIZE &&
	       (address - STACK_BASE) % SLOT_SIZE < PAGE_SIZE;
}

uint32_t stack_count(void)
{
	return slot_count;
}
