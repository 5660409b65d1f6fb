/* The bus: slots, its beginning and its end. What lies where: pci.h. */
#include "drivers/pci/pci_root.h"
#include "kernel/lib/errno.h"
#include "mm/heap.h"

#define COMMAND_FIELDS                                                 \
	(PCI_COMMAND_PORTS | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | \
	 PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_OFF)
#define COMMAND_AT_START \
	(PCI_COMMAND_PORTS | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

/* What every function has in common; its BARs answer from now on. */
static int plug(struct pci_root *root, struct pci_device *device, uint8_t slot)
{
	uint8_t irq;
	int error;

	device->root = root;
	device->slot = slot;
	error = pci_bar_assign(device);
	if (error)
		return error;
	pci_config_allow(device, PCI_COMMAND, 2, COMMAND_FIELDS);
	pci_config_set(device, PCI_COMMAND, 2, COMMAND_AT_START);
	pci_config_allow(device, PCI_INT_LINE, 1, UINT8_MAX);
	if (pci_config_get(device, PCI_INT_PIN, 1)) {
		irq = pci_lpc_isa_irq(pci_pirq(device));
		pci_config_set(device, PCI_INT_LINE, 1, irq);
	}
	root->devices[slot] = device;
	pci_bar_update(device);
	return 0;
}

static int find_slot(const struct pci_root *root)
{
	for (int i = 0; i < PCI_SLOTS; i++) {
		if (!root->devices[i])
			return i;
	}
	return -ENOSPC;
}

int pci_attach(struct vm *vm, struct pci_device *device)
{
	int slot, error;

	spin_lock(&vm->lock);
	slot = find_slot(vm->pci);
	error = slot < 0 ? slot : plug(vm->pci, device, (uint8_t)slot);
	spin_unlock(&vm->lock);
	return error;
}

void pci_detach(struct pci_device *device)
{
	struct pci_root *root = device->root;

	spin_lock(&root->vm->lock);
	pci_set_intx(device, false);
	pci_bar_remove(device);
	root->devices[device->slot] = NULL;
	spin_unlock(&root->vm->lock);
	pci_free_msix(device);
}

/* The two bridges: they have no base addresses to run out of. */
static int plug_bridges(struct pci_root *root)
{
	int error;

	pci_host_bridge_init(&root->host_bridge);
	pci_lpc_init(&root->lpc);
	error = plug(root, &root->host_bridge, 0);
	if (!error)
		error = plug(root, &root->lpc, PCI_LPC_SLOT);
	return error;
}

int pci_create(struct vm *vm)
{
	struct pci_root *root = heap_alloc(sizeof(*root));
	int error;

	if (!root)
		return -ENOMEM;
	root->vm = vm;
	root->next_memory = VM_PCI_BASE;
	root->next_port = PCI_PORT_BASE;
	vreset_port_init(&root->reset, vm);
	error = plug_bridges(root);
	if (!error)
		error = pci_access_add(root);
	if (error) {
		heap_free(root);
		return error;
	}
	vm->pci = root;
	return 0;
}

void pci_destroy(struct vm *vm)
{
	struct pci_root *root = vm->pci;

	if (!root)
		return;
	for (unsigned int i = 0; i < PCI_SLOTS; i++) {
		struct pci_device *device = root->devices[i];

		if (device && device->ops && device->ops->destroy)
			device->ops->destroy(device);
	}
	pci_access_remove(root);
	heap_free(root);
	vm->pci = NULL;
}
