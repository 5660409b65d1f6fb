/* A virtio device for tests of the transport, and its driver's first steps. */
#ifndef TESTS_VIRTIO_CARD_H
#define TESTS_VIRTIO_CARD_H

#include <string.h>

#include "drivers/virtio/virtio_pci.h"
#include "frame_machine.h"
#include "mm/heap.h"
#include "pci_bus.h"

#define CARD_QUEUES   3
#define CARD_CONFIG   12
#define CARD_FEATURES (BIT(3) | BIT(50))
#define CARD_SLOT     1
#define ALL_FEATURES                                               \
	(CARD_FEATURES | VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | \
	 VIRTIO_F_INDIRECT_DESC | VIRTIO_F_RING_PACKED)

static struct virtio_device card;
static uint8_t card_config[CARD_CONFIG];
static unsigned int card_serves, card_resets, card_destroys;
static unsigned int card_chains; /* requests served */
static void (*card_while_serving)(void);
static void (*card_after_request)(void);
static uint64_t card_bar;

static inline void card_config_read(struct virtio_device *device,
				    uint32_t offset, void *to, uint32_t size)
{
	(void)device;
	memcpy(to, card_config + offset, size);
}

static inline void card_config_write(struct virtio_device *device,
				     uint32_t offset, const void *from,
				     uint32_t size)
{
	(void)device;
	memcpy(card_config + offset, from, size);
}

static inline void card_serve(struct virtio_device *device, uint16_t index)
{
	static struct vq_chain chain;
	struct virtqueue *queue = &device->queues[index];
	int got = 0;

	card_serves++;
	if (card_while_serving)
		card_while_serving();
	while (virtio_may_serve(device, index) &&
	       (got = vq_next_chain(queue, &chain)) > 0) {
		vq_complete(queue, &chain, 0);
		virtio_spend(device, index, 0);
		card_chains++;
		if (card_after_request)
			card_after_request();
	}
	virtio_signal(device, index);
	if (got < 0)
		virtio_fail(device, "bad ring");
}

static inline void card_reset(struct virtio_device *device)
{
	(void)device;
	card_resets++;
}

static inline void card_destroy(struct virtio_device *device)
{
	card_destroys++;
	virtio_pci_detach(device);
}

static const struct virtio_ops card_ops = {
	.type = 4,
	.pci_class = 0x00ff00,
	.config_read = card_config_read,
	.config_write = card_config_write,
	.serve = card_serve,
	.reset = card_reset,
	.destroy = card_destroy,
};

/* A VM of 2 MiB with the bus and the card. */
static inline void card_start(void)
{
	fake_vm_reset(1, 2 * MIB);
	heap_init();
	if (pci_create(&fake_vm))
		__builtin_trap();
	card = (struct virtio_device){ .ops = &card_ops,
				       .vm = &fake_vm,
				       .features = CARD_FEATURES,
				       .config_size = CARD_CONFIG,
				       .queue_count = CARD_QUEUES };
	card_serves = card_resets = card_destroys = card_chains = 0;
	card_while_serving = card_after_request = NULL;
	for (uint32_t i = 0; i < CARD_CONFIG; i++)
		card_config[i] = (uint8_t)(0xc0 + i);
	if (virtio_pci_attach(&card))
		__builtin_trap();
	card_bar = bar_address(CARD_SLOT, VIRTIO_PCI_BAR);
}

static inline void card_stop(void)
{
	pci_destroy(&fake_vm);
	guest_mem_fini(&fake_vm.memory);
}

static inline uint64_t reg(uint32_t offset, unsigned int size)
{
	return mmio_read(card_bar + offset, size);
}

static inline void set_reg(uint32_t offset, unsigned int size, uint64_t value)
{
	mmio_write(card_bar + offset, size, value);
}

/* Registers of the common configuration. */
enum {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
};

static inline void notify(uint32_t index)
{
	set_reg(VIRTIO_PCI_NOTIFY + 4 * index, 2, index);
}

static inline uint8_t set_status(uint8_t status)
{
	set_reg(DEVICE_STATUS, 1, status);
	return (uint8_t)reg(DEVICE_STATUS, 1);
}

static inline void choose(uint64_t features)
{
	for (uint32_t i = 0; i < 2; i++) {
		set_reg(DRIVER_FEATURE_SELECT, 4, i);
		set_reg(DRIVER_FEATURE, 4, (uint32_t)(features >> 32 * i));
	}
}

#define RING_SIZE 8

/* Where split ring @index is in guest memory. */
static inline uint64_t ring(uint32_t index)
{
	return 0x10000 + 0x4000UL * index;
}

static inline void set_up_queue(uint16_t index)
{
	set_reg(QUEUE_SELECT, 2, index);
	set_reg(QUEUE_SIZE, 2, RING_SIZE);
	set_reg(QUEUE_DESC, 4, ring(index));
	set_reg(QUEUE_DRIVER, 4, ring(index) + 0x1000);
	set_reg(QUEUE_DEVICE, 4, ring(index) + 0x2000);
	set_reg(QUEUE_ENABLE, 2, 1);
}

/* From reset to DRIVER_OK with split rings. */
static inline void card_drive(void)
{
	set_status(0);
	set_status(1);
	set_status(3);
	choose(VIRTIO_F_VERSION_1);
	set_status(11);
	for (uint16_t i = 0; i < CARD_QUEUES; i++)
		set_up_queue(i);
	set_status(15);
}

/* Make @count requests, each of one writable byte, available in queue 0. */
static inline void offer(uint16_t count)
{
	struct {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	} descriptor = { 0x100000, 1, 2, 0 };
	uint16_t heads[RING_SIZE] = { 0 };

	guest_write(&fake_vm.memory, (gpa_t){ ring(0) }, &descriptor,
		    sizeof(descriptor));
	guest_write(&fake_vm.memory, (gpa_t){ ring(0) + 0x1004 }, heads,
		    sizeof(heads));
	guest_write_u16(&fake_vm.memory, (gpa_t){ ring(0) + 0x1002 }, count);
}

#endif
