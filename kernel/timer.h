/* Timers: each wakes one thread of this CPU at a time. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "kernel/timer_heap.h"

struct thread;

/* Belongs to the CPU of @thread; only that CPU touches it. */
struct timer {
	struct timer_node node;
	struct thread *thread; /* unparked when the deadline has come */
	uint32_t *requests;    /* then this word gets the bits of request; NULL:
				  none */
	uint32_t request;
};

/* Unpark the calling thread at @deadline (ns since boot); replaces an earlier
 * arming. */
void timer_arm(struct timer *timer, uint64_t deadline);
void timer_cancel(struct timer *timer);
static inline bool timer_is_armed(const struct timer *timer)
{
	return timer->node.is_queued;
}

/* Unpark the threads whose time has come. Called on VECTOR_TIMER. */
void timer_run_due(void);

/* Set the hardware to this CPU's next deadline, or to @other if that is
 * earlier. */
void timer_program(uint64_t other);

/* Timer interrupts this CPU has taken. */
uint64_t timer_interrupts(uint32_t cpu);

#endif
