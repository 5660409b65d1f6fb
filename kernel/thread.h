/*
 * Threads: flows of control with a stack of their own. A thread lives on one
 * CPU's run queue; it runs until it parks, yields or ends. Nothing preempts it,
 * but it is asked to give way at thread_window().
 *
 *	            create              switched to
 *	  (none) ------------> READY ----------------> RUNNING -----> ENDED
 *	                        ^ ^                     |   |  end
 *	                        | +---------------------+   |
 *	                unpark  |        yield              | park
 *	                        +-------- PARKED <----------+
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "kernel/lib/list.h"

#define THREAD_NAME_MAX	   24
#define THREAD_STACK_PAGES 3

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_PARKED, THREAD_ENDED };

/* Legend: (o) set once, (a) atomic, [q] guarded by the run queue of cpu. */
struct thread {
	uint64_t rsp;		 /* [q] while not running */
	struct list link;	 /* [q] in the run queue while READY */
	enum thread_state state; /* [q] */
	bool has_wakeup;	 /* [q] unparked while not parked */
	uint32_t cpu;		 /* (o) */
	uint32_t references;	 /* (a) of the scheduler until its end, and of
				who created it parked */
	uint64_t run_ns; /* [q] time on the CPU until last switched away */
	void *stack_top; /* (o) NULL: the boot stack */
	void (*run)(void *argument); /* (o) */
	void *argument;		     /* (o) */
	char name[THREAD_NAME_MAX];  /* (o) */
};

/* Pools; once. */
void thread_init(void);

/* Make the flow that calls the idle thread of its CPU. @stack_top: NULL on the
 * boot CPU. -ENOMEM. */
int thread_adopt_idle(void *stack_top);

/* A new thread on CPU @cpu, ready at once; it ends when @run returns. NULL: no
 * memory. */
struct thread *thread_create(uint32_t cpu, void (*run)(void *argument),
			     void *argument, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same, but it does not run before it is unparked, and the struct stays for
 * late unparks until thread_release. */
struct thread *thread_create_parked(uint32_t cpu, void (*run)(void *argument),
				    void *argument, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void thread_release(struct thread *thread);

struct thread *thread_current(void);

/* Name of the current thread; "boot" before there is one. */
const char *thread_name(void);

/* Sleep until unparked; return at once if that has happened since the last
 * park. */
void thread_park(void);

/* Wake @thread, from any CPU or interrupt. It must not have ended, unless it was
 * created parked and not released. */
void thread_unpark(struct thread *thread);

/* Let other ready threads of this CPU run. */
void thread_yield(void);

/* Sleep until @deadline, whatever unparks come (they are kept). */
void thread_sleep_until(uint64_t deadline);

/* A scheduling point: take interrupts, then give way if others wait and the
 * time slice is over. Holding no lock. */
void thread_window(void);

/* Before a guest runs on this CPU: the timer is set so that it comes out in
 * time. Interrupts are off and stay off. */
void thread_prepare_guest(void);

/* The idle thread's life. */
_Noreturn void thread_idle(void);

/* Threads that exist, idle threads included. */
uint64_t thread_count(void);

#endif
