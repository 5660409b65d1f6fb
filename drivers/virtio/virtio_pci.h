/*
 * Virtio over PCI: virtio 1.2, 4.1 "Virtio Over PCI Bus", modern devices only.
 * [pure]
 *
 *	BAR 1	MSI-X: vector 0 to queue_count
 *	BAR 4	0x0000	common configuration (virtio_pci_common.c)
 *		0x1000	ISR status
 *		0x2000	device configuration
 *		0x3000	notifications, four bytes a queue
 *
 * Locks. BAR 4 is one unlocked region: a notified queue is served on the spot,
 * and a reset waits for servers, neither of which may be done under vm->lock. What
 * registers change is guarded by `busy` instead: not a spinlock but a flag whose
 * taker passes scheduling points until it is free, so its holder may wait for
 * servers of queues, take vm->lock for an interrupt line, and pin rings. A server
 * never takes it (virtio_fail and virtio_signal use atomics), so the holder's wait
 * ends. Order: busy, then queues (virtio_hold), then vm->lock.
 *
 * The window of VIRTIO_PCI_CAP_PCI_CFG does the same accesses from configuration
 * space, also without vm->lock (pci_ops.window_read).
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_PCI_H
#define DRIVERS_VIRTIO_VIRTIO_PCI_H

#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio.h"

#define VIRTIO_PCI_BAR	    4
#define VIRTIO_PCI_BAR_SIZE 0x4000U
#define VIRTIO_PCI_BAR_MSIX 1

#define VIRTIO_PCI_COMMON	0x0000U
#define VIRTIO_PCI_ISR		0x1000U
#define VIRTIO_PCI_CONFIG	0x2000U
#define VIRTIO_PCI_NOTIFY	0x3000U
#define VIRTIO_PCI_PART_SIZE	0x1000U
#define VIRTIO_PCI_COMMON_SIZE	0x3cU
#define VIRTIO_PCI_NOTIFY_SCALE 4U

#define VIRTIO_PCI_VECTOR_NONE 0xffff

/* Bits of ISR status. */
#define VIRTIO_PCI_ISR_QUEUE  BIT(0)
#define VIRTIO_PCI_ISR_CONFIG BIT(1)

/* Legend: (o) set once, (a) atomic, [b] guarded by busy. */
struct virtio_pci {
	struct pci_device pci;
	struct virtio_device *device;	/* (o) */
	uint32_t busy;			/* (a) */
	uint32_t isr;			/* (a) */
	uint32_t device_feature_select; /* [b] */
	uint32_t driver_feature_select; /* [b] */
	uint64_t driver_features;	/* [b] as written */
	uint16_t queue_select;		/* [b] */
	uint16_t config_vector;		/* (a) */
	bool has_logged;		/* [b] of a queue, since the reset */
	uint8_t window;			/* (o) offset of the capability of
					    VIRTIO_PCI_CAP_PCI_CFG */
};

/* All that the driver may choose from. */
uint64_t virtio_pci_features(const struct virtio_device *device);

/* virtio_pci_common.c: access @offset of the common configuration. Not under
 * vm->lock. */
uint64_t virtio_pci_common_read(struct virtio_pci *transport, uint64_t offset,
				unsigned int size);
void virtio_pci_common_write(struct virtio_pci *transport, uint64_t offset,
			     unsigned int size, uint64_t value);

/* Power-on state of all but PCI itself; busy is held, or nobody there. */
void virtio_pci_reset(struct virtio_pci *transport);

void virtio_pci_lock(struct virtio_pci *transport);
void virtio_pci_unlock(struct virtio_pci *transport);

/* Interrupts of a queue with MSI-X vector @vector, and of the configuration. */
void virtio_pci_signal_queue(struct virtio_pci *transport, uint16_t vector);
void virtio_pci_signal_config(struct virtio_pci *transport);

/* Have pin INTA follow the ISR status. Takes vm->lock. */
void virtio_pci_update_pin(struct virtio_pci *transport);

#endif
