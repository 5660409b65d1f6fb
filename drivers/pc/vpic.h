/*
 * The two 8259A interrupt controllers of a virtual PC, the second behind IR 2 of
 * the first. [pure] Intel 8259A datasheet; for the edge/level control registers,
 * Intel I/O Controller Hub 9 datasheet, 13.4 "Interrupt Controller Registers".
 *
 * Their output goes to LINT0 of vCPU 0. Everything but vpic_has_interrupt is
 * called with vm->lock held.
 */
#ifndef DRIVERS_PC_VPIC_H
#define DRIVERS_PC_VPIC_H

#include "kernel/vm.h"

#define VPIC_LINES 16

enum vpic_chip_number { VPIC_MASTER, VPIC_SLAVE, VPIC_CHIPS };

/* Registers and what the command words set. */
struct vpic_chip {
	struct vpic *pic;
	uint8_t lines;	  /* levels of the inputs */
	uint8_t irr;	  /* requests: latched edges, or levels */
	uint8_t isr;	  /* in service */
	uint8_t imr;	  /* masked */
	uint8_t elcr;	  /* 1: level-triggered */
	uint8_t base;	  /* vector of IR 0 */
	uint8_t first;	  /* IR of the highest priority */
	uint8_t next_icw; /* that the data port expects; 0: none, it is IMR */
	bool has_icw4;	  /* one will come */
	bool is_single;	  /* no ICW3 will come */
	bool is_auto_eoi;
	bool is_auto_rotating; /* in automatic EOI mode */
	bool is_special_mask;
	bool is_special_nested;
	bool is_reading_isr; /* command port reads ISR, not IRR */
	bool is_polling;     /* the next read is an acknowledge */
};

struct vpic {
	struct vm *vm;
	struct vpic_chip chips[VPIC_CHIPS];
	bool has_interrupt; /* atomic: the INTR output */
};

/* Ports of one chip; device: struct vpic_chip. And the two ELCRs; struct vpic. */
extern const struct io_ops vpic_ops;
extern const struct io_ops vpic_elcr_ops;

/* All masked and edge-triggered, not programmed yet. Adds its ports to @vm->ports.
 * Errors of io_add. */
int vpic_init(struct vpic *pic, struct vm *vm);

/* IR @irq (0 to 15; others are ignored, as is 2) is now at @level. */
void vpic_set_line(struct vpic *pic, uint32_t irq, bool level);

/* The INTR output. Without a lock: who sees it must still be ready for a spurious
 * interrupt. */
bool vpic_has_interrupt(const struct vpic *pic);

/* INTA cycles: the vector, which is that of IR 7 of a chip with no request left. */
uint8_t vpic_acknowledge(struct vpic *pic);

#endif
