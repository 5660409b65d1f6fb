/* Making per-CPU areas; for the code that starts CPUs. */
#ifndef KERNEL_CPU_PERCPU_AREA_H
#define KERNEL_CPU_PERCPU_AREA_H

#include <stddef.h>
#include <stdint.h>

extern char percpu_start[];

/* Bytes of one CPU's area. */
size_t percpu_area_size(void);

/* Describe zeroed memory @area (64-byte aligned) as that of CPU @number. The
 * boot CPU's area is percpu_start, the template. */
void percpu_area_init(void *area, uint32_t number, uint32_t node);

/* Let this CPU be CPU @number, whose area was described. Needed anew after the
 * segment registers were loaded. */
void percpu_area_use(uint32_t number);

/* Correct the node of this CPU once the firmware's tables are known. */
void cpu_set_node(uint32_t node);

#endif
