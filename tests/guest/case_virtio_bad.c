/* Drivers that misbehave: they hurt nobody, and after a reset all works again. */
#include "tests/guest/virtio.h"

#define NO_MEMORY 0xd8000000UL
#define TESTDEV	  0xff000000UL

static struct descriptor table[RNG_SIZE] __attribute__((aligned(16)));

void case_virtio_bad_loop(void)
{
	rng_begin();
	rng_set_desc(0, (uint64_t)rng_buffer, 16, DESC_WRITE | DESC_NEXT, 1);
	rng_set_desc(1, (uint64_t)rng_buffer, 16, DESC_WRITE | DESC_NEXT, 0);
	rng_offer(0);
	rng_check_recovery();
	rng_set_desc(0, (uint64_t)rng_buffer, 16, DESC_WRITE | DESC_NEXT, 0);
	ring.used.index = 0;
	rng_start(0);
	rng_set_desc(0, (uint64_t)rng_buffer, 16, DESC_WRITE | DESC_NEXT, 0);
	rng_offer(0);
	rng_check_recovery();
}

void case_virtio_bad_loop_indirect(void)
{
	rng_find();
	rng_start(RNG_INDIRECT);
	table[0] = (struct descriptor){ (uint64_t)rng_buffer, 16,
					DESC_WRITE | DESC_NEXT, 1 };
	table[1] = (struct descriptor){ (uint64_t)rng_buffer, 16,
					DESC_WRITE | DESC_NEXT, 0 };
	rng_set_desc(0, (uint64_t)table, 32, DESC_INDIRECT, 0);
	rng_offer(0);
	rng_check_recovery();
}

void case_virtio_bad_address(void)
{
	rng_begin();
	rng_set_desc(0, BIT(40), 64, DESC_WRITE, 0);
	rng_offer(0);
	rng_check_recovery();
	rng_start(0);
	rng_set_desc(0, NO_MEMORY, 64, DESC_WRITE, 0);
	rng_offer(0);
	rng_check_recovery();
	/* the end is beyond RAM */
	rng_start(0);
	rng_set_desc(0, (16UL << 20) - 8, 64, DESC_WRITE, 0);
	rng_offer(0);
	rng_check_recovery();
}

void case_virtio_bad_device_memory(void)
{
	rng_begin();
	mmio_put32(TESTDEV, 0x1234);
	rng_set_desc(0, TESTDEV, 64, DESC_WRITE, 0);
	rng_offer(0);
	rng_check_recovery();
	CHECK_EQ(mmio32(TESTDEV), 0x1234);
	rng_start(0);
	rng_set_desc(0, LAPIC_BASE, 64, DESC_WRITE, 0);
	rng_offer(0);
	rng_check_recovery();
}

void case_virtio_bad_wrapping(void)
{
	rng_begin();
	rng_set_desc(0, ~0UL - 15, 64, DESC_WRITE, 0);
	rng_offer(0);
	rng_check_recovery();
	rng_start(0);
	rng_set_desc(0, (uint64_t)rng_buffer, 0xffffffff, DESC_WRITE, 0);
	rng_offer(0);
	rng_notify(); /* may give less than the buffer holds: any answer */
	delay_us(2000);
	rng_find();
	rng_start(0);
	rng_request();
}

void case_virtio_bad_head(void)
{
	rng_begin();
	rng_offer(RNG_SIZE);
	rng_check_recovery();
	rng_start(0);
	rng_offer(0xffff);
	rng_check_recovery();
}

void case_virtio_bad_link(void)
{
	rng_begin();
	rng_set_desc(0, (uint64_t)rng_buffer, 16, DESC_WRITE | DESC_NEXT, 999);
	rng_offer(0);
	rng_check_recovery();
}

/* More entries at once than there are. */
void case_virtio_bad_index_jump(void)
{
	rng_begin();
	rng_set_desc(0, (uint64_t)rng_buffer, 16, DESC_WRITE, 0);
	ring.avail.index = 1000;
	rng_check_recovery();
	rng_start(0);
	ring.avail.index = 0xffff;
	rng_check_recovery();
}

/* The ring itself is where no RAM is. */
void case_virtio_bad_ring_place(void)
{
	static const uint64_t places[] = { NO_MEMORY, TESTDEV, LAPIC_BASE,
					   1UL << 45, ~0UL - 4095 };

	for (unsigned int i = 0; i < 5; i++) {
		for (int part = 0; part < 3; part++) {
			rng_find();
			if (part == 0)
				rng.desc = places[i];
			else if (part == 1)
				rng.driver = places[i];
			else
				rng.device_area = places[i];
			rng_start(0);
			rng_set_desc(0, (uint64_t)rng_buffer, 16, DESC_WRITE,
				     0);
			rng_offer(0);
			rng_notify();
			delay_us(200);
			rng_find();
			rng_start(0);
			rng_request();
		}
	}
}

/* Descriptors, available and used ring in one another: anything but harm. */
void case_virtio_bad_overlap(void)
{
	rng_find();
	rng.driver = rng.desc;
	rng.device_area = rng.desc;
	rng_start(0);
	for (uint32_t i = 0; i < sizeof(ring.desc) / 2; i++)
		((volatile uint16_t *)ring.desc)[i] = (uint16_t)i;
	for (int i = 0; i < 20; i++)
		rng_notify();
	rng_find();
	rng_start(0);
	rng_request();
}

void case_virtio_bad_indirect(void)
{
	/* not negotiated */
	rng_begin();
	rng_set_desc(0, (uint64_t)table, 32, DESC_INDIRECT, 0);
	rng_offer(0);
	rng_check_recovery();
	/* a table in a table */
	rng_start(RNG_INDIRECT);
	table[0] = (struct descriptor){ (uint64_t)table, 16, DESC_INDIRECT, 0 };
	rng_set_desc(0, (uint64_t)table, 16, DESC_INDIRECT, 0);
	rng_offer(0);
	rng_check_recovery();
	/* not a whole number of entries; none at all; beyond RAM */
	for (uint32_t size = 0; size < 20; size += 17) {
		rng_start(RNG_INDIRECT);
		rng_set_desc(0, (uint64_t)table, size, DESC_INDIRECT, 0);
		rng_offer(0);
		rng_check_recovery();
	}
	rng_start(RNG_INDIRECT);
	rng_set_desc(0, NO_MEMORY, 32, DESC_INDIRECT, 0);
	rng_offer(0);
	rng_check_recovery();
}

/* To be read by the device behind what it may write: 2.7.4.2. */
void case_virtio_bad_direction(void)
{
	rng_begin();
	memset((void *)rng_buffer, 0x5a, 64);
	rng_set_desc(0, (uint64_t)rng_buffer + 64, 16, DESC_WRITE | DESC_NEXT,
		     1);
	rng_set_desc(1, (uint64_t)rng_buffer, 64, 0, 0);
	rng_offer(0);
	rng_check_recovery();
	/* read-only: nothing may be written */
	memset((void *)rng_buffer, 0x5a, 64);
	rng_start(0);
	rng_set_desc(0, (uint64_t)rng_buffer, 64, 0, 0);
	rng_offer(0);
	rng_notify();
	delay_us(1000);
	for (uint32_t i = 0; i < 64; i++)
		CHECK_EQ(rng_buffer[i], 0x5a);
}

/* Nothing is written beyond what a descriptor says. */
void case_virtio_bad_size(void)
{
	rng_begin();
	memset((void *)rng_buffer, 0x5a, 128);
	rng_set_desc(0, (uint64_t)rng_buffer, 1, DESC_WRITE, 0);
	rng_offer(0);
	rng_notify();
	WAIT_FOR(ring.used.index == 1);
	CHECK_EQ(ring.used.ring[0].size, 1);
	for (uint32_t i = 1; i < 128; i++)
		CHECK_EQ(rng_buffer[i], 0x5a);
	rng_start(0);
	rng_set_desc(0, (uint64_t)rng_buffer, 0, DESC_WRITE, 0);
	rng_offer(0);
	rng_notify(); /* empty: either is right */
	delay_us(1000);
	for (uint32_t i = 1; i < 128; i++)
		CHECK_EQ(rng_buffer[i], 0x5a);
	rng_find();
	rng_start(0);
	rng_request();
}

static volatile bool is_over_now;

static void change(void *argument)
{
	uint32_t seed = 1;

	(void)argument;
	while (!is_over_now) {
		seed = seed * 1103515245 + 12345;
		ring.desc[0].address =
			seed & BIT(20) ? (uint64_t)rng_buffer : NO_MEMORY;
		ring.desc[0].size = seed >> 16 & 0xff;
		ring.desc[0].flags = (uint16_t)(seed >> 8 & 7);
		ring.desc[0].next = (uint16_t)(seed >> 24);
	}
}

/* Another CPU changes the descriptor while the device looks at it. */
void case_virtio_bad_changing(void)
{
	smp_start();
	rng_find();
	smp_begin(1, change, NULL);
	for (int i = 0; i < 300; i++) {
		rng_start(i % 2 ? RNG_INDIRECT : 0);
		rng_offer(0);
		rng_notify();
	}
	is_over_now = true;
	smp_wait(1);
	rng_find();
	rng_start(0);
	rng_request();
}

/* Notified before there is a driver, a queue that does not exist, and too much
 * of its configuration. */
void case_virtio_bad_no_driver(void)
{
	rng_find();
	rng_reset();
	rng_notify();
	*(volatile uint16_t *)(rng.notify + 2) = 77;
	for (uint64_t i = 0; i < 64; i++) {
		(void)mmio8(rng.common + i);
		*(volatile uint8_t *)(rng.common + i) = 0xff;
	}
	rng_reset();
	rng_find();
	rng_start(0);
	rng_request();
}
