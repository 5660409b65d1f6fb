/* The virtio console. */
#include "drivers/virtio/virtio_console.h"

#include "drivers/pc/pc.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/thread.h"
#include "kernel/vm.h"
#include "mm/heap.h"

#define TYPE_CONSOLE	  3
#define PCI_CLASS_CONSOLE 0x078000 /* communication, other */

/* 5.3.3 "Feature bits" */
#define CONSOLE_F_MULTIPORT   BIT(1)
#define CONSOLE_F_EMERG_WRITE BIT(2)

/* 5.3.4 "Device configuration layout" */
struct console_config {
	uint16_t cols, rows; /* a feature that is not offered */
	uint32_t max_nr_ports;
	uint32_t emerg_wr;
};
_Static_assert(sizeof(struct console_config) == 12, "as specified");

/* Of output, copied at once. */
#define PIECE 256

static uint16_t port_of(uint16_t index)
{
	return index < CONSOLE_CONTROL_IN ? 0 : (uint16_t)(index / 2 - 1);
}

/* What the driver sent in one request. */
static int write_out(struct virtio_device *device, struct virtqueue *vq,
		     const struct vq_chain *chain)
{
	char piece[PIECE];

	for (uint64_t done = 0;
	     done < chain->read_size && virtio_is_wanted(device);) {
		uint64_t size = min_u64(chain->read_size - done, sizeof(piece));
		int error = vq_read(vq, chain, done, piece, size);

		if (error)
			return error;
		if (!vm_console_has_room(device->vm))
			vm_console_wait(device->vm);
		pc_note_console_use(device->vm);
		vm_console_write(device->vm, piece, (uint32_t)size);
		done += size;
		thread_window();
	}
	return 0;
}

/* The next request of a queue that the driver writes to. False: none, or the
 * driver went wrong. */
static bool serve_next(struct virtio_device *device, uint16_t index,
		       struct vq_chain *chain)
{
	struct virtqueue *vq = &device->queues[index];
	int found = vq_next_chain(vq, chain);
	int error = 0;

	if (found > 0)
		error = index == CONSOLE_CONTROL_OUT
				? console_control_read(console_of(device), vq,
						       chain)
				: write_out(device, vq, chain);
	if (found < 0 || error)
		virtio_fail(device, "console: a ring that makes no sense");
	if (found <= 0 || error)
		return false;
	vq_complete(vq, chain, 0);
	return true;
}

static void serve_out(struct virtio_device *device, uint16_t index,
		      struct vq_chain *chain)
{
	struct virtqueue *vq = &device->queues[index];

	do {
		vq_disable_notify(vq);
		while (virtio_may_serve(device, index) &&
		       serve_next(device, index, chain)) {
			virtio_spend(device, index, chain->read_size);
			thread_window();
		}
		virtio_signal(device, index);
	} while (virtio_may_serve(device, index) && vq_enable_notify(vq));
}

static void serve(struct virtio_device *device, uint16_t index)
{
	struct virtio_console *console = console_of(device);

	if (index == CONSOLE_CONTROL_IN)
		console_control_serve(console);
	else if (index == CONSOLE_CONTROL_OUT)
		serve_out(device, index, &console->control_out);
	else if (index % 2)
		serve_out(device, index,
			  &console->ports[port_of(index)].out_chain);
	else
		console_port_input(console, port_of(index), NULL, 0);
}

static void config_read(struct virtio_device *device, uint32_t offset, void *to,
			uint32_t size)
{
	const struct console_config config = { .max_nr_ports = CONSOLE_PORTS };

	(void)device;
	if (range_fits(offset, size, sizeof(config)))
		memcpy(to, (const char *)&config + offset, size);
}

/* A character for emergencies, before any queue works. */
static void config_write(struct virtio_device *device, uint32_t offset,
			 const void *from, uint32_t size)
{
	if (offset == offsetof(struct console_config, emerg_wr) && size)
		vm_console_write(device->vm, from, 1);
}

static void reset(struct virtio_device *device)
{
	struct virtio_console *console = console_of(device);

	for (uint32_t i = 0; i < CONSOLE_PORTS; i++) {
		struct console_port *port = &console->ports[i];

		spin_lock(&port->lock);
		port->input_count = 0;
		spin_unlock(&port->lock);
		__atomic_store_n(&port->pending, 0, __ATOMIC_SEQ_CST);
	}
}

void virtio_console_hold(struct virtio_device *device)
{
	__atomic_fetch_add(&console_of(device)->users, 1, __ATOMIC_RELAXED);
}

void virtio_console_put(struct virtio_device *device)
{
	__atomic_fetch_sub(&console_of(device)->users, 1, __ATOMIC_RELEASE);
}

static void destroy(struct virtio_device *device)
{
	struct virtio_console *console = console_of(device);

	pc_set_console(device->vm, NULL);
	/* acquire: pairs with virtio_console_put of the last holder */
	while (__atomic_load_n(&console->users, __ATOMIC_ACQUIRE))
		thread_window();
	virtio_pci_detach(device);
	heap_free(console);
}

static const struct virtio_ops console_ops = {
	.type = TYPE_CONSOLE,
	.pci_class = PCI_CLASS_CONSOLE,
	.config_read = config_read,
	.config_write = config_write,
	.serve = serve,
	.reset = reset,
	.destroy = destroy,
};

struct virtio_device *virtio_console_make(struct vm *vm)
{
	struct virtio_console *console = heap_alloc(sizeof(*console));

	if (!console)
		return NULL;
	console->device.ops = &console_ops;
	console->device.vm = vm;
	console->device.features = CONSOLE_F_MULTIPORT | CONSOLE_F_EMERG_WRITE;
	console->device.config_size = sizeof(struct console_config);
	console->device.queue_count = CONSOLE_QUEUES;
	for (uint32_t i = 0; i < CONSOLE_PORTS; i++)
		console->ports[i].lock =
			(struct spinlock)SPINLOCK_INIT(LOCK_RANK_PORT);
	return &console->device;
}

int virtio_console_create(struct vm *vm)
{
	struct virtio_device *device = virtio_console_make(vm);
	int error;

	if (!device)
		return -ENOMEM;
	error = virtio_pci_attach(device);
	if (error) {
		heap_free(console_of(device));
		return error;
	}
	pc_set_console(vm, device);
	return 0;
}
