/* A virtio disk on a bench, and its driver. Include it once in a program, after
 * cmocka.h. */
#ifndef TESTS_BLK_BENCH_H
#define TESTS_BLK_BENCH_H

#include <stdlib.h>
#include <string.h>

#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio_blk.h"
#include "frame_machine.h"
#include "mm/heap.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define BENCH_RING   0x10000UL /* and BENCH_QUEUE on, of the next queue */
#define BENCH_QUEUE  0x10000UL
#define BENCH_HEADER 0x60000UL
#define BENCH_STATUS 0x61000UL
#define BENCH_DATA   0x100000UL
#define BENCH_RAM    (16 * MIB)
#define BENCH_SLOTS  256

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK, IOERR, UNSUPP, UNTOUCHED = 0xee };

static struct virtio_device *blk;
static struct blk_backend *disk;
static struct vq_driver drivers[BLK_QUEUES_MAX];
static uint32_t last_written; /* used length of the last request */

/* Queues of @features with VIRTIO_F_*, as after DRIVER_OK. */
static inline void bench_start(uint64_t features)
{
	for (uint16_t i = 0; i < blk->queue_count; i++) {
		struct virtqueue *vq = &blk->queues[i];

		vq->memory = &fake_vm.memory;
		if (vq_driver_start(&drivers[i], vq,
				    BENCH_RING + i * BENCH_QUEUE, BENCH_SLOTS,
				    features))
			abort();
	}
	blk->status = VIRTIO_STATUS_DRIVER_OK;
}

static inline void bench_machine(uint32_t vcpus)
{
	fake_vm_reset(vcpus, BENCH_RAM);
	vq_driver_scatter(&fake_vm.memory, BENCH_RAM);
	heap_init();
	if (pci_create(&fake_vm))
		abort();
}

static inline void bench_plug_in(struct blk_backend *backend)
{
	disk = backend;
	blk = disk ? virtio_blk_make(&fake_vm, disk) : NULL;
	if (!blk || virtio_pci_attach(blk))
		abort();
	bench_start(0);
}

/* The device goes with the bus, its disk does not. */
static inline void bench_clear(void)
{
	pci_destroy(&fake_vm);
	disk->ops->destroy(disk);
	blk = NULL;
}

static inline void put_guest(uint64_t gpa, const void *from, uint64_t size)
{
	if (guest_write(&fake_vm.memory, (gpa_t){ gpa }, from, size))
		abort();
}

static inline void get_guest(uint64_t gpa, void *to, uint64_t size)
{
	if (guest_read(&fake_vm.memory, (gpa_t){ gpa }, to, size))
		abort();
}

static inline void put_header(uint32_t type, uint64_t sector)
{
	const struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = { type, 0, sector };
	uint8_t untouched = UNTOUCHED;

	put_guest(BENCH_HEADER, &header, sizeof(header));
	put_guest(BENCH_STATUS, &untouched, 1);
}

/* Header, @buffers and status byte, as a request of queue @index. */
static inline void bench_offer(uint16_t index, const struct vq_buffer *buffers,
			       size_t count)
{
	struct vq_buffer all[BENCH_SLOTS] = { { BENCH_HEADER, 16, 0 } };

	for (size_t i = 0; i < count; i++)
		all[1 + i] = buffers[i];
	all[1 + count] = (struct vq_buffer){ BENCH_STATUS, 1, VQ_DESC_WRITE };
	vq_driver_add(&drivers[index], all, count + 2);
}

/* Serve queue @index; its request has come back: the status. */
static inline uint8_t bench_serve(uint16_t index)
{
	uint16_t id;
	uint8_t status;

	virtio_kick(blk, index);
	assert_true(vq_driver_take(&drivers[index], &id, &last_written));
	get_guest(BENCH_STATUS, &status, 1);
	return status;
}

static inline uint8_t bench_request(uint32_t type, uint64_t sector,
				    const struct vq_buffer *buffers,
				    size_t count)
{
	put_header(type, sector);
	bench_offer(0, buffers, count);
	return bench_serve(0);
}

/* One buffer at BENCH_DATA. */
static inline uint8_t bench_simple(uint32_t type, uint64_t sector,
				   uint32_t size)
{
	struct vq_buffer buffer = { BENCH_DATA, size, 0 };

	if (type == IN || type == GET_ID)
		buffer.flags = VQ_DESC_WRITE;
	return bench_request(type, sector, &buffer, 1);
}

struct bench_range {
	uint64_t sector;
	uint32_t count;
	uint32_t flags;
};

static inline uint8_t bench_ranges(uint32_t type,
				   const struct bench_range *ranges,
				   size_t count)
{
	put_guest(BENCH_DATA, ranges, count * sizeof(*ranges));
	return bench_simple(type, 0, (uint32_t)(count * sizeof(*ranges)));
}

/* What is on the disk of set_up. */
#define SECTORS 8192UL /* 4 MiB */
static uint8_t module[SECTORS * 512];

static inline int set_up(void **state)
{
	(void)state;
	bench_machine(1);
	for (size_t i = 0; i < sizeof(module); i++)
		module[i] = (uint8_t)(i * 11 + i / 512);
	bench_plug_in(overlay_create(module, sizeof(module), false));
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	if (blk)
		bench_clear();
	return 0;
}

static inline void assert_guest(uint64_t gpa, const void *expected, size_t size)
{
	uint8_t *there = malloc(size);

	get_guest(gpa, there, size);
	assert_memory_equal(there, expected, size);
	free(there);
}

#endif
