/* The reset control register. */
#include "drivers/pc/vreset_port.h"

#define RESET_SYSTEM BIT(1) /* a hard one; all are, here */
#define RESET_CPU    BIT(2) /* its rise resets */
#define RESET_FULL   BIT(3) /* power is cycled too */

void vreset_port_init(struct vreset_port *port, struct vm *vm)
{
	*port = (struct vreset_port){ .vm = vm };
}

uint8_t vreset_port_read(const struct vreset_port *port)
{
	return port->value;
}

void vreset_port_write(struct vreset_port *port, uint8_t value)
{
	bool is_rising = value & ~port->value & RESET_CPU;

	port->value = value & (RESET_SYSTEM | RESET_CPU | RESET_FULL);
	if (is_rising)
		vm_end(port->vm, VM_END_RESET);
}
