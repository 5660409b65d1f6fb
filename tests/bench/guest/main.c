/*
 * The bench guest: what operations cost that make a guest exit, the same program
 * under every hypervisor.
 *
 * Run under QEMU's `-icount shift=0` or Bochs, where the TSC counts instructions:
 * those of the guest and those of the hypervisor alike. Each figure is the least of many
 * times and their mean, less that of doing nothing. It prints
 * `figure NAME LEAST MEAN;` lines to COM1 and to the debug console of Xen, whose
 * guests have no COM1. It ends by the test device's port or by powering off,
 * whichever there is.
 *
 * The command line may hold a word:
 *
 *	bare	there is no hypervisor: measure the loop, and tell when we came
 *	smp	measure a second CPU only, without -icount
 *	scale	when others have begun to sleep, measure a few exits
 *	sleep	do nothing, for ever
 *	nap	do nothing for two seconds, and end
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/guest/console.h"
#include "tests/bench/guest/instructions.h"
#include "tests/bench/guest/interrupts.h"
#include "tests/bench/guest/pages.h"
#include "tests/bench/guest/smp.h"
#include "tests/bench/guest/timing.h"

#define COM1_STATUS 0x3fd
#define ELCR_PORT   0x4d0
#define PM_TIMER    0x608
#define FREE_PORT   0x5f7
#define PCI_SELECT  0xcf8
#define PCI_DATA    0xcfc
#define PCI_ENABLE  0x80000000U

#define MSR_APIC_BASE 0x1b
#define MSR_KVM_CLOCK 0x4b564d01
#define XAPIC_ID      0xfee00020UL
#define CLOCK_ENABLED 1

#define CR0_WP	(1UL << 16)
#define CR4_PGE (1UL << 7)

#define CPUID_VENDOR	  0
#define VENDOR_INTEL	  0x756e6547 /* "Genu" */
#define CPUID_HYPERVISOR  0x40000000
#define SIGNATURE_KVM	  0x4b4d564b /* "KVMK" */
#define SIGNATURE_XEN	  0x566e6558 /* "XenV" */
#define HC_VAPIC_POLL_IRQ 1	     /* of KVM: does nothing */
#define HC_XEN_VERSION	  17	     /* with RDI = 0: tells a number */

#define LOOP_ROUNDS 20000000U

/* start.asm */
void bench_main(const char *cmdline, uint64_t entry_tsc);

static uint8_t clock_page[32] __attribute__((aligned(32)));
static uint64_t hypercall_number;
static uint64_t entry; /* TSC */

static void do_nothing(void)
{
	asm volatile("" : : : "memory");
}

static void do_cpuid(void)
{
	uint32_t regs[4];

	cpuid(0, regs);
}

static void do_vmmcall(void)
{
	uint64_t number = hypercall_number;

	asm volatile("vmmcall" : "+a"(number) : "D"(0UL), "S"(0UL) : "memory");
}

static void do_vmcall(void)
{
	uint64_t number = hypercall_number;

	asm volatile("vmcall" : "+a"(number) : "D"(0UL), "S"(0UL) : "memory");
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

static void do_serial_in(void)
{
	in8(COM1_STATUS);
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

/* Only read: QEMU 7.2 aborts at a guest's write while KVM waits for an interrupt
 * window (its helper_write_crN interrupts a CPU without the lock). */
static void do_cr8(void)
{
	uint64_t value;

	asm volatile("mov %%cr8, %0" : "=r"(value));
}

static void do_pause(void)
{
	asm volatile("pause");
}

static void do_cr0_wp(void)
{
	toggle_cr0(CR0_WP);
}

static void do_cr4_pge(void)
{
	toggle_cr4(CR4_PGE);
}

static uint32_t signature(uint32_t leaf)
{
	uint32_t regs[4];

	cpuid(leaf, regs);
	return regs[1];
}

static struct timing time_of_hypercall(void)
{
	uint32_t hypervisor = signature(CPUID_HYPERVISOR);

	hypercall_number = hypervisor == SIGNATURE_XEN ? HC_XEN_VERSION
						       : HC_VAPIC_POLL_IRQ;
	if (signature(CPUID_VENDOR) == VENDOR_INTEL)
		return time_of(do_vmcall);
	return time_of(do_vmmcall);
}

static void measure_exits(void)
{
	timing_calibrate(time_of(do_nothing));
	report("cpuid", time_of(do_cpuid));
	report("hypercall", time_of_hypercall());
	report("rdmsr", time_of(do_rdmsr));
	report("free-in", time_of(do_free_in));
	report("free-out", time_of(do_free_out));
	report("device-in", time_of(do_device_in));
	report("serial-in", time_of(do_serial_in));
	report("timer-in", time_of(do_timer_in));
	report("pci-read", time_of(do_pci_read));
	report("xapic-read", time_of(do_xapic_read));
	if (signature(CPUID_HYPERVISOR) == SIGNATURE_KVM)
		report("clock", time_of(do_clock));
	report("cr8", time_of(do_cr8));
	report("pause", time_of(do_pause));
	report("cr0-wp", time_of(do_cr0_wp));
	report("cr4-pge", time_of(do_cr4_pge));
}

static void measure_loop(void)
{
	uint64_t x = 88172645463325252UL;
	uint64_t before = ticks();
	uint64_t taken;

	for (uint32_t i = 0; i < LOOP_ROUNDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		asm volatile("" : "+r"(x));
	}
	taken = ticks() - before;
	report("loop", (struct timing){ taken, taken });
}

static bool has_word(const char *line, const char *word)
{
	for (; line && *line; line++) {
		size_t i = 0;

		while (word[i] && line[i] == word[i])
			i++;
		if (!word[i])
			return true;
	}
	return false;
}

static void measure_all(void)
{
	measure_exits();
	interrupts_measure();
	pages_measure();
	measure_loop();
}

static void measure_bare(void)
{
	report("entry", (struct timing){ entry, entry });
	measure_loop();
}

static void measure_smp(void)
{
	timing_calibrate(time_of(do_nothing));
	report("cpuid", time_of(do_cpuid));
	smp_measure();
}

static void measure_scale(void)
{
	interrupts_nap();
	timing_calibrate(time_of(do_nothing));
	report("cpuid", time_of(do_cpuid));
	report("free-in", time_of(do_free_in));
	interrupts_measure_ipi();
}

static void nap(void)
{
	interrupts_nap();
	end(0);
}

static const struct {
	const char *word;
	void (*act)(void);
} modes[] = {
	{ "bare", measure_bare },
	{ "smp", measure_smp },
	{ "scale", measure_scale },
	{ "sleep", interrupts_sleep },
	{ "nap", nap },
	{ "", measure_all },
};

void bench_main(const char *cmdline, uint64_t entry_tsc)
{
	size_t mode = 0;

	entry = entry_tsc;
	interrupts_init();
	while (*modes[mode].word && !has_word(cmdline, modes[mode].word))
		mode++;
	modes[mode].act();
	print("figure end\n");
	end(0);
}
