/*
 * The common configuration: virtio 1.2, 4.1.4.3 "Common configuration structure
 * layout".
 *
 * Reads of any size at any place show the bytes there; writes are taken only with
 * the size of the register (or, of 64-bit ones, of either half or both). What a
 * driver may not do has no effect: changing a queue that is enabled, choosing
 * features after FEATURES_OK, clearing single bits of the status.
 */
#include "drivers/virtio/virtio_pci.h"
#include "kernel/lib/log.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

struct registers {
	uint32_t device_feature_select;
	uint32_t device_feature;
	uint32_t driver_feature_select;
	uint32_t driver_feature;
	uint16_t config_vector;
	uint16_t queue_count;
	uint8_t status;
	uint8_t config_generation;
	uint16_t queue_select;
	uint16_t queue_size;
	uint16_t queue_vector;
	uint16_t queue_enable;
	uint16_t queue_notify_off;
	uint64_t queue_desc;
	uint64_t queue_driver;
	uint64_t queue_device;
	uint16_t queue_notify_data; /* a feature not offered: 0 */
	uint16_t queue_reset;	    /* likewise */
};
_Static_assert(offsetof(struct registers, config_vector) == 0x10, "layout");
_Static_assert(offsetof(struct registers, queue_select) == 0x16, "layout");
_Static_assert(offsetof(struct registers, queue_desc) == 0x20, "layout");
_Static_assert(offsetof(struct registers, queue_reset) + 2 ==
		       VIRTIO_PCI_COMMON_SIZE,
	       "layout");

#define AT(member) offsetof(struct registers, member)

/* Sizes in which registers may be written, by offset. */
static const uint8_t write_sizes[VIRTIO_PCI_COMMON_SIZE] = {
	[AT(device_feature_select)] = 4,
	[AT(driver_feature_select)] = 4,
	[AT(driver_feature)] = 4,
	[AT(config_vector)] = 2,
	[AT(status)] = 1,
	[AT(queue_select)] = 2,
	[AT(queue_size)] = 2,
	[AT(queue_vector)] = 2,
	[AT(queue_enable)] = 2,
	[AT(queue_desc)] = 4,
	[AT(queue_desc) + 4] = 4,
	[AT(queue_driver)] = 4,
	[AT(queue_driver) + 4] = 4,
	[AT(queue_device)] = 4,
	[AT(queue_device) + 4] = 4,
};

/* Half @select of @features; there are 64. */
static uint32_t feature_half(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> select * 32) : 0;
}

static void set_half(uint64_t *value, bool is_high, uint32_t half)
{
	unsigned int shift = is_high ? 32 : 0;

	*value = (*value & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)half
								       << shift;
}

/* A queue that does not exist has size 0. */
static void read_queue(const struct virtio_pci *transport,
		       struct registers *registers)
{
	const struct virtio_device *device = transport->device;
	const struct virtqueue *queue;

	registers->queue_vector = VIRTIO_PCI_VECTOR_NONE;
	if (transport->queue_select >= device->queue_count)
		return;
	queue = &device->queues[transport->queue_select];
	registers->queue_size = queue->size;
	registers->queue_vector = queue->vector;
	registers->queue_enable = queue->is_enabled;
	registers->queue_notify_off = transport->queue_select;
	registers->queue_desc = queue->desc;
	registers->queue_driver = queue->driver;
	registers->queue_device = queue->device;
}

static void read_registers(const struct virtio_pci *transport,
			   struct registers *registers)
{
	const struct virtio_device *device = transport->device;
	uint32_t device_select = transport->device_feature_select;
	uint32_t driver_select = transport->driver_feature_select;

	*registers = (struct registers){
		.device_feature_select = device_select,
		.device_feature = feature_half(virtio_pci_features(device),
					       device_select),
		.driver_feature_select = driver_select,
		.driver_feature =
			feature_half(transport->driver_features, driver_select),
		.config_vector = transport->config_vector,
		.queue_count = device->queue_count,
		.status = __atomic_load_n(&device->status, __ATOMIC_SEQ_CST),
		.config_generation = __atomic_load_n(&device->config_generation,
						     __ATOMIC_SEQ_CST),
		.queue_select = transport->queue_select,
	};
	read_queue(transport, registers);
}

uint64_t virtio_pci_common_read(struct virtio_pci *transport, uint64_t offset,
				unsigned int size)
{
	struct registers registers;
	uint64_t value = 0;

	if (!range_fits(offset, size, VIRTIO_PCI_COMMON_SIZE))
		return 0;
	virtio_pci_lock(transport);
	read_registers(transport, &registers);
	virtio_pci_unlock(transport);
	memcpy(&value, (const char *)&registers + offset, size);
	return value;
}

void virtio_pci_reset(struct virtio_pci *transport)
{
	struct virtio_device *device = transport->device;

	for (uint16_t i = 0; i < device->queue_count; i++) {
		vq_reset(&device->queues[i]);
		__atomic_store_n(&device->queue_states[i].kicked, 0,
				 __ATOMIC_SEQ_CST);
	}
	virtio_forget_rests(device);
	device->driver_features = 0;
	transport->driver_features = 0;
	transport->device_feature_select = 0;
	transport->driver_feature_select = 0;
	transport->queue_select = 0;
	transport->has_logged = false;
	__atomic_store_n(&transport->config_vector, VIRTIO_PCI_VECTOR_NONE,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&transport->isr, 0, __ATOMIC_SEQ_CST);
}

/*
 * The driver wrote 0. Status goes first, so that servers leave at their next
 * request; then each queue is held, so nobody is in one. The write, and any read
 * of the status by another vCPU (busy), ends when all is done.
 */
static void reset(struct virtio_pci *transport)
{
	struct virtio_device *device = transport->device;

	__atomic_store_n(&device->status, 0, __ATOMIC_SEQ_CST);
	for (uint16_t i = 0; i < device->queue_count; i++)
		virtio_hold(device, i);
	if (device->ops->reset)
		device->ops->reset(device);
	virtio_pci_reset(transport);
	for (uint16_t i = 0; i < device->queue_count; i++)
		virtio_release(device, i);
	virtio_pci_update_pin(transport);
}

/* Only what is offered, and no legacy driver: 2.2.2 "Device Requirements: Feature
 * Bits" and 6.2 "Device Requirements: Reserved Feature Bits". */
static bool may_have_features(const struct virtio_pci *transport)
{
	uint64_t offered = virtio_pci_features(transport->device);

	return !(transport->driver_features & ~offered) &&
	       (transport->driver_features & VIRTIO_F_VERSION_1);
}

/*
 *	bit		is set if
 *	ACKNOWLEDGE	written
 *	DRIVER		written
 *	FAILED		written
 *	FEATURES_OK	written, and the features are good
 *	DRIVER_OK	written, and FEATURES_OK is set
 *	NEEDS_RESET	never by the driver
 */
static void write_status(struct virtio_pci *transport, uint8_t value)
{
	struct virtio_device *device = transport->device;
	uint8_t status = __atomic_load_n(&device->status, __ATOMIC_SEQ_CST);
	uint8_t new = value &(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
			      VIRTIO_STATUS_FAILED);

	if (value == 0) {
		reset(transport);
		return;
	}
	if ((value & ~status & VIRTIO_STATUS_FEATURES_OK) &&
	    may_have_features(transport)) {
		device->driver_features = transport->driver_features;
		new |= VIRTIO_STATUS_FEATURES_OK;
	}
	if ((status | new) & VIRTIO_STATUS_FEATURES_OK)
		new |= value &VIRTIO_STATUS_DRIVER_OK;
	/* virtio_fail may set a bit at the same time */
	__atomic_fetch_or(&device->status, new, __ATOMIC_SEQ_CST);
}

static bool are_features_settled(const struct virtio_device *device)
{
	return __atomic_load_n(&device->status, __ATOMIC_SEQ_CST) &
	       VIRTIO_STATUS_FEATURES_OK;
}

/* What reads back tells whether there is such a vector: 4.1.5.1.2 "MSI-X Vector
 * Configuration". */
static void write_vector(const struct virtio_pci *transport, uint16_t *vector,
			 uint16_t value)
{
	if (value >= pci_msix_count(&transport->pci))
		value = VIRTIO_PCI_VECTOR_NONE;
	__atomic_store_n(vector, value, __ATOMIC_RELAXED);
}

/* Held, because a hostile driver may have notified it: the server must see either
 * a queue that is off or one that is complete. */
static void enable_queue(struct virtio_pci *transport, uint16_t index)
{
	struct virtio_device *device = transport->device;
	int error;

	if (!are_features_settled(device))
		return;
	virtio_hold(device, index);
	error = vq_enable(&device->queues[index], device->driver_features);
	virtio_release(device, index);
	if (!error || transport->has_logged)
		return;
	transport->has_logged = true;
	log_debug("%s: virtio queue %u not enabled: error %d", device->vm->name,
		  index, -error);
}

static void write_queue(struct virtio_pci *transport, uint64_t offset,
			uint32_t value)
{
	struct virtio_device *device = transport->device;
	uint16_t index = transport->queue_select;
	struct virtqueue *queue;

	if (index >= device->queue_count)
		return;
	queue = &device->queues[index];
	if (offset == AT(queue_vector)) {
		write_vector(transport, &queue->vector, (uint16_t)value);
		return;
	}
	if (queue->is_enabled)
		return;
	switch (offset) {
	case AT(queue_size):
		if (value && value <= VQ_SIZE_MAX)
			queue->size = (uint16_t)value;
		break;
	case AT(queue_enable):
		if (value == 1)
			enable_queue(transport, index);
		break;
	case AT(queue_desc):
	case AT(queue_desc) + 4:
		set_half(&queue->desc, offset & 4, value);
		break;
	case AT(queue_driver):
	case AT(queue_driver) + 4:
		set_half(&queue->driver, offset & 4, value);
		break;
	case AT(queue_device):
	case AT(queue_device) + 4:
		set_half(&queue->device, offset & 4, value);
		break;
	}
}

static void write_register(struct virtio_pci *transport, uint64_t offset,
			   uint32_t value)
{
	uint32_t select = transport->driver_feature_select;

	switch (offset) {
	case AT(device_feature_select):
		transport->device_feature_select = value;
		break;
	case AT(driver_feature_select):
		transport->driver_feature_select = value;
		break;
	case AT(driver_feature):
		if (select < 2 && !are_features_settled(transport->device))
			set_half(&transport->driver_features, select, value);
		break;
	case AT(config_vector):
		write_vector(transport, &transport->config_vector,
			     (uint16_t)value);
		break;
	case AT(status): write_status(transport, (uint8_t)value); break;
	case AT(queue_select): transport->queue_select = (uint16_t)value; break;
	default: write_queue(transport, offset, value); break;
	}
}

void virtio_pci_common_write(struct virtio_pci *transport, uint64_t offset,
			     unsigned int size, uint64_t value)
{
	if (size == 8) {
		virtio_pci_common_write(transport, offset, 4, (uint32_t)value);
		virtio_pci_common_write(transport, offset + 4, 4, value >> 32);
		return;
	}
	if (offset >= VIRTIO_PCI_COMMON_SIZE || write_sizes[offset] != size)
		return;
	virtio_pci_lock(transport);
	write_register(transport, offset, (uint32_t)value);
	virtio_pci_unlock(transport);
}
