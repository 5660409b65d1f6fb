/*
 * The clock. TSC ticks become nanoseconds by one multiplication with a 32.32
 * fixed-point factor. The frequency is taken from an exact source (CPUID, or
 * the hypervisor below us when nested) only if a short measurement agrees,
 * because emulated CPUs are known to state frequencies they do not run at; else
 * from a longer measurement.
 */
#include "kernel/cpu/time.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/reference_clock.h"
#include "kernel/cpu/rtc.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/log.h"
#include "kernel/lib/string.h"

#define CHECK_NS \
	(1 * NS_PER_MS) /* enough to tell a wrong statement from a right one \
			 */
#define CALIBRATE_NS   (10 * NS_PER_MS) /* 1 us of access latency is 100 ppm */
#define APIC_COUNT_MAX UINT32_MAX

static uint64_t boot_tsc;
static uint64_t tsc_hz;
static uint64_t apic_hz;      /* 0: TSC-deadline mode is used */
static uint64_t ns_per_tick;  /* 32.32 */
static uint64_t tick_per_ns;  /* 32.32 */
static uint64_t wall_at_boot; /* ns since 1970, 0: unknown */

static uint64_t scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)((unsigned __int128)value * factor >> 32);
}

static uint64_t ratio(uint64_t numerator, uint64_t denominator)
{
	return x86_mul_div(numerator, 1UL << 32, denominator);
}

void time_mark_boot(void)
{
	boot_tsc = x86_rdtsc();
}

/* CPUID.15H "Time Stamp Counter and Nominal Core Crystal Clock"; 16H gives the
 * crystal where 15H does not. */
static uint64_t cpuid_tsc_hz(void)
{
	struct cpuid clock = x86_cpuid_or_zero(0x15, 0);
	struct cpuid frequency = x86_cpuid_or_zero(0x16, 0);

	if (clock.eax && clock.ebx && clock.ecx)
		return (uint64_t)clock.ecx * clock.ebx / clock.eax;
	return (frequency.eax & 0xffff) * 1000000UL;
}

/* Leaf 0x40000010, EAX: TSC frequency in kHz, as KVM and VMware give it to
 * their guests. */
static uint64_t hypervisor_tsc_hz(void)
{
	if (!(x86_cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR))
		return 0;
	if (x86_cpuid(0x40000000, 0).eax < 0x40000010)
		return 0;
	return x86_cpuid(0x40000010, 0).eax * 1000UL;
}

static uint64_t stated_tsc_hz(const char **source)
{
	uint64_t hz = hypervisor_tsc_hz();

	*source = "the hypervisor below";
	if (!hz) {
		*source = "CPUID";
		hz = cpuid_tsc_hz();
	}
	return hz;
}

static bool is_within_percent(uint64_t a, uint64_t b)
{
	uint64_t difference = a > b ? a - b : b - a;

	return difference <= b / 100;
}

/* TSC (and APIC timer) ticks during about @ns of the reference clock, scaled to
 * a second. */
static void measure(uint64_t ns, uint64_t *tsc, uint64_t *apic)
{
	struct reference_reading from = reference_clock_read();
	struct reference_reading to;

	apic_timer_arm_count(APIC_COUNT_MAX);
	do {
		to = reference_clock_read();
	} while (to.ns - from.ns < ns);
	*tsc = (to.tsc - from.tsc) * NS_PER_SEC / (to.ns - from.ns);
	*apic = (uint64_t)(APIC_COUNT_MAX - apic_timer_count()) * NS_PER_SEC /
		(to.ns - from.ns);
	apic_timer_arm_count(0);
}

static void calibrate(void)
{
	const char *source;
	uint64_t stated = stated_tsc_hz(&source);

	measure(stated ? CHECK_NS : CALIBRATE_NS, &tsc_hz, &apic_hz);
	if (stated && is_within_percent(tsc_hz, stated)) {
		tsc_hz = stated;
	} else {
		if (stated) {
			log_warn("time: %s says the TSC runs at %lu kHz, %s "
				 "measures %lu kHz",
				 source, stated / 1000, reference_clock_name(),
				 tsc_hz / 1000);
			measure(CALIBRATE_NS, &tsc_hz, &apic_hz);
		}
		source = reference_clock_name();
	}
	log_info("time: TSC %lu kHz by %s, timer %s", tsc_hz / 1000, source,
		 cpu_features.has_tsc_deadline ? "TSC-deadline"
					       : "APIC one-shot");
	if (!cpu_features.has_invariant_tsc)
		log_debug("time: the TSC is not called invariant");
}

void time_init(const struct platform *platform, volatile void *hpet)
{
	reference_clock_choose(platform, hpet);
	time_init_cpu();
	calibrate();
	ns_per_tick = ratio(NS_PER_SEC, tsc_hz);
	tick_per_ns = ratio(tsc_hz, NS_PER_SEC);
	if (cpu_features.has_tsc_deadline)
		apic_hz = 0;
	if (!platform->has_no_cmos_rtc)
		wall_at_boot = rtc_read_seconds() * NS_PER_SEC;
	if (wall_at_boot)
		wall_at_boot -= time_now();
	if (!apic_hz)
		time_init_cpu();
}

void time_init_cpu(void)
{
	if (tsc_hz && !apic_hz)
		apic_timer_use_tsc_deadline();
	else
		apic_timer_use_count();
}

uint64_t time_now(void)
{
	return scale(x86_rdtsc() - boot_tsc, ns_per_tick);
}

uint64_t time_wall(void)
{
	return wall_at_boot ? wall_at_boot + time_now() : 0;
}

uint64_t time_tsc_hz(void)
{
	return tsc_hz;
}

uint64_t time_boot_cycles(void)
{
	return x86_rdtsc() - boot_tsc;
}

static uint32_t apic_count_until(uint64_t deadline)
{
	uint64_t now = time_now();
	uint64_t count;

	if (deadline <= now)
		return 1;
	if (deadline - now > NS_PER_SEC)
		deadline = now + NS_PER_SEC; /* the interrupt arms anew */
	count = scale(deadline - now, ratio(apic_hz, NS_PER_SEC)) + 1;
	return count < APIC_COUNT_MAX ? (uint32_t)count : APIC_COUNT_MAX;
}

void time_arm(uint64_t deadline)
{
	bool is_never = deadline == TIME_NEVER;

	if (apic_hz) {
		apic_timer_arm_count(is_never ? 0 : apic_count_until(deadline));
		return;
	}
	/* +1: rounding down could fire before the deadline and find nothing due
	 */
	apic_timer_arm_tsc(
		is_never ? 0 : boot_tsc + scale(deadline, tick_per_ns) + 1);
}

void time_delay(uint64_t ns)
{
	uint64_t until = time_now() + ns;

	while (time_now() < until)
		x86_pause();
}
