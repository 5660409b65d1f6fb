/*
 * The pvpanic device, by which a guest's kernel says that it panicked. [pure]
 * QEMU, docs/specs/pvpanic "PVPANIC DEVICE". It goes on running: whether it is
 * to be restarted is its own and the operator's affair.
 */
#ifndef DRIVERS_PC_VPVPANIC_H
#define DRIVERS_PC_VPVPANIC_H

#include "kernel/vm.h"

#define VPVPANIC_PORT	  0x505
#define VPVPANIC_PANICKED BIT(0)

struct vpvpanic {
	struct vm *vm;
};

/* Adds the port. -E of io_add. */
int vpvpanic_init(struct vpvpanic *pvpanic, struct vm *vm);

#endif
