#include "tests/bench/guest/pci.h"

#include "tests/bench/guest/instructions.h"

#define SELECT	     0xcf8
#define DATA	     0xcfc
#define ENABLE	     (1U << 31)
#define DEVICES	     32
#define BAR0	     0x10
#define CAPABILITIES 0x34
#define BAR_FLAGS    0xfU
#define BAR_64	     4U

uint32_t pci_read(uint8_t device, uint8_t offset)
{
	out32(SELECT, ENABLE | (uint32_t)device << 11 | (offset & 0xfcU));
	return in32(DATA);
}

void pci_write(uint8_t device, uint8_t offset, uint32_t value)
{
	out32(SELECT, ENABLE | (uint32_t)device << 11 | (offset & 0xfcU));
	out32(DATA, value);
}

uint8_t pci_find(uint32_t id)
{
	for (uint8_t device = 0; device < DEVICES; device++)
		if (pci_read(device, 0) == id)
			return device;
	return PCI_NONE;
}

uint8_t pci_next_capability(uint8_t device, uint8_t offset)
{
	if (!offset)
		return (uint8_t)pci_read(device, CAPABILITIES);
	return (uint8_t)(pci_read(device, offset) >> 8);
}

uintptr_t pci_address(uint8_t device, uint8_t bar, uint32_t offset)
{
	uint8_t at = (uint8_t)(BAR0 + 4 * bar);
	uint64_t base = pci_read(device, at);

	if (base & BAR_64)
		base |= (uint64_t)pci_read(device, (uint8_t)(at + 4)) << 32;
	return (base & ~(uint64_t)BAR_FLAGS) + offset;
}
