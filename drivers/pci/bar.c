/*
 * Base address registers: PCI 6.2.5 "Base Addresses".
 *
 * Sizing needs no code: the bits below the size are not writable. A BAR whose
 * addresses somebody else answers (io_add: -EEXIST) does not answer; it is tried
 * again whenever a BAR of any device goes away.
 */
#include "drivers/pci/pci_root.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/panic.h"

#define BAR_IS_PORTS  BIT(0)
#define BAR_IS_64_BIT BIT(2)
#define BAR_FLAGS     BITS(3, 0)
#define PORT_FLAGS    BITS(1, 0)

static bool is_ports(const struct pci_bar *bar)
{
	return bar->kind == PCI_BAR_PORTS;
}

static uint32_t bar_offset(unsigned int index)
{
	return PCI_BAR0 + 4 * index;
}

void pci_add_bar(struct pci_device *device, unsigned int index,
		 enum pci_bar_kind kind, uint64_t size,
		 const struct io_ops *ops, void *context, bool is_unlocked)
{
	static const uint32_t flags[] = {
		[PCI_BAR_MEMORY64] = BAR_IS_64_BIT,
		[PCI_BAR_PORTS] = BAR_IS_PORTS,
	};
	uint32_t mask = (uint32_t) ~(size - 1);

	ASSERT(is_aligned(size, size) && kind != PCI_BAR_NONE);
	device->bars[index] = (struct pci_bar){ .kind = (uint8_t)kind,
						.is_unlocked = is_unlocked,
						.size = size,
						.ops = ops,
						.context = context };
	pci_config_set(device, bar_offset(index), 4, flags[kind]);
	/* x86 has 16 bits of port addresses: the rest is 0 */
	if (kind == PCI_BAR_PORTS)
		mask &= PCI_PORT_END - 1;
	pci_config_allow(device, bar_offset(index), 4, mask);
	if (kind == PCI_BAR_MEMORY64)
		pci_config_allow(device, bar_offset(index + 1), 4, UINT32_MAX);
}

/* Where the registers say that the BAR is; 0: nowhere. */
static uint64_t wanted_base(const struct pci_device *device, unsigned int index)
{
	const struct pci_bar *bar = &device->bars[index];
	uint32_t command = pci_config_get(device, PCI_COMMAND, 2);
	uint64_t base = pci_config_get(device, bar_offset(index), 4);

	if (is_ports(bar))
		return command & PCI_COMMAND_PORTS ? base & ~PORT_FLAGS : 0;
	if (!(command & PCI_COMMAND_MEMORY))
		return 0;
	if (bar->kind == PCI_BAR_MEMORY64)
		base |= (uint64_t)pci_config_get(device, bar_offset(index + 1),
						 4)
			<< 32;
	return base & ~BAR_FLAGS;
}

static struct io_space *space_of(const struct pci_device *device,
				 const struct pci_bar *bar)
{
	struct vm *vm = device->root->vm;

	return is_ports(bar) ? &vm->ports : &vm->mmio;
}

static void map(struct pci_device *device, unsigned int index)
{
	struct pci_bar *bar = &device->bars[index];
	struct io_region region = { .base = wanted_base(device, index),
				    .size = bar->size,
				    .ops = bar->ops,
				    .device = bar->context,
				    .is_unlocked = bar->is_unlocked };

	if (bar->kind == PCI_BAR_NONE || bar->is_mapped || region.base == 0 ||
	    io_add(space_of(device, bar), &region))
		return;
	bar->base = region.base;
	bar->is_mapped = true;
}

static void map_all(struct pci_device *device)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		map(device, i);
}

static bool unmap(struct pci_device *device, unsigned int index, uint64_t base)
{
	struct pci_bar *bar = &device->bars[index];

	if (!bar->is_mapped || bar->base == base)
		return false;
	io_remove(space_of(device, bar), bar->base);
	bar->is_mapped = false;
	return true;
}

/* Something went away: room for others, perhaps. */
static void map_others(struct pci_root *root)
{
	for (unsigned int i = 0; i < PCI_SLOTS; i++) {
		if (root->devices[i])
			map_all(root->devices[i]);
	}
}

void pci_bar_update(struct pci_device *device)
{
	bool has_gone = false;

	for (unsigned int i = 0; i < PCI_BARS; i++)
		has_gone |= unmap(device, i, wanted_base(device, i));
	map_all(device);
	if (has_gone)
		map_others(device->root);
}

void pci_bar_remove(struct pci_device *device)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		unmap(device, i, 0);
}

/* The next free addresses, which are multiples of their size. */
static int assign(struct pci_device *device, unsigned int index, uint64_t *next,
		  uint64_t end)
{
	struct pci_bar *bar = &device->bars[index];
	uint64_t base = align_up(*next, bar->size);
	uint32_t flags = pci_config_get(device, bar_offset(index), 4);

	if (!range_fits(base, bar->size, end))
		return -ENOSPC;
	pci_config_set(device, bar_offset(index), 4, (uint32_t)base | flags);
	*next = base + bar->size;
	return 0;
}

int pci_bar_assign(struct pci_device *device)
{
	struct pci_root *root = device->root;
	int error = 0;

	for (unsigned int i = 0; i < PCI_BARS && !error; i++) {
		if (device->bars[i].kind == PCI_BAR_NONE)
			continue;
		if (is_ports(&device->bars[i]))
			error = assign(device, i, &root->next_port,
				       PCI_PORT_END);
		else
			error = assign(device, i, &root->next_memory,
				       VM_PCI_BASE + VM_PCI_SIZE);
	}
	return error;
}
