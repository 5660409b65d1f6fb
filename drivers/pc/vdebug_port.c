/* The debug console. */
#include "drivers/pc/vdebug_port.h"

#include "kernel/cpu/time.h"
#include "kernel/lib/log.h"

#define DEBUG_PRESENT 0xe9 /* what reading gives, so that firmware finds it */

/* Lines beyond a second's share are lost. */
static void flush(struct vdebug_port *port)
{
	uint64_t second = vm_time(port->vm) / NS_PER_SEC;

	if (second != port->second) {
		port->second = second;
		port->lines = 0;
	}
	if (port->size && port->lines < VDEBUG_PORT_LINES_MAX) {
		port->lines++;
		log_debug("%s: firmware: %.*s", port->vm->name, (int)port->size,
			  port->line);
	}
	port->size = 0;
}

static uint64_t debug_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return DEBUG_PRESENT;
}

static void debug_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	struct vdebug_port *port = device;
	char c = (char)value;

	(void)offset;
	(void)size;
	if (c == '\r')
		return;
	if (c == '\n' || port->size == VDEBUG_PORT_LINE_MAX)
		flush(port);
	if (c != '\n')
		port->line[port->size++] = c >= ' ' && c <= '~' ? c : '.';
}

static const struct io_ops debug_ops = { debug_read, debug_write };

int vdebug_port_init(struct vdebug_port *port, struct vm *vm)
{
	const struct io_region region = { VDEBUG_PORT, 1, &debug_ops, port,
					  false };

	port->vm = vm;
	return io_add(&vm->ports, &region);
}
