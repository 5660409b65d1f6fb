/* Interrupt pins: PCI 2.2.6 "Interrupt Pins (Optional)", and of their bits 6.2.2
 * "Device Control" and 6.2.3 "Device Status". */
#include "drivers/pci/pci_root.h"

/* Lines are shared: a PIRQ is high while any pin asserts it. */
static void drive_pirq(struct pci_root *root, uint8_t pirq, bool level)
{
	uint8_t before = root->pirq_count[pirq];

	root->pirq_count[pirq] = (uint8_t)(level ? before + 1 : before - 1);
	if ((before != 0) == (root->pirq_count[pirq] != 0))
		return;
	vm_set_irq(root->vm, 16U + pirq, level);
	pci_lpc_update_lines(root);
}

void pci_intx_update(struct pci_device *device)
{
	uint32_t command = pci_config_get(device, PCI_COMMAND, 2);
	bool level = device->is_intx_raised &&
		     !(command & PCI_COMMAND_INTX_OFF) &&
		     !pci_msi_is_on(device) && !pci_msix_is_on(device);

	if (level == device->is_intx_asserted)
		return;
	device->is_intx_asserted = level;
	drive_pirq(device->root, pci_pirq(device), level);
}

void pci_set_intx(struct pci_device *device, bool level)
{
	uint32_t status = pci_config_get(device, PCI_STATUS, 2);

	if (level == device->is_intx_raised)
		return;
	device->is_intx_raised = level;
	status &= ~(uint32_t)PCI_STATUS_INTERRUPT;
	if (level)
		status |= PCI_STATUS_INTERRUPT;
	pci_config_set(device, PCI_STATUS, 2, status);
	pci_intx_update(device);
}
