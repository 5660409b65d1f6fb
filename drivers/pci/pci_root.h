/* The bus, for the files of this folder. [pure] */
#ifndef DRIVERS_PCI_PCI_ROOT_H
#define DRIVERS_PCI_PCI_ROOT_H

#include "drivers/pc/vreset_port.h"
#include "drivers/pci/pci.h"
#include "kernel/vm.h"

#define PCI_PIRQS    8
#define PCI_LPC_SLOT 31

/* Legend: (o) set before the VM runs, (a) atomic, [l] vm->lock. */
struct pci_root {
	struct vm *vm;			       /* (o) */
	uint32_t address;		       /* (a) CONFIG_ADDRESS */
	struct pci_device *devices[PCI_SLOTS]; /* (o) */
	uint64_t next_memory, next_port;       /* (o) not assigned yet */
	uint64_t ecam_base;		       /* [l] second window, 0: none */
	uint8_t pirq_count[PCI_PIRQS];	       /* [l] pins that assert it */
	uint16_t isa_lines;		       /* [l] of PIRQs, by 8259 input */
	struct vreset_port reset;	       /* [l] */
	struct pci_device host_bridge;
	struct pci_device lpc;
};

/* access.c: the ports and ECAM, -E of io_add; all ways in gone, a second window
 * of ECAM included; and such a window. vm->lock held while the VM runs. */
int pci_access_add(struct pci_root *root);
void pci_access_remove(struct pci_root *root);
int pci_access_add_ecam(struct pci_root *root, uint64_t base, uint64_t size);

/* config.c: a write by the guest, within a word, and what follows from it.
 * vm->lock held. */
void pci_config_write(struct pci_device *device, uint32_t offset,
		      unsigned int size, uint32_t value);

/* bar.c: give all BARs addresses, -ENOSPC; have those answer that the registers
 * and the command register say; let none answer any more. vm->lock held. */
int pci_bar_assign(struct pci_device *device);
void pci_bar_update(struct pci_device *device);
void pci_bar_remove(struct pci_device *device);

/* intx.c: the pin, after anything it depends on changed. vm->lock held. */
void pci_intx_update(struct pci_device *device);

/* msix.c: send what was pending, after a write to the capability or the command
 * register. vm->lock held. */
void pci_msix_update(struct pci_device *device);

/* host_bridge.c, lpc.c: fill in; and the 8259 inputs after a PIRQ or its routing
 * changed, vm->lock held. */
void pci_host_bridge_init(struct pci_device *device);
void pci_lpc_init(struct pci_device *device);
void pci_lpc_update_lines(struct pci_root *root);

/* lpc.c: what firmware writes into the interrupt line register. */
uint8_t pci_lpc_isa_irq(uint8_t pirq);

static inline uint8_t pci_pirq(const struct pci_device *device)
{
	uint32_t pin = pci_config_get(device, PCI_INT_PIN, 1) - 1;

	return (uint8_t)((device->slot + pin) % PCI_PIRQS);
}

/* Place of @size bytes at @offset in their word. */
static inline unsigned int pci_config_shift(uint32_t offset)
{
	return offset % 4 * 8;
}

static inline uint32_t pci_size_mask(unsigned int size)
{
	return (uint32_t)BITS(size * 8 - 1, 0);
}

#endif
