/*
 * The first serial port, a 16550A. [pure]
 * National Semiconductor, "PC16550D Universal Asynchronous Receiver/Transmitter
 * with FIFOs", section 8.0 "Registers".
 *
 * Characters take no time: what is written to THR is on the console when the
 * instruction ends, and the transmitter is always empty.
 */
#ifndef DRIVERS_PC_VSERIAL_H
#define DRIVERS_PC_VSERIAL_H

#include "kernel/vm.h"

#define VSERIAL_PORT 0x3f8
#define VSERIAL_GSI  4
/* Characters received and not yet read. More than a FIFO's 16, or every paste
 * would lose characters: those beyond 16 are still on the line, so to speak. */
#define VSERIAL_INPUT_MAX 256

/* [l] vm->lock guards all. */
struct vserial {
	struct vm *vm;
	uint8_t ier, lcr, mcr, scr;
	uint8_t fcr; /* FIFO enable and trigger level */
	uint8_t divisor[2];
	uint8_t msr_delta;     /* bits 3:0 of MSR */
	bool is_overrun;       /* LSR bit 1 */
	bool is_empty_pending; /* the THR-empty interrupt */
	bool is_irq_high;
	bool has_sent;	     /* (a) since pc_note_console_use */
	uint16_t input_head; /* next to read */
	uint16_t input_count;
	char input[VSERIAL_INPUT_MAX];
};

/* Reset state. Adds ports. -E of io_add. */
int vserial_init(struct vserial *serial, struct vm *vm);

/* The console may have room again: set the interrupt line as it is to be. vm->lock
 * held. */
void vserial_settle(struct vserial *serial);

/* Receive; what does not fit is lost and noted as overrun. vm->lock held. */
void vserial_input(struct vserial *serial, const char *data, uint32_t size);

#endif
