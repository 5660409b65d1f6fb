/*
 * A disk private to one VM over a read-only module, or over nothing.
 *
 *	slot of the block	reads as		first write
 *	ABSENT			module, or zeroes	copy, change, add
 *	ZERO			zeroes			zero, change, add
 *	a block			itself			change
 *
 * A block is added with its whole content in place, so that no other CPU sees
 * the frame's former one.
 */
#include "drivers/virtio/blk_backend.h"
#include "drivers/virtio/block_map.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/heap.h"

/* Legend: (o) set once. */
struct overlay {
	struct blk_backend backend;
	const char *module; /* (o) backend.capacity bytes, or NULL */
	struct block_map map;
};

/* A range of bytes inside one block. */
struct piece {
	uint64_t block;
	uint32_t offset;
	uint32_t size;
};

static struct overlay *overlay_of(struct blk_backend *backend)
{
	return CONTAINER_OF(backend, struct overlay, backend);
}

static struct piece first_piece(uint64_t offset, uint64_t size)
{
	uint64_t within = offset % PAGE_SIZE;

	return (struct piece){
		.block = offset / PAGE_SIZE,
		.offset = (uint32_t)within,
		.size = (uint32_t)min_u64(size, PAGE_SIZE - within),
	};
}

static bool is_zero(const struct overlay *overlay, const void *slot)
{
	return slot == BLOCK_ZERO || (slot == BLOCK_ABSENT && !overlay->module);
}

/* Copy what a block without memory of its own reads as. The last block may
 * reach beyond the module. */
static void read_original(const struct overlay *overlay, const void *slot,
			  struct piece piece, void *to)
{
	uint64_t at = piece.block * PAGE_SIZE + piece.offset;
	uint64_t size =
		is_zero(overlay, slot)
			? 0
			: min_u64(piece.size, overlay->backend.capacity - at);

	if (size)
		memcpy(to, overlay->module + at, size);
	memset((char *)to + size, 0, piece.size - size);
}

static void read_piece(struct overlay *overlay, struct piece piece, void *to)
{
	char *block;

	block_map_enter(&overlay->map);
	block = block_map_find(&overlay->map, piece.block);
	if (block_is_present(block))
		memcpy(to, block + piece.offset, piece.size);
	else
		read_original(overlay, block, piece, to);
	block_map_leave(&overlay->map);
}

static int overlay_read(struct blk_backend *backend, uint64_t offset, void *to,
			uint64_t size)
{
	char *out = to;

	while (size) {
		struct piece piece = first_piece(offset, size);

		read_piece(overlay_of(backend), piece, out);
		offset += piece.size;
		out += piece.size;
		size -= piece.size;
	}
	return 0;
}

/* @from NULL: zeroes. */
static void change(char *block, struct piece piece, const void *from)
{
	if (from)
		memcpy(block + piece.offset, from, piece.size);
	else
		memset(block + piece.offset, 0, piece.size);
}

/* Give the block a frame of its own, with the change in it. Another CPU may be
 * faster: then change its frame. */
static int add_block(struct overlay *overlay, const void *slot,
		     struct piece piece, const void *from)
{
	struct piece whole = { piece.block, 0, PAGE_SIZE };
	char *frame = block_alloc();
	char *winner;

	if (!frame)
		return -ENOMEM;
	if (piece.size < PAGE_SIZE)
		read_original(overlay, slot, whole, frame);
	change(frame, piece, from);
	winner = block_map_add(&overlay->map, piece.block, frame);
	if (winner != frame)
		block_free(frame);
	if (!winner)
		return -ENOMEM;
	if (winner != frame)
		change(winner, piece, from);
	return 0;
}

static int change_piece(struct overlay *overlay, struct piece piece,
			const void *from)
{
	void *slot;
	int error = 0;

	block_map_enter(&overlay->map);
	slot = block_map_find(&overlay->map, piece.block);
	if (block_is_present(slot))
		change(slot, piece, from);
	else if (from || !is_zero(overlay, slot))
		error = add_block(overlay, slot, piece, from);
	block_map_leave(&overlay->map);
	return error;
}

/* @from NULL: zeroes. */
static int change_range(struct overlay *overlay, uint64_t offset,
			const char *from, uint64_t size)
{
	while (size) {
		struct piece piece = first_piece(offset, size);
		int error = change_piece(overlay, piece, from);

		if (error)
			return error;
		offset += piece.size;
		from = from ? from + piece.size : NULL;
		size -= piece.size;
	}
	return 0;
}

static int overlay_write(struct blk_backend *backend, uint64_t offset,
			 const void *from, uint64_t size)
{
	return change_range(overlay_of(backend), offset, from, size);
}

/* Blocks that lie wholly in the range, and what is before and behind them. The
 * disk's end counts as the end of its last block. */
struct split {
	uint64_t first;
	uint64_t count;
	uint64_t head_size;
	uint64_t tail;
	uint64_t tail_size;
};

static uint64_t blocks_in(uint64_t size)
{
	return (size >> PAGE_SHIFT) + !is_aligned(size, PAGE_SIZE);
}

static struct split split_range(const struct overlay *overlay, uint64_t offset,
				uint64_t size)
{
	uint64_t end = offset + size;
	bool is_at_end = end == overlay->backend.capacity;
	uint64_t first = blocks_in(offset);
	uint64_t last = is_at_end ? blocks_in(end) : end >> PAGE_SHIFT;

	if (first >= last)
		return (struct split){ .head_size = size };
	return (struct split){
		.first = first,
		.count = last - first,
		.head_size = first * PAGE_SIZE - offset,
		.tail = last * PAGE_SIZE,
		.tail_size = is_at_end ? 0 : end % PAGE_SIZE,
	};
}

static int overlay_write_zeroes(struct blk_backend *backend, uint64_t offset,
				uint64_t size, bool may_unmap)
{
	struct overlay *overlay = overlay_of(backend);
	struct split split = split_range(overlay, offset, size);
	int error;

	if (!may_unmap)
		return change_range(overlay, offset, NULL, size);
	error = change_range(overlay, offset, NULL, split.head_size);
	if (!error)
		error = block_map_clear(&overlay->map, split.first,
					split.count);
	if (!error)
		error = change_range(overlay, split.tail, NULL,
				     split.tail_size);
	return error;
}

/* What is discarded reads as zeroes, not as the module: a guest that has thrown
 * something away does not find older things in its place. */
static int overlay_discard(struct blk_backend *backend, uint64_t offset,
			   uint64_t size)
{
	struct overlay *overlay = overlay_of(backend);
	struct split split = split_range(overlay, offset, size);

	return block_map_clear(&overlay->map, split.first, split.count);
}

static void overlay_destroy(struct blk_backend *backend)
{
	struct overlay *overlay = overlay_of(backend);

	block_map_fini(&overlay->map);
	heap_free(overlay);
}

static const struct blk_backend_ops overlay_ops = {
	.read = overlay_read,
	.write = overlay_write,
	.discard = overlay_discard,
	.write_zeroes = overlay_write_zeroes,
	.destroy = overlay_destroy,
};

struct blk_backend *overlay_create(const void *module, uint64_t size,
				   bool read_only)
{
	struct overlay *overlay = heap_alloc(sizeof(*overlay));

	if (!overlay)
		return NULL;
	overlay->backend = (struct blk_backend){
		.ops = &overlay_ops,
		.capacity = align_down(size, BLK_SECTOR_SIZE),
		.is_read_only = read_only,
		.id = "basalt-disk",
	};
	overlay->module = module;
	block_map_init(&overlay->map, blocks_in(overlay->backend.capacity),
		       module ? BLOCK_ZERO : BLOCK_ABSENT);
	return &overlay->backend;
}
