/* One request to a disk: virtio 1.2, 5.2.6 "Device Operation". */
#include "drivers/virtio/virtio_blk.h"
#include "kernel/lib/errno.h"
#include "kernel/thread.h"
#include "kernel/vmexit.h"

enum blk_type {
	BLK_IN = 0,
	BLK_OUT = 1,
	BLK_FLUSH = 4,
	BLK_GET_ID = 8,
	BLK_DISCARD = 11,
	BLK_WRITE_ZEROES = 13,
};

enum blk_status { BLK_OK, BLK_IOERR, BLK_UNSUPP };

/* What the request begins with; data and status follow, at any segmentation. */
struct blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};
_Static_assert(sizeof(struct blk_header) == 16, "as specified");

/* Data of a discard or write-zeroes request. */
struct blk_range {
	uint64_t sector;
	uint32_t count;
	uint32_t flags;
};
_Static_assert(sizeof(struct blk_range) == 16, "as specified");

#define RANGE_UNMAP BIT(0)

/* Bytes copied from one scheduling point to the next. */
#define WINDOW_BYTES (256 * KIB)

/* Legend: the guest's until checked are header's fields. */
struct request {
	struct virtio_blk *blk;
	struct virtqueue *vq;
	const struct vq_chain *chain;
	struct blk_header header;
	uint64_t filled; /* bytes from the start of the write part on */
};

/* Data is what lies between header and status. */
static uint64_t out_size(const struct request *request)
{
	return request->chain->read_size - sizeof(struct blk_header);
}

static uint64_t in_size(const struct request *request)
{
	return request->chain->write_size - 1;
}

static int check_range(const struct request *request, uint64_t sector,
		       uint64_t size)
{
	uint64_t capacity = request->blk->backend->capacity;

	if (sector > capacity / BLK_SECTOR_SIZE || size % BLK_SECTOR_SIZE)
		return -EINVAL;
	return range_fits(sector * BLK_SECTOR_SIZE, size, capacity) ? 0
								    : -EINVAL;
}

/* Bytes inside one page of the guest, straight to or from the back end. */
static int move_piece(struct request *request, uint64_t gpa, uint64_t at,
		      uint64_t size, bool is_out)
{
	struct blk_backend *backend = request->blk->backend;
	void *page =
		guest_pointer(request->vq->memory, (gpa_t){ gpa },
			      (uint32_t)(is_out ? ACCESS_READ : ACCESS_WRITE));

	if (!page)
		return -EFAULT;
	return is_out ? backend->ops->write(backend, at, page, size)
		      : backend->ops->read(backend, at, page, size);
}

/* A scheduling point after every WINDOW_BYTES; no pointer lives across it. */
static int give_way(const struct request *request, uint64_t *since)
{
	if (*since < WINDOW_BYTES)
		return 0;
	*since = 0;
	thread_window();
	return virtio_is_wanted(&request->blk->device) ? 0 : -EIO;
}

/* Move @size bytes between the disk from @at on and the segments from byte @skip
 * on, which hold as many. */
static int move(struct request *request, const struct vq_segment *segment,
		uint64_t skip, uint64_t at, uint64_t size, bool is_out)
{
	uint64_t since = 0;
	int error = 0;

	while (size && !error) {
		uint64_t gpa = segment->base.value + skip;
		uint64_t count;

		if (skip >= segment->size) {
			skip -= segment->size;
			segment++;
			continue;
		}
		count = min_u64(segment->size - skip,
				PAGE_SIZE - gpa % PAGE_SIZE);
		count = min_u64(count, size);
		error = move_piece(request, gpa, at, count, is_out);
		skip += count;
		at += count;
		size -= count;
		since += count;
		if (!error)
			error = give_way(request, &since);
	}
	return error;
}

static int serve_in(struct request *request)
{
	const struct vq_chain *chain = request->chain;
	uint64_t size = in_size(request);
	int error = check_range(request, request->header.sector, size);

	if (error || size > BLK_TRANSFER_MAX)
		return -EINVAL;
	error = move(request, chain->segments + chain->read_count, 0,
		     request->header.sector * BLK_SECTOR_SIZE, size, false);
	if (!error)
		request->filled = size;
	return error;
}

static int serve_out(struct request *request)
{
	uint64_t size = out_size(request);

	if (request->blk->backend->is_read_only || size > BLK_TRANSFER_MAX ||
	    check_range(request, request->header.sector, size))
		return -EINVAL;
	return move(request, request->chain->segments,
		    sizeof(struct blk_header),
		    request->header.sector * BLK_SECTOR_SIZE, size, true);
}

static int serve_flush(struct request *request)
{
	struct blk_backend *backend = request->blk->backend;

	return backend->ops->flush ? backend->ops->flush(backend) : 0;
}

static int serve_id(struct request *request)
{
	uint64_t size = min_u64(in_size(request), BLK_ID_SIZE);
	int error = vq_write(request->vq, request->chain, 0,
			     request->blk->backend->id, size);

	if (!error)
		request->filled = size;
	return error;
}

/* Flags that do not apply are an unsupported request, not an error. */
static int check_ranges(const struct request *request,
			const struct blk_range *ranges, uint64_t count)
{
	uint64_t flags = request->header.type == BLK_DISCARD ? 0 : RANGE_UNMAP;

	for (uint64_t i = 0; i < count; i++) {
		if (ranges[i].flags & ~flags)
			return -ENOTSUP;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (ranges[i].count > BLK_RANGE_SECTORS ||
		    check_range(request, ranges[i].sector,
				(uint64_t)ranges[i].count * BLK_SECTOR_SIZE))
			return -EINVAL;
	}
	return 0;
}

static int apply_range(const struct request *request, struct blk_range range)
{
	struct blk_backend *backend = request->blk->backend;
	uint64_t offset = range.sector * BLK_SECTOR_SIZE;
	uint64_t size = (uint64_t)range.count * BLK_SECTOR_SIZE;

	if (request->header.type == BLK_DISCARD)
		return backend->ops->discard(backend, offset, size);
	return backend->ops->write_zeroes(backend, offset, size,
					  range.flags & RANGE_UNMAP);
}

static uint16_t index_of(const struct request *request)
{
	return (uint16_t)(request->vq - request->blk->device.queues);
}

static bool has_ranges(const struct request *request)
{
	const struct blk_backend_ops *ops = request->blk->backend->ops;

	return request->header.type == BLK_DISCARD ? ops->discard != NULL
						   : ops->write_zeroes != NULL;
}

/* All ranges are checked before the first one is touched. */
static int serve_ranges(struct request *request)
{
	struct blk_range ranges[BLK_RANGES_MAX];
	uint64_t size = out_size(request);
	uint64_t count = size / sizeof(ranges[0]);
	int error;

	if (!has_ranges(request))
		return -ENOTSUP;
	if (request->blk->backend->is_read_only || size % sizeof(ranges[0]) ||
	    count == 0 || count > BLK_RANGES_MAX)
		return -EINVAL;
	error = vq_read(request->vq, request->chain, sizeof(struct blk_header),
			ranges, size);
	if (!error)
		error = check_ranges(request, ranges, count);
	for (uint64_t i = 0; !error && i < count; i++) {
		error = apply_range(request, ranges[i]);
		virtio_spend(&request->blk->device, index_of(request),
			     (uint64_t)ranges[i].count * BLK_SECTOR_SIZE);
		thread_window();
	}
	return error;
}

static int serve_type(struct request *request)
{
	switch (request->header.type) {
	case BLK_IN: return serve_in(request);
	case BLK_OUT: return serve_out(request);
	case BLK_FLUSH: return serve_flush(request);
	case BLK_GET_ID: return serve_id(request);
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES: return serve_ranges(request);
	default: return -ENOTSUP;
	}
}

static enum blk_status status_of(int error)
{
	if (error == -ENOTSUP)
		return BLK_UNSUPP;
	return error ? BLK_IOERR : BLK_OK;
}

/* The used length covers what was written without a gap from the start on, so
 * the status only if the data before it was: 2.7.8.2 "Device Requirements: The
 * Virtqueue Used Ring" prefers an underestimate. */
static uint32_t written_bytes(const struct request *request)
{
	uint64_t written = request->filled;

	if (written == in_size(request))
		written++;
	return (uint32_t)min_u64(written, UINT32_MAX);
}

int blk_request_serve(struct virtio_blk *blk, struct virtqueue *vq,
		      const struct vq_chain *chain)
{
	struct request request = { .blk = blk, .vq = vq, .chain = chain };
	uint8_t status;
	int error;

	if (chain->write_size == 0)
		return -EINVAL;
	error = vq_read(vq, chain, 0, &request.header, sizeof(request.header));
	if (!error)
		error = serve_type(&request);
	status = (uint8_t)status_of(error);
	error = vq_write(vq, chain, chain->write_size - 1, &status, 1);
	if (error)
		return error;
	vq_complete(vq, chain, written_bytes(&request));
	return 0;
}
