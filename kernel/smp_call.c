/*
 * Asking other CPUs to run something. Each CPU has a list of calls that anybody may
 * push onto, without a lock, and that it alone takes off, all at once. A call lives
 * on its caller's stack, who waits until it is done.
 */
#include "kernel/cpu/apic.h"
#include "kernel/cpu/percpu.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"
#include "kernel/smp.h"

struct cpu_call {
	void (*call)(void *argument);
	void *argument;
	struct cpu_call *next;
	bool is_done;
};

/* Atomic: others push, the CPU takes all. */
static PERCPU struct cpu_call *calls;

static void post_call(uint32_t cpu, struct cpu_call *item)
{
	struct cpu_call **list = cpu_of(calls, cpu);

	item->next = __atomic_load_n(list, __ATOMIC_RELAXED);
	/* release: the target sees the fields; pairs with smp_serve_calls */
	while (!__atomic_compare_exchange_n(list, &item->next, item, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	smp_interrupt(cpu, VECTOR_CALL);
}

void smp_serve_calls(void)
{
	struct cpu_call *item =
		__atomic_exchange_n(this_cpu(calls), NULL, __ATOMIC_ACQUIRE);

	while (item) {
		struct cpu_call *next = item->next;

		item->call(item->argument);
		/* release: the caller sees what was done; item is gone then */
		__atomic_store_n(&item->is_done, true, __ATOMIC_RELEASE);
		item = next;
	}
}

static void wait_for_call(const struct cpu_call *item)
{
	while (!__atomic_load_n(&item->is_done, __ATOMIC_ACQUIRE)) {
		smp_serve_calls(); /* the other may be waiting for us */
		x86_pause();
	}
}

void smp_call(uint32_t cpu, void (*call)(void *argument), void *argument)
{
	struct cpu_call item = { .call = call, .argument = argument };

	lock_rank_check_none();
	ASSERT(smp_is_running(cpu));
	if (cpu == cpu_number()) {
		call(argument);
		return;
	}
	post_call(cpu, &item);
	wait_for_call(&item);
}

/* One broadcast at a time: its items are the targets' own, so that 1000 CPUs
 * need no memory on our stack. */
static PERCPU struct cpu_call broadcast_item;
static bool is_broadcasting; /* atomic */

static void broadcast_begin(void)
{
	while (__atomic_exchange_n(&is_broadcasting, true, __ATOMIC_ACQUIRE)) {
		smp_serve_calls(); /* the broadcast under way may wait for us */
		x86_pause();
	}
}

void smp_call_all(void (*call)(void *argument), void *argument)
{
	uint32_t self = cpu_number();

	lock_rank_check_none();
	broadcast_begin();
	for (uint32_t cpu = 0; cpu < smp_cpu_limit(); cpu++) {
		if (cpu == self || !smp_is_running(cpu))
			continue;
		*cpu_of(broadcast_item, cpu) =
			(struct cpu_call){ .call = call, .argument = argument };
		post_call(cpu, cpu_of(broadcast_item, cpu));
	}
	call(argument);
	for (uint32_t cpu = 0; cpu < smp_cpu_limit(); cpu++) {
		struct cpu_call *item = cpu_of(broadcast_item, cpu);

		if (!item->call)
			continue; /* not asked: it was not running then */
		wait_for_call(item);
		item->call = NULL;
	}
	__atomic_store_n(&is_broadcasting, false, __ATOMIC_RELEASE);
}
