/*
 * The reset control register, port 0xcf9. [pure]
 * Intel, "I/O Controller Hub 9 (ICH9) Family Datasheet", 13.7.5 "RST_CNT".
 *
 * The port lies within the four bytes of PCI's CONFIG_ADDRESS, so whoever owns
 * these hands byte accesses of it on to here.
 */
#ifndef DRIVERS_PC_VRESET_PORT_H
#define DRIVERS_PC_VRESET_PORT_H

#include "kernel/vm.h"

#define VRESET_PORT 0xcf9

/* [l] vm->lock guards all. */
struct vreset_port {
	struct vm *vm;
	uint8_t value;
};

void vreset_port_init(struct vreset_port *port, struct vm *vm);

/* Byte accesses. vm->lock held. */
uint8_t vreset_port_read(const struct vreset_port *port);
void vreset_port_write(struct vreset_port *port, uint8_t value);

#endif
