/* Which CPU this is, and where its variables are. */
#include "kernel/cpu/percpu.h"

#include "kernel/cpu/percpu_area.h"

uint64_t percpu_distance[CPUS_MAX];

/* First in the template, so that gs:0 reads it. */
static __attribute__((section(".bss.percpu_first"))) struct {
	uint64_t distance;
	uint32_t number;
	uint32_t node;
} percpu_self;

extern char percpu_end[];

size_t percpu_area_size(void)
{
	return (size_t)(percpu_end - percpu_start);
}

void percpu_area_init(void *area, uint32_t number, uint32_t node)
{
	uint64_t distance = (uint64_t)area - (uint64_t)percpu_start;
	__typeof__(percpu_self) *self = area;

	self->distance = distance;
	self->number = number;
	self->node = node;
	percpu_distance[number] = distance;
}

void percpu_area_use(uint32_t number)
{
	x86_wrmsr(MSR_GS_BASE,
		  (uint64_t)percpu_start + percpu_distance[number]);
}

uint32_t cpu_number(void)
{
	return this_cpu(percpu_self)->number;
}

uint32_t cpu_node(void)
{
	return this_cpu(percpu_self)->node;
}

void cpu_set_node(uint32_t node)
{
	this_cpu(percpu_self)->node = node;
}
