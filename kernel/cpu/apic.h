/* This CPU's local APIC, as xAPIC registers in memory or as x2APIC MSRs. */
#ifndef KERNEL_CPU_APIC_H
#define KERNEL_CPU_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/addr.h"

/* Vectors of the hypervisor's own interrupts; the higher class goes first. */
enum interrupt_vector {
	VECTOR_CONSOLE = 0xe0,
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_CALL = 0xf2,
	VECTOR_APIC_ERROR = 0xfe,
	VECTOR_SPURIOUS = 0xff,
};

/* Choose the mode, once, on the boot CPU. @registers: the mapped xAPIC page;
 * unused where there is x2APIC. */
void apic_choose(void *registers, bool use_x2apic);
bool apic_is_x2apic(void);

/* Software-enable this CPU's APIC, everything masked. Clears what the firmware
 * left in service. */
void apic_init(void);

/* Where this CPU has its xAPIC page; the firmware's tables only repeat it. */
hpa_t apic_base(void);

uint32_t apic_id(void);
void apic_end_of_interrupt(void);

/* Accumulated error bits (SDM 3A 11.5.3 "Error Handling"), cleared by reading.
 */
uint32_t apic_errors(void);

/* Send @vector, an NMI, INIT or start-up (at 4 KiB page @page) to the CPU with
 * APIC id @id. */
void apic_send(uint32_t id, uint8_t vector);
void apic_send_nmi(uint32_t id);
void apic_send_init(uint32_t id);
void apic_send_startup(uint32_t id, uint8_t page);

/* The one-shot timer: arm with @count ticks of the divided-by-1 bus clock (0
 * stops it), or by TSC value (0 stops it). */
void apic_timer_use_count(void);
void apic_timer_use_tsc_deadline(void);
void apic_timer_arm_count(uint32_t count);
void apic_timer_arm_tsc(uint64_t tsc);
uint32_t apic_timer_count(void);

#endif
