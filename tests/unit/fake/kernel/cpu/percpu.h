/* Host tests run as CPU `fake_cpu` of FAKE_CPUS; every thread of a test may be
 * another CPU. */
#ifndef FAKE_PERCPU_H
#define FAKE_PERCPU_H

#include "boot/platform.h"

#define PERCPU	      _Thread_local
#define this_cpu(var) (&(var))

extern _Thread_local uint32_t fake_cpu;
extern _Thread_local uint32_t fake_node;

static inline uint32_t cpu_number(void)
{
	return fake_cpu;
}

static inline uint32_t cpu_node(void)
{
	return fake_node;
}

#endif
