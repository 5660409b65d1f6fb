/*
 * Hostile rings, split and packed: they change between any two calls. The first
 * byte chooses format, features and size; then a step is a byte and what it
 * needs. What a chain promises is checked each time.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/heap.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define RING	 0x10000UL
#define TABLE	 0x1fff8UL /* crosses pages */
#define RAM_SIZE (4 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static struct virtqueue vq;
static struct vq_driver driver;
static struct vq_chain chain;
static bool has_chain; /* taken and not given back */

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "virtqueue: %s\n", what);
	abort();
}

static uint64_t take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	bytes = min_u64(bytes, input->size);
	memcpy(&value, input->data, bytes);
	input->data += bytes;
	input->size -= bytes;
	return value;
}

/* Mostly places with memory, sometimes none. */
static uint64_t take_gpa(struct input *input)
{
	uint64_t word = take(input, 3);

	switch (word >> 22) {
	case 0: return TABLE + word % 64;
	case 1: return ~0UL - word % 4096;
	default: return word * 3 % (RAM_SIZE + 0x10000);
	}
}

static struct vq_buffer take_buffer(struct input *input)
{
	struct vq_buffer buffer = { .base = take_gpa(input) };
	uint64_t word = take(input, 3);

	buffer.size = (uint32_t)(word & 0x3ff);
	if ((word & 0xc00) == 0xc00)
		buffer.size = ~0U - buffer.size;
	buffer.flags = (uint16_t)(word >> 12 & 7);
	if (word >> 20 & 1)
		buffer.flags |= VQ_DESC_AVAIL;
	if (word >> 21 & 1)
		buffer.flags |= VQ_DESC_USED;
	return buffer;
}

static void check_chain(void)
{
	uint32_t count = chain.read_count + chain.write_count;
	uint64_t read_size = 0, write_size = 0;

	require(count <= VQ_SEGMENTS_MAX, "too many segments");
	for (uint32_t i = 0; i < count; i++) {
		const struct vq_segment *segment = &chain.segments[i];

		require(segment->size, "an empty segment");
		require(segment->base.value + segment->size >
				segment->base.value,
			"a segment that wraps");
		*(i < chain.read_count ? &read_size : &write_size) +=
			segment->size;
	}
	require(read_size == chain.read_size, "wrong bytes to read");
	require(write_size == chain.write_size, "wrong bytes to write");
	require(read_size + write_size <= 4 * GIB, "more than 4 GiB");
	require(chain.taken >= 1 && chain.taken <= vq.size, "wrong slots");
}

static void check_position(void)
{
	if (vq.is_packed)
		require(vq.next_avail < vq.size && vq.next_used < vq.size,
			"outside the ring");
}

static void step_next(void)
{
	uint16_t before = vq.next_avail;
	int found = vq_next_chain(&vq, &chain);

	has_chain = found == 1;
	if (has_chain)
		check_chain();
	else
		require(vq.next_avail == before, "moved without a chain");
}

static void step_copy(struct input *input)
{
	uint8_t bytes[300];
	uint64_t offset = take(input, 2);
	uint64_t size = take(input, 1) + offset % 40;

	if (!has_chain)
		return;
	if (vq_read(&vq, &chain, offset, bytes, size) == 0)
		require(offset + size <= chain.read_size, "read too far");
	memset(bytes, 0x55, sizeof(bytes));
	if (vq_write(&vq, &chain, offset, bytes, size) == 0)
		require(offset + size <= chain.write_size, "wrote too far");
}

static void step_return(struct input *input)
{
	uint64_t how = take(input, 2);

	if (!has_chain)
		return;
	if (how & 1)
		vq_rewind(&vq, &chain);
	else
		vq_complete(&vq, &chain, (uint32_t)how);
	has_chain = false;
}

static void step_well_behaved(struct input *input)
{
	struct vq_buffer buffers[4];
	size_t count = take(input, 1) % ARRAY_SIZE(buffers) + 1;

	count = min_u64(count, vq.size);
	for (size_t i = 0; i < count; i++) {
		buffers[i] = take_buffer(input);
		buffers[i].flags &= VQ_DESC_WRITE | VQ_DESC_INDIRECT;
	}
	vq_driver_add(&driver, buffers, count);
}

static void step(struct input *input)
{
	uint64_t kind = take(input, 1);
	uint64_t slot;

	switch (kind % 12) {
	case 0:
	case 1:
	case 2: step_next(); break;
	case 3: step_copy(input); break;
	case 4:
	case 5: step_return(input); break;
	case 6: step_well_behaved(input); break;
	case 7: /* a descriptor as it comes */
		slot = take(input, 1);
		vq_driver_put_desc(&driver, RING + slot * 16,
				   take_buffer(input),
				   (uint16_t)take(input, 2));
		break;
	case 8:
		slot = take(input, 1);
		vq_driver_put_desc(&driver, TABLE + slot * 16,
				   take_buffer(input),
				   (uint16_t)take(input, 1));
		break;
	case 9: /* any word of the driver's area */
		slot = take(input, 1);
		vq_driver_put16(&driver, RING + VQ_DRIVER_AVAIL + slot * 2,
				(uint16_t)take(input, 2));
		break;
	case 10: vq_take_signal(&vq); break;
	default:
		vq_disable_notify(&vq);
		if (kind & 0x80)
			vq_enable_notify(&vq);
	}
	check_position();
}

static uint64_t features_of(uint64_t choice)
{
	uint64_t features = 0;

	if (choice & 1)
		features |= VIRTIO_F_RING_PACKED;
	if (choice & 2)
		features |= VIRTIO_F_EVENT_IDX;
	if (choice & 4)
		features |= VIRTIO_F_INDIRECT_DESC;
	return features;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t choice = take(&input, 1);
	uint16_t slots = (uint16_t)(1U << (choice >> 3 & 15) % 9);

	if (fake_vm.ram_size == 0) {
		fake_vm_reset(1, RAM_SIZE);
		heap_init();
	}
	guest_zero(&fake_vm.memory, (gpa_t){ 0 }, 0x40000);
	vq.memory = &fake_vm.memory;
	if (choice & 1 && choice & 0x80)
		slots = (uint16_t)(slots - slots / 3);
	if (vq_driver_start(&driver, &vq, RING, slots, features_of(choice)))
		abort();
	has_chain = false;
	while (input.size)
		step(&input);
	vq_reset(&vq);
	require(list_is_empty(&fake_vm.memory.pins), "pinned for ever");
	return 0;
}
