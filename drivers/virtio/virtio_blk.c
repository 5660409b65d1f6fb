/* The virtio disk: configuration and queues. */
#include "drivers/virtio/virtio_blk.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/thread.h"
#include "kernel/vm.h"
#include "mm/heap.h"

/* 5.2.3 "Feature bits" */
#define BLK_F_SEG_MAX	   BIT(2)
#define BLK_F_RO	   BIT(5)
#define BLK_F_BLK_SIZE	   BIT(6)
#define BLK_F_FLUSH	   BIT(9)
#define BLK_F_TOPOLOGY	   BIT(10)
#define BLK_F_MQ	   BIT(12)
#define BLK_F_DISCARD	   BIT(13)
#define BLK_F_WRITE_ZEROES BIT(14)

#define TYPE_BLK      2
#define PCI_CLASS_BLK 0x010000 /* mass storage, SCSI: what others' disks say */

/* Requests after which a driver that waits for several is told. */
#define BATCH 16

/* Overlays and RAM disks keep blocks of 4 KiB: 8 sectors. */
#define BLOCK_EXPONENT 3
#define BLOCK_SECTORS  (1 << BLOCK_EXPONENT)

static struct virtio_blk *blk_of(struct virtio_device *device)
{
	return CONTAINER_OF(device, struct virtio_blk, device);
}

/* The next request of the queue. False: none, or the driver went wrong. */
static bool serve_next(struct virtio_blk *blk, uint16_t index)
{
	struct virtqueue *vq = &blk->device.queues[index];
	struct vq_chain *chain = &blk->chains[index];
	int found = vq_next_chain(vq, chain);

	if (found < 0)
		virtio_fail(&blk->device, "blk: a ring that makes no sense");
	if (found <= 0)
		return false;
	if (blk_request_serve(blk, vq, chain)) {
		virtio_fail(&blk->device, "blk: no room for a status");
		return false;
	}
	virtio_spend(&blk->device, index, chain->read_size + chain->write_size);
	return true;
}

/* All that is there now. */
static void serve_some(struct virtio_blk *blk, uint16_t index)
{
	uint32_t served = 0;

	while (virtio_may_serve(&blk->device, index) &&
	       serve_next(blk, index)) {
		if (++served % BATCH == 0)
			virtio_signal(&blk->device, index);
		thread_window();
	}
	virtio_signal(&blk->device, index);
}

static void serve(struct virtio_device *device, uint16_t index)
{
	struct virtio_blk *blk = blk_of(device);
	struct virtqueue *vq = &device->queues[index];

	do {
		vq_disable_notify(vq);
		serve_some(blk, index);
	} while (virtio_may_serve(device, index) && vq_enable_notify(vq));
}

static void config_read(struct virtio_device *device, uint32_t offset, void *to,
			uint32_t size)
{
	const char *config = (const char *)&blk_of(device)->config;

	if (range_fits(offset, size, device->config_size))
		memcpy(to, config + offset, size);
}

static void destroy(struct virtio_device *device)
{
	struct virtio_blk *blk = blk_of(device);

	virtio_pci_detach(device);
	heap_free(blk);
}

/* The driver may write nothing (writeback goes with a feature that is not
 * offered), and nothing outlives a request, so a reset finds nothing to do. */
static const struct virtio_ops blk_ops = {
	.type = TYPE_BLK,
	.pci_class = PCI_CLASS_BLK,
	.config_read = config_read,
	.serve = serve,
	.destroy = destroy,
};

/*
 * SIZE_MAX is not offered: FreeBSD refuses a disk whose limit is below its own
 * largest transfer. FLUSH is not, where nothing is kept beyond the machine's
 * power: 5.2.6.2 "Device Requirements: Device Operation" asks for that.
 */
static uint64_t features_of(const struct blk_backend *backend,
			    uint16_t queue_count)
{
	const struct blk_backend_ops *ops = backend->ops;
	uint64_t features = BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY;

	if (queue_count > 1)
		features |= BLK_F_MQ;
	if (backend->is_read_only)
		return features | BLK_F_RO;
	if (ops->flush)
		features |= BLK_F_FLUSH;
	if (ops->discard)
		features |= BLK_F_DISCARD;
	if (ops->write_zeroes)
		features |= BLK_F_WRITE_ZEROES;
	return features;
}

static struct blk_config config_of(const struct blk_backend *backend,
				   uint16_t queue_count)
{
	return (struct blk_config){
		.capacity = backend->capacity / BLK_SECTOR_SIZE,
		.seg_max = BLK_SEGMENTS_MAX,
		.blk_size = BLK_SECTOR_SIZE,
		.physical_block_exp = BLOCK_EXPONENT,
		.min_io_size = BLOCK_SECTORS,
		.num_queues = queue_count,
		.max_discard_sectors = BLK_RANGE_SECTORS,
		.max_discard_seg = BLK_RANGES_MAX,
		.discard_sector_alignment = BLOCK_SECTORS,
		.max_write_zeroes_sectors = BLK_RANGE_SECTORS,
		.max_write_zeroes_seg = BLK_RANGES_MAX,
		.write_zeroes_may_unmap = 1,
	};
}

struct virtio_device *virtio_blk_make(struct vm *vm,
				      struct blk_backend *backend)
{
	uint16_t queue_count =
		(uint16_t)min_u64(max_u64(vm->vcpu_count, 1), BLK_QUEUES_MAX);
	struct virtio_blk *blk =
		heap_alloc(sizeof(*blk) + queue_count * sizeof(blk->chains[0]));

	if (!blk)
		return NULL;
	blk->device.ops = &blk_ops;
	blk->device.vm = vm;
	blk->device.features = features_of(backend, queue_count);
	blk->device.config_size = offsetof(struct blk_config, unused1) + 3;
	blk->device.queue_count = queue_count;
	blk->backend = backend;
	blk->config = config_of(backend, queue_count);
	return &blk->device;
}

int virtio_blk_create(struct vm *vm, struct blk_backend *backend)
{
	struct virtio_device *device = virtio_blk_make(vm, backend);
	int error;

	if (!device)
		return -ENOMEM;
	error = virtio_pci_attach(device);
	if (error)
		heap_free(blk_of(device));
	return error;
}
