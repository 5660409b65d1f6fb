/* Control messages of the virtio console: 5.3.6.2 "Multiport Device Operation". */
#include "drivers/virtio/virtio_console.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/thread.h"

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
	CONSOLE_PORT_NAME = 7
};

/* All that is here is a console to its driver. */
static const char *const port_names[] = { "org.basalt.console" };
_Static_assert(ARRAY_SIZE(port_names) == CONSOLE_PORTS, "each has a name");
#define NAME_MAX 32

static void announce(struct console_port *port, uint32_t events)
{
	__atomic_fetch_or(&port->pending, events, __ATOMIC_SEQ_CST);
}

/* What is pending goes out through the other control queue, now or when the
 * driver has buffers there. */
static void handle(struct virtio_console *console,
		   const struct console_control *control)
{
	if (control->event == CONSOLE_DEVICE_READY && control->value) {
		for (uint32_t i = 0; i < CONSOLE_PORTS; i++)
			announce(&console->ports[i], BIT(CONSOLE_PORT_ADD));
	} else if (control->event == CONSOLE_PORT_READY && control->value &&
		   control->id < CONSOLE_PORTS) {
		announce(&console->ports[control->id],
			 BIT(CONSOLE_CONSOLE_PORT) | BIT(CONSOLE_PORT_OPEN) |
				 BIT(CONSOLE_PORT_NAME));
	}
	virtio_kick(&console->device, CONSOLE_CONTROL_IN);
}

/* A control message; shorter ones say nothing, longer ones have more to say than
 * we know. */
int console_control_read(struct virtio_console *console, struct virtqueue *vq,
			 const struct vq_chain *chain)
{
	struct console_control control;
	int error;

	if (chain->read_size < sizeof(control))
		return 0;
	error = vq_read(vq, chain, 0, &control, sizeof(control));
	if (!error)
		handle(console, &control);
	return error;
}

/* The next thing to tell: port and event. False: none. */
static bool find_pending(struct virtio_console *console,
			 struct console_control *control)
{
	for (uint32_t i = 0; i < CONSOLE_PORTS; i++) {
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
	struct virtqueue *vq = &console->device.queues[CONSOLE_CONTROL_IN];
	char message[sizeof(struct console_control) + NAME_MAX];
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
	if (found <= 0 || !virtio_is_wanted(&console->device))
		return false;
	__atomic_fetch_and(&console->ports[control.id].pending,
			   ~(uint32_t)BIT(control.event), __ATOMIC_SEQ_CST);
	vq_complete(vq, &console->control_in, size);
	return true;
}

void console_control_serve(struct virtio_console *console)
{
	struct virtio_device *device = &console->device;
	struct virtqueue *vq = &device->queues[CONSOLE_CONTROL_IN];
	struct console_control control;

	do {
		while (virtio_may_serve(device, CONSOLE_CONTROL_IN) &&
		       tell_next(console)) {
			virtio_spend(device, CONSOLE_CONTROL_IN, 0);
			thread_window();
		}
		virtio_signal(device, CONSOLE_CONTROL_IN);
	} while (virtio_may_serve(device, CONSOLE_CONTROL_IN) &&
		 vq_enable_notify(vq) && find_pending(console, &control));
}
