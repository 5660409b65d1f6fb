/* The virtio entropy device. */
#include "drivers/virtio/virtio_rng.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/random.h"
#include "kernel/thread.h"
#include "kernel/vm.h"
#include "mm/heap.h"

#define TYPE_RNG      4
#define PCI_CLASS_RNG 0x00ff00 /* unclassified */

/* Of one request: 5.4.6.2 "Device Requirements: Device Operation" lets us give
 * less than the buffer holds. */
#define BYTES_MAX 256

struct virtio_rng {
	struct virtio_device device;
	struct vq_chain chain; /* by the server of the only queue */
};

static struct virtio_rng *rng_of(struct virtio_device *device)
{
	return CONTAINER_OF(device, struct virtio_rng, device);
}

/* Bytes written; -E: the buffer is not in memory. */
static int fill(struct virtqueue *vq, const struct vq_chain *chain)
{
	uint8_t bytes[BYTES_MAX];
	uint64_t size = min_u64(chain->write_size, sizeof(bytes));
	int error;

	if (!random_bytes(bytes, size))
		return 0;
	error = vq_write(vq, chain, 0, bytes, size);
	memset(bytes, 0, sizeof(bytes));
	return error ? error : (int)size;
}

/* The next request of the queue. False: none, or the driver went wrong. */
static bool serve_next(struct virtio_rng *rng)
{
	struct virtqueue *vq = &rng->device.queues[0];
	int found = vq_next_chain(vq, &rng->chain);
	int written = found > 0 ? fill(vq, &rng->chain) : 0;

	if (found < 0 || written < 0)
		virtio_fail(&rng->device, "rng: a ring that makes no sense");
	if (found <= 0 || written < 0)
		return false;
	vq_complete(vq, &rng->chain, (uint32_t)written);
	return true;
}

static void serve(struct virtio_device *device, uint16_t index)
{
	struct virtqueue *vq = &device->queues[index];

	do {
		vq_disable_notify(vq);
		while (virtio_may_serve(device, index) &&
		       serve_next(rng_of(device))) {
			virtio_spend(device, index, 0);
			thread_window();
		}
		virtio_signal(device, index);
	} while (virtio_may_serve(device, index) && vq_enable_notify(vq));
}

static void destroy(struct virtio_device *device)
{
	virtio_pci_detach(device);
	heap_free(rng_of(device));
}

/* There is no configuration space, and nothing that a reset would find. */
static const struct virtio_ops rng_ops = {
	.type = TYPE_RNG,
	.pci_class = PCI_CLASS_RNG,
	.serve = serve,
	.destroy = destroy,
};

struct virtio_device *virtio_rng_make(struct vm *vm)
{
	struct virtio_rng *rng = heap_alloc(sizeof(*rng));

	if (!rng)
		return NULL;
	rng->device.ops = &rng_ops;
	rng->device.vm = vm;
	rng->device.queue_count = 1;
	return &rng->device;
}

int virtio_rng_create(struct vm *vm)
{
	struct virtio_device *device = virtio_rng_make(vm);
	int error;

	if (!device)
		return -ENOMEM;
	error = virtio_pci_attach(device);
	if (error)
		heap_free(rng_of(device));
	return error;
}
