/* A guest's view of PCI, for tests: accesses as a vCPU of fake_vm makes them. */
#ifndef TESTS_PCI_BUS_H
#define TESTS_PCI_BUS_H

#include "drivers/pci/pci.h"
#include "kernel/vm.h"
#include "vm_machine.h"

static inline uint64_t mmio_read(uint64_t address, unsigned int size)
{
	return io_read(&fake_vm, &fake_vm.mmio, address, size);
}

static inline void mmio_write(uint64_t address, unsigned int size,
			      uint64_t value)
{
	io_write(&fake_vm, &fake_vm.mmio, address, size, value);
}

static inline uint64_t port_read(uint64_t port, unsigned int size)
{
	return io_read(&fake_vm, &fake_vm.ports, port, size);
}

static inline void port_write(uint64_t port, unsigned int size, uint64_t value)
{
	io_write(&fake_vm, &fake_vm.ports, port, size, value);
}

static inline void select_config(uint32_t slot, uint32_t offset)
{
	port_write(0xcf8, 4, 0x80000000U | slot << 11 | (offset & 0xfcU));
}

static inline uint32_t config_read(uint32_t slot, uint32_t offset,
				   unsigned int size)
{
	select_config(slot, offset);
	return (uint32_t)port_read(0xcfc + offset % 4, size);
}

static inline void config_write(uint32_t slot, uint32_t offset,
				unsigned int size, uint32_t value)
{
	select_config(slot, offset);
	port_write(0xcfc + offset % 4, size, value);
}

/* Offset of the @skip-th capability @id, 0: none. */
static inline uint32_t find_cap(uint32_t slot, uint32_t id, uint32_t skip)
{
	uint32_t at = config_read(slot, PCI_CAP_POINTER, 1);

	for (unsigned int i = 0; at && i < 64; i++) {
		if (config_read(slot, at, 1) == id && skip-- == 0)
			return at;
		at = config_read(slot, at + 1, 1);
	}
	return 0;
}

/* Address in base address register @index of @slot, 32 bits. */
static inline uint64_t bar_address(uint32_t slot, uint32_t index)
{
	return config_read(slot, PCI_BAR0 + 4 * index, 4) & ~0xfUL;
}

#endif
