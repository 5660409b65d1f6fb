/* The local APIC: priorities, vectors in and out of service, IPIs. SDM 3A
 * chapter 11 "Advanced Programmable Interrupt Controller (APIC)". */
#include "tests/guest/guest.h"

#define LOW  0x41
#define HIGH 0x62

static void send_self(uint8_t vector)
{
	lapic_send(0, ICR_SELF | ICR_ASSERT | vector);
}

void case_lapic_registers(void)
{
	CHECK_EQ(lapic_read(LAPIC_VERSION) & 0xff, 0x14);
	CHECK(lapic_read(LAPIC_VERSION) >> 16 >= 5);
	lapic_write(LAPIC_LDR, 0x12345678);
	CHECK_EQ(lapic_read(LAPIC_LDR), 0x12000000);
	CHECK_EQ(lapic_read(LAPIC_DFR), 0xffffffff);
	lapic_write(LAPIC_DFR, 0);
	CHECK_EQ(lapic_read(LAPIC_DFR), 0x0fffffff);
	CHECK_EQ(lapic_read(LAPIC_ISR) | lapic_read(LAPIC_IRR), 0);
}

/* Software-disabled: LVT entries are masked and stay so. 11.4.7.2. */
void case_lapic_disabled(void)
{
	lapic_write(LAPIC_LVT_TIMER, LOW);
	CHECK_EQ(lapic_read(LAPIC_LVT_TIMER), LOW);
	lapic_write(LAPIC_SVR, 0xff);
	CHECK_EQ(lapic_read(LAPIC_LVT_TIMER), LVT_MASKED | LOW);
	lapic_write(LAPIC_LVT_TIMER, LOW);
	CHECK_EQ(lapic_read(LAPIC_LVT_TIMER), LVT_MASKED | LOW);
	lapic_write(LAPIC_SVR, 0x1ff);
	CHECK_EQ(lapic_read(LAPIC_LVT_TIMER), LVT_MASKED | LOW);
}

static void on_low(struct trap_frame *frame)
{
	(void)frame;
	CHECK(lapic_has(LAPIC_ISR, LOW));
	CHECK(!lapic_has(LAPIC_IRR, LOW));
	CHECK_EQ(lapic_read(LAPIC_PPR) & 0xf0, LOW & 0xf0);
	/* of the same class: waits; of a higher one: comes in */
	send_self(LOW + 1);
	send_self(HIGH);
	counts[HIGH] = 0;
	let_in();
	CHECK_EQ(counts[HIGH], 1);
	CHECK_EQ(counts[LOW + 1], 0);
	CHECK(lapic_has(LAPIC_IRR, LOW + 1));
	counts[LOW]++;
	lapic_eoi();
	CHECK(!lapic_has(LAPIC_ISR, LOW));
}

void case_lapic_nesting(void)
{
	trap_set_handler(LOW, on_low);
	count_vector(LOW + 1);
	count_vector(HIGH);
	send_self(LOW);
	CHECK(lapic_has(LAPIC_IRR, LOW));
	CHECK(!lapic_has(LAPIC_ISR, LOW));
	let_in();
	CHECK_EQ(counts[LOW], 1);
	CHECK_EQ(counts[LOW + 1], 1);
	CHECK_EQ(lapic_read(LAPIC_PPR), 0);
}

void case_lapic_nesting_x2apic(void)
{
	lapic_enter_x2apic();
	case_lapic_nesting();
}

/* The task priority holds back its class and those below, by CR8 or register. */
void case_lapic_tpr(void)
{
	count_vector(LOW);
	for (uint32_t i = 1; i <= 50; i++) {
		write_cr8(LOW >> 4);
		send_self(LOW);
		let_in();
		CHECK_EQ(counts[LOW], i * 2 - 2);
		CHECK_EQ(lapic_read(LAPIC_PPR), LOW & 0xf0);
		sti();
		write_cr8((LOW >> 4) - 1); /* comes in at once */
		asm volatile("nop");
		cli();
		CHECK_EQ(counts[LOW], i * 2 - 1);
		lapic_write(LAPIC_TPR, 0xff);
		send_self(LOW);
		let_in();
		CHECK_EQ(counts[LOW], i * 2 - 1);
		sti();
		lapic_write(LAPIC_TPR, 0);
		asm volatile("nop");
		cli();
		CHECK_EQ(counts[LOW], i * 2);
	}
}

/* HLT with what waits held back: only the higher class wakes it. */
void case_lapic_tpr_halt(void)
{
	count_vector(LOW);
	count_vector(HIGH);
	write_cr8(5);
	send_self(LOW);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, HIGH);
	lapic_write(LAPIC_TIMER_COUNT, 1000000);
	sti_hlt_cli();
	CHECK_EQ(counts[HIGH], 1);
	CHECK_EQ(counts[LOW], 0);
	write_cr8(0);
	let_in();
	CHECK_EQ(counts[LOW], 1);
}

static uint8_t order[4];
static volatile uint32_t order_count;

static void note_order(struct trap_frame *frame)
{
	order[order_count++ & 3] = (uint8_t)frame->vector;
	lapic_eoi();
}

/* IRR is served from the top. */
void case_lapic_order(void)
{
	static const uint8_t vectors[4] = { 0x52, 0xa1, 0x33, 0x53 };

	for (int i = 0; i < 4; i++) {
		trap_set_handler(vectors[i], note_order);
		send_self(vectors[i]);
	}
	sti();
	WAIT_FOR(order_count == 4);
	cli();
	CHECK_EQ(order[0], 0xa1);
	CHECK_EQ(order[1], 0x53);
	CHECK_EQ(order[2], 0x52);
	CHECK_EQ(order[3], 0x33);
}

/* One bit a vector: twice sent before it is taken is once. */
void case_lapic_merge(void)
{
	count_vector(LOW);
	send_self(LOW);
	send_self(LOW);
	let_in();
	let_in();
	CHECK_EQ(counts[LOW], 1);
}

/* 11.5.3 "Error Handling": vectors 0 to 15 are illegal. */
void case_lapic_esr(void)
{
	count_vector(LOW);
	lapic_write(LAPIC_LVT_ERROR, LOW);
	lapic_write(LAPIC_ESR, 0);
	CHECK_EQ(lapic_read(LAPIC_ESR), 0);
	send_self(5);
	lapic_write(LAPIC_ESR, 0);
	CHECK(lapic_read(LAPIC_ESR) & (BIT(5) | BIT(6)));
	let_in();
	CHECK_EQ(counts[LOW], 1);
	lapic_write(LAPIC_ESR, 0);
	CHECK_EQ(lapic_read(LAPIC_ESR), 0);
}

/* ---- x2APIC: 11.12 ---- */

void case_x2apic_registers(void)
{
	uint64_t value;

	CHECK_EQ(rdmsr_try(0x802, &value), VECTOR_GP); /* not yet */
	lapic_enter_x2apic();
	CHECK_EQ(rdmsr(0x802), 0);
	CHECK_EQ(rdmsr(0x803) & 0xff, 0x14);
	CHECK_EQ(rdmsr(0x80d), 1); /* cluster 0, first of it */
	CHECK_EQ(wrmsr_try(0x80d, 1), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x802, 0), VECTOR_GP);
	CHECK_EQ(rdmsr_try(0x80e, &value), VECTOR_GP); /* no DFR */
	CHECK_EQ(rdmsr_try(0x80b, &value), VECTOR_GP); /* EOI is written */
	CHECK_EQ(rdmsr_try(0x831, &value), VECTOR_GP); /* ICR is one */
	CHECK_EQ(rdmsr_try(0x8ff, &value), VECTOR_GP);
	/* reserved bits */
	CHECK_EQ(wrmsr_try(0x80b, 1), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x808, 0x100), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x828, 1), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x830, BIT(13)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x83e, 4), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x80f, BIT(32)), VECTOR_GP);
	/* no registers in memory then */
	CHECK(mmio32(LAPIC_BASE + LAPIC_VERSION) != rdmsr(0x803));
}

void case_x2apic_self_ipi(void)
{
	lapic_enter_x2apic();
	count_vector(LOW);
	for (uint32_t i = 1; i <= 2000; i++) {
		wrmsr(0x83f, LOW);
		let_in();
		CHECK_EQ(counts[LOW], i);
	}
}

/* ---- the timer: 11.5.4 ---- */

void case_timer_one_shot(void)
{
	count_vector(LOW);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, LOW);
	lapic_write(LAPIC_TIMER_COUNT, 100000);
	CHECK(lapic_read(LAPIC_TIMER_CURRENT) <= 100000);
	sti();
	WAIT_FOR(counts[LOW] == 1);
	delay_us(2000);
	cli();
	CHECK_EQ(counts[LOW], 1);
	CHECK_EQ(lapic_read(LAPIC_TIMER_CURRENT), 0);
	CHECK_EQ(lapic_read(LAPIC_TIMER_COUNT), 100000);
}

void case_timer_periodic(void)
{
	count_vector(LOW);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | LOW);
	lapic_write(LAPIC_TIMER_COUNT, 2000000);
	sti();
	WAIT_FOR(counts[LOW] == 10);
	cli();
	lapic_write(LAPIC_TIMER_COUNT, 0); /* stops it */
	let_in();
	counts[LOW] = 0;
	sti();
	delay_us(10000);
	cli();
	CHECK_EQ(counts[LOW], 0);
}

void case_timer_masked(void)
{
	count_vector(LOW);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | LOW);
	lapic_write(LAPIC_TIMER_COUNT, 1000);
	WAIT_FOR(lapic_read(LAPIC_TIMER_CURRENT) == 0);
	let_in();
	CHECK_EQ(counts[LOW], 0);
	CHECK(!lapic_has(LAPIC_IRR, LOW));
}

/* CPUID 0x40000010: its rate; the divider divides. */
void case_timer_rate(void)
{
	uint64_t hz = cpuid(0x40000010, 0).ebx * 1000UL;
	uint64_t before, inner, after;
	uint32_t first, last;

	CHECK(hz != 0);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | LOW);
	for (uint32_t divide = 0; divide < 3; divide++) {
		/* by 2, 4, 8 */
		lapic_write(LAPIC_TIMER_DIVIDE, divide);
		lapic_write(LAPIC_TIMER_COUNT, 0xffffffff);
		before = rdtsc();
		first = lapic_read(LAPIC_TIMER_CURRENT);
		inner = rdtsc();
		delay_us(20000);
		after = rdtsc();
		last = lapic_read(LAPIC_TIMER_CURRENT);
		inner = after - inner;
		after = rdtsc() - before;
		inner = inner / 1000 * (hz / 1000) / (tsc_hz() / 1000000);
		after = after / 1000 * (hz / 1000) / (tsc_hz() / 1000000);
		CHECK((uint64_t)(first - last) << (divide + 1) >=
		      inner - inner / 200);
		CHECK((uint64_t)(first - last) << (divide + 1) <=
		      after + after / 200 + 100);
	}
}

void case_timer_deadline(void)
{
	uint64_t deadline;

	count_vector(LOW);
	lapic_write(LAPIC_LVT_TIMER, LVT_DEADLINE | LOW);
	mfence();
	for (uint32_t i = 1; i <= 50; i++) {
		deadline = rdtsc() + tsc_hz() / 2000;
		wrmsr(MSR_IA32_TSC_DEADLINE, deadline);
		sti_hlt_cli();
		CHECK_EQ(counts[LOW], i);
		CHECK(rdtsc() >= deadline); /* never early */
	}
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + tsc_hz() / 100);
	wrmsr(MSR_IA32_TSC_DEADLINE, 0); /* disarms */
	sti();
	delay_us(20000);
	cli();
	CHECK_EQ(counts[LOW], 50);
}
