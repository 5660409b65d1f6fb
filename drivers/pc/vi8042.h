/*
 * The i8042 keyboard controller, with neither keyboard nor mouse, and port 0x92.
 * [pure] IBM, "PS/2 Hardware Interface Technical Reference", "Keyboard and
 * Auxiliary Device Controller".
 *
 * What goes to the keyboard is answered as controllers do when nobody holds the
 * other end: 0xfe with the time-out bit, at once, so that probing ends quickly.
 * A20 is a bit to read back: the guest's address lines are never masked.
 */
#ifndef DRIVERS_PC_VI8042_H
#define DRIVERS_PC_VI8042_H

#include "kernel/vm.h"

#define VI8042_DATA_PORT    0x60
#define VI8042_COMMAND_PORT 0x64
#define VI8042_FAST_PORT    0x92
#define VI8042_GSI	    1
#define VI8042_RAM_SIZE	    32

/* [l] vm->lock guards all. */
struct vi8042 {
	struct vm *vm;
	uint8_t status;
	uint8_t output;	 /* byte to read at the data port, if status says so */
	uint8_t command; /* whose argument is to come, 0: none */
	uint8_t output_port;
	uint8_t ram[VI8042_RAM_SIZE]; /* byte 0 is the command byte */
	bool is_irq_high;
};

/* State after a firmware's self-test. Adds ports. -E of io_add. */
int vi8042_init(struct vi8042 *i8042, struct vm *vm);

#endif
