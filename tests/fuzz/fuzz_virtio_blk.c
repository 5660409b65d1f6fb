/*
 * Hostile requests to a virtio disk of 1 MiB over a module: any header, any
 * segments, two queues of either format, memory that changes meanwhile. Nothing
 * may crash or be left behind, the module stays, what is answered is a status,
 * and the disk never takes more memory than its size and its index.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio_blk.h"
#include "frame_machine.h"
#include "mm/heap.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define RING	  0x10000UL
#define HEADERS	  0x30000UL /* 256 of them, 16 bytes each */
#define DATA	  0x40000UL
#define RAM_SIZE  (4 * MIB)
#define DISK_SIZE (MIB + 512)
#define NODES	  2 /* of the index: one lowest one, or the root with it */
#define QUEUES	  2
#define W	  VQ_DESC_WRITE

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t module[DISK_SIZE], pristine[DISK_SIZE];
static struct virtio_device *blk;
static struct vq_driver drivers[QUEUES];

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "virtio-blk: %s\n", what);
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

static uint64_t allocated(void)
{
	frame_cache_drain();
	return frame_machine_allocated(0);
}

static void start(uint64_t features)
{
	for (uint16_t i = 0; i < QUEUES; i++) {
		blk->queues[i].memory = &fake_vm.memory;
		if (vq_driver_start(&drivers[i], &blk->queues[i],
				    RING + i * 0x10000UL, 16, features))
			abort();
	}
	blk->status = VIRTIO_STATUS_DRIVER_OK;
}

/* Types near the known ones, sectors near the ends. */
static void put_header(struct input *input, uint64_t gpa)
{
	uint64_t word = take(input, 3);
	uint64_t header[2] = { word & 15, word >> 8 & 0xfff };

	if (word & 0x10)
		header[1] = ~header[1];
	else if (word & 0x20)
		header[1] = DISK_SIZE / 512 - (header[1] & 7);
	guest_write(&fake_vm.memory, (gpa_t){ gpa }, header, sizeof(header));
}

/* Ranges of discard and write-zeroes requests, or any data. */
static void put_data(struct input *input)
{
	uint64_t at = DATA + take(input, 1) * 16;
	uint64_t word = take(input, 3);
	uint64_t range[2] = { word & 0xfff,
			      (word >> 12 & 0x3ff) | word >> 22 << 32 };

	guest_write(&fake_vm.memory, (gpa_t){ at }, range, sizeof(range));
}

static struct vq_buffer take_buffer(struct input *input)
{
	uint64_t word = take(input, 4);
	struct vq_buffer buffer = {
		.base = DATA + (word & 0xfff) * (word >> 28 & 1 ? 512 : 16),
		.size = (uint32_t)(word >> 12 & 0x1ff),
		.flags = word >> 29 & 1 ? W : 0,
	};

	if (word >> 30 & 1)
		buffer.size *= word >> 31 & 1 ? 0x10000 : 512;
	return buffer;
}

/* Header, data, status: as a driver would, or not quite. */
static void offer(struct input *input, uint16_t index)
{
	uint64_t how = take(input, 1);
	uint64_t header = HEADERS + (how & 15) * 16;
	struct vq_buffer buffers[6] = { { header, 16, 0 } };
	size_t count = 1;

	put_header(input, header);
	if (how & 0x80)
		buffers[0].size = (uint32_t)take(input, 1);
	for (uint64_t left = how >> 4 & 3; left; left--)
		buffers[count++] = take_buffer(input);
	if ((how & 0xc0) != 0xc0)
		buffers[count++] = (struct vq_buffer){ header + 0x800, 1, W };
	vq_driver_add(&drivers[index], buffers, count);
}

static void serve(uint16_t index)
{
	uint16_t id;
	uint32_t written;

	virtio_kick(blk, index);
	for (int i = 0; i < 16; i++) {
		if (!vq_driver_take(&drivers[index], &id, &written))
			break;
	}
}

static void step(struct input *input)
{
	uint64_t kind = take(input, 1);
	uint16_t index = (uint16_t)(kind >> 7);

	switch (kind % 8) {
	case 0:
	case 1:
	case 2:
	case 3: offer(input, index); break;
	case 4: put_data(input); break;
	case 5: /* a word of a ring changes */
		vq_driver_put16(&drivers[index],
				drivers[index].base + take(input, 2) % 0x8000,
				(uint16_t)take(input, 2));
		break;
	default: serve(index);
	}
}

static void set_up_once(void)
{
	if (fake_vm.ram_size)
		return;
	for (size_t i = 0; i < sizeof(module); i++)
		module[i] = pristine[i] = (uint8_t)(i % 251);
	fake_vm_reset(QUEUES, RAM_SIZE);
	heap_init();
	/* all RAM is there, so that only the disk takes frames */
	for (uint64_t at = 0; at < RAM_SIZE; at += PAGE_SIZE)
		guest_write_u16(&fake_vm.memory, (gpa_t){ at }, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint64_t choice = take(&input, 1);
	uint64_t features = 0, before;
	struct blk_backend *disk;

	set_up_once();
	if (choice & 1)
		features |= VIRTIO_F_RING_PACKED;
	if (choice & 2)
		features |= VIRTIO_F_EVENT_IDX;
	if (choice & 4)
		features |= VIRTIO_F_INDIRECT_DESC;
	if (pci_create(&fake_vm))
		abort();
	disk = overlay_create(module, DISK_SIZE, choice & 8);
	blk = virtio_blk_make(&fake_vm, disk);
	if (!blk || virtio_pci_attach(blk))
		abort();
	before = allocated();
	start(features);
	while (input.size) {
		step(&input);
		if (!virtio_is_live(blk))
			start(features);
		require(allocated() - before <= align_up(DISK_SIZE, PAGE_SIZE) +
							NODES * PAGE_SIZE,
			"more memory than the disk has");
	}
	pci_destroy(&fake_vm);
	disk->ops->destroy(disk);
	require(allocated() <= before, "memory left behind");
	require(!memcmp(module, pristine, DISK_SIZE), "the module changed");
	return 0;
}
