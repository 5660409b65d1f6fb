/* Configuration space and what a virtio device says in it. */
#ifndef TESTS_GUEST_PCI_H
#define TESTS_GUEST_PCI_H

#include "tests/guest/guest.h"

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc

#define PCI_COMMAND	    0x04
#define PCI_COMMAND_MEMORY  BIT(1)
#define PCI_COMMAND_MASTER  BIT(2)
#define PCI_BAR0	    0x10
#define PCI_CAPABILITIES    0x34
#define PCI_CAPABILITY_MSIX 0x11
#define PCI_CAPABILITY_OWN  0x09
#define PCI_SLOT(device)    ((device) << 3)
#define PCI_VIRTIO_RNG	    0x10441af4

/* By the ports; @device is bus << 8 | slot << 3 | function. */
uint32_t pci_read(uint32_t device, uint32_t reg);
void pci_write(uint32_t device, uint32_t reg, uint32_t value);
/* The window in memory. */
uint64_t pci_ecam(uint32_t device, uint32_t reg);
/* By vendor and device; fails the case if there is none. */
uint32_t pci_find(uint32_t id);
/* Of capability @id, from the one at @after on; 0: none. */
uint32_t pci_capability(uint32_t device, uint32_t id, uint32_t after);
uint64_t pci_bar(uint32_t device, uint32_t number);

#endif
