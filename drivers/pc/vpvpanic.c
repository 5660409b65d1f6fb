/* The pvpanic device. */
#include "drivers/pc/vpvpanic.h"

#include "kernel/lib/log.h"

static uint64_t pvpanic_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	(void)size;
	return VPVPANIC_PANICKED; /* the events it knows */
}

static void pvpanic_write(void *device, uint64_t offset, unsigned int size,
			  uint64_t value)
{
	struct vpvpanic *pvpanic = device;
	struct vm *vm = pvpanic->vm;

	(void)offset;
	(void)size;
	if (!(value & VPVPANIC_PANICKED) || vm->panicked)
		return;
	vm->panicked = 1;
	log_debug("%s: the guest's kernel panicked", vm->name);
}

static const struct io_ops pvpanic_ops = { pvpanic_read, pvpanic_write };

int vpvpanic_init(struct vpvpanic *pvpanic, struct vm *vm)
{
	const struct io_region port = { VPVPANIC_PORT, 1, &pvpanic_ops, pvpanic,
					false };

	pvpanic->vm = vm;
	return io_add(&vm->ports, &port);
}
