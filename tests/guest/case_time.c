/* Clocks: RTC, HPET, ACPI PM timer, kvm-clock; each against the TSC. */
#include "tests/guest/guest.h"

#define HPET	     0xfed00000UL
#define HPET_CONFIG  (HPET + 0x10)
#define HPET_STATUS  (HPET + 0x20)
#define HPET_COUNTER (HPET + 0xf0)
#define HPET_TIMER0  (HPET + 0x100)
#define PM_HZ	     3579545
#define IOAPIC	     0xfec00000UL
#define VECTOR	     0x72

static uint8_t cmos(uint8_t reg)
{
	out8(0x70, reg);
	return in8(0x71);
}

static void cmos_set(uint8_t reg, uint8_t value)
{
	out8(0x70, reg);
	out8(0x71, value);
}

static void route(uint32_t line, uint32_t low)
{
	mmio_put32(IOAPIC, 0x11 + 2 * line);
	mmio_put32(IOAPIC + 0x10, 0);
	mmio_put32(IOAPIC, 0x10 + 2 * line);
	mmio_put32(IOAPIC + 0x10, low);
}

/* @ticks of a clock of @hz, read in the middle of each pair: as many as the TSC
 * says, give or take half a percent and two ticks. */
static void check_rate(uint64_t ticks, uint64_t hz, const uint64_t tsc[4])
{
	uint64_t least = (tsc[2] - tsc[1]) / 1000 * hz / (tsc_hz() / 1000);
	uint64_t most = (tsc[3] - tsc[0]) / 1000 * hz / (tsc_hz() / 1000);

	if (ticks + least / 200 + 2 < least || ticks > most + most / 200 + 2)
		print("%lu ticks, %lu to %lu", ticks, least, most);
	CHECK(ticks + least / 200 + 2 >= least);
	CHECK(ticks <= most + most / 200 + 2);
}

/* ---- RTC: MC146818A data sheet ---- */

static void wait_second(void)
{
	uint8_t second = cmos(0);

	WAIT_FOR(cmos(0) != second);
}

void case_rtc_advances(void)
{
	uint64_t start;

	CHECK_EQ(cmos(0xd) & 0x80, 0x80); /* valid */
	wait_second();
	start = rdtsc();
	wait_second();
	CHECK(is_over(start, 500000));
}

/* The century's and all other fields are dates. */
void case_rtc_date(void)
{
	bool is_binary = cmos(0xb) & BIT(2);
	uint8_t month = cmos(8), day = cmos(7), weekday = cmos(6);

	CHECK(!is_binary);
	CHECK((month & 0xf) <= 9 && month >= 1 && month <= 0x12);
	CHECK((day & 0xf) <= 9 && day >= 1 && day <= 0x31);
	CHECK(weekday >= 1 && weekday <= 7);
}

static uint32_t flags_seen;

static void on_rtc(struct trap_frame *frame)
{
	counts[frame->vector]++;
	flags_seen |= cmos(0xc); /* lowers the line */
	lapic_eoi();
}

static void rtc_start(uint8_t enable)
{
	trap_set_handler(VECTOR, on_rtc);
	counts[VECTOR] = 0;
	flags_seen = 0;
	route(8, VECTOR);
	cmos(0xc);
	cmos_set(0xb, (cmos(0xb) & 0x0f) | enable);
}

void case_rtc_periodic(void)
{
	uint64_t start = rdtsc();

	cmos_set(0xa, 0x2a); /* 64 Hz */
	rtc_start(BIT(6));
	sti();
	WAIT_FOR(counts[VECTOR] >= 8);
	cli();
	CHECK_EQ(flags_seen & (BIT(7) | BIT(6)), BIT(7) | BIT(6));
	CHECK(is_over(start, 7 * 15000));
}

void case_rtc_update(void)
{
	rtc_start(BIT(4));
	sti();
	WAIT_FOR(counts[VECTOR] >= 1);
	cli();
	CHECK_EQ(flags_seen & (BIT(7) | BIT(4)), BIT(7) | BIT(4));
}

/* Any hour, minute and second: every second. */
void case_rtc_alarm(void)
{
	cmos_set(1, 0xc0);
	cmos_set(3, 0xc0);
	cmos_set(5, 0xc0);
	rtc_start(BIT(5));
	sti();
	WAIT_FOR(counts[VECTOR] >= 1);
	cli();
	CHECK_EQ(flags_seen & (BIT(7) | BIT(5)), BIT(7) | BIT(5));
}

void case_rtc_cmos_memory(void)
{
	cmos_set(0x50, 0xa5);
	cmos_set(0x51, 0x5a);
	CHECK_EQ(cmos(0x50), 0xa5);
	CHECK_EQ(cmos(0x51), 0x5a);
}

/* ---- HPET: IA-PC HPET specification 1.0a ---- */

static uint64_t hpet_hz(void)
{
	return 1000000000000000UL / (mmio64(HPET) >> 32);
}

void case_hpet_counter(void)
{
	uint64_t tsc[4], first, last;

	CHECK(mmio64(HPET) >> 32 <= 100000000);
	mmio_put64(HPET_CONFIG, 0);
	first = mmio64(HPET_COUNTER);
	CHECK_EQ(mmio64(HPET_COUNTER), first); /* stands */
	mmio_put64(HPET_COUNTER, 0x123400000000);
	CHECK_EQ(mmio64(HPET_COUNTER), 0x123400000000);
	mmio_put64(HPET_CONFIG, 1);
	tsc[0] = rdtsc();
	first = mmio64(HPET_COUNTER);
	tsc[1] = rdtsc();
	delay_us(30000);
	tsc[2] = rdtsc();
	last = mmio64(HPET_COUNTER);
	tsc[3] = rdtsc();
	CHECK(first >= 0x123400000000);
	check_rate(last - first, hpet_hz(), tsc);
	CHECK_EQ(mmio32(HPET_COUNTER + 4), 0x1234);
}

/* A comparator, routed to the I/O APIC, edge: once. */
void case_hpet_one_shot(void)
{
	uint64_t start, routes = mmio64(HPET_TIMER0) >> 32;
	uint32_t line = routes ? (uint32_t)__builtin_ctzl(routes) : 2;

	count_vector(VECTOR);
	route(line, VECTOR);
	mmio_put64(HPET_CONFIG, 0);
	mmio_put64(HPET_COUNTER, 0);
	mmio_put64(HPET_TIMER0, (uint64_t)line << 9 | BIT(2));
	mmio_put64(HPET_TIMER0 + 8, hpet_hz() / 100);
	start = rdtsc();
	mmio_put64(HPET_CONFIG, 1);
	sti();
	WAIT_FOR(counts[VECTOR] == 1);
	CHECK(is_over(start, 9900));
	delay_us(20000);
	cli();
	CHECK_EQ(counts[VECTOR], 1);
	mmio_put64(HPET_CONFIG, 0);
}

void case_hpet_periodic(void)
{
	uint64_t start, routes = mmio64(HPET_TIMER0) >> 32;
	uint32_t line = routes ? (uint32_t)__builtin_ctzl(routes) : 2;

	CHECK(mmio64(HPET_TIMER0) & BIT(4)); /* can */
	count_vector(VECTOR);
	route(line, VECTOR);
	mmio_put64(HPET_CONFIG, 0);
	mmio_put64(HPET_COUNTER, 0);
	mmio_put64(HPET_TIMER0, (uint64_t)line << 9 | BIT(2) | BIT(3) | BIT(6));
	mmio_put64(HPET_TIMER0 + 8, hpet_hz() / 100); /* first */
	mmio_put64(HPET_TIMER0 + 8, hpet_hz() / 100); /* period */
	start = rdtsc();
	mmio_put64(HPET_CONFIG, 1);
	sti();
	WAIT_FOR(counts[VECTOR] >= 10);
	cli();
	CHECK(is_over(start, 85000));
	mmio_put64(HPET_CONFIG, 0);
}

/* ---- ACPI PM timer: ACPI 4.8.2.1 ---- */

/* The port is 8 behind the LPC bridge's PMBASE (configuration 0x40). */
static uint16_t pm_port(void)
{
	out32(0xcf8, 0x8000f840);
	return (uint16_t)((in32(0xcfc) & 0xff80) + 8);
}

void case_pm_timer_rate(void)
{
	uint16_t port = pm_port();
	uint64_t tsc[4];
	uint32_t first, last;

	for (int i = 0; i < 5; i++) {
		tsc[0] = rdtsc();
		first = in32(port);
		tsc[1] = rdtsc();
		delay_us(20000);
		tsc[2] = rdtsc();
		last = in32(port);
		tsc[3] = rdtsc();
		CHECK_EQ((first | last) >> 24, 0);
		if (!is_over(tsc[0], 3000000)) /* it wraps after 4.6 s */
			check_rate((last - first) & 0xffffff, PM_HZ, tsc);
	}
}

void case_pm_timer_monotonic(void)
{
	uint16_t port = pm_port();
	uint32_t last = in32(port), now;

	for (int i = 0; i < 3000; i++) {
		now = in32(port);
		CHECK(((now - last) & 0xffffff) < 0x800000);
		last = now;
	}
}

/* ---- kvm-clock: Linux Documentation/virt/kvm/x86/msr.rst ---- */

struct clock_page {
	volatile uint32_t version, pad;
	volatile uint64_t tsc, system;
	volatile uint32_t multiplier;
	volatile int8_t shift;
	volatile uint8_t flags, pad2[2];
};

static struct clock_page pages[CPUS_MAX] __attribute__((aligned(64)));

static uint64_t kvm_clock(void)
{
	struct clock_page *page = &pages[cpu_number()];
	uint64_t delta, ns;
	uint32_t version;

	do {
		version = page->version;
		asm volatile("" : : : "memory");
		delta = rdtsc() - page->tsc;
		delta = page->shift < 0 ? delta >> -page->shift
					: delta << page->shift;
		ns = page->system +
		     (uint64_t)((unsigned __int128)delta * page->multiplier >>
				32);
		asm volatile("" : : : "memory");
	} while (version != page->version || version & 1);
	return ns;
}

static void enable_clock(void *argument)
{
	(void)argument;
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, (uint64_t)&pages[cpu_number()] | 1);
}

void case_kvm_clock_rate(void)
{
	uint64_t tsc[4], first, last;

	enable_clock(NULL);
	CHECK(pages[0].version != 0 && !(pages[0].version & 1));
	tsc[0] = rdtsc();
	first = kvm_clock();
	tsc[1] = rdtsc();
	delay_us(30000);
	tsc[2] = rdtsc();
	last = kvm_clock();
	tsc[3] = rdtsc();
	check_rate(last - first, 1000000000, tsc);
}

static volatile uint64_t latest;

static void look_at_clock(void *argument)
{
	uint64_t seen, now;

	(void)argument;
	for (int i = 0; i < 20000; i++) {
		seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST);
		now = kvm_clock();
		CHECK(now >= seen);
		__atomic_compare_exchange_n(&latest, &seen, now, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
}

/* No CPU ever sees a time before one that another has seen. */
void case_kvm_clock_monotonic(void)
{
	smp_start();
	enable_clock(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_call(i, enable_clock, NULL);
	CHECK_EQ(pages[0].flags & 1, 1);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, look_at_clock, NULL);
	look_at_clock(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
}

/* The clock goes on when the guest sets its TSC; and is not stable then. */
void case_kvm_clock_tsc_moved(void)
{
	uint64_t before;

	smp_start();
	enable_clock(NULL);
	smp_call(1, enable_clock, NULL);
	before = kvm_clock();
	wrmsr(MSR_IA32_TSC, rdtsc() + BIT(45));
	CHECK(kvm_clock() >= before);
	CHECK(kvm_clock() < before + 100000000000UL);
	CHECK_EQ(pages[0].flags & 1, 0);
}

void case_kvm_wall_clock(void)
{
	static volatile uint32_t wall[3];

	wrmsr(MSR_KVM_WALL_CLOCK_NEW, (uint64_t)wall);
	CHECK_EQ(wall[0] & 1, 0);
	CHECK(wall[1] > 1577836800); /* 2020 */
	CHECK(wall[2] < 1000000000);
}

static volatile uint64_t tsc_latest;

static void look_at_tsc(void *argument)
{
	uint64_t seen, now;

	(void)argument;
	for (int i = 0; i < 50000; i++) {
		seen = __atomic_load_n(&tsc_latest, __ATOMIC_SEQ_CST);
		now = rdtsc();
		CHECK(now >= seen);
		__atomic_compare_exchange_n(&tsc_latest, &seen, now, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
}

void case_tsc_synchronous(void)
{
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, look_at_tsc, NULL);
	look_at_tsc(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
}
