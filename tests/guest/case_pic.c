/* The 8259s in virtual-wire mode, and the 8254. 8259A and 8254 data sheets. */
#include "tests/guest/guest.h"

#define MASTER 0x20
#define SLAVE  0xa0
#define BASE   0x20 /* vector of IRQ 0 */
#define LINES  0x2000
#define PIT    0x40
#define PIT_HZ 1193182

static void pic_eoi(struct trap_frame *frame)
{
	counts[frame->vector]++;
	if (frame->vector >= BASE + 8)
		out8(SLAVE, 0x20);
	out8(MASTER, 0x20);
}

/* All masked. */
static void pic_init(void)
{
	out8(MASTER, 0x11);
	out8(MASTER + 1, BASE);
	out8(MASTER + 1, 4);
	out8(MASTER + 1, 1);
	out8(SLAVE, 0x11);
	out8(SLAVE + 1, BASE + 8);
	out8(SLAVE + 1, 2);
	out8(SLAVE + 1, 1);
	out8(MASTER + 1, 0xff);
	out8(SLAVE + 1, 0xff);
	lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
	for (uint8_t i = 0; i < 16; i++) {
		trap_set_handler(BASE + i, pic_eoi);
		counts[BASE + i] = 0;
	}
}

static void pulse(uint32_t line)
{
	out8((uint16_t)(LINES + line), 0);
	out8((uint16_t)(LINES + line), 1);
	out8((uint16_t)(LINES + line), 0);
}

static void raise(uint32_t line)
{
	out8((uint16_t)(LINES + line), 1);
}

static void lower(uint32_t line)
{
	out8((uint16_t)(LINES + line), 0);
}

void case_pic_mask(void)
{
	pic_init();
	CHECK_EQ(in8(MASTER + 1), 0xff);
	out8(MASTER + 1, 0x5a);
	CHECK_EQ(in8(MASTER + 1), 0x5a);
	out8(SLAVE + 1, 0xa5);
	CHECK_EQ(in8(SLAVE + 1), 0xa5);
}

void case_pic_edge(void)
{
	pic_init();
	out8(MASTER + 1, (uint8_t)~BIT(5));
	for (uint32_t i = 1; i <= 50; i++) {
		raise(5);
		let_in();
		CHECK_EQ(counts[BASE + 5], i);
		let_in();
		CHECK_EQ(counts[BASE + 5], i);
		lower(5);
	}
}

void case_pic_slave(void)
{
	pic_init();
	out8(MASTER + 1, (uint8_t)~BIT(2));
	out8(SLAVE + 1, (uint8_t)~BIT(2)); /* IRQ 10 */
	for (uint32_t i = 1; i <= 50; i++) {
		raise(10);
		let_in();
		CHECK_EQ(counts[BASE + 10], i);
		lower(10);
	}
}

/* IRR and ISR by OCW3. */
void case_pic_registers(void)
{
	pic_init();
	raise(5);
	out8(MASTER, 0x0a);
	CHECK_EQ(in8(MASTER) & BIT(5), BIT(5));
	out8(MASTER, 0x0b);
	CHECK_EQ(in8(MASTER), 0);
	lower(5);
}

static volatile uint32_t rounds_left;

/* With the line on, the next one comes before the next instruction. */
static void on_level(struct trap_frame *frame)
{
	if (!--rounds_left)
		lower(10);
	pic_eoi(frame);
}

/* ELCR: level-triggered, comes again until the line is off. */
void case_pic_level(void)
{
	pic_init();
	out8(0x4d1, BIT(2)); /* IRQ 10 */
	CHECK_EQ(in8(0x4d1), BIT(2));
	out8(MASTER + 1, (uint8_t)~BIT(2));
	out8(SLAVE + 1, (uint8_t)~BIT(2));
	trap_set_handler(BASE + 10, on_level);
	rounds_left = 20;
	raise(10);
	let_in();
	CHECK_EQ(counts[BASE + 10], 20);
	let_in();
	CHECK_EQ(counts[BASE + 10], 20);
}

/* The line is gone when the CPU asks: IRQ 7, and not in service. */
void case_pic_spurious(void)
{
	pic_init();
	out8(0x4d0, BIT(5));
	out8(MASTER + 1, (uint8_t)~BIT(5));
	trap_set_handler(BASE + 7, count_handler);
	raise(5);
	lower(5);
	let_in(); /* nothing waits any more, or a spurious one does */
	CHECK_EQ(counts[BASE + 5], 0);
	out8(MASTER, 0x0b);
	CHECK_EQ(in8(MASTER), 0);
}

void case_pic_priority(void)
{
	pic_init();
	out8(MASTER + 1, (uint8_t) ~(BIT(5) | BIT(6)));
	pulse(6);
	pulse(5);
	let_in();
	let_in();
	CHECK_EQ(counts[BASE + 5], 1);
	CHECK_EQ(counts[BASE + 6], 1);
}

/* With LINT0 masked the 8259's interrupts do not come in. */
void case_pic_lint0_masked(void)
{
	pic_init();
	lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT | LVT_MASKED);
	out8(MASTER + 1, (uint8_t)~BIT(5));
	raise(5);
	let_in();
	CHECK_EQ(counts[BASE + 5], 0);
	sti();
	lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
	asm volatile("nop");
	cli();
	CHECK_EQ(counts[BASE + 5], 1);
	lower(5);
}

/* ---- 8254 ---- */

static uint16_t pit_count(uint8_t channel)
{
	uint8_t low;

	out8(PIT + 3, (uint8_t)(channel << 6)); /* latch */
	low = in8(PIT + channel);
	return (uint16_t)(in8(PIT + channel) << 8 | low);
}

static void pit_start(uint8_t channel, uint8_t mode, uint16_t count)
{
	out8(PIT + 3, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out8(PIT + channel, (uint8_t)count);
	out8(PIT + channel, (uint8_t)(count >> 8));
}

/* Interrupts come at no more than its rate. */
void case_pit_mode2_interrupt(void)
{
	uint64_t start;

	pic_init();
	out8(MASTER + 1, (uint8_t)~BIT(0));
	start = rdtsc();
	pit_start(0, 2, 11932); /* 100 Hz */
	sti();
	WAIT_FOR(counts[BASE] >= 10);
	cli();
	CHECK(is_over(start, 89000));
}

void case_pit_mode3_interrupt(void)
{
	uint64_t start;

	pic_init();
	out8(MASTER + 1, (uint8_t)~BIT(0));
	start = rdtsc();
	pit_start(0, 3, 11932);
	sti();
	WAIT_FOR(counts[BASE] >= 10);
	cli();
	CHECK(is_over(start, 85000));
}

/* Mode 0: once, at the end of the count. */
void case_pit_mode0_interrupt(void)
{
	uint64_t start;

	pic_init();
	out8(MASTER + 1, (uint8_t)~BIT(0));
	start = rdtsc();
	pit_start(0, 0, 11932);
	let_in();
	counts[BASE] = 0; /* an old edge, perhaps */
	sti();
	WAIT_FOR(counts[BASE] == 1 || is_over(start, 10000000));
	cli();
	CHECK(is_over(start, 9900));
	delay_us(30000);
	let_in();
	CHECK(counts[BASE] <= 1);
}

/* Counted ticks lie between what the TSC says of the time within and around. */
void case_pit_rate(void)
{
	uint64_t t0, t1, t2, t3, ticks, most, least;
	uint16_t first, last;

	out8(0x61, (uint8_t)((in8(0x61) & ~3) | 1));
	for (int i = 0; i < 10; i++) {
		pit_start(2, 0, 0xffff);
		t0 = rdtsc();
		first = pit_count(2);
		t1 = rdtsc();
		delay_us(2000);
		t2 = rdtsc();
		last = pit_count(2);
		t3 = rdtsc();
		least = (t2 - t1) * PIT_HZ / tsc_hz();
		most = (t3 - t0) * PIT_HZ / tsc_hz();
		if (most > 50000)
			continue; /* other VMs had the CPU: it wrapped */
		ticks = (uint16_t)(first - last);
		CHECK(ticks + 2 + least / 200 >= least);
		CHECK(ticks <= most + 2 + most / 200);
	}
}

/* Channel 2: the gate starts it, port 0x61 shows its output. */
void case_pit_channel2(void)
{
	uint64_t start;

	out8(0x61, in8(0x61) & (uint8_t)~3);
	pit_start(2, 0, 11932);
	CHECK(!(in8(0x61) & BIT(5)));
	delay_us(20000);
	CHECK(!(in8(0x61) & BIT(5))); /* the gate is low: it stands */
	start = rdtsc();
	out8(0x61, (uint8_t)((in8(0x61) & ~3) | 1));
	WAIT_FOR(in8(0x61) & BIT(5));
	CHECK(is_over(start, 9900));
}

/* Read-back: status and count latched. */
void case_pit_read_back(void)
{
	uint8_t status;

	pit_start(0, 2, 0x1234);
	out8(PIT + 3, 0xe2); /* status of channel 0 */
	status = in8(PIT);
	CHECK_EQ(status & 0x3f, 0x34); /* both bytes, mode 2, binary */
	CHECK(pit_count(0) <= 0x1234);
}
