/* The virtio console. */
#include "drivers/virtio/virtio_console.h"

#include "drivers/pc/pc.h"
#include "drivers/virtio/virtio_pci.h"
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

/* 5.3.6.2 "Multiport Device Operation" */
struct console_control {
	uint32_t id;
	uint16_t event;
	uint16_t value;
};
_Static_assert(sizeof(struct console_control) == 8, "as specified");

enum console_event {
	CONSOLE_DEVICE_READY = 0, /* driver's */
	CONSOLE_PORT_ADD = 1,
	CONSOLE_PORT_READY = 3, /* driver's */
	CONSOLE_CONSOLE_PORT = 4,
	CONSOLE_PORT_OPEN = 6, /* both sides' */
	CONSOLE_PORT_NAME = 7,
	CONSOLE_EVENTS
};

/* Its ports. All that is here is a console to its driver. */
static const char *const port_names[] = { "org.basalt.console" };
#define PORTS	      ARRAY_SIZE(port_names)
#define PORT_NAME_MAX 32

/* 5.3.2 "Virtqueues": two of port 0, two for control, two of each other port. */
#define QUEUE_CONTROL_IN  2
#define QUEUE_CONTROL_OUT 3
#define QUEUES		  (2 * PORTS + 2)

/* Of output, copied at once. */
#define PIECE 256

/* Legend: (q) by the server of the queue, (a) atomic, [i] lock, which also guards
 * the receive queue. */
struct console_port {
	struct spinlock lock;	       /* LOCK_RANK_PORT */
	struct vq_chain in_chain;      /* [i] */
	struct vq_chain out_chain;     /* (q) */
	uint32_t pending;	       /* (a) BIT(event) to tell the driver */
	uint32_t input_head;	       /* [i] next character to hand over */
	uint32_t input_count;	       /* [i] */
	char input[CONSOLE_INPUT_MAX]; /* [i] */
};

struct virtio_console {
	struct virtio_device device;
	uint32_t users; /* (a) who hold it */
	struct console_port ports[ARRAY_SIZE(port_names)];
	struct vq_chain control_in, control_out; /* (q) */
};

static struct virtio_console *console_of(struct virtio_device *device)
{
	return CONTAINER_OF(device, struct virtio_console, device);
}

static bool is_wanted(const struct virtio_device *device)
{
	return virtio_is_live(device) &&
	       __atomic_load_n(&device->vm->end, __ATOMIC_RELAXED) ==
		       VM_END_NONE;
}

static uint16_t port_of(uint16_t index)
{
	return index < QUEUE_CONTROL_IN ? 0 : (uint16_t)(index / 2 - 1);
}

static uint16_t in_queue(uint16_t port)
{
	return port == 0 ? 0 : (uint16_t)(2 * port + 2);
}

/* ---- output ---- */

/* What the driver sent in one request. */
static int write_out(struct virtio_device *device, struct virtqueue *vq,
		     const struct vq_chain *chain)
{
	char piece[PIECE];

	for (uint64_t done = 0; done < chain->read_size && is_wanted(device);) {
		uint64_t size = min_u64(chain->read_size - done, sizeof(piece));
		int error = vq_read(vq, chain, done, piece, size);

		if (error)
			return error;
		pc_note_console_use(device->vm);
		vm_console_write(device->vm, piece, (uint32_t)size);
		done += size;
		thread_window();
	}
	return 0;
}

static void handle_control(struct virtio_console *console,
			   const struct console_control *control);

/* A control message; shorter ones say nothing, longer ones have more to say than
 * we know. */
static int read_control(struct virtio_device *device, struct virtqueue *vq,
			const struct vq_chain *chain)
{
	struct console_control control;
	int error;

	if (chain->read_size < sizeof(control))
		return 0;
	error = vq_read(vq, chain, 0, &control, sizeof(control));
	if (!error)
		handle_control(console_of(device), &control);
	return error;
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
		error = index == QUEUE_CONTROL_OUT
				? read_control(device, vq, chain)
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
		while (is_wanted(device) && serve_next(device, index, chain))
			thread_window();
		virtio_signal(device, index);
	} while (vq_enable_notify(vq) && is_wanted(device));
}

/* ---- control messages ---- */

static void announce(struct console_port *port, uint32_t events)
{
	__atomic_fetch_or(&port->pending, events, __ATOMIC_SEQ_CST);
}

/* What is pending goes out through the other control queue, now or when the
 * driver has buffers there. */
static void handle_control(struct virtio_console *console,
			   const struct console_control *control)
{
	if (control->event == CONSOLE_DEVICE_READY && control->value) {
		for (uint32_t i = 0; i < PORTS; i++)
			announce(&console->ports[i], BIT(CONSOLE_PORT_ADD));
	} else if (control->event == CONSOLE_PORT_READY && control->value &&
		   control->id < PORTS) {
		announce(&console->ports[control->id],
			 BIT(CONSOLE_CONSOLE_PORT) | BIT(CONSOLE_PORT_OPEN) |
				 BIT(CONSOLE_PORT_NAME));
	}
	virtio_kick(&console->device, QUEUE_CONTROL_IN);
}

/* The next thing to tell: port and event. False: none. */
static bool find_pending(struct virtio_console *console,
			 struct console_control *control)
{
	for (uint32_t i = 0; i < PORTS; i++) {
		uint32_t pending = __atomic_load_n(&console->ports[i].pending,
						   __ATOMIC_SEQ_CST);

		if (!pending)
			continue;
		control->id = i;
		control->event = (uint16_t)__builtin_ctz(pending);
		control->value = 1;
		return true;
	}
	return false;
}

/* Bytes of the message, with the name behind it where that is the message. */
static uint32_t compose(const struct console_control *control, char *message)
{
	const char *name = port_names[control->id];
	uint32_t size = sizeof(*control);

	memcpy(message, control, sizeof(*control));
	if (control->event == CONSOLE_PORT_NAME) {
		memcpy(message + size, name, strlen(name));
		size += (uint32_t)strlen(name);
	}
	return size;
}

/* One message into the driver's next buffer. False: no buffer, or nothing to
 * tell, or the driver went wrong. */
static bool tell_next(struct virtio_console *console)
{
	struct virtqueue *vq = &console->device.queues[QUEUE_CONTROL_IN];
	char message[sizeof(struct console_control) + PORT_NAME_MAX];
	struct console_control control;
	uint32_t size;
	int found;

	if (!find_pending(console, &control))
		return false;
	found = vq_next_chain(vq, &console->control_in);
	size = compose(&control, message);
	if (found < 0 ||
	    (found && vq_write(vq, &console->control_in, 0, message, size)))
		virtio_fail(&console->device, "console: control buffers that "
					      "make no sense");
	if (found <= 0 || !is_wanted(&console->device))
		return false;
	__atomic_fetch_and(&console->ports[control.id].pending,
			   ~(uint32_t)BIT(control.event), __ATOMIC_SEQ_CST);
	vq_complete(vq, &console->control_in, size);
	return true;
}

static void serve_control_in(struct virtio_console *console)
{
	struct virtqueue *vq = &console->device.queues[QUEUE_CONTROL_IN];

	struct console_control control;

	do {
		while (is_wanted(&console->device) && tell_next(console))
			thread_window();
		virtio_signal(&console->device, QUEUE_CONTROL_IN);
	} while (vq_enable_notify(vq) && is_wanted(&console->device) &&
		 find_pending(console, &control));
}

/* ---- input ---- */

static uint32_t push(struct console_port *port, const char *data, uint32_t size)
{
	uint32_t i;

	for (i = 0; i < size && port->input_count < CONSOLE_INPUT_MAX; i++) {
		uint32_t at = port->input_head + port->input_count++;

		port->input[at % CONSOLE_INPUT_MAX] = data[i];
	}
	return i;
}

/* Characters up to the end of the array into one chain. */
static int hand_over(struct console_port *port, struct virtqueue *vq)
{
	const struct vq_chain *chain = &port->in_chain;
	uint64_t size = min_u64(port->input_count,
				CONSOLE_INPUT_MAX - port->input_head);
	int error;

	size = min_u64(size, chain->write_size);
	if (size == 0)
		return -EINVAL;
	error = vq_write(vq, chain, 0, port->input + port->input_head, size);
	if (error)
		return error;
	port->input_head =
		(uint32_t)(port->input_head + size) % CONSOLE_INPUT_MAX;
	port->input_count -= (uint32_t)size;
	vq_complete(vq, chain, (uint32_t)size);
	return 0;
}

/*
 * As many characters as there are buffers for; each buffer takes one at least, so
 * this ends. The driver's kick for new buffers is asked for before the last look,
 * so none stays behind.
 */
static int drain(struct console_port *port, struct virtqueue *vq)
{
	int found = 1;

	while (port->input_count && found > 0) {
		found = vq_next_chain(vq, &port->in_chain);
		if (found > 0 && hand_over(port, vq))
			found = -EINVAL;
		if (found == 0 && vq_enable_notify(vq))
			found = 1;
	}
	return found < 0 ? found : 0;
}

static void input(struct virtio_console *console, uint16_t index,
		  const char *data, uint32_t size)
{
	struct virtio_device *device = &console->device;
	struct console_port *port = &console->ports[index];
	struct virtqueue *vq = &device->queues[in_queue(index)];
	bool is_signal_due;
	uint16_t vector;
	int error = 0;

	spin_lock(&port->lock);
	if (virtio_is_live(device)) {
		push(port, data, size);
		error = drain(port, vq);
	}
	is_signal_due = vq_take_signal(vq);
	vector = __atomic_load_n(&vq->vector, __ATOMIC_RELAXED);
	spin_unlock(&port->lock);
	if (is_signal_due)
		virtio_pci_signal_queue(device->transport, vector);
	if (error)
		virtio_fail(device, "console: buffers that make no sense");
}

void virtio_console_input(struct virtio_device *device, const char *data,
			  uint32_t size)
{
	input(console_of(device), 0, data, size);
}

/* ---- the device ---- */

static void serve(struct virtio_device *device, uint16_t index)
{
	struct virtio_console *console = console_of(device);

	if (index == QUEUE_CONTROL_IN)
		serve_control_in(console);
	else if (index == QUEUE_CONTROL_OUT)
		serve_out(device, index, &console->control_out);
	else if (index % 2)
		serve_out(device, index,
			  &console->ports[port_of(index)].out_chain);
	else
		input(console, port_of(index), NULL, 0);
}

static void config_read(struct virtio_device *device, uint32_t offset, void *to,
			uint32_t size)
{
	const struct console_config config = { .max_nr_ports = PORTS };

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

	for (uint32_t i = 0; i < PORTS; i++) {
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
	console->device.queue_count = QUEUES;
	for (uint32_t i = 0; i < PORTS; i++)
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
