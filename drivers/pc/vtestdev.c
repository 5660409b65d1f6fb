/* The test device. */
#include "drivers/pc/vtestdev.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/heap.h"

static uint64_t latch_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vtestdev *testdev = device;
	uint64_t value = 0;

	memcpy(&value, testdev->latch + offset, size);
	return value;
}

static void latch_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	struct vtestdev *testdev = device;

	memcpy(testdev->latch + offset, &value, size);
}

static uint64_t memory_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vtestdev *testdev = device;
	uint64_t value = 0;

	memcpy(&value, testdev->memory + offset, size);
	return value;
}

static void memory_write(void *device, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	struct vtestdev *testdev = device;

	memcpy(testdev->memory + offset, &value, size);
}

/* Ports that are written only. */
static uint64_t ones_read(void *device, uint64_t offset, unsigned int size)
{
	(void)device;
	(void)offset;
	return BITS(8 * size - 1, 0);
}

static void hide_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vtestdev *testdev = device;
	gpa_t gpa = { align_down(value, PAGE_SIZE) };

	(void)offset;
	if (size == 4 && guest_mem_has(&testdev->vm->memory, gpa))
		guest_mem_hide(&testdev->vm->memory, gpa);
}

static void exit_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vtestdev *testdev = device;

	(void)offset;
	(void)size;
	if (testdev->has_exited)
		return; /* another vCPU was first */
	testdev->has_exited = true;
	testdev->vm->exit_code = (uint32_t)value << 1 | 1;
	vm_end(testdev->vm, VM_END_EXIT);
}

static void line_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vtestdev *testdev = device;

	if (size == 1)
		vm_set_irq(testdev->vm, (uint32_t)offset, value != 0);
}

static const struct io_ops latch_ops = { latch_read, latch_write };
static const struct io_ops memory_ops = { memory_read, memory_write };
static const struct io_ops hide_ops = { ones_read, hide_write };
static const struct io_ops exit_ops = { ones_read, exit_write };
static const struct io_ops line_ops = { ones_read, line_write };

static int add_ports(struct vtestdev *testdev)
{
	const struct io_region regions[] = {
		{ VTESTDEV_LATCH_PORT, 4, &latch_ops, testdev, false },
		{ VTESTDEV_HIDE_PORT, 4, &hide_ops, testdev, false },
		{ VTESTDEV_LATCH_BYTE_PORT, 4, &latch_ops, testdev, false },
		{ VTESTDEV_EXIT_PORT, 4, &exit_ops, testdev, false },
		{ VTESTDEV_LINE_PORT, VM_GSI_COUNT, &line_ops, testdev, false },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(regions) && !error; i++)
		error = io_add(&testdev->vm->ports, &regions[i]);
	return error;
}

int vtestdev_init(struct vtestdev *testdev, struct vm *vm)
{
	const struct io_region memory = { VM_TESTDEV_BASE, VTESTDEV_MEMORY_SIZE,
					  &memory_ops, testdev, false };
	int error;

	testdev->vm = vm;
	testdev->memory = heap_alloc(VTESTDEV_MEMORY_SIZE);
	if (!testdev->memory)
		return -ENOMEM;
	error = add_ports(testdev);
	if (!error)
		error = io_add(&vm->mmio, &memory);
	if (error)
		vtestdev_fini(testdev);
	return error;
}

void vtestdev_fini(struct vtestdev *testdev)
{
	heap_free(testdev->memory);
	testdev->memory = NULL;
}
