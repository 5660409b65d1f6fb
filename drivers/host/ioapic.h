/* An I/O APIC of the machine. */
#ifndef DRIVERS_HOST_IOAPIC_H
#define DRIVERS_HOST_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* Mask every pin of the I/O APIC whose registers are mapped at @registers. */
void ioapic_mask_all(volatile void *registers);

uint32_t ioapic_pin_count(volatile void *registers);

/* Let pin @pin raise @vector on the CPU with APIC id @apic_id (below 256). */
void ioapic_route(volatile void *registers, uint32_t pin, uint8_t vector,
		  uint32_t apic_id, bool is_level, bool is_active_low);

#endif
