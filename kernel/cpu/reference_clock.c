/*
 * HPET: IA-PC HPET Specification 1.0a, 2.3 "Register Definitions". PM timer:
 * ACPI 6.5, 4.8.3.3 "Power Management Timer". PIT: counter 2 of the 8254, gated
 * by port 0x61, free-running in mode 2.
 */
#include "kernel/cpu/reference_clock.h"

#include "kernel/cpu/x86_asm.h"

#define HPET_CAPABILITIES  0x00
#define HPET_CONFIGURATION 0x10
#define HPET_COUNTER	   0xf0
#define HPET_ENABLE	   BIT(0)
#define HPET_PERIOD_MAX_FS 100000000U /* 100 ns, the specification's limit */
#define FS_PER_NS	   1000000U

#define PM_TIMER_HZ	   3579545U
#define PIT_HZ		   1193182U
#define PIT_COUNTER2	   0x42
#define PIT_COMMAND	   0x43
#define PIT_COUNTER2_MODE2 0xb4 /* counter 2, low then high byte, mode 2 */
#define PIT_COUNTER2_LATCH 0x80
#define SYSTEM_CONTROL_B   0x61 /* bit 0 gates counter 2, bit 1 the speaker */

#define TRIES	    5 /* of a reading; the one least disturbed counts */
#define TICK_PROBES 100000

enum reference_kind { REFERENCE_PIT, REFERENCE_PM_TIMER, REFERENCE_HPET };

static struct {
	enum reference_kind kind;
	volatile void *hpet;
	uint64_t period_fs; /* of a tick, in femtoseconds */
	uint64_t mask;	    /* of the counter's bits */
	uint64_t last;	    /* counter at the last reading */
	uint64_t ticks;	    /* since the clock was chosen */
	uint16_t pm_port;
} clock;

static uint64_t pit_read(void)
{
	uint32_t low;

	x86_outb(PIT_COMMAND, PIT_COUNTER2_LATCH);
	low = x86_inb(PIT_COUNTER2);
	return 0xffff - (low | (uint32_t)x86_inb(PIT_COUNTER2) << 8);
}

static uint64_t counter_read(void)
{
	switch (clock.kind) {
	case REFERENCE_HPET: return x86_mmio_read32(clock.hpet, HPET_COUNTER);
	case REFERENCE_PM_TIMER: return x86_inl(clock.pm_port) & clock.mask;
	default: return pit_read();
	}
}

static bool is_ticking(void)
{
	uint64_t first = counter_read();

	for (uint32_t i = 0; i < TICK_PROBES; i++) {
		if (counter_read() != first)
			return true;
	}
	return false;
}

static bool try_hpet(volatile void *hpet)
{
	uint32_t configuration;

	if (!hpet)
		return false;
	clock.kind = REFERENCE_HPET;
	clock.hpet = hpet;
	clock.mask = UINT32_MAX;
	clock.period_fs = x86_mmio_read64(hpet, HPET_CAPABILITIES) >> 32;
	if (!clock.period_fs || clock.period_fs > HPET_PERIOD_MAX_FS)
		return false;
	configuration = x86_mmio_read32(hpet, HPET_CONFIGURATION);
	x86_mmio_write32(hpet, HPET_CONFIGURATION,
			 configuration | (uint32_t)HPET_ENABLE);
	return is_ticking();
}

static bool try_pm_timer(const struct platform *platform)
{
	if (!platform->pm_timer_port)
		return false;
	clock.kind = REFERENCE_PM_TIMER;
	clock.pm_port = platform->pm_timer_port;
	clock.mask = platform->pm_timer_is_32bit ? UINT32_MAX : 0xffffff;
	clock.period_fs = 1000000000UL * FS_PER_NS / PM_TIMER_HZ;
	return is_ticking();
}

static bool try_pit(void)
{
	clock.kind = REFERENCE_PIT;
	clock.mask = 0xffff;
	clock.period_fs = 1000000000UL * FS_PER_NS / PIT_HZ;
	x86_outb(SYSTEM_CONTROL_B,
		 (uint8_t)((x86_inb(SYSTEM_CONTROL_B) & ~2) | 1));
	x86_outb(PIT_COMMAND, PIT_COUNTER2_MODE2);
	x86_outb(PIT_COUNTER2, 0); /* 0 counts 65536 */
	x86_outb(PIT_COUNTER2, 0);
	return is_ticking();
}

bool reference_clock_choose(const struct platform *platform,
			    volatile void *hpet)
{
	if (!try_hpet(hpet) && !try_pm_timer(platform) && !try_pit())
		return false;
	clock.last = counter_read();
	clock.ticks = 0;
	return true;
}

const char *reference_clock_name(void)
{
	static const char *const names[] = {
		[REFERENCE_PIT] = "PIT",
		[REFERENCE_PM_TIMER] = "PM timer",
		[REFERENCE_HPET] = "HPET",
	};

	return names[clock.kind];
}

struct reference_reading reference_clock_read(void)
{
	uint64_t best = UINT64_MAX, counter = 0, tsc = 0;

	/* an SMI or a busy host between the two reads would spoil the pair:
	 * keep the tightest */
	for (uint32_t i = 0; i < TRIES; i++) {
		uint64_t before = x86_rdtsc();
		uint64_t value = counter_read();
		uint64_t took = x86_rdtsc() - before;

		if (took < best) {
			best = took;
			counter = value;
			tsc = before + took / 2;
		}
	}
	clock.ticks += (counter - clock.last) & clock.mask;
	clock.last = counter;
	return (struct reference_reading){
		.ns = x86_mul_div(clock.ticks, clock.period_fs, FS_PER_NS),
		.tsc = tsc,
	};
}
