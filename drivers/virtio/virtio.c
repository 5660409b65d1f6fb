/* Serving queues, and what devices tell their driver: virtio.h. */
#include "drivers/virtio/virtio.h"

#include "drivers/virtio/virtio_pci.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/log.h"
#include "kernel/thread.h"
#include "kernel/vm.h"

/* From one serving of rests to the next; the guest gets as much time as the last
 * one took, if that was longer. */
#define REST_DELAY_NS (50 * NS_PER_US)

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

bool virtio_is_wanted(const struct virtio_device *device)
{
	return virtio_is_live(device) &&
	       __atomic_load_n(&device->vm->end, __ATOMIC_RELAXED) ==
		       VM_END_NONE;
}

/* The queue is held: serve as long as new kicks come and there is budget. A round
 * costs some of that even if it finds nothing to serve. */
static void serve_rounds(struct virtio_device *device, uint16_t index)
{
	struct virtio_queue_state *state = &device->queue_states[index];

	for (;;) {
		__atomic_store_n(&state->kicked, 0, __ATOMIC_SEQ_CST);
		if (!virtio_may_serve(device, index))
			return;
		device->ops->serve(device, index);
		virtio_spend(device, index, 0);
		if (!is_kicked(state) || !state->budget)
			return;
		thread_window();
	}
}

/*
 * The queue is left, and nobody knows whether it is empty: vCPU 0 will look. If
 * others wait already, so does the timer, or virtio_serve_rest runs and will arm
 * it; a deadline is not put off.
 */
static void leave_rest(struct virtio_device *device, uint16_t index)
{
	struct list *rest = &device->queue_states[index].rest;
	struct vm *vm = device->vm;

	spin_lock(&vm->lock);
	if (list_is_empty(rest)) {
		if (list_is_empty(&vm->virtio_rests))
			vm_set_timer(vm, VM_TIMER_VIRTIO,
				     time_now() + REST_DELAY_NS);
		list_push_back(&vm->virtio_rests, rest);
	}
	spin_unlock(&vm->lock);
}

/*
 * Who kicks sets `kicked`, then tries to hold; who serves lets go, then looks at
 * `kicked` once more. Both are sequentially consistent, so a kick is either seen
 * by the server or finds the queue free.
 *
 * Who has no budget left lets go, then leaves the rest, and need not look: vCPU 0
 * kicks after that, and its kick is like any other. So
 *
 *	a kick while the queue is held		is seen, or vCPU 0 comes after it
 *	a kick after the queue was let go	serves; if that is all, vCPU 0
 *						comes for nothing
 *	a reset before the rest is left		vCPU 0 comes for nothing, or to a
 *						queue that nobody has notified:
 *						neither does harm
 *	a reset after that			takes the rest back
 *	notifications turned off by the server	stay off until vCPU 0 comes
 *	the end of the VM			nothing is served any more; the
 *						device goes after all vCPUs
 */
void virtio_kick(struct virtio_device *device, uint16_t index)
{
	uint64_t budget = VIRTIO_BUDGET;
	struct virtio_queue_state *state;

	if (index >= device->queue_count || !virtio_is_wanted(device))
		return;
	state = &device->queue_states[index];
	__atomic_store_n(&state->kicked, 1, __ATOMIC_SEQ_CST);
	while (budget && is_kicked(state) && virtio_try_hold(device, index)) {
		state->budget = budget;
		serve_rounds(device, index);
		budget = state->budget;
		virtio_release(device, index);
	}
	if (!budget)
		leave_rest(device, index);
}

/* The queue that comes next; NULL: none. */
static struct virtio_queue_state *take_rest(struct vm *vm)
{
	struct list *rest;

	spin_lock(&vm->lock);
	rest = list_pop_front(&vm->virtio_rests);
	spin_unlock(&vm->lock);
	return rest ? LIST_ENTRY(rest, struct virtio_queue_state, rest) : NULL;
}

void virtio_serve_rest(struct vm *vm)
{
	struct virtio_queue_state *state = take_rest(vm);
	uint64_t start = time_now(), end;

	if (!state)
		return;
	virtio_kick(state->device,
		    (uint16_t)(state - state->device->queue_states));
	end = time_now();
	spin_lock(&vm->lock);
	if (!list_is_empty(&vm->virtio_rests))
		vm_set_timer(vm, VM_TIMER_VIRTIO,
			     end + max_u64(REST_DELAY_NS, end - start));
	spin_unlock(&vm->lock);
}

void virtio_forget_rests(struct virtio_device *device)
{
	spin_lock(&device->vm->lock);
	for (uint16_t i = 0; i < device->queue_count; i++)
		list_remove(&device->queue_states[i].rest);
	spin_unlock(&device->vm->lock);
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
