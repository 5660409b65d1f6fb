/* Drivers that do as they should. */
#include "tests/guest/virtio.h"

#define VECTOR	 0x59
#define MSI_BASE 0xfee00000

static struct descriptor table[RNG_SIZE] __attribute__((aligned(16)));

void case_virtio_rng_split(void)
{
	rng_begin();
	rng_request();
	/* a chain of three */
	rng_set_desc(1, (uint64_t)rng_buffer, 10, DESC_WRITE | DESC_NEXT, 3);
	rng_set_desc(3, (uint64_t)rng_buffer + 100, 10, DESC_WRITE | DESC_NEXT,
		     2);
	rng_set_desc(2, (uint64_t)rng_buffer + 200, 10, DESC_WRITE, 0);
	rng_offer(1);
	rng_notify();
	WAIT_FOR(ring.used.index == 2);
	CHECK_EQ(ring.used.ring[1].id, 1);
	CHECK_EQ(ring.used.ring[1].size, 30);
}

/* Over the ring's end, many times; and several at once. */
void case_virtio_rng_many(void)
{
	rng_begin();
	for (int i = 0; i < 500; i++)
		rng_request();
	for (uint16_t i = 0; i < 5; i++) {
		rng_set_desc(i, (uint64_t)rng_buffer + 64 * i, 64, DESC_WRITE,
			     0);
		rng_offer(i);
	}
	rng_notify();
	WAIT_FOR(ring.used.index == 505);
}

void case_virtio_rng_indirect(void)
{
	rng_find();
	rng_start(RNG_INDIRECT);
	table[0] = (struct descriptor){ (uint64_t)rng_buffer, 20,
					DESC_WRITE | DESC_NEXT, 1 };
	table[1] = (struct descriptor){ (uint64_t)rng_buffer + 64, 20,
					DESC_WRITE, 0 };
	rng_set_desc(0, (uint64_t)table, 32, DESC_INDIRECT, 0);
	rng_offer(0);
	rng_notify();
	WAIT_FOR(ring.used.index == 1);
	CHECK_EQ(ring.used.ring[0].size, 40);
}

/* 2.8 "Packed Virtqueues": avail and used bits follow the wrap counter. */
void case_virtio_rng_packed(void)
{
	bool wrap = true;
	uint32_t at = 0;

	rng_find();
	rng_start(RNG_PACKED);
	for (int i = 0; i < 100; i++) {
		volatile struct descriptor *desc = &ring.desc[at];
		uint16_t flags = DESC_WRITE;

		flags |= (uint16_t)(wrap ? BIT(7) : BIT(15));
		desc->address = (uint64_t)rng_buffer;
		desc->size = 64;
		desc->flags = (uint16_t)(i + 5); /* the id stands there */
		__atomic_store_n(&desc->next, flags, __ATOMIC_SEQ_CST);
		rng_notify();
		WAIT_FOR(!(desc->next & BIT(15)) == !wrap &&
			 !(desc->next & BIT(7)) == !wrap);
		CHECK_EQ(desc->flags, i + 5);
		CHECK(desc->size > 0 && desc->size <= 64);
		if (++at == RNG_SIZE) {
			at = 0;
			wrap = !wrap;
		}
	}
}

static volatile uint32_t *msix_table(uint32_t *cap)
{
	uint32_t reg;

	*cap = pci_capability(rng.device, PCI_CAPABILITY_MSIX, 0);
	CHECK(*cap);
	reg = pci_read(rng.device, *cap + 4);
	return (volatile uint32_t *)(pci_bar(rng.device, reg & 7) +
				     (reg & ~7U));
}

static volatile uint32_t *start_msix(uint32_t masked)
{
	volatile uint32_t *entry;
	uint32_t cap;

	rng_find();
	entry = msix_table(&cap);
	pci_write(rng.device, cap,
		  pci_read(rng.device, cap) | (uint32_t)BIT(31));
	entry[0] = MSI_BASE;
	entry[1] = 0;
	entry[2] = VECTOR;
	entry[3] = masked;
	rng.vector = 0;
	count_vector(VECTOR);
	rng_start(0);
	return entry;
}

void case_virtio_rng_msix(void)
{
	start_msix(0);
	for (uint32_t i = 1; i <= 50; i++) {
		rng_request();
		sti();
		WAIT_FOR(counts[VECTOR] == i);
		cli();
	}
	ring.avail.flags = 1; /* no interrupt */
	rng_request();
	delay_us(1000);
	let_in();
	CHECK_EQ(counts[VECTOR], 50);
}

/* What comes while masked is pending, and sent when the mask goes. */
void case_virtio_rng_msix_masked(void)
{
	volatile uint32_t *entry = start_msix(1);

	rng_request();
	let_in();
	CHECK_EQ(counts[VECTOR], 0);
	entry[3] = 0;
	sti();
	WAIT_FOR(counts[VECTOR] == 1);
	cli();
}
