/*
 * Threads and the run queue of each CPU.
 *
 * The run queue's lock is held across a switch: the thread switched from takes
 * it, the thread switched to lets it go (finish_switch), so nobody can pick up
 * a thread whose registers are not saved yet.
 */
#include "kernel/thread.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"
#include "kernel/timer.h"
#include "mm/pool.h"
#include "mm/stack.h"

#define SLICE_NS (10 * NS_PER_MS)

/* Legend: [own] only the CPU itself, [l] guarded by lock. */
struct run_queue {
	struct spinlock lock;
	struct list ready;	/* [l] next to run first */
	struct thread *current; /* [own] */
	struct thread *idle;	/* [own] */
	struct thread *ended;	/* [own] switched away from for the last time */
	uint64_t slice_start;	/* [own] when current was switched to */
};

static PERCPU struct run_queue run_queue;
static struct pool thread_pool;

/* switch.asm: push the callee-saved registers, store rsp to *save, continue
 * where @load was stored. */
void thread_switch(uint64_t *save, uint64_t load);
/* switch.asm: where a new thread begins; calls thread_begin. */
void thread_entry(void);
_Noreturn void thread_begin(void);

void thread_init(void)
{
	pool_init(&thread_pool, "thread", sizeof(struct thread));
}

struct thread *thread_current(void)
{
	return this_cpu(run_queue)->current;
}

const char *thread_name(void)
{
	const struct thread *thread = thread_current();

	return thread ? thread->name : "boot";
}

uint64_t thread_count(void)
{
	return thread_pool.used;
}

int thread_adopt_idle(void *stack_top)
{
	struct run_queue *queue = this_cpu(run_queue);
	struct thread *thread = pool_alloc(&thread_pool);

	if (!thread)
		return -ENOMEM;
	thread->cpu = cpu_number();
	thread->state = THREAD_RUNNING;
	thread->stack_top = stack_top;
	list_init(&thread->link);
	fmt_print(thread->name, sizeof(thread->name), "idle/%u", thread->cpu);
	queue->lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_RUN_QUEUE);
	list_init(&queue->ready);
	queue->current = thread;
	queue->idle = thread;
	queue->slice_start = time_now();
	return 0;
}

void thread_release(struct thread *thread)
{
	/* acquire and release: whoever comes last sees the others' accesses done
	 */
	if (__atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL) == 0)
		pool_free(&thread_pool, thread);
}

/* The first half of a switch ends in another thread; what that one must still
 * do. */
static void finish_switch(void)
{
	struct run_queue *queue = this_cpu(run_queue);
	struct thread *ended = queue->ended;

	queue->ended = NULL;
	spin_unlock(&queue->lock);
	if (ended) {
		stack_free(ended->stack_top, THREAD_STACK_PAGES);
		thread_release(ended);
	}
}

static struct thread *next_thread(struct run_queue *queue)
{
	struct list *node = list_pop_front(&queue->ready);

	return node ? LIST_ENTRY(node, struct thread, link) : queue->idle;
}

/* Called with the queue locked and the state of current set; returns, unlocked,
 * when it runs again. */
static void switch_away(struct run_queue *queue)
{
	struct thread *from = queue->current;
	struct thread *to = next_thread(queue);
	uint64_t now = time_now();

	from->run_ns += now - queue->slice_start;
	queue->slice_start = now;
	to->state = THREAD_RUNNING;
	if (from == to) {
		spin_unlock(&queue->lock);
		return;
	}
	queue->current = to;
	thread_switch(&from->rsp, to->rsp);
	finish_switch();
}

void thread_yield(void)
{
	struct run_queue *queue = this_cpu(run_queue);
	struct thread *self = queue->current;

	spin_lock(&queue->lock);
	if (list_is_empty(&queue->ready)) {
		spin_unlock(&queue->lock);
		return;
	}
	self->state = THREAD_READY;
	if (self != queue->idle)
		list_push_back(&queue->ready, &self->link);
	switch_away(queue);
}

void thread_park(void)
{
	struct run_queue *queue = this_cpu(run_queue);
	struct thread *self = queue->current;

	ASSERT(self != queue->idle);
	lock_rank_check_none();
	spin_lock(&queue->lock);
	if (self->has_wakeup) {
		self->has_wakeup = false;
		spin_unlock(&queue->lock);
		return;
	}
	self->state = THREAD_PARKED;
	switch_away(queue);
}

void thread_unpark(struct thread *thread)
{
	/* read now: once the lock is gone the thread may run and end */
	uint32_t cpu = thread->cpu;
	struct run_queue *queue = cpu_of(run_queue, cpu);
	bool was_parked;

	spin_lock(&queue->lock);
	was_parked = thread->state == THREAD_PARKED;
	if (was_parked) {
		thread->state = THREAD_READY;
		list_push_back(&queue->ready, &thread->link);
	} else {
		thread->has_wakeup = true;
	}
	spin_unlock(&queue->lock);
	if (was_parked && cpu != cpu_number())
		smp_interrupt(cpu, VECTOR_RESCHEDULE);
}

_Noreturn void thread_begin(void)
{
	struct thread *self = thread_current();
	struct run_queue *queue;

	finish_switch();
	self->run(self->argument);
	queue = this_cpu(run_queue);
	spin_lock(&queue->lock);
	self->state = THREAD_ENDED;
	queue->ended = self;
	switch_away(queue);
	panic("thread %s ran after its end", self->name);
}

/*
 * What thread_switch pops from a new thread's zeroed or reused stack: six
 * callee-saved registers, then the return address. Two words above it leave rsp
 * 16-byte aligned at thread_entry's call, as the ABI wants it.
 */
static uint64_t first_frame(void *stack_top)
{
	uint64_t *rsp = (uint64_t *)stack_top - 9;

	memset(rsp, 0, 9 * sizeof(*rsp));
	rsp[6] = (uint64_t)thread_entry;
	return (uint64_t)rsp;
}

static struct thread *create_parked(uint32_t cpu, void (*run)(void *argument),
				    void *argument, const char *format,
				    va_list args)
{
	struct thread *thread = pool_alloc(&thread_pool);

	if (!thread)
		return NULL;
	thread->stack_top = stack_alloc(THREAD_STACK_PAGES);
	if (!thread->stack_top) {
		pool_free(&thread_pool, thread);
		return NULL;
	}
	fmt_print_v(thread->name, sizeof(thread->name), format, args);
	list_init(&thread->link);
	thread->cpu = cpu;
	thread->run = run;
	thread->argument = argument;
	thread->rsp = first_frame(thread->stack_top);
	thread->state = THREAD_PARKED;
	thread->references = 1;
	return thread;
}

struct thread *thread_create_parked(uint32_t cpu, void (*run)(void *argument),
				    void *argument, const char *format, ...)
{
	struct thread *thread;
	va_list args;

	va_start(args, format);
	thread = create_parked(cpu, run, argument, format, args);
	va_end(args);
	if (thread)
		thread->references++;
	return thread;
}

struct thread *thread_create(uint32_t cpu, void (*run)(void *argument),
			     void *argument, const char *format, ...)
{
	struct thread *thread;
	va_list args;

	va_start(args, format);
	thread = create_parked(cpu, run, argument, format, args);
	va_end(args);
	if (thread)
		thread_unpark(thread);
	return thread;
}

void thread_sleep_until(uint64_t deadline)
{
	struct timer timer = { 0 };
	bool had_wakeup = false;

	while (time_now() < deadline) {
		timer_arm(&timer, deadline);
		thread_park();
		had_wakeup = had_wakeup || timer_is_armed(&timer);
		timer_cancel(&timer);
	}
	if (had_wakeup)
		thread_unpark(thread_current());
}

void thread_window(void)
{
	struct run_queue *queue = this_cpu(run_queue);
	uint64_t slice_end = queue->slice_start + SLICE_NS;

	lock_rank_check_none();
	timer_program(list_is_empty(&queue->ready) ? TIME_NEVER : slice_end);
	x86_interrupt_window();
	if (!list_is_empty(&queue->ready) && time_now() >= slice_end)
		thread_yield();
}

void thread_prepare_guest(void)
{
	struct run_queue *queue = this_cpu(run_queue);

	timer_program(list_is_empty(&queue->ready)
			      ? TIME_NEVER
			      : queue->slice_start + SLICE_NS);
}

_Noreturn void thread_idle(void)
{
	struct run_queue *queue = this_cpu(run_queue);

	for (;;) {
		thread_yield();
		/* interrupts are off: what comes after this look ends the halt
		 */
		if (!list_is_empty(&queue->ready))
			continue;
		timer_program(TIME_NEVER);
		x86_halt_until_interrupt();
	}
}
