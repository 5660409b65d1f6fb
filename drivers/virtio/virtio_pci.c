/* Virtio over PCI: the function, its capabilities and its BAR. */
#include "drivers/virtio/virtio_pci.h"

#include "kernel/lib/errno.h"
#include "kernel/thread.h"
#include "kernel/vm.h"
#include "mm/heap.h"

#define VENDOR	  0x1af4
#define DEVICE_ID 0x1040 /* + type: 4.1.2 "PCI Device Discovery" */
#define SUBSYSTEM 0x1100
#define REVISION  1
#define PIN_INTA  1
#define RING_FEATURES                                                       \
	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | \
	 VIRTIO_F_RING_PACKED)

/* 4.1.4 "Virtio Structure PCI Capabilities": struct virtio_pci_cap. */
enum {
	CAP_LENGTH = 2,
	CAP_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_SIZE = 12,
	CAP_BYTES = 16,
	CAP_SCALE = 16, /* of CAP_NOTIFY: notify_off_multiplier */
	CAP_DATA = 16,	/* of CAP_WINDOW: pci_cfg_data */
	CAP_BYTES_MORE = 20,
};
enum cap_type {
	CAP_COMMON = 1,
	CAP_NOTIFY = 2,
	CAP_ISR = 3,
	CAP_CONFIG = 4,
	CAP_WINDOW = 5, /* VIRTIO_PCI_CAP_PCI_CFG */
};

uint64_t virtio_pci_features(const struct virtio_device *device)
{
	return device->features | RING_FEATURES;
}

void virtio_pci_lock(struct virtio_pci *transport)
{
	/* acquire: pairs with virtio_pci_unlock of the last holder */
	while (__atomic_exchange_n(&transport->busy, 1, __ATOMIC_ACQUIRE))
		thread_window();
}

void virtio_pci_unlock(struct virtio_pci *transport)
{
	__atomic_store_n(&transport->busy, 0, __ATOMIC_RELEASE);
}

/* The level is taken from ISR status under vm->lock, so the last update of two
 * that race is right. */
void virtio_pci_update_pin(struct virtio_pci *transport)
{
	struct spinlock *lock = &transport->device->vm->lock;

	spin_lock(lock);
	pci_set_intx(&transport->pci,
		     __atomic_load_n(&transport->isr, __ATOMIC_SEQ_CST) != 0);
	spin_unlock(lock);
}

static void raise_pin(struct virtio_pci *transport, uint32_t isr)
{
	__atomic_fetch_or(&transport->isr, isr, __ATOMIC_SEQ_CST);
	virtio_pci_update_pin(transport);
}

void virtio_pci_signal_queue(struct virtio_pci *transport, uint16_t vector)
{
	if (pci_msix_is_on(&transport->pci))
		pci_msix_signal(&transport->pci, vector);
	else
		raise_pin(transport, VIRTIO_PCI_ISR_QUEUE);
}

/* 4.1.5.4 "Notification of Device Configuration Changes": the bit of ISR status
 * is set with MSI-X too. */
void virtio_pci_signal_config(struct virtio_pci *transport)
{
	if (!pci_msix_is_on(&transport->pci)) {
		raise_pin(transport, VIRTIO_PCI_ISR_CONFIG);
		return;
	}
	__atomic_fetch_or(&transport->isr, VIRTIO_PCI_ISR_CONFIG,
			  __ATOMIC_SEQ_CST);
	pci_msix_signal(&transport->pci,
			__atomic_load_n(&transport->config_vector,
					__ATOMIC_RELAXED));
}

/* Reading clears it and lowers the pin: 4.1.4.5 "ISR status capability". */
static uint64_t read_isr(struct virtio_pci *transport)
{
	uint32_t isr =
		__atomic_exchange_n(&transport->isr, 0, __ATOMIC_SEQ_CST);

	if (isr)
		virtio_pci_update_pin(transport);
	return isr;
}

static uint64_t read_config(struct virtio_pci *transport, uint32_t offset,
			    unsigned int size)
{
	struct virtio_device *device = transport->device;
	uint64_t value = 0;

	if (offset >= device->config_size)
		return 0;
	size = (unsigned int)min_u64(size, device->config_size - offset);
	virtio_pci_lock(transport);
	device->ops->config_read(device, offset, &value, size);
	virtio_pci_unlock(transport);
	return value;
}

static void write_config(struct virtio_pci *transport, uint32_t offset,
			 unsigned int size, uint64_t value)
{
	struct virtio_device *device = transport->device;

	if (!range_fits(offset, size, device->config_size) ||
	    !device->ops->config_write)
		return;
	virtio_pci_lock(transport);
	device->ops->config_write(device, offset, &value, size);
	virtio_pci_unlock(transport);
}

static uint64_t read_bar(void *context, uint64_t offset, unsigned int size)
{
	struct virtio_pci *transport = context;
	uint32_t at = (uint32_t)offset % VIRTIO_PCI_PART_SIZE;

	switch (offset - at) {
	case VIRTIO_PCI_COMMON:
		return virtio_pci_common_read(transport, at, size);
	case VIRTIO_PCI_ISR: return at ? 0 : read_isr(transport);
	case VIRTIO_PCI_CONFIG: return read_config(transport, at, size);
	default: return 0; /* notifications are written only */
	}
}

static void write_bar(void *context, uint64_t offset, unsigned int size,
		      uint64_t value)
{
	struct virtio_pci *transport = context;
	uint32_t at = (uint32_t)offset % VIRTIO_PCI_PART_SIZE;

	switch (offset - at) {
	case VIRTIO_PCI_NOTIFY:
		virtio_kick(transport->device,
			    (uint16_t)(at / VIRTIO_PCI_NOTIFY_SCALE));
		break;
	case VIRTIO_PCI_COMMON:
		virtio_pci_common_write(transport, at, size, value);
		break;
	case VIRTIO_PCI_CONFIG: write_config(transport, at, size, value); break;
	default: break; /* ISR status is read only */
	}
}

static const struct io_ops bar_ops = { read_bar, write_bar };

static struct virtio_pci *transport_of(struct pci_device *pci)
{
	return CONTAINER_OF(pci, struct virtio_pci, pci);
}

/* Where the driver has set the window: bytes [*offset, + result) of the BAR. 0:
 * nowhere it may be. 4.1.4.9 "PCI configuration access capability". */
static unsigned int find_window(const struct virtio_pci *transport,
				uint32_t *offset)
{
	const struct pci_device *pci = &transport->pci;
	uint32_t cap = transport->window;
	uint32_t size = pci_config_get(pci, cap + CAP_SIZE, 4);

	*offset = pci_config_get(pci, cap + CAP_OFFSET, 4);
	if (pci_config_get(pci, cap + CAP_BAR, 1) != VIRTIO_PCI_BAR ||
	    (size != 1 && size != 2 && size != 4) ||
	    !is_aligned(*offset, size) ||
	    !range_fits(*offset, size, VIRTIO_PCI_BAR_SIZE))
		return 0;
	return size;
}

static uint32_t window_read(struct pci_device *pci, unsigned int size)
{
	struct virtio_pci *transport = transport_of(pci);
	uint32_t offset;
	unsigned int window = find_window(transport, &offset);
	uint64_t value;

	if (!window)
		return 0;
	value = read_bar(transport, offset, window);
	return (uint32_t)(value & BITS(min_u64(size, window) * 8 - 1, 0));
}

static void window_write(struct pci_device *pci, unsigned int size,
			 uint32_t value)
{
	struct virtio_pci *transport = transport_of(pci);
	uint32_t offset;
	unsigned int window = find_window(transport, &offset);

	if (window && size >= window)
		write_bar(transport, offset, window,
			  value & BITS(window * 8 - 1, 0));
}

static void destroy(struct pci_device *pci)
{
	struct virtio_device *device = transport_of(pci)->device;

	device->ops->destroy(device);
}

static const struct pci_ops pci_ops = { .window_read = window_read,
					.window_write = window_write,
					.destroy = destroy };

/* A part of the BAR; @bytes of the capability itself. 0: no room. */
static uint8_t add_part(struct pci_device *pci, enum cap_type type,
			uint32_t bytes, uint32_t offset, uint32_t size)
{
	uint8_t at = pci_add_capability(pci, PCI_CAP_VENDOR, bytes);

	if (!at)
		return 0;
	pci_config_set(pci, at + CAP_LENGTH, 1, bytes);
	pci_config_set(pci, at + CAP_TYPE, 1, type);
	pci_config_set(pci, at + CAP_BAR, 1, VIRTIO_PCI_BAR);
	pci_config_set(pci, at + CAP_OFFSET, 4, offset);
	pci_config_set(pci, at + CAP_SIZE, 4, size);
	return at;
}

/* Everything fits: 12 + 3 * 16 + 2 * 20 bytes. */
static void add_parts(struct virtio_pci *transport)
{
	const struct virtio_device *device = transport->device;
	struct pci_device *pci = &transport->pci;
	uint8_t at;

	add_part(pci, CAP_COMMON, CAP_BYTES, VIRTIO_PCI_COMMON,
		 VIRTIO_PCI_COMMON_SIZE);
	add_part(pci, CAP_ISR, CAP_BYTES, VIRTIO_PCI_ISR, 1);
	if (device->config_size)
		add_part(pci, CAP_CONFIG, CAP_BYTES, VIRTIO_PCI_CONFIG,
			 device->config_size);
	at = add_part(pci, CAP_NOTIFY, CAP_BYTES_MORE, VIRTIO_PCI_NOTIFY,
		      device->queue_count * VIRTIO_PCI_NOTIFY_SCALE);
	pci_config_set(pci, at + CAP_SCALE, 4, VIRTIO_PCI_NOTIFY_SCALE);
	at = add_part(pci, CAP_WINDOW, CAP_BYTES_MORE, 0, 0);
	pci_config_set(pci, at + CAP_BAR, 1, 0);
	pci_config_allow(pci, at + CAP_BAR, 1, UINT8_MAX);
	pci_config_allow(pci, at + CAP_OFFSET, 4, UINT32_MAX);
	pci_config_allow(pci, at + CAP_SIZE, 4, UINT32_MAX);
	transport->window = at;
	pci->window_offset = (uint8_t)(at + CAP_DATA);
}

static int fill_function(struct virtio_pci *transport)
{
	const struct virtio_device *device = transport->device;
	struct pci_device *pci = &transport->pci;
	int error;

	pci->ops = &pci_ops;
	pci_set_identity(pci, VENDOR, (uint16_t)(DEVICE_ID + device->ops->type),
			 device->ops->pci_class, REVISION);
	pci_set_subsystem(pci, VENDOR, SUBSYSTEM);
	pci_config_set(pci, PCI_INT_PIN, 1, PIN_INTA);
	error = pci_add_msix(pci, VIRTIO_PCI_BAR_MSIX,
			     (uint16_t)(device->queue_count + 1));
	if (error)
		return error;
	add_parts(transport);
	pci_add_bar(pci, VIRTIO_PCI_BAR, PCI_BAR_MEMORY64, VIRTIO_PCI_BAR_SIZE,
		    &bar_ops, transport, true);
	return 0;
}

static void free_all(struct virtio_device *device)
{
	heap_free(device->transport);
	heap_free(device->queues);
	heap_free(device->queue_states);
	device->transport = NULL;
	device->queues = NULL;
	device->queue_states = NULL;
}

static int allocate(struct virtio_device *device)
{
	struct virtio_pci *transport = heap_alloc(sizeof(*transport));

	device->transport = transport;
	device->queues =
		heap_alloc(device->queue_count * sizeof(*device->queues));
	device->queue_states =
		heap_alloc(device->queue_count * sizeof(*device->queue_states));
	if (!transport || !device->queues || !device->queue_states) {
		free_all(device);
		return -ENOMEM;
	}
	transport->device = device;
	for (uint16_t i = 0; i < device->queue_count; i++) {
		device->queues[i].memory = &device->vm->memory;
		device->queue_states[i].device = device;
		list_init(&device->queue_states[i].rest);
	}
	virtio_pci_reset(transport);
	return 0;
}

int virtio_pci_attach(struct virtio_device *device)
{
	struct virtio_pci *transport;
	int error;

	if (device->queue_count > VIRTIO_QUEUES_MAX ||
	    device->config_size > VIRTIO_PCI_PART_SIZE)
		return -EINVAL;
	error = allocate(device);
	if (error)
		return error;
	transport = device->transport;
	error = fill_function(transport);
	if (!error)
		error = pci_attach(device->vm, &transport->pci);
	if (error) {
		pci_free_msix(&transport->pci);
		free_all(device);
	}
	return error;
}

void virtio_pci_detach(struct virtio_device *device)
{
	struct virtio_pci *transport = device->transport;

	if (!transport)
		return;
	__atomic_store_n(&device->status, 0, __ATOMIC_SEQ_CST);
	for (uint16_t i = 0; i < device->queue_count; i++) {
		virtio_hold(device, i);
		vq_reset(&device->queues[i]);
	}
	virtio_forget_rests(device);
	pci_detach(&transport->pci);
	free_all(device);
}
