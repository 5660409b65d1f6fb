#include "tests/bench/guest/interrupts.h"

#include "tests/bench/guest/console.h"
#include "tests/bench/guest/entropy.h"
#include "tests/bench/guest/instructions.h"
#include "tests/bench/guest/timing.h"

#define MSR_APIC_BASE	  0x1b
#define MSR_TSC_DEADLINE  0x6e0
#define MSR_X2APIC_EOI	  0x80b
#define MSR_X2APIC_SVR	  0x80f
#define MSR_X2APIC_TIMER  0x832
#define MSR_X2APIC_COUNT  0x838
#define MSR_X2APIC_DIVIDE 0x83e
#define MSR_X2APIC_SELF	  0x83f
#define APIC_BASE_X2APIC  (1U << 10)
#define SVR_ENABLE	  (1U << 8)
#define TIMER_DEADLINE	  (2U << 17)
#define TIMER_BY_1	  0xb
#define LVT_MASKED	  (1U << 16)
#define FAR_COUNT	  0x7fffffff
#define FAR_AWAY	  (1UL << 50)  /* ticks of the TSC */
#define NAP		  2000000000UL /* as many */

#define PIC_MASK   0x21
#define PIC_2_MASK 0xa1

struct gate {
	uint16_t offset_low, selector, flags, offset_middle;
	uint32_t offset_high, reserved;
};

/* start.asm */
void interrupt_entry(void);
void stray_entry(void);
void bench_stray(uint64_t first, uint64_t second);

volatile uint32_t bench_interrupt_count;

static struct gate idt[256];

void bench_stray(uint64_t first, uint64_t second)
{
	print("stray exception: ");
	print_number(first);
	print(" ");
	print_number(second);
	print("\nfigure end\n");
	end(1);
}

static void set_gate(unsigned int vector, void (*entry)(void))
{
	uint64_t at = (uint64_t)entry;

	idt[vector] = (struct gate){ .offset_low = (uint16_t)at,
				     .selector = 8,
				     .flags = 0x8e00,
				     .offset_middle = (uint16_t)(at >> 16),
				     .offset_high = (uint32_t)(at >> 32) };
}

void interrupts_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint64_t)idt };

	asm volatile("lidt %0" : : "m"(idtr));
}

void interrupts_use_x2apic(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	wrmsr(MSR_X2APIC_SVR, SVR_ENABLE | 0xff);
}

uint32_t interrupts_count(void)
{
	return bench_interrupt_count;
}

void interrupts_init(void)
{
	for (unsigned int i = 0; i < 256; i++)
		set_gate(i, stray_entry);
	set_gate(VECTOR, interrupt_entry);
	interrupts_load();
	/* A firmware's timer still ticks. */
	out8(PIC_MASK, 0xff);
	out8(PIC_2_MASK, 0xff);
}

static void do_ipi_running(void)
{
	wrmsr(MSR_X2APIC_SELF, VECTOR);
	asm volatile("sti; nop; cli" : : : "memory");
}

static void do_ipi_halted(void)
{
	wrmsr(MSR_X2APIC_SELF, VECTOR);
	asm volatile("sti; hlt; cli" : : : "memory");
}

static void do_eoi(void)
{
	wrmsr(MSR_X2APIC_EOI, 0);
}

static void wait_interrupt(void)
{
	uint32_t count = bench_interrupt_count;

	asm volatile("sti" : : : "memory");
	while (bench_interrupt_count == count)
		;
	asm volatile("cli" : : : "memory");
}

static void do_timer_arm(void)
{
	wrmsr(MSR_X2APIC_COUNT, FAR_COUNT);
}

static void do_timer_fire(void)
{
	wrmsr(MSR_X2APIC_COUNT, 1);
	wait_interrupt();
}

static void do_deadline_arm(void)
{
	wrmsr(MSR_TSC_DEADLINE, FAR_AWAY);
}

static void do_deadline_fire(void)
{
	wrmsr(MSR_TSC_DEADLINE, 1);
	wait_interrupt();
}

static void do_msi(void)
{
	entropy_request();
	wait_interrupt();
}

/* Two interrupts that came as one, or one that was lost, make no figure. */
static void report_checked(const char *name, struct timing timing)
{
	if (bench_interrupt_count == TIMES) {
		report(name, timing);
	} else {
		print(name);
		print(": interrupts lost: ");
		print_number(bench_interrupt_count);
		print("\n");
	}
	bench_interrupt_count = 0;
}

static void measure_timer(void)
{
	wrmsr(MSR_X2APIC_DIVIDE, TIMER_BY_1);
	wrmsr(MSR_X2APIC_TIMER, LVT_MASKED | VECTOR);
	report("timer-arm", time_of(do_timer_arm));
	wrmsr(MSR_X2APIC_COUNT, 0);
	wrmsr(MSR_X2APIC_TIMER, VECTOR);
	report_checked("timer-fire", time_of(do_timer_fire));
	wrmsr(MSR_X2APIC_TIMER, TIMER_DEADLINE | LVT_MASKED | VECTOR);
	report("deadline-arm", time_of(do_deadline_arm));
	wrmsr(MSR_TSC_DEADLINE, 0);
	wrmsr(MSR_X2APIC_TIMER, TIMER_DEADLINE | VECTOR);
	report_checked("deadline-fire", time_of(do_deadline_fire));
	wrmsr(MSR_X2APIC_TIMER, LVT_MASKED | VECTOR);
}

void interrupts_nap(void)
{
	uint32_t count = bench_interrupt_count;

	interrupts_use_x2apic();
	wrmsr(MSR_X2APIC_TIMER, TIMER_DEADLINE | VECTOR);
	wrmsr(MSR_TSC_DEADLINE, ticks() + NAP);
	while (bench_interrupt_count == count)
		asm volatile("sti; hlt; cli" : : : "memory");
	bench_interrupt_count = 0;
}

_Noreturn void interrupts_sleep(void)
{
	for (;;)
		asm volatile("sti; hlt" : : : "memory");
}

void interrupts_measure_ipi(void)
{
	interrupts_use_x2apic();
	report_checked("ipi-running", time_of(do_ipi_running));
}

void interrupts_measure(void)
{
	interrupts_measure_ipi();
	report_checked("ipi-halted", time_of(do_ipi_halted));
	report("eoi", time_of(do_eoi));
	measure_timer();
	if (entropy_init(VECTOR))
		report_checked("msi", time_of(do_msi));
}
