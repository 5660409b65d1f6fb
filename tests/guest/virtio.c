/* The driver: virtio 1.2, 2 "Basic Facilities", 4.1 "Virtio Over PCI Bus". */
#include "tests/guest/virtio.h"

#define COMMON_FEATURE_SELECT 0x00
#define COMMON_FEATURE	      0x04
#define COMMON_DRIVER_SELECT  0x08
#define COMMON_DRIVER	      0x0c
#define COMMON_STATUS	      0x14
#define COMMON_QUEUE_SELECT   0x16
#define COMMON_QUEUE_SIZE     0x18
#define COMMON_QUEUE_VECTOR   0x1a
#define COMMON_QUEUE_ENABLE   0x1c
#define COMMON_QUEUE_NOTIFY   0x1e
#define COMMON_QUEUE_DESC     0x20
#define COMMON_QUEUE_DRIVER   0x28
#define COMMON_QUEUE_DEVICE   0x30

#define CAP_COMMON 1
#define CAP_NOTIFY 2

struct rng rng;
struct rng_ring ring;
volatile uint8_t rng_buffer[4096];

static void put8(uint64_t at, uint8_t value)
{
	*(volatile uint8_t *)(rng.common + at) = value;
}

static void put16(uint64_t at, uint16_t value)
{
	*(volatile uint16_t *)(rng.common + at) = value;
}

static uint16_t get16(uint64_t at)
{
	return *(volatile uint16_t *)(rng.common + at);
}

static void put64(uint64_t at, uint64_t value)
{
	mmio_put32(rng.common + at, (uint32_t)value);
	mmio_put32(rng.common + at + 4, (uint32_t)(value >> 32));
}

void rng_find(void)
{
	uint32_t cap = 0, multiplier = 0;

	rng.device = pci_find(PCI_VIRTIO_RNG);
	pci_write(rng.device, PCI_COMMAND,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	while ((cap = pci_capability(rng.device, PCI_CAPABILITY_OWN, cap))) {
		uint32_t type = pci_read(rng.device, cap) >> 24;
		uint32_t bar = pci_read(rng.device, cap + 4) & 0xff;
		uint64_t at;

		if (type != CAP_COMMON && type != CAP_NOTIFY)
			continue;
		at = pci_bar(rng.device, bar) + pci_read(rng.device, cap + 8);
		if (type == CAP_COMMON) {
			rng.common = at;
		} else {
			rng.notify = at;
			multiplier = pci_read(rng.device, cap + 16);
		}
	}
	CHECK(rng.common && rng.notify);
	put16(COMMON_QUEUE_SELECT, 0);
	rng.queue_notify =
		rng.notify + (uint64_t)get16(COMMON_QUEUE_NOTIFY) * multiplier;
	rng.desc = (uint64_t)&ring.desc;
	rng.driver = (uint64_t)&ring.avail;
	rng.device_area = (uint64_t)&ring.used;
	rng.vector = 0xffff;
}

uint8_t rng_status(void)
{
	return mmio8(rng.common + COMMON_STATUS);
}

void rng_reset(void)
{
	put8(COMMON_STATUS, 0);
	WAIT_FOR(rng_status() == 0);
}

static uint64_t offered(void)
{
	uint64_t low;

	mmio_put32(rng.common + COMMON_FEATURE_SELECT, 0);
	low = mmio32(rng.common + COMMON_FEATURE);
	mmio_put32(rng.common + COMMON_FEATURE_SELECT, 1);
	return (uint64_t)mmio32(rng.common + COMMON_FEATURE) << 32 | low;
}

void rng_start(uint64_t features)
{
	uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

	memset(&ring, 0, sizeof(ring));
	rng_reset();
	put8(COMMON_STATUS, status);
	features |= RNG_VERSION1;
	CHECK_EQ(offered() & features, features);
	mmio_put32(rng.common + COMMON_DRIVER_SELECT, 0);
	mmio_put32(rng.common + COMMON_DRIVER, (uint32_t)features);
	mmio_put32(rng.common + COMMON_DRIVER_SELECT, 1);
	mmio_put32(rng.common + COMMON_DRIVER, (uint32_t)(features >> 32));
	status |= STATUS_FEATURES_OK;
	put8(COMMON_STATUS, status);
	CHECK_EQ(rng_status(), status);
	put16(COMMON_QUEUE_SELECT, 0);
	put16(COMMON_QUEUE_SIZE, RNG_SIZE);
	put64(COMMON_QUEUE_DESC, rng.desc);
	put64(COMMON_QUEUE_DRIVER, rng.driver);
	put64(COMMON_QUEUE_DEVICE, rng.device_area);
	put16(COMMON_QUEUE_VECTOR, rng.vector);
	CHECK_EQ(get16(COMMON_QUEUE_VECTOR), rng.vector);
	put16(COMMON_QUEUE_ENABLE, 1);
	put8(COMMON_STATUS, status | STATUS_DRIVER_OK);
}

void rng_begin(void)
{
	rng_find();
	rng_start(0);
}

void rng_set_desc(uint32_t number, uint64_t address, uint32_t size,
		  uint16_t flags, uint16_t next)
{
	ring.desc[number].address = address;
	ring.desc[number].size = size;
	ring.desc[number].flags = flags;
	ring.desc[number].next = next;
}

void rng_notify(void)
{
	*(volatile uint16_t *)rng.queue_notify = 0;
}

void rng_offer(uint16_t head)
{
	ring.avail.ring[ring.avail.index % RNG_SIZE] = head;
	__atomic_store_n(&ring.avail.index, (uint16_t)(ring.avail.index + 1),
			 __ATOMIC_SEQ_CST);
}

static uint16_t used_index(void)
{
	return __atomic_load_n(&ring.used.index, __ATOMIC_ACQUIRE);
}

void rng_request(void)
{
	uint16_t before = used_index();
	uint32_t any = 0;

	memset((void *)rng_buffer, 0, 64);
	ring.desc[0].address = (uint64_t)rng_buffer;
	ring.desc[0].size = 64;
	ring.desc[0].flags = DESC_WRITE;
	rng_offer(0);
	rng_notify();
	WAIT_FOR(used_index() == (uint16_t)(before + 1));
	CHECK_EQ(ring.used.ring[before % RNG_SIZE].id, 0);
	CHECK(ring.used.ring[before % RNG_SIZE].size > 0);
	CHECK(ring.used.ring[before % RNG_SIZE].size <= 64);
	for (uint32_t i = 0; i < 64; i++)
		any |= rng_buffer[i];
	CHECK(any);
}

void rng_check_recovery(void)
{
	rng_notify();
	delay_us(2000);
	CHECK((rng_status() & STATUS_NEEDS_RESET) || !used_index());
	rng_find();
	rng_start(0);
	CHECK(!(rng_status() & STATUS_NEEDS_RESET));
	rng_request();
	rng_request();
}
