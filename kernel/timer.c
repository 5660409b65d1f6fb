/* Timers: a heap a CPU, and the APIC's one-shot timer set to the earliest. */
#include "kernel/timer.h"

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/thread.h"

struct timer_cpu {
	struct timer_heap heap;
	uint64_t programmed; /* deadline the hardware is set to */
	uint64_t interrupts;
};

static PERCPU struct timer_cpu timer_cpu;

void timer_program(uint64_t other)
{
	struct timer_cpu *cpu = this_cpu(timer_cpu);
	const struct timer_node *first = timer_heap_first(&cpu->heap);
	uint64_t deadline = first ? min_u64(first->deadline, other) : other;

	if (cpu->programmed == deadline)
		return;
	cpu->programmed = deadline;
	time_arm(deadline);
}

void timer_arm(struct timer *timer, uint64_t deadline)
{
	timer_cancel(timer);
	timer->thread = thread_current();
	timer_heap_add(&this_cpu(timer_cpu)->heap, &timer->node,
		       max_u64(deadline, 1));
}

void timer_cancel(struct timer *timer)
{
	timer_heap_remove(&this_cpu(timer_cpu)->heap, &timer->node);
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
	struct timer_cpu *cpu = this_cpu(timer_cpu);
	struct timer_node *first;

	cpu->interrupts++;
	cpu->programmed = TIME_NEVER; /* one-shot: it has fired */
	while ((first = timer_heap_first(&cpu->heap)) &&
	       first->deadline <= time_now()) {
		timer_heap_remove(&cpu->heap, first);
		fire(CONTAINER_OF(first, struct timer, node));
	}
}

uint64_t timer_interrupts(uint32_t cpu)
{
	return cpu_of(timer_cpu, cpu)->interrupts;
}
