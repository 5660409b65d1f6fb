/* The CPUs: starting them, and asking things of each other. */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/platform.h"
#include "mm/memmap.h"

/*
 * Set memory below 1 MiB aside for the start of the other CPUs: a page of code
 * and a page-table root. Without it smp_start starts none.
 */
void smp_reserve(struct memmap *map);

/*
 * Start all CPUs of @platform at once and wait, bounded, until each runs its
 * idle thread. One that does not answer, lacks a feature of the boot CPU or
 * cannot be addressed is reported and left out. Returns the number that run.
 */
uint32_t smp_start(const struct platform *platform);

/* Stacks of CPU @cpu for NMI, #DF and #MC. False: no memory. */
bool smp_give_stacks(uint32_t cpu);

/* CPUs that run; their numbers are below smp_cpu_limit(), with holes where one
 * was left out. The boot CPU is 0. */
uint32_t smp_cpu_count(void);
uint32_t smp_cpu_limit(void);
bool smp_is_running(uint32_t cpu);

/*
 * NMI to every other CPU that is up far enough to take one, and to no other: a
 * CPU without an IDT would reset the machine. Returns how many. For panic.
 */
uint32_t smp_send_nmi_to_others(void);

/*
 * Raise @vector (enum interrupt_vector) on CPU @cpu; VECTOR_RESCHEDULE lets it pass
 * a scheduling point soon.
 */
void smp_interrupt(uint32_t cpu, uint8_t vector);

/*
 * Run @call(@argument) on CPU @cpu, interrupts off, and wait until it has
 * returned; calls for this CPU are served meanwhile. Holding no lock. The
 * target takes it at its next interrupt: in a guest, idle, or at
 * thread_window().
 */
void smp_call(uint32_t cpu, void (*call)(void *argument), void *argument);

/* The same on every running CPU, this one included, at once. */
void smp_call_all(void (*call)(void *argument), void *argument);

/* Serve what others have asked of this CPU. Called on VECTOR_CALL. */
void smp_serve_calls(void);

/* The other CPUs' way in, from trampoline.asm. */
_Noreturn void hv_main_ap(uint32_t cpu);

#endif
