/* Chains: segments out of descriptors, and copying from and to them. */
#include "drivers/virtio/vq_ring.h"
#include "kernel/lib/errno.h"
#include "kernel/vmexit.h"

/* An indirect table, and the page of it that was read last. */
struct table {
	struct guest_mem *memory;
	uint64_t base;
	uint32_t count;
	uint64_t page; /* gpa */
	const char *bytes;
};

/* One descriptor, with one look at each of its words. */
static int read_entry(struct table *table, uint32_t index, uint64_t words[2])
{
	uint64_t at = table->base + VQ_DESC_SIZE * (uint64_t)index;
	uint64_t page = align_down(at, PAGE_SIZE);
	const uint64_t *entry;

	if (at % 8 || at - page > PAGE_SIZE - VQ_DESC_SIZE)
		return guest_read(table->memory, (gpa_t){ at }, words,
				  VQ_DESC_SIZE);
	if (!table->bytes || table->page != page) {
		table->bytes = guest_pointer(table->memory, (gpa_t){ page },
					     ACCESS_READ);
		table->page = page;
	}
	if (!table->bytes)
		return -EFAULT;
	entry = (const uint64_t *)(table->bytes + (at - page));
	words[0] = __atomic_load_n(&entry[0], __ATOMIC_RELAXED);
	words[1] = __atomic_load_n(&entry[1], __ATOMIC_RELAXED);
	return 0;
}

/* Split: entries are linked, from the first on; as many steps as there are
 * entries, so a loop ends. */
static int add_linked(struct table *table, struct vq_chain *chain)
{
	uint32_t index = 0;

	for (uint32_t left = table->count; left; left--) {
		uint64_t words[2];
		struct vq_desc desc;
		int error;

		if (index >= table->count)
			return -EINVAL;
		error = read_entry(table, index, words);
		if (error)
			return error;
		desc = vq_desc_split(words[0], words[1]);
		if (desc.flags & VQ_DESC_INDIRECT)
			return -EINVAL;
		error = vq_chain_add(chain, &desc);
		if (error || !(desc.flags & VQ_DESC_NEXT))
			return error;
		index = desc.link;
	}
	return -EINVAL;
}

/* Packed: all entries, in order (2.8.7 "Indirect Flag: Scatter-Gather
 * Support"). Flags but WRITE are reserved, so ignored. */
static int add_all(struct table *table, struct vq_chain *chain)
{
	for (uint32_t i = 0; i < table->count; i++) {
		uint64_t words[2];
		struct vq_desc desc;
		int error = read_entry(table, i, words);

		if (error)
			return error;
		desc = vq_desc_packed(words[0], words[1]);
		error = vq_chain_add(chain, &desc);
		if (error)
			return error;
	}
	return 0;
}

/* Tables longer than what a chain may have are refused, so that empty entries
 * cannot make us read on and on. */
int vq_chain_add_table(struct virtqueue *vq, struct vq_chain *chain,
		       const struct vq_desc *desc)
{
	struct table table = {
		.memory = vq->memory,
		.base = desc->base,
		.count = desc->size / VQ_DESC_SIZE,
	};

	if (!vq->has_indirect || (desc->flags & VQ_DESC_NEXT))
		return -EINVAL;
	if (table.count == 0 || desc->size % VQ_DESC_SIZE ||
	    table.count > VQ_SEGMENTS_MAX)
		return -EINVAL;
	if (desc->base + desc->size < desc->base)
		return -EINVAL;
	return vq->is_packed ? add_all(&table, chain)
			     : add_linked(&table, chain);
}

/* Bytes of @segment, from @offset on, that a copy of @left bytes touches. */
static uint64_t piece_size(const struct vq_segment *segment, uint64_t offset,
			   uint64_t left)
{
	return min_u64(segment->size - offset, left);
}

static const struct vq_segment *seek(const struct vq_segment *segment,
				     uint64_t *offset)
{
	for (; *offset >= segment->size; segment++)
		*offset -= segment->size;
	return segment;
}

int vq_read(struct virtqueue *vq, const struct vq_chain *chain, uint64_t offset,
	    void *to, uint64_t size)
{
	const struct vq_segment *segment = chain->segments;
	char *out = to;

	if (!range_fits(offset, size, chain->read_size))
		return -EINVAL;
	if (size)
		segment = seek(segment, &offset);
	for (; size; segment++, offset = 0) {
		uint64_t count = piece_size(segment, offset, size);
		int error = guest_read(vq->memory,
				       (gpa_t){ segment->base.value + offset },
				       out, count);

		if (error)
			return error;
		out += count;
		size -= count;
	}
	return 0;
}

int vq_write(struct virtqueue *vq, const struct vq_chain *chain,
	     uint64_t offset, const void *from, uint64_t size)
{
	const struct vq_segment *segment = chain->segments + chain->read_count;
	const char *in = from;

	if (!range_fits(offset, size, chain->write_size))
		return -EINVAL;
	if (size)
		segment = seek(segment, &offset);
	for (; size; segment++, offset = 0) {
		uint64_t count = piece_size(segment, offset, size);
		int error = guest_write(vq->memory,
					(gpa_t){ segment->base.value + offset },
					in, count);

		if (error)
			return error;
		in += count;
		size -= count;
	}
	return 0;
}
