/* Configuration space. PCI Local Bus Specification 3.0, chapter 6. */
#include "tests/guest/pci.h"

#define PCIEXBAR 0x60 /* of the host bridge: Intel 3 Series, 5.1.17 */

uint32_t pci_read(uint32_t device, uint32_t reg)
{
	out32(PCI_ADDRESS, (uint32_t)(BIT(31) | device << 8 | reg));
	return in32(PCI_DATA);
}

void pci_write(uint32_t device, uint32_t reg, uint32_t value)
{
	out32(PCI_ADDRESS, (uint32_t)(BIT(31) | device << 8 | reg));
	out32(PCI_DATA, value);
}

uint64_t pci_ecam(uint32_t device, uint32_t reg)
{
	uint64_t base = pci_read(0, PCIEXBAR);

	CHECK(base & 1);
	return (base & 0xf0000000) + ((uint64_t)device << 12) + reg;
}

uint32_t pci_find(uint32_t id)
{
	for (uint32_t slot = 0; slot < 32; slot++) {
		if (pci_read(PCI_SLOT(slot), 0) == id)
			return PCI_SLOT(slot);
	}
	case_fail(__FILE__, __LINE__, "no such device");
}

uint32_t pci_capability(uint32_t device, uint32_t id, uint32_t after)
{
	uint32_t at = after ? pci_read(device, after) >> 8 & 0xff
			    : pci_read(device, PCI_CAPABILITIES) & 0xff;

	for (int i = 0; at && i < 64; i++) {
		if ((pci_read(device, at) & 0xff) == id)
			return at;
		at = pci_read(device, at) >> 8 & 0xff;
	}
	return 0;
}

uint64_t pci_bar(uint32_t device, uint32_t number)
{
	uint32_t low = pci_read(device, PCI_BAR0 + 4 * number);
	uint64_t high = 0;

	if ((low & 6) == 4)
		high = pci_read(device, PCI_BAR0 + 4 * number + 4);
	return high << 32 | (low & ~0xfU);
}
