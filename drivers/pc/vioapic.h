/*
 * The I/O APIC of a virtual PC: 24 pins, version 0x20 (with an EOI register).
 * [pure] Intel 82093AA datasheet, section 3 "Register Description"; for the EOI
 * register, Intel I/O Controller Hub 9 datasheet, 13.5 "Advanced Programmable
 * Interrupt Controller (APIC)".
 *
 * Global system interrupts and pins. As on PCs, GSI n is pin n, but the ISA timer
 * line (GSI 0) comes in at pin 2, where the 8259s' cascade leaves IRQ 2 unused;
 * the MADT tells the guest so by an interrupt source override. So for vm_set_irq
 *
 *	gsi 0		8259 IR 0	pin 2
 *	gsi 1, 3..15	8259 IR n	pin n
 *	gsi 2		- nobody -
 *	gsi 16..23	-		pin n
 *
 * Everything is called with vm->lock held.
 */
#ifndef DRIVERS_PC_VIOAPIC_H
#define DRIVERS_PC_VIOAPIC_H

#include "kernel/vm.h"

#define VIOAPIC_PINS	24
#define VIOAPIC_VERSION 0x20
#define VIOAPIC_SIZE	0x1000UL

struct vioapic {
	struct vm *vm;
	uint64_t entries[VIOAPIC_PINS]; /* redirection table */
	uint32_t lines;			/* levels of the pins */
	uint8_t id;
	uint8_t selected; /* IOREGSEL */
};

extern const struct io_ops vioapic_ops;

/* After reset: all pins masked. Adds its page to @vm->mmio. Errors of io_add. */
int vioapic_init(struct vioapic *ioapic, struct vm *vm);

/* Line @gsi is now at @level. Polarity is the guest's business: true is active. */
void vioapic_set_line(struct vioapic *ioapic, uint32_t gsi, bool level);

/* A local APIC broadcasts the EOI of level-triggered @vector: pins with it that
 * are still active interrupt again. */
void vioapic_eoi(struct vioapic *ioapic, uint8_t vector);

#endif
