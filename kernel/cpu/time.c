/*
 * The clock. TSC ticks become nanoseconds by one multiplication with a 32.32
 * fixed-point factor. The frequency is taken from an exact source (CPUID, or
 * the hypervisor below us when nested) only if a short measurement agrees,
 * because emulated CPUs are known to state frequencies they do not run at; else
 * from a longer measurement.
 */
#include "kernel/cpu/time.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/clock_math.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/reference_clock.h"
#include "kernel/cpu/rtc.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/log.h"
#include "kernel/lib/stop.h"

#define CHECK_NS       (1 * NS_PER_MS) /* tells a wrong statement from a right one */
#define CALIBRATE_NS   (25 * NS_PER_MS) /* 1 us of access latency is 40 ppm */
#define MEASURE_READS  100000000UL /* a clock that stops meanwhile ends here */
#define APIC_COUNT_MAX UINT32_MAX

static uint64_t boot_tsc;
static uint64_t tsc_hz;		   /* 0: not known yet */
static uint64_t ns_per_tick;	   /* 32.32, of the TSC */
static uint64_t tsc_per_ns;	   /* 32.32 */
static uint64_t apic_ticks_per_ns; /* 32.32, without TSC-deadline mode */
static uint64_t wall_at_boot;	   /* ns since 1970, 0: unknown */

static uint64_t ratio(uint64_t numerator, uint64_t denominator)
{
	return x86_mul_div(numerator, 1UL << 32, denominator);
}

void time_mark_boot(void)
{
	boot_tsc = x86_rdtsc();
}

/*
 * CPUID.15H "Time Stamp Counter and Nominal Core Crystal Clock". Where it does not
 * state the crystal, leaf 16H has only a nominal frequency, which can be off by
 * more than a clock may be: then we measure.
 */
static uint64_t cpuid_tsc_hz(void)
{
	struct cpuid clock = x86_cpuid_or_zero(0x15, 0);

	if (!clock.eax || !clock.ebx || !clock.ecx)
		return 0;
	return x86_mul_div(clock.ecx, clock.ebx, clock.eax);
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

/*
 * TSC (and APIC timer) ticks during about @ns of the reference clock, scaled to a
 * second. False: the clock stood still.
 */
static bool measure(uint64_t ns, uint64_t *tsc, uint64_t *apic)
{
	struct reference_reading from = reference_clock_read(), to;
	uint64_t reads = 0, passed;

	apic_timer_arm_count(APIC_COUNT_MAX);
	do {
		to = reference_clock_read();
		passed = to.ns - from.ns;
	} while (passed < ns && ++reads < MEASURE_READS);
	*apic = APIC_COUNT_MAX - apic_timer_count();
	apic_timer_arm_count(0);
	if (passed < ns)
		return false;
	*tsc = x86_mul_div(to.tsc - from.tsc, NS_PER_SEC, passed);
	*apic = x86_mul_div(*apic, NS_PER_SEC, passed);
	return *tsc && *apic;
}

/* The APIC timer's frequency; the TSC's goes to tsc_hz. */
static uint64_t calibrate(bool has_reference)
{
	const char *source;
	uint64_t stated = stated_tsc_hz(&source), measured = 0, apic_hz = 0;

	if (!has_reference ||
	    !measure(stated ? CHECK_NS : CALIBRATE_NS, &measured, &apic_hz)) {
		if (!stated || !cpu_features.has_tsc_deadline)
			stop("no HPET, PM timer or PIT ticks: nothing to "
			     "measure the TSC with");
		tsc_hz = stated;
	} else if (stated && is_within_percent(measured, stated)) {
		tsc_hz = stated;
	} else {
		if (stated) {
			log_warn("time: %s says the TSC runs at %lu kHz, %s "
				 "measures %lu kHz",
				 source, stated / 1000, reference_clock_name(),
				 measured / 1000);
			measure(CALIBRATE_NS, &measured, &apic_hz);
		}
		source = reference_clock_name();
		tsc_hz = measured;
	}
	log_info("time: TSC %lu kHz by %s, timer %s", tsc_hz / 1000, source,
		 cpu_features.has_tsc_deadline ? "TSC-deadline"
					       : "APIC one-shot");
	return apic_hz;
}

void time_init(const struct platform *platform, volatile void *hpet)
{
	bool has_reference = reference_clock_choose(platform, hpet);
	uint64_t apic_hz;

	apic_timer_use_count();
	apic_hz = calibrate(has_reference);
	ns_per_tick = ratio(NS_PER_SEC, tsc_hz);
	tsc_per_ns = ratio(tsc_hz, NS_PER_SEC);
	apic_ticks_per_ns = ratio(apic_hz, NS_PER_SEC);
	if (!platform->has_no_cmos_rtc)
		wall_at_boot = rtc_read_seconds() * NS_PER_SEC;
	if (wall_at_boot)
		wall_at_boot -= time_now();
	time_init_cpu();
}

void time_init_cpu(void)
{
	if (cpu_features.has_tsc_deadline)
		apic_timer_use_tsc_deadline();
	else
		apic_timer_use_count();
}

uint64_t time_now(void)
{
	uint64_t tsc = x86_rdtsc();

	/* a CPU whose TSC is behind the boot CPU's has not lived 600 years */
	return tsc > boot_tsc ? clock_scale(tsc - boot_tsc, ns_per_tick) : 0;
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

void time_arm(uint64_t deadline)
{
	bool is_never = deadline == TIME_NEVER;
	uint64_t ticks;

	if (cpu_features.has_tsc_deadline) {
		ticks = clock_ticks_until(deadline, time_now(), tsc_per_ns);
		apic_timer_arm_tsc(is_never ? 0 : x86_rdtsc() + ticks);
		return;
	}
	ticks = clock_ticks_until(deadline, time_now(), apic_ticks_per_ns);
	apic_timer_arm_count(
		is_never ? 0 : (uint32_t)min_u64(ticks, APIC_COUNT_MAX));
}

void time_delay(uint64_t ns)
{
	uint64_t until = time_now() + ns;

	while (time_now() < until)
		x86_pause();
}
