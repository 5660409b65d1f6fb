/* The I/O APIC: edges, levels, remote IRR, masks. 82093AA data sheet. Lines are
 * driven by the test device, ports 0x2000 + n. */
#include "tests/guest/guest.h"

#define IOAPIC	   0xfec00000UL
#define LINES	   0x2000
#define GSI	   20 /* nobody else's */
#define GSI2	   21
#define VECTOR	   0x71
#define LEVEL	   BIT(15)
#define MASKED	   BIT(16)
#define REMOTE_IRR BIT(14)
#define LOW_ACTIVE BIT(13)

static uint32_t ioapic_read(uint32_t reg)
{
	mmio_put32(IOAPIC, reg);
	return mmio32(IOAPIC + 0x10);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
	mmio_put32(IOAPIC, reg);
	mmio_put32(IOAPIC + 0x10, value);
}

static void set_entry(uint32_t line, uint32_t low, uint32_t destination)
{
	ioapic_write(0x10 + 2 * line, MASKED);
	ioapic_write(0x11 + 2 * line, destination << 24);
	ioapic_write(0x10 + 2 * line, low);
}

static uint32_t entry(uint32_t line)
{
	return ioapic_read(0x10 + 2 * line);
}

static void set_line(uint32_t line, uint8_t level)
{
	out8((uint16_t)(LINES + line), level);
}

void case_ioapic_registers(void)
{
	CHECK_EQ(ioapic_read(1) >> 16 & 0xff, 23);
	ioapic_write(0x10 + 2 * GSI, 0x1ffff);
	CHECK_EQ(entry(GSI) & (REMOTE_IRR | BIT(12)), 0); /* read-only */
	ioapic_write(0x11 + 2 * GSI, 0x5a000000);
	CHECK_EQ(ioapic_read(0x11 + 2 * GSI), 0x5a000000);
	ioapic_write(0, 0x07000000);
	CHECK_EQ(ioapic_read(0) & 0x0f000000, 0x07000000);
}

void case_ioapic_edge(void)
{
	count_vector(VECTOR);
	set_entry(GSI, VECTOR, 0);
	for (uint32_t i = 1; i <= 100; i++) {
		set_line(GSI, 1);
		let_in();
		CHECK_EQ(counts[VECTOR], i);
		let_in(); /* the level does not matter */
		CHECK_EQ(counts[VECTOR], i);
		CHECK(!lapic_has(LAPIC_TMR, VECTOR));
		set_line(GSI, 0);
	}
	let_in();
	CHECK_EQ(counts[VECTOR], 100);
}

/* An edge while masked is lost. */
void case_ioapic_edge_masked(void)
{
	count_vector(VECTOR);
	set_entry(GSI, MASKED | VECTOR, 0);
	set_line(GSI, 1);
	set_line(GSI, 0);
	ioapic_write(0x10 + 2 * GSI, VECTOR);
	let_in();
	CHECK_EQ(counts[VECTOR], 0);
}

static uint32_t rounds_left;

static void on_level(struct trap_frame *frame)
{
	(void)frame;
	counts[VECTOR]++;
	CHECK(entry(GSI) & REMOTE_IRR);
	CHECK(lapic_has(LAPIC_TMR, VECTOR));
	if (!--rounds_left)
		set_line(GSI, 0);
	lapic_eoi();
	CHECK(!(entry(GSI) & REMOTE_IRR) == !rounds_left);
}

/* Sent again after each EOI while the line is on. */
void case_ioapic_level(void)
{
	trap_set_handler(VECTOR, on_level);
	counts[VECTOR] = 0;
	set_entry(GSI, LEVEL | VECTOR, 0);
	rounds_left = 50;
	set_line(GSI, 1);
	CHECK(entry(GSI) & REMOTE_IRR);
	for (int i = 0; i < 60; i++)
		let_in();
	CHECK_EQ(counts[VECTOR], 50);
	CHECK(!(entry(GSI) & REMOTE_IRR));
}

/* A level that came while masked is sent when the mask goes. */
void case_ioapic_level_masked(void)
{
	trap_set_handler(VECTOR, on_level);
	counts[VECTOR] = 0;
	rounds_left = 1;
	set_entry(GSI, LEVEL | MASKED | VECTOR, 0);
	set_line(GSI, 1);
	let_in();
	CHECK_EQ(counts[VECTOR], 0);
	ioapic_write(0x10 + 2 * GSI, LEVEL | VECTOR);
	let_in();
	CHECK_EQ(counts[VECTOR], 1);
}

/* A level that is gone before it was masked off is not sent later. */
void case_ioapic_level_gone(void)
{
	count_vector(VECTOR);
	set_entry(GSI, LEVEL | MASKED | VECTOR, 0);
	set_line(GSI, 1);
	set_line(GSI, 0);
	ioapic_write(0x10 + 2 * GSI, LEVEL | VECTOR);
	let_in();
	CHECK_EQ(counts[VECTOR], 0);
}

void case_ioapic_two(void)
{
	count_vector(VECTOR);
	count_vector(VECTOR + 0x10);
	set_entry(GSI, VECTOR, 0);
	set_entry(GSI2, VECTOR + 0x10, 0);
	set_line(GSI, 1);
	set_line(GSI2, 1);
	let_in();
	let_in();
	CHECK_EQ(counts[VECTOR], 1);
	CHECK_EQ(counts[VECTOR + 0x10], 1);
	set_line(GSI, 0);
	set_line(GSI2, 0);
}

static volatile uint32_t taken_by;

static void note_cpu(struct trap_frame *frame)
{
	(void)frame;
	taken_by = cpu_number() + 1;
	lapic_eoi();
}

static void listen(void *argument)
{
	(void)argument;
	sti();
	WAIT_FOR(taken_by);
	cli();
}

void case_ioapic_destination(void)
{
	trap_set_handler(VECTOR, note_cpu);
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++) {
		taken_by = 0;
		set_entry(GSI, VECTOR, i);
		smp_begin(i, listen, NULL);
		delay_us(1000);
		set_line(GSI, 1);
		smp_wait(i);
		CHECK_EQ(taken_by, i + 1);
		set_line(GSI, 0);
	}
}

/* As an NMI, with no vector. */
void case_ioapic_nmi(void)
{
	trap_set_handler(VECTOR_NMI, count_handler);
	counts[VECTOR_NMI] = 0;
	set_entry(GSI, 0x400, 0);
	set_line(GSI, 1);
	WAIT_FOR(counts[VECTOR_NMI] == 1);
	set_line(GSI, 0);
}

/* EOI broadcast off (SVR bit 12): the entry waits for its EOI register, which
 * version 0x20 has; ours is told by a change of trigger mode. Just that the
 * local EOI alone does nothing. */
void case_ioapic_no_broadcast(void)
{
	if (!(lapic_read(LAPIC_VERSION) & BIT(24)))
		return;
	lapic_write(LAPIC_SVR, 0x1ff | BIT(12));
	count_vector(VECTOR);
	set_entry(GSI, LEVEL | VECTOR, 0);
	set_line(GSI, 1);
	let_in();
	CHECK_EQ(counts[VECTOR], 1);
	CHECK(entry(GSI) & REMOTE_IRR);
	let_in();
	CHECK_EQ(counts[VECTOR], 1);
}
