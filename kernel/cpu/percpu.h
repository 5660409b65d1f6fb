/*
 * Per-CPU variables. Defined anywhere as `PERCPU struct thing name;`; every CPU
 * has its own copy, zero at first (no initialisers). The copies lie in one area
 * a CPU; the boot CPU's is the template in the image. gs:0 holds the distance
 * from the template to the CPU's own.
 */
#ifndef KERNEL_CPU_PERCPU_H
#define KERNEL_CPU_PERCPU_H

#include "boot/platform.h"
#include "kernel/cpu/x86_asm.h"

#define PERCPU __attribute__((section(".bss.percpu")))

/* Distances of all areas from the template, by CPU number; the boot CPU is 0.
 */
extern uint64_t percpu_distance[CPUS_MAX];

/* Pointer to this CPU's copy of @var. */
#define this_cpu(var) \
	((__typeof__(var) *)((char *)&(var) + x86_percpu_distance()))

/* Pointer to CPU @cpu's copy of @var, for what other CPUs may touch. */
#define cpu_of(var, cpu) \
	((__typeof__(var) *)((char *)&(var) + percpu_distance[cpu]))

/* Number of this CPU, from 0, the boot CPU is 0; smp.h says which run. */
uint32_t cpu_number(void);

/* NUMA node of this CPU. */
uint32_t cpu_node(void);

#endif
