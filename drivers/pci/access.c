/*
 * How the guest reaches configuration space: ports 0xcf8 and 0xcfc (PCI 3.2.2.3.2
 * "Software Generation of Configuration Transactions"), and ECAM (PCI Express
 * Base Specification, "PCI Express Enhanced Configuration Access Mechanism").
 *
 * Both regions are unlocked: reading needs no lock, and accesses to a device's
 * window (struct pci_ops) may wait or pass scheduling points, which nobody may
 * with vm->lock held. Writes take it here.
 */
#include "drivers/pci/pci_root.h"

#define PORT_ADDRESS   0xcf8
#define PORTS	       8 /* CONFIG_ADDRESS, then CONFIG_DATA */
#define DATA	       4 /* offset of the latter */
#define ADDRESS_ENABLE BIT(31)
#define ADDRESS_BDF    BITS(23, 8)
#define ADDRESS_WORD   BITS(7, 2)

#define ECAM_FUNCTION_SIZE 0x1000U

/* Functions other than 0 and buses other than 0 are empty. @bdf: bus, slot and
 * function in 8, 5 and 3 bits. */
static struct pci_device *find_device(const struct pci_root *root, uint64_t bdf)
{
	if (bdf & ~0xf8UL)
		return NULL;
	return root->devices[bdf >> 3];
}

static bool is_window(const struct pci_device *device, uint32_t offset)
{
	return device->window_offset && offset == device->window_offset;
}

/* @offset and @size within a word, @offset below ECAM_FUNCTION_SIZE. */
static uint32_t read_device(struct pci_device *device, uint32_t offset,
			    unsigned int size)
{
	if (!device)
		return pci_size_mask(size);
	if (offset >= PCI_CONFIG_SIZE)
		return 0;
	if (is_window(device, offset))
		return device->ops->window_read(device, size);
	return pci_config_get(device, offset, size);
}

static void write_device(struct pci_root *root, struct pci_device *device,
			 uint32_t offset, unsigned int size, uint32_t value)
{
	if (!device || offset >= PCI_CONFIG_SIZE)
		return;
	if (is_window(device, offset)) {
		device->ops->window_write(device, size, value);
		return;
	}
	spin_lock(&root->vm->lock);
	pci_config_write(device, offset, size, value);
	spin_unlock(&root->vm->lock);
}

/* CONFIG_ADDRESS is four bytes wide only: bytes there are other ports, of which
 * one is used. */
static uint64_t read_address(struct pci_root *root, uint64_t offset,
			     unsigned int size)
{
	uint64_t value = pci_size_mask(size);

	if (offset == 0 && size == 4)
		return __atomic_load_n(&root->address, __ATOMIC_RELAXED);
	if (offset == VRESET_PORT - PORT_ADDRESS && size == 1) {
		spin_lock(&root->vm->lock);
		value = vreset_port_read(&root->reset);
		spin_unlock(&root->vm->lock);
	}
	return value;
}

static void write_address(struct pci_root *root, uint64_t offset,
			  unsigned int size, uint64_t value)
{
	if (offset == 0 && size == 4) {
		__atomic_store_n(&root->address, (uint32_t)value,
				 __ATOMIC_RELAXED);
	} else if (offset == VRESET_PORT - PORT_ADDRESS && size == 1) {
		spin_lock(&root->vm->lock);
		vreset_port_write(&root->reset, (uint8_t)value);
		spin_unlock(&root->vm->lock);
	}
}

/* The function that CONFIG_ADDRESS names and the offset of an access to
 * CONFIG_DATA in it. NULL: nobody. */
static struct pci_device *find_addressed(const struct pci_root *root,
					 uint64_t port, uint32_t *offset)
{
	uint32_t address = __atomic_load_n(&root->address, __ATOMIC_RELAXED);

	*offset = (uint32_t)((address & ADDRESS_WORD) + (port - DATA));
	if (!(address & ADDRESS_ENABLE))
		return NULL;
	return find_device(root, FIELD_GET(ADDRESS_BDF, address));
}

static uint64_t read_ports(void *context, uint64_t port, unsigned int size)
{
	struct pci_root *root = context;
	struct pci_device *device;
	uint32_t offset;

	if (port < DATA)
		return read_address(root, port, size);
	device = find_addressed(root, port, &offset);
	return read_device(device, offset, size);
}

static void write_ports(void *context, uint64_t port, unsigned int size,
			uint64_t value)
{
	struct pci_root *root = context;
	struct pci_device *device;
	uint32_t offset;

	if (port < DATA) {
		write_address(root, port, size, value);
		return;
	}
	device = find_addressed(root, port, &offset);
	write_device(root, device, offset, size, (uint32_t)value);
}

static const struct io_ops port_ops = { read_ports, write_ports };

/* What an access to ECAM is cut into: the largest pieces that are aligned. */
static unsigned int ecam_piece(uint64_t offset, unsigned int size)
{
	if (offset % 4 == 0 && size >= 4)
		return 4;
	return offset % 2 == 0 && size >= 2 ? 2 : 1;
}

static uint64_t read_ecam(void *context, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int at = 0; at < size;) {
		unsigned int piece = ecam_piece(offset + at, size - at);
		struct pci_device *device = find_device(
			context, (offset + at) / ECAM_FUNCTION_SIZE);
		uint64_t part = read_device(
			device, (uint32_t)(offset + at) % ECAM_FUNCTION_SIZE,
			piece);

		value |= part << (at * 8);
		at += piece;
	}
	return value;
}

static void write_ecam(void *context, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	for (unsigned int at = 0; at < size;) {
		unsigned int piece = ecam_piece(offset + at, size - at);
		struct pci_device *device = find_device(
			context, (offset + at) / ECAM_FUNCTION_SIZE);

		write_device(context, device,
			     (uint32_t)(offset + at) % ECAM_FUNCTION_SIZE,
			     piece, (uint32_t)(value >> (at * 8)));
		at += piece;
	}
}

static const struct io_ops ecam_ops = { read_ecam, write_ecam };

int pci_access_add_ecam(struct pci_root *root, uint64_t base, uint64_t size)
{
	return io_add(&root->vm->mmio,
		      &(struct io_region){ .base = base,
					   .size = size,
					   .ops = &ecam_ops,
					   .device = root,
					   .is_unlocked = true });
}

int pci_access_add(struct pci_root *root)
{
	const struct io_region ports = { .base = PORT_ADDRESS,
					 .size = PORTS,
					 .ops = &port_ops,
					 .device = root,
					 .is_unlocked = true };
	int error = io_add(&root->vm->ports, &ports);

	if (error)
		return error;
	error = pci_access_add_ecam(root, VM_ECAM_BASE, VM_ECAM_SIZE);
	if (error)
		io_remove(&root->vm->ports, PORT_ADDRESS);
	return error;
}

void pci_access_remove(struct pci_root *root)
{
	if (root->ecam_base)
		io_remove(&root->vm->mmio, root->ecam_base);
	io_remove(&root->vm->mmio, VM_ECAM_BASE);
	io_remove(&root->vm->ports, PORT_ADDRESS);
}
