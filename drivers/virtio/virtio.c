/* Serving queues, and what devices tell their driver: virtio.h. */
#include "drivers/virtio/virtio.h"

#include "drivers/virtio/virtio_pci.h"
#include "kernel/lib/log.h"
#include "kernel/thread.h"
#include "kernel/vm.h"

bool virtio_try_hold(struct virtio_device *device, uint16_t index)
{
	/* acquire: pairs with virtio_release of the last holder */
	return !__atomic_exchange_n(&device->queue_states[index].serving, 1,
				    __ATOMIC_SEQ_CST);
}

void virtio_hold(struct virtio_device *device, uint16_t index)
{
	while (!virtio_try_hold(device, index))
		thread_window();
}

void virtio_release(struct virtio_device *device, uint16_t index)
{
	__atomic_store_n(&device->queue_states[index].serving, 0,
			 __ATOMIC_SEQ_CST);
}

static bool is_kicked(struct virtio_queue_state *state)
{
	return __atomic_load_n(&state->kicked, __ATOMIC_SEQ_CST);
}

/* A VM that ends serves no more: its own vCPU threads must come out, and they are
 * the ones that serve. */
static bool is_served(const struct virtio_device *device)
{
	return virtio_is_live(device) &&
	       __atomic_load_n(&device->vm->end, __ATOMIC_RELAXED) ==
		       VM_END_NONE;
}

/* The queue is held: serve as long as new kicks come. */
static void serve_rounds(struct virtio_device *device, uint16_t index)
{
	struct virtio_queue_state *state = &device->queue_states[index];

	for (;;) {
		__atomic_store_n(&state->kicked, 0, __ATOMIC_SEQ_CST);
		if (!is_served(device))
			return;
		device->ops->serve(device, index);
		if (!is_kicked(state))
			return;
		thread_window();
	}
}

/*
 * Who kicks sets `kicked`, then tries to hold; who serves lets go, then looks at
 * `kicked` once more. Both are sequentially consistent, so a kick is either seen
 * by the server or finds the queue free.
 */
void virtio_kick(struct virtio_device *device, uint16_t index)
{
	struct virtio_queue_state *state;

	if (index >= device->queue_count || !is_served(device))
		return;
	state = &device->queue_states[index];
	__atomic_store_n(&state->kicked, 1, __ATOMIC_SEQ_CST);
	while (is_kicked(state) && virtio_try_hold(device, index)) {
		serve_rounds(device, index);
		virtio_release(device, index);
	}
}

void virtio_signal(struct virtio_device *device, uint16_t index)
{
	struct virtqueue *queue = &device->queues[index];

	if (vq_take_signal(queue))
		virtio_pci_signal_queue(device->transport,
					__atomic_load_n(&queue->vector,
							__ATOMIC_RELAXED));
}

void virtio_signal_config(struct virtio_device *device)
{
	uint8_t status = __atomic_load_n(&device->status, __ATOMIC_SEQ_CST);

	__atomic_fetch_add(&device->config_generation, 1, __ATOMIC_SEQ_CST);
	if (status & VIRTIO_STATUS_DRIVER_OK)
		virtio_pci_signal_config(device->transport);
}

/* A device that was reset since the misuse has nothing to complain about. */
static bool mark_failed(struct virtio_device *device)
{
	uint8_t status = __atomic_load_n(&device->status, __ATOMIC_SEQ_CST);

	do {
		if (!(status & VIRTIO_STATUS_DRIVER_OK) ||
		    (status & VIRTIO_STATUS_NEEDS_RESET))
			return false;
	} while (!__atomic_compare_exchange_n(
		&device->status, &status,
		(uint8_t)(status | VIRTIO_STATUS_NEEDS_RESET), false,
		__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return true;
}

void virtio_fail(struct virtio_device *device, const char *why)
{
	if (!mark_failed(device))
		return;
	log_debug("%s: virtio device of type %u needs reset: %s",
		  device->vm->name, device->ops->type, why);
	virtio_signal_config(device);
}
