/* PCI configuration by ports 0xcf8 and 0xcfc; bus 0 only. */
#ifndef TESTS_BENCH_GUEST_PCI_H
#define TESTS_BENCH_GUEST_PCI_H

#include <stdint.h>

#define PCI_NONE 0xff /* no device */

uint32_t pci_read(uint8_t device, uint8_t offset);
void pci_write(uint8_t device, uint8_t offset, uint32_t value);

/* The device of @id (device << 16 | vendor), or PCI_NONE. */
uint8_t pci_find(uint32_t id);

/* Where the capability after the one at @offset is, 0: the first one; 0: no
 * more. */
uint8_t pci_next_capability(uint8_t device, uint8_t offset);

/* The address in memory at @offset of base address register @bar. */
uintptr_t pci_address(uint8_t device, uint8_t bar, uint32_t offset);

#endif
