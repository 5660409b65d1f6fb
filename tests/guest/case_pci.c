/* The PCI bus. PCI Local Bus Specification 3.0, chapters 3.2.2.3 and 6. */
#include "tests/guest/pci.h"

void case_pci_ids(void)
{
	CHECK_EQ(pci_read(0, 0), 0x29c08086);
	CHECK_EQ(mmio32(pci_ecam(0, 0)), 0x29c08086);
	CHECK_EQ(pci_read(PCI_SLOT(31), 0), 0x29188086);
	CHECK_EQ(mmio32(pci_ecam(PCI_SLOT(31), 0)), 0x29188086);
	/* both ways, all of the header */
	for (uint32_t i = 0; i < 64; i += 4)
		CHECK_EQ(pci_read(0, i), mmio32(pci_ecam(0, i)));
	CHECK_EQ(pci_read(PCI_SLOT(29), 0), 0xffffffff);
	CHECK_EQ(mmio32(pci_ecam(PCI_SLOT(29), 0)), 0xffffffff);
}

void case_pci_access_sizes(void)
{
	out32(PCI_ADDRESS, 0x80000000);
	CHECK_EQ(in32(PCI_ADDRESS), 0x80000000);
	CHECK_EQ(in8(PCI_DATA), 0x86);
	CHECK_EQ(in8(PCI_DATA + 1), 0x80);
	CHECK_EQ(in16(PCI_DATA + 2), 0x29c0);
	/* the address register takes 32 bits only */
	out8(PCI_ADDRESS, 0x55);
	CHECK_EQ(in32(PCI_ADDRESS), 0x80000000);
	out32(PCI_ADDRESS, 0); /* off */
	CHECK_EQ(in32(PCI_DATA), 0xffffffff);
	CHECK_EQ(mmio8(pci_ecam(0, 3)), 0x29);
	/* ids are read-only */
	pci_write(0, 0, 0);
	CHECK_EQ(pci_read(0, 0), 0x29c08086);
}

static uint32_t memory_bar(uint32_t device)
{
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t value = pci_read(device, PCI_BAR0 + 4 * i);

		if (value && !(value & 1))
			return i;
	}
	case_fail(__FILE__, __LINE__, "no BAR");
}

void case_pci_bar_sizing(void)
{
	uint32_t device = pci_find(PCI_VIRTIO_RNG), number = memory_bar(device);
	uint32_t reg = PCI_BAR0 + 4 * number;
	uint32_t before = pci_read(device, reg), mask;

	pci_write(device, PCI_COMMAND, 0);
	pci_write(device, reg, 0xffffffff);
	mask = pci_read(device, reg);
	CHECK_EQ(mask & 0xf, before & 0xf);
	mask &= ~0xfU;
	CHECK(mask != 0);
	CHECK_EQ(mask & (~mask + 1), ~mask + 1); /* a power of two */
	CHECK_EQ(before & ~0xfU & ~mask, 0);
	pci_write(device, reg, before);
	CHECK_EQ(pci_read(device, reg), before);
}

/* Its registers answer where the BAR says, while the command register does. */
void case_pci_bar_moved(void)
{
	uint32_t device = pci_find(PCI_VIRTIO_RNG);
	uint32_t cap = pci_capability(device, PCI_CAPABILITY_OWN, 0);
	uint32_t number = pci_read(device, cap + 4) & 0xff;
	uint32_t reg = PCI_BAR0 + 4 * number;
	uint64_t old = pci_bar(device, number), at = old ^ 0x100000;
	uint64_t offset = pci_read(device, cap + 8);

	CHECK(old < 4UL << 30);
	pci_write(device, PCI_COMMAND, PCI_COMMAND_MEMORY);
	CHECK(mmio8(old + offset + 0x12) != 0xff); /* queue count */
	pci_write(device, PCI_COMMAND, 0);
	CHECK_EQ(mmio8(old + offset + 0x12), 0xff);
	pci_write(device, reg, (uint32_t)at);
	pci_write(device, PCI_COMMAND, PCI_COMMAND_MEMORY);
	CHECK(mmio8(at + offset + 0x12) != 0xff);
	CHECK_EQ(mmio8(old + offset + 0x12), 0xff);
}
