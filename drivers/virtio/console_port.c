/* Input of the virtio console: from whoever types to the driver's buffers. */
#include "drivers/virtio/virtio_console.h"
#include "drivers/virtio/virtio_pci.h"
#include "kernel/lib/errno.h"

static uint16_t in_queue(uint16_t port)
{
	return port == 0 ? 0 : (uint16_t)(2 * port + 2);
}

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

void console_port_input(struct virtio_console *console, uint16_t index,
			const char *data, uint32_t size)
{
	struct virtio_device *device = &console->device;
	struct console_port *port = &console->ports[index];
	struct virtqueue *vq = &device->queues[in_queue(index)];
	bool is_signal_due = false;
	uint16_t vector;
	int error = 0;

	spin_lock(&port->lock);
	if (virtio_is_live(device)) {
		push(port, data, size);
		error = drain(port, vq);
		is_signal_due = vq_take_signal(vq);
	}
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
	console_port_input(console_of(device), 0, data, size);
}
