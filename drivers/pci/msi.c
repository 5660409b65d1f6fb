/* Message-signalled interrupts with one message: PCI 6.8.1 "MSI Capability
 * Structure", the form with a 64-bit address and no masks. */
#include "drivers/pci/pci_root.h"
#include "kernel/lib/errno.h"

#define MSI_SIZE     14
#define MSI_CONTROL  0x2
#define MSI_ADDRESS  0x4
#define MSI_UPPER    0x8
#define MSI_DATA     0xc
#define MSI_ENABLE   BIT(0)
#define MSI_IS_64BIT BIT(7)

int pci_add_msi(struct pci_device *device)
{
	uint8_t at = pci_add_capability(device, PCI_CAP_MSI, MSI_SIZE);

	if (!at)
		return -ENOSPC;
	device->msi_offset = at;
	pci_config_set(device, at + MSI_CONTROL, 2, MSI_IS_64BIT);
	pci_config_allow(device, at + MSI_CONTROL, 2, MSI_ENABLE);
	pci_config_allow(device, at + MSI_ADDRESS, 4, UINT32_MAX & ~3U);
	pci_config_allow(device, at + MSI_UPPER, 4, UINT32_MAX);
	pci_config_allow(device, at + MSI_DATA, 2, UINT16_MAX);
	return 0;
}

bool pci_msi_is_on(const struct pci_device *device)
{
	uint32_t at = device->msi_offset;

	return at && (pci_config_get(device, at + MSI_CONTROL, 2) & MSI_ENABLE);
}

void pci_msi_signal(struct pci_device *device)
{
	uint32_t at = device->msi_offset;
	uint64_t address;

	if (!pci_msi_is_on(device) ||
	    !(pci_config_get(device, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
		return;
	address = (uint64_t)pci_config_get(device, at + MSI_UPPER, 4) << 32 |
		  pci_config_get(device, at + MSI_ADDRESS, 4);
	vm_send_msi(device->root->vm, address,
		    pci_config_get(device, at + MSI_DATA, 2));
}
