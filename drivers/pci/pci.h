/*
 * Virtual PCI: one bus with 32 slots of one function each. [pure]
 *
 *	slot 0	host bridge 8086:29c0 (host_bridge.c)
 *	1-30	devices, by pci_attach
 *	31	ICH9 LPC bridge 8086:2918 (lpc.c)
 *
 *	access.c	CONFIG_ADDRESS and CONFIG_DATA, ECAM -> pci_config_*
 *	config.c	a function's configuration space, and what a write to it does
 *	bar.c		base addresses -> regions of vm->mmio and vm->ports
 *	intx.c		interrupt pins -> lines
 *	msi.c msix.c	messages
 *	pci.c		slots; the bus's beginning and end
 *
 * "PCI" below is the PCI Local Bus Specification 3.0.
 *
 * Interrupt pins. Pin INTA (0) to INTD (3) of a slot drives PIRQ
 * (slot + pin) & 7, and PIRQ A to H are GSI 16 to 23, so
 *
 *	gsi = 16 + ((slot + pin) & 7)
 *
 * which is what _PRT must say. Beside that PIRQn_ROUT of the LPC bridge routes
 * each PIRQ to an ISA interrupt for systems that use the 8259s.
 *
 * Locks. Configuration space is written with vm->lock held and read without: its
 * words are atomic. So is the MSI-X table: who signals reads it without a lock
 * while a vCPU writes it. A message made of the old address and the new data is
 * the guest's own affair: it may not change an entry that is not masked
 * (PCI 6.8.2 "MSI-X Capability and Table Structures"), and it goes to its own VM
 * in any case.
 *
 * What power-on looks like. As after firmware: base addresses assigned from
 * VM_PCI_BASE up, decoding and bus mastering on, interrupt lines routed. Firmware
 * that assigns anew finds what it expects, a system without such code finds
 * devices that work.
 */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include "kernel/io.h"
#include "kernel/lib/bits.h"

#define PCI_SLOTS	 32
#define PCI_BARS	 6
#define PCI_CONFIG_SIZE	 256
#define PCI_CONFIG_WORDS (PCI_CONFIG_SIZE / 4)

/* Ports of base addresses: above those of legacy devices. */
#define PCI_PORT_BASE 0xc000U
#define PCI_PORT_END  0x10000U

/* Registers of type 0 headers: PCI 6.1 "Configuration Space Organization". */
#define PCI_VENDOR	  0x00
#define PCI_DEVICE	  0x02
#define PCI_COMMAND	  0x04
#define PCI_STATUS	  0x06
#define PCI_REVISION	  0x08
#define PCI_CLASS	  0x09 /* 3 bytes: interface, subclass, class */
#define PCI_BAR0	  0x10
#define PCI_SUBSYS_VENDOR 0x2c
#define PCI_SUBSYS	  0x2e
#define PCI_CAP_POINTER	  0x34
#define PCI_INT_LINE	  0x3c
#define PCI_INT_PIN	  0x3d
#define PCI_CAP_FIRST	  0x40 /* where pci_add_capability begins */

#define PCI_COMMAND_PORTS    BIT(0)
#define PCI_COMMAND_MEMORY   BIT(1)
#define PCI_COMMAND_MASTER   BIT(2)
#define PCI_COMMAND_PARITY   BIT(6)
#define PCI_COMMAND_SERR     BIT(8)
#define PCI_COMMAND_INTX_OFF BIT(10)
#define PCI_STATUS_INTERRUPT BIT(3)
#define PCI_STATUS_CAP_LIST  BIT(4)

#define PCI_CAP_MSI    0x05
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_MSIX   0x11

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_MEMORY32,
	PCI_BAR_MEMORY64, /* takes the next one's register too */
	PCI_BAR_PORTS,
};

/* Legend: (o) set before pci_attach, [l] vm->lock. */
struct pci_bar {
	uint8_t kind;	  /* (o) enum pci_bar_kind */
	bool is_unlocked; /* (o) as in struct io_region */
	bool is_mapped;	  /* [l] answers at base */
	uint64_t size;	  /* (o) */
	uint64_t base;	  /* [l] */
	const struct io_ops *ops;
	void *context; /* of ops */
};

struct pci_device;

/* What a kind of device adds. Members may be NULL. */
struct pci_ops {
	/* The guest changed the word at @offset, a multiple of 4, at or above
	 * PCI_CAP_FIRST and outside MSI and MSI-X. vm->lock held. */
	void (*config_written)(struct pci_device *device, uint32_t offset);
	/* Accesses that begin in the four bytes at window_offset go here instead
	 * of configuration space. No lock held. */
	uint32_t (*window_read)(struct pci_device *device, unsigned int size);
	void (*window_write)(struct pci_device *device, unsigned int size,
			     uint32_t value);
	/* The VM is over: pci_detach, and free. */
	void (*destroy)(struct pci_device *device);
};

struct pci_msix;
struct pci_root;
struct vm;

/* Inside its owner, zeroed. Legend: (o) set before pci_attach or by it, (a)
 * atomic, written [l]; [l] vm->lock. */
struct pci_device {
	const struct pci_ops *ops;	     /* (o) NULL: no members */
	struct pci_root *root;		     /* (o) */
	uint32_t config[PCI_CONFIG_WORDS];   /* (a) */
	uint32_t writable[PCI_CONFIG_WORDS]; /* (o) bits the guest may change */
	struct pci_bar bars[PCI_BARS];
	struct pci_msix *msix; /* (o) NULL: none */
	uint8_t slot;	       /* (o) */
	uint8_t cap_end;       /* (o) where the next capability goes */
	uint8_t msi_offset;    /* (o) 0: none */
	uint8_t msix_offset;   /* (o) 0: none */
	uint8_t window_offset; /* (o) multiple of 4; 0: none */
	bool is_intx_raised;   /* [l] the device wants an interrupt */
	bool is_intx_asserted; /* [l] and the pin says so */
};

/* The bus of @vm, with its two bridges: vm->pci, regions in vm->ports and
 * vm->mmio. Before the VM runs. -ENOMEM, or what io_add says. */
int pci_create(struct vm *vm);
/* Destroy all devices that are attached, and the bus. No vCPU runs; interrupt
 * controllers still exist. NULL in vm->pci: nothing. */
void pci_destroy(struct vm *vm);

/*
 * Filling in a device, before it is attached.
 */
void pci_set_identity(struct pci_device *device, uint16_t vendor, uint16_t id,
		      uint32_t class_code, uint8_t revision);
void pci_set_subsystem(struct pci_device *device, uint16_t vendor, uint16_t id);
/* @size bytes (1, 2, 4) at @offset, within a word; any device, any time, with
 * vm->lock held once it is attached. */
void pci_config_set(struct pci_device *device, uint32_t offset,
		    unsigned int size, uint32_t value);
/* Let the guest write the bits of @mask there. */
void pci_config_allow(struct pci_device *device, uint32_t offset,
		      unsigned int size, uint32_t mask);
/* @size bytes for capability @id, its first two filled, at the end of the list:
 * the offset. 0: no room. */
uint8_t pci_add_capability(struct pci_device *device, uint8_t id,
			   unsigned int size);
/* Base address register @index. @size is a power of two: memory 16 to 2 GiB,
 * ports 4 to 256. */
void pci_add_bar(struct pci_device *device, unsigned int index,
		 enum pci_bar_kind kind, uint64_t size,
		 const struct io_ops *ops, void *context, bool is_unlocked);
/* One message, with a 64-bit address. -ENOSPC: no room. */
int pci_add_msi(struct pci_device *device);
/* @count vectors, table and pending bits in a 4 KiB memory BAR of their own.
 * -ENOMEM, -ENOSPC. pci_detach frees it; pci_free_msix if it is never attached. */
#define PCI_MSIX_VECTORS_MAX 64
int pci_add_msix(struct pci_device *device, unsigned int bar, uint16_t count);
void pci_free_msix(struct pci_device *device);

/* Into the first free slot of @vm, power-on state. Takes vm->lock. -ENOSPC: no
 * slot or no addresses. */
int pci_attach(struct vm *vm, struct pci_device *device);
/* Gone from the bus: no access comes any more. Takes vm->lock. No vCPU runs. */
void pci_detach(struct pci_device *device);

/* Registers, @size bytes within a word; no lock needed. */
uint32_t pci_config_get(const struct pci_device *device, uint32_t offset,
			unsigned int size);

/*
 * Interrupts of a device. Messages need no lock and go out under any; without bus
 * mastering they go nowhere.
 */

/* The level of pin INTA, seen while neither MSI nor MSI-X is on. vm->lock held. */
void pci_set_intx(struct pci_device *device, bool level);

bool pci_msi_is_on(const struct pci_device *device);
void pci_msi_signal(struct pci_device *device);

bool pci_msix_is_on(const struct pci_device *device);
/* Vectors it has: the number to check a guest's choice against. */
uint16_t pci_msix_count(const struct pci_device *device);
/* A masked vector becomes pending and is sent when it is unmasked. Nothing
 * happens if there is no such vector or MSI-X is off. */
void pci_msix_signal(struct pci_device *device, uint16_t vector);

#endif
