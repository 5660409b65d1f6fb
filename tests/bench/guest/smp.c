#include "tests/bench/guest/smp.h"

#include <stdbool.h>

#include "tests/bench/guest/console.h"
#include "tests/bench/guest/instructions.h"
#include "tests/bench/guest/interrupts.h"
#include "tests/bench/guest/timing.h"

#define ENTRY	       0x8000
#define MSR_X2APIC_ICR 0x830
#define OTHERS	       (3U << 18) /* all but oneself */
#define ASSERT	       (1U << 14)
#define INIT	       (OTHERS | ASSERT | 5U << 8)
#define STARTUP	       (OTHERS | ASSERT | 6U << 8 | ENTRY >> 12)

/* Few: where the emulator's CPUs share a host's, each may wait for a turn. */
#define IPIS 300

/* Ticks; the TSC runs at 1 to 5 GHz. */
#define INIT_TICKS    100000000UL
#define STARTUP_TICKS 20000000000UL

/* ap.asm */
extern const uint8_t ap_begin[], ap_end[];
_Noreturn void smp_main(void);

static volatile bool is_running;

_Noreturn void smp_main(void)
{
	interrupts_load();
	interrupts_use_x2apic();
	is_running = true;
	asm volatile("sti");
	for (;;)
		asm volatile("pause");
}

static void wait(uint64_t count)
{
	uint64_t begin = ticks();

	while (!is_running && ticks() - begin < count)
		;
}

static void start(void)
{
	volatile uint8_t *to = (volatile uint8_t *)ENTRY;

	for (const uint8_t *from = ap_begin; from < ap_end; from++)
		*to++ = *from;
	wrmsr(MSR_X2APIC_ICR, INIT);
	wait(INIT_TICKS);
	wrmsr(MSR_X2APIC_ICR, STARTUP);
	wait(STARTUP_TICKS);
	if (!is_running) {
		print("the second CPU does not start\nfigure end\n");
		end(3);
	}
}

static uint64_t remote_ipi(void)
{
	uint32_t count = interrupts_count();
	uint64_t before = ticks();

	wrmsr(MSR_X2APIC_ICR, OTHERS | ASSERT | VECTOR);
	while (interrupts_count() == count)
		;
	return ticks() - before;
}

void smp_measure(void)
{
	uint64_t least = ~0UL, sum = 0;

	interrupts_use_x2apic();
	start();
	for (unsigned int i = 0; i < IPIS; i++) {
		uint64_t taken = remote_ipi();

		sum += taken;
		if (taken < least)
			least = taken;
	}
	report("remote-ipi", timing_of(least, sum, IPIS));
}
