/*
 * The debug console of QEMU and Bochs at port 0x402, on which firmware tells what
 * it does. [pure] Lines go to the log, at debug level and rate limited.
 */
#ifndef DRIVERS_PC_VDEBUG_PORT_H
#define DRIVERS_PC_VDEBUG_PORT_H

#include "kernel/vm.h"

#define VDEBUG_PORT	      0x402
#define VDEBUG_PORT_LINE_MAX  120
#define VDEBUG_PORT_LINES_MAX 50 /* a second */

/* [l] vm->lock guards all. */
struct vdebug_port {
	struct vm *vm;
	uint64_t second; /* of vm_time() that lines are counted in */
	uint32_t lines;	 /* logged in it */
	uint32_t size;	 /* of line */
	char line[VDEBUG_PORT_LINE_MAX];
};

/* Adds the port. -E of io_add. */
int vdebug_port_init(struct vdebug_port *port, struct vm *vm);

#endif
