/* Several CPUs on one memory. */
#include "tests/guest/guest.h"

static volatile uint32_t flags[2], turn, lock, inside;
static volatile uint64_t total;

/* Dekker's: the store must be seen before the load is done. */
static void enter_in_turn(void *argument)
{
	uint32_t me = cpu_number(), other = 1 - me;

	(void)argument;
	for (int i = 0; i < 20000; i++) {
		flags[me] = 1;
		turn = other;
		mfence();
		while (flags[other] && turn == other)
			pause();
		inside++;
		CHECK_EQ(inside, 1);
		total++;
		inside--;
		asm volatile("" : : : "memory");
		flags[me] = 0;
	}
}

void case_smp_peterson(void)
{
	smp_start();
	smp_begin(1, enter_in_turn, NULL);
	enter_in_turn(NULL);
	smp_wait(1);
	CHECK_EQ(total, 40000);
}

static void count_locked(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			pause();
		total++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
}

void case_smp_spinlock(void)
{
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, count_locked, NULL);
	count_locked(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
	CHECK_EQ(total, 20000UL * case_vcpus);
}

/* A page that one CPU unmaps is gone for the other one after INVLPG there. */
static volatile uint32_t step;

static void follow(void *argument)
{
	volatile uint64_t *window = (volatile uint64_t *)(5UL << 30);

	(void)argument;
	for (uint32_t i = 1; i <= 200; i++) {
		WAIT_FOR(step == 2 * i - 1);
		invlpg(window);
		CHECK_EQ(*window, i % 2 ? 0xaaaa : 0xbbbb);
		step = 2 * i;
	}
}

void case_smp_remap(void)
{
	*(volatile uint64_t *)(4UL << 20) = 0xbbbb;
	*(volatile uint64_t *)(6UL << 20) = 0xaaaa;
	smp_start();
	smp_begin(1, follow, NULL);
	for (uint32_t i = 1; i <= 200; i++) {
		page_directories[5 * 512] =
			(i % 2 ? 6UL << 20 : 4UL << 20) | 0x87;
		step = 2 * i - 1;
		WAIT_FOR(step == 2 * i);
	}
	smp_wait(1);
}

/* ---- all at once: timers, IPIs, exits ---- */

#define TIMER  0x43
#define CALL   0x53
#define ROUNDS 400

static volatile uint32_t timers[CPUS_MAX], calls[CPUS_MAX], done;

static void on_timer(struct trap_frame *frame)
{
	(void)frame;
	timers[cpu_number()]++;
	lapic_write(LAPIC_TIMER_COUNT, 20000 + (uint32_t)rdtsc() % 50000);
	lapic_eoi();
}

static void on_call(struct trap_frame *frame)
{
	(void)frame;
	__atomic_fetch_add(&calls[cpu_number()], 1, __ATOMIC_SEQ_CST);
	lapic_eoi();
}

static void stress(void *argument)
{
	uint32_t me = cpu_number(), next = (me + 1) % case_vcpus;

	(void)argument;
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, TIMER);
	lapic_write(LAPIC_TIMER_COUNT, 1000);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		lapic_send(next, ICR_ASSERT | CALL);
		while (calls[next] < i) {
			/* the timer wakes it if the other one does not */
			sti_hlt_cli();
			cpuid(0, 0);
		}
	}
	WAIT_FOR(timers[me] >= 1);
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
	sti();
	WAIT_FOR(done == case_vcpus);
	cli();
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | TIMER);
	lapic_write(LAPIC_TIMER_COUNT, 0);
}

void case_stress_timers_ipis(void)
{
	trap_set_handler(TIMER, on_timer);
	trap_set_handler(CALL, on_call);
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, stress, NULL);
	stress(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
	for (uint32_t i = 0; i < case_vcpus; i++)
		CHECK_EQ(calls[i], ROUNDS);
}

static void stress_x2apic(void *argument)
{
	lapic_enter_x2apic();
	stress(argument);
}

void case_stress_x2apic(void)
{
	trap_set_handler(TIMER, on_timer);
	trap_set_handler(CALL, on_call);
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, stress_x2apic, NULL);
	stress_x2apic(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
	for (uint32_t i = 0; i < case_vcpus; i++)
		CHECK_EQ(calls[i], ROUNDS);
}

/* ---- stopping and starting ---- */

#define CYCLES 1000

/* What a CPU finds when it starts: cycle.asm. */
struct first_look {
	uint32_t count;	    /* of starts at this page */
	uint32_t registers; /* general ones, or'ed; without EDX */
	uint32_t eflags, cr0, cr3, cr4, efer, dr7;
	uint16_t cs;
	uint16_t segments; /* the others, or'ed */
};

extern char cycle_begin[], cycle_end[];

/* Two pages by turns: a start-up IPI that comes late goes to the wrong one. */
static uint8_t start_page(uint32_t cycle)
{
	return (uint8_t)(0x9 + cycle % 2);
}

static volatile struct first_look *first_look(uint32_t cycle)
{
	return (volatile struct first_look *)((uint64_t)start_page(cycle)
						      << 12 |
					      0x800);
}

/* SDM 3A table 9-1 "IA-32 and Intel 64 Processor States Following Power-up,
 * Reset, or INIT"; INIT leaves CD and NW as they are. */
static void check_first_look(uint32_t cycle)
{
	volatile struct first_look *look = first_look(cycle);

	CHECK_EQ(look->count, cycle / 2 + 1);
	CHECK_EQ(look->registers, 0);
	CHECK_EQ(look->eflags, RFLAGS_FIXED);
	CHECK_EQ(look->cr0 & ~(uint32_t)(CR0_CD | CR0_NW), CR0_ET);
	CHECK_EQ(look->cr3, 0);
	CHECK_EQ(look->cr4, 0);
	CHECK_EQ(look->efer, 0);
	CHECK_EQ(look->dr7, DR7_RESET);
	CHECK_EQ(look->cs, start_page(cycle) << 8);
	CHECK_EQ(look->segments, 0);
}

/* Where it is stopped, by turns: in a loop, between exits, halted for good, and
 * waiting for an interrupt. */
static volatile uint64_t ticks;

static void be_busy(void *argument)
{
	uint64_t what = (uint64_t)argument;

	for (;;) {
		ticks++;
		if (what == 1)
			cpuid(0, 0);
		else if (what == 2)
			asm volatile("cli; hlt");
		else if (what == 3)
			sti_hlt_cli();
	}
}

static bool is_still(void)
{
	uint64_t before = ticks;

	delay_us(20);
	return ticks == before;
}

static void stop(uint32_t cycle)
{
	uint64_t before = ticks;

	smp_begin(1, be_busy, (void *)(uint64_t)(cycle / 2 % 4));
	WAIT_FOR(ticks != before);
	/* which says nothing to a CPU that runs: INIT does not bring it back */
	lapic_send(1, ICR_STARTUP | ICR_ASSERT | start_page(cycle));
	lapic_send(1, ICR_INIT | ICR_ASSERT);
	WAIT_FOR(is_still());
}

/* INIT, start-up, start-up, of which the second one comes too late. */
void case_smp_cycles(void)
{
	smp_start();
	for (uint32_t i = 0; i < 2; i++)
		memcpy((void *)((uint64_t)start_page(i) << 12), cycle_begin,
		       (unsigned long)(cycle_end - cycle_begin));
	memset((void *)first_look(0), 0, sizeof(struct first_look));
	memset((void *)first_look(1), 0, sizeof(struct first_look));
	for (uint32_t i = 0; i < CYCLES; i++) {
		stop(i + 1);
		smp_restart_at(1, start_page(i));
		lapic_send(1, ICR_STARTUP | ICR_ASSERT | start_page(i));
		check_first_look(i);
	}
	CHECK_EQ(first_look(0)->count + first_look(1)->count, CYCLES);
}
