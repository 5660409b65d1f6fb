/*
 * The bench guest: what operations cost that make a guest exit.
 *
 * Run under QEMU's `-icount shift=0`, where the TSC counts instructions: those of
 * the guest and those of the hypervisor alike. Each figure is the least of many
 * times, less that of doing nothing. It prints `figure NAME VALUE` lines to COM1
 * and ends by the test device's port.
 *
 * The command line holds the word `bare` where there is no hypervisor: then only
 * the loop is measured.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/guest/instructions.h"

#define COM1	   0x3f8
#define COM1_LSR   (COM1 + 5)
#define LSR_EMPTY  0x20
#define EXIT_PORT  0xf4
#define ELCR_PORT  0x4d0
#define PM_TIMER   0x608
#define FREE_PORT  0x5f7
#define PCI_SELECT 0xcf8
#define PCI_DATA   0xcfc
#define PCI_ENABLE 0x80000000U

#define MSR_APIC_BASE	 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_SVR	 0x80f
#define MSR_X2APIC_TIMER 0x832
#define MSR_X2APIC_SELF	 0x83f
#define MSR_KVM_CLOCK	 0x4b564d01
#define APIC_BASE_X2APIC (1U << 10)
#define SVR_ENABLE	 (1U << 8)
#define TIMER_DEADLINE	 (2U << 17)
#define LVT_MASKED	 (1U << 16)
#define XAPIC_ID	 0xfee00020UL
#define CLOCK_ENABLED	 1
#define FAR_AWAY	 (1UL << 50) /* ticks of the TSC */

#define HC_VAPIC_POLL_IRQ 1

#define VECTOR	    0x40
#define TIMES	    2000
#define LOOP_ROUNDS 20000000U

#define PAGE	   0x1000UL
#define LARGE_PAGE 0x200000UL
/* Nobody has touched these before: extents of 2 MiB, and the end of RAM, where
 * there is less than 2 MiB left. */
#define LARGE_FIRST 0x1000000UL
#define LARGE_COUNT 16
#define SMALL_FIRST 0x4000000UL
#define SMALL_COUNT 256

struct gate {
	uint16_t offset_low, selector, flags, offset_middle;
	uint32_t offset_high, reserved;
};

struct multiboot_info {
	uint32_t flags, lower, upper, device, cmdline;
};

/* start.asm */
void interrupt_entry(void);
void stray_entry(void);
void bench_main(const struct multiboot_info *info, uint64_t entry_tsc);
void bench_stray(uint64_t first, uint64_t second);

uint32_t bench_interrupt_count;

static struct gate idt[256];
static uint8_t clock_page[32] __attribute__((aligned(32)));
static uint64_t nothing; /* what measuring itself costs */

static void print(const char *text)
{
	for (; *text; text++) {
		while (!(in8(COM1_LSR) & LSR_EMPTY))
			;
		out8(COM1, (uint8_t)*text);
	}
}

static void print_number(uint64_t value)
{
	char text[21];
	char *at = &text[20];

	*at = 0;
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	print(at);
}

static void report(const char *name, uint64_t value)
{
	print("figure ");
	print(name);
	print(" ");
	print_number(value);
	print("\n");
}

static _Noreturn void end(uint8_t status)
{
	for (;;)
		out8(EXIT_PORT, status);
}

void bench_stray(uint64_t first, uint64_t second)
{
	print("stray exception: ");
	print_number(first);
	print(" ");
	print_number(second);
	print("\n");
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

static void load_idt(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint64_t)idt };

	for (unsigned int i = 0; i < 256; i++)
		set_gate(i, stray_entry);
	set_gate(VECTOR, interrupt_entry);
	asm volatile("lidt %0" : : "m"(idtr));
}

/* The operations. */

static void do_nothing(void)
{
	asm volatile("" : : : "memory");
}

static void do_cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void do_hypercall(void)
{
	uint64_t number = HC_VAPIC_POLL_IRQ;

	asm volatile("vmmcall" : "+a"(number) : : "memory");
}

static void do_rdmsr(void)
{
	rdmsr(MSR_APIC_BASE);
}

static void do_free_in(void)
{
	in8(FREE_PORT);
}

static void do_free_out(void)
{
	out8(FREE_PORT, 0);
}

static void do_device_in(void)
{
	in8(ELCR_PORT);
}

static void do_timer_in(void)
{
	in32(PM_TIMER);
}

static void do_pci_read(void)
{
	out32(PCI_SELECT, PCI_ENABLE);
	in32(PCI_DATA);
}

static void do_xapic_read(void)
{
	(void)*(const volatile uint32_t *)XAPIC_ID;
}

static void do_clock(void)
{
	wrmsr(MSR_KVM_CLOCK, (uint64_t)clock_page | CLOCK_ENABLED);
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

static void do_deadline(void)
{
	wrmsr(MSR_TSC_DEADLINE, FAR_AWAY);
}

/* Inlined with each @operate, so that there is no call in what is measured. */
static inline __attribute__((always_inline)) uint64_t least(
	void (*operate)(void))
{
	uint64_t best = ~0UL;

	for (unsigned int i = 0; i < TIMES; i++) {
		uint64_t before = ticks();
		uint64_t taken;

		operate();
		taken = ticks() - before;
		if (taken < best)
			best = taken;
	}
	return best - nothing;
}

static void measure_exits(void)
{
	nothing = least(do_nothing);
	report("cpuid", least(do_cpuid));
	report("hypercall", least(do_hypercall));
	report("rdmsr", least(do_rdmsr));
	report("free-in", least(do_free_in));
	report("free-out", least(do_free_out));
	report("device-in", least(do_device_in));
	report("timer-in", least(do_timer_in));
	report("pci-read", least(do_pci_read));
	report("xapic-read", least(do_xapic_read));
	report("clock", least(do_clock));
}

/* Two interrupts that came as one, or one that was lost, make no figure. */
static void check_interrupts(const char *what)
{
	if (bench_interrupt_count != TIMES) {
		print(what);
		print(": interrupts lost: ");
		print_number(bench_interrupt_count);
		print("\n");
		end(2);
	}
	bench_interrupt_count = 0;
}

static void measure_interrupts(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	wrmsr(MSR_X2APIC_SVR, SVR_ENABLE | 0xff);
	report("ipi-running", least(do_ipi_running));
	check_interrupts("ipi-running");
	report("ipi-halted", least(do_ipi_halted));
	check_interrupts("ipi-halted");
	wrmsr(MSR_X2APIC_TIMER, TIMER_DEADLINE | LVT_MASKED | VECTOR);
	report("deadline", least(do_deadline));
	wrmsr(MSR_TSC_DEADLINE, 0);
}

static uint64_t touch(uint64_t address)
{
	uint64_t before = ticks();

	*(volatile uint64_t *)address = 1;
	return ticks() - before - nothing;
}

/* The least and the mean; of a page's first write the least would be one
 * instruction if anybody had touched a page before. */
static void measure_small_pages(void)
{
	uint64_t best = ~0UL, sum = 0;

	for (uint64_t i = 0; i < SMALL_COUNT; i++) {
		uint64_t taken = touch(SMALL_FIRST + i * PAGE);

		sum += taken;
		if (taken < best)
			best = taken;
	}
	report("page-small", best);
	report("page-small-mean", sum / SMALL_COUNT);
}

static uint64_t touch_large(uint64_t address)
{
	uint64_t before = ticks();

	for (uint64_t at = address; at < address + LARGE_PAGE; at += PAGE)
		*(volatile uint64_t *)at = 1;
	return ticks() - before - nothing;
}

static void measure_large_pages(void)
{
	uint64_t best = ~0UL;

	for (uint64_t i = 0; i < LARGE_COUNT; i++) {
		uint64_t taken = touch_large(LARGE_FIRST + i * LARGE_PAGE);

		if (taken < best)
			best = taken;
	}
	report("page-large", best * PAGE / LARGE_PAGE);
}

static void measure_loop(void)
{
	uint64_t x = 88172645463325252UL;
	uint64_t before = ticks();

	for (uint32_t i = 0; i < LOOP_ROUNDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		asm volatile("" : "+r"(x));
	}
	report("loop", ticks() - before);
}

static bool has_word(const char *line, const char *word)
{
	for (; *line; line++) {
		size_t i = 0;

		while (word[i] && line[i] == word[i])
			i++;
		if (!word[i])
			return true;
	}
	return false;
}

void bench_main(const struct multiboot_info *info, uint64_t entry_tsc)
{
	bool is_bare = has_word((const char *)(uint64_t)info->cmdline, "bare");

	load_idt();
	report("entry", entry_tsc);
	if (!is_bare) {
		measure_exits();
		measure_interrupts();
		measure_small_pages();
		measure_large_pages();
	}
	measure_loop();
	end(0);
}
