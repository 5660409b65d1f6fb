/*
 * The disk of virtio 1.2, 5.2 "Block Device". [pure]
 *
 *	virtio_blk.c	the device: configuration, queues
 *	blk_request.c	one request
 */
#ifndef DRIVERS_VIRTIO_VIRTIO_BLK_H
#define DRIVERS_VIRTIO_VIRTIO_BLK_H

#include "drivers/virtio/blk_backend.h"
#include "drivers/virtio/virtio.h"

#define BLK_QUEUES_MAX	  4
#define BLK_RANGES_MAX	  16	/* of one discard or write-zeroes request */
#define BLK_RANGE_SECTORS 32768 /* 16 MiB; of one of them */
#define BLK_TRANSFER_MAX  GIB	/* bytes of one read or write */
#define BLK_SEGMENTS_MAX  (VQ_SEGMENTS_MAX - 2) /* and header and status */

/* 5.2.4 "Device configuration layout" */
struct blk_config {
	uint64_t capacity; /* sectors */
	uint32_t size_max;
	uint32_t seg_max;
	uint16_t cylinders;
	uint8_t heads;
	uint8_t sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp;
	uint8_t alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback;
	uint8_t unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors;
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors;
	uint32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t unused1[3];
};
_Static_assert(offsetof(struct blk_config, num_queues) == 34, "as specified");
_Static_assert(offsetof(struct blk_config, unused1) == 57, "as specified");

/* Legend: (o) set once, (q) by the server of the queue. */
struct virtio_blk {
	struct virtio_device device;
	struct blk_backend *backend; /* (o) */
	struct blk_config config;    /* (o) */
	struct vq_chain chains[];    /* (q) device.queue_count, the request
					   that is served */
};

/* The device, not attached. NULL: no memory. */
struct virtio_device *virtio_blk_make(struct vm *vm,
				      struct blk_backend *backend);

/* Serve the request and complete it. -EINVAL, -EFAULT: its status cannot be
 * told. Gives way now and then. */
int blk_request_serve(struct virtio_blk *blk, struct virtqueue *vq,
		      const struct vq_chain *chain);

#endif
