/* Timers: a heap a CPU, and the APIC's one-shot timer set to the earliest. */
#include "kernel/timer.h"

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/thread.h"

static PERCPU struct timer_heap heap;
static PERCPU uint64_t programmed; /* deadline the hardware is set to; 0 none */
static PERCPU uint64_t interrupts;

void timer_program(uint64_t other)
{
	const struct timer_node *first = timer_heap_first(this_cpu(heap));
	uint64_t deadline = first ? min_u64(first->deadline, other) : other;

	if (deadline == TIME_NEVER)
		deadline = 0;
	if (*this_cpu(programmed) == deadline)
		return;
	*this_cpu(programmed) = deadline;
	time_arm(deadline ? deadline : TIME_NEVER);
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
	timer_cancel(timer);
	timer->thread = thread_current();
	timer_heap_add(this_cpu(heap), &timer->node, max_u64(deadline, 1));
}

void timer_cancel(struct timer *timer)
{
	timer_heap_remove(this_cpu(heap), &timer->node);
}

static void fire(struct timer *timer)
{
	if (timer->requests)
		__atomic_fetch_or(timer->requests, timer->request,
				  __ATOMIC_SEQ_CST);
	thread_unpark(timer->thread);
}

void timer_run_due(void)
{
	struct timer_heap *own = this_cpu(heap);
	struct timer_node *first;

	(*this_cpu(interrupts))++;
	*this_cpu(programmed) = 0; /* one-shot: it has fired */
	while ((first = timer_heap_first(own)) &&
	       first->deadline <= time_now()) {
		timer_heap_remove(own, first);
		fire(CONTAINER_OF(first, struct timer, node));
	}
}

uint64_t timer_interrupts(uint32_t cpu)
{
	return *cpu_of(interrupts, cpu);
}
