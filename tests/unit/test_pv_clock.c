/* kvm-clock, read as a guest reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/cpu/time.h"
#include "kernel/pv_clock.h"
#include "vq_driver.h"

#define PAGE	 0x5000UL
#define ENABLED	 1UL
#define SECOND	 1000000000UL
#define YEAR_SEC 31536000UL

/* Linux Documentation/virt/kvm/x86/msr.rst, written out again. */
struct guest_clock {
	uint32_t version, pad0;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad[2];
};

static struct guest_clock read_clock(uint64_t gpa)
{
	struct guest_clock clock;

	assert_int_equal(guest_read(&fake_vm.memory, (gpa_t){ gpa }, &clock,
				    sizeof(clock)),
			 0);
	return clock;
}

/* ns at @tsc, as Linux's pvclock_scale_delta has it. */
static uint64_t time_at(const struct guest_clock *clock, uint64_t tsc)
{
	uint64_t delta = tsc - clock->tsc_timestamp;

	assert_int_equal(clock->version & 1, 0);
	if (clock->tsc_shift < 0)
		delta >>= -clock->tsc_shift;
	else
		delta <<= clock->tsc_shift;
	return clock->system_time +
	       (uint64_t)((unsigned __int128)delta * clock->tsc_to_system_mul >>
			  32);
}

static void runs_at_the_right_rate(void **state)
{
	static const uint64_t rates[] = { 100000000,  999999999,  1000000000,
					  1000000001, 1999999999, 2000000000,
					  2595124000, 3599998877, 5000000000,
					  7999999999 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct guest_clock clock;
		uint64_t ns;

		fake_tsc_hz = rates[i];
		assert_true(pv_clock_write_system_time(cpu, PAGE | ENABLED));
		clock = read_clock(PAGE);
		assert_true(clock.tsc_to_system_mul >= BIT(31) ||
			    rates[i] > 4000000000);
		ns = time_at(&clock, rates[i] * 10000);
		assert_in_range(ns, 10000 * SECOND - 8000, 10000 * SECOND);
	}
}

static void a_year_does_not_overflow(void **state)
{
	struct guest_clock clock;
	uint64_t ns;

	(void)state;
	fake_tsc_hz = 3600000000;
	assert_true(pv_clock_write_system_time(cpu, PAGE | ENABLED));
	clock = read_clock(PAGE);
	ns = time_at(&clock, fake_tsc_hz * YEAR_SEC);
	assert_in_range(ns, YEAR_SEC * SECOND - 20000000, YEAR_SEC * SECOND);
}

/* Pages that are no neighbours in the machine. */
static void crosses_pages(void **state)
{
	static const char none[64];
	uint64_t end = PAGE + PAGE_SIZE;

	(void)state;
	vq_driver_scatter(&fake_vm.memory, FIXTURE_RAM);
	for (uint64_t at = end - 40; at < end + 8; at += 4) {
		struct guest_clock clock;

		assert_int_equal(guest_write(&fake_vm.memory,
					     (gpa_t){ end - 48 }, none,
					     sizeof(none)),
				 0);
		assert_true(pv_clock_write_system_time(cpu, at | ENABLED));
		clock = read_clock(at);
		assert_int_equal(clock.version, 2);
		assert_int_equal(clock.tsc_to_system_mul, BIT(31));
		assert_int_equal(clock.tsc_shift, 1);
		assert_int_equal(clock.flags, 1);
	}
}

/* vCPUs that began with the VM, and one whose TSC was set. */
static void all_vcpus_have_one_line(void **state)
{
	struct guest_clock first, second;
	uint64_t now;

	(void)state;
	fake_vm.tsc_offset = (uint64_t)-5000;
	cpu->tsc_offset = fake_vcpus[1].tsc_offset = (uint64_t)-5000;
	fake_now = 905000; /* the fake machine's TSC too */
	assert_true(pv_clock_write_system_time(cpu, PAGE | ENABLED));
	fake_now = 1805000;
	assert_true(pv_clock_write_system_time(&fake_vcpus[1],
					       (PAGE + 64) | ENABLED));
	first = read_clock(PAGE);
	second = read_clock(PAGE + 64);
	assert_int_equal(first.flags, 1);
	assert_int_equal(second.flags, 1);
	assert_int_equal(time_at(&first, vcpu_tsc(cpu)), 1800000);
	assert_int_equal(time_at(&second, vcpu_tsc(&fake_vcpus[1])), 1800000);

	assert_true(msr_write(&fake_vcpus[1], MSR_IA32_TSC, 77));
	assert_true(cpu->requests & REQUEST_CLOCK);
	assert_true(fake_vcpus[1].requests & REQUEST_CLOCK);
	pv_clock_update(cpu);
	pv_clock_update(&fake_vcpus[1]);
	first = read_clock(PAGE);
	second = read_clock(PAGE + 64);
	/* no line for all TSCs any more, but the same time */
	assert_int_equal(first.flags, 0);
	assert_int_equal(second.flags, 0);
	fake_now += 1000;
	now = time_at(&first, vcpu_tsc(cpu));
	assert_int_equal(now, 1801000);
	assert_int_equal(time_at(&second, vcpu_tsc(&fake_vcpus[1])), now);
}

static void versions_go_on(void **state)
{
	static const struct {
		uint32_t before, after;
	} rows[] = { { 0, 2 },
		     { 2, 4 },
		     { 7, 10 }, /* junk of the guest's */
		     { 0xfffffffe, 0 },
		     { 0xffffffff, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		guest_write_u32(&fake_vm.memory, (gpa_t){ PAGE },
				rows[i].before);
		assert_true(pv_clock_write_system_time(cpu, PAGE | ENABLED));
		assert_int_equal(read_clock(PAGE).version, rows[i].after);
	}
}

static void writes_only_when_enabled(void **state)
{
	(void)state;
	assert_true(pv_clock_write_system_time(cpu, PAGE));
	pv_clock_update(cpu);
	assert_int_equal(read_clock(PAGE).tsc_to_system_mul, 0);
	assert_int_equal(fake_vm.memory.own_size, 0);
	assert_int_equal(cpu->msr.kvm_clock, PAGE);
}

/* Nothing is written, and nobody is hurt. */
static void addresses_without_memory(void **state)
{
	static const uint64_t addresses[] = {
		FIXTURE_RAM, FIXTURE_RAM - 4,	VM_LAPIC_BASE,
		BIT(47),     UINT64_MAX & ~3UL, BIT(63)
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		assert_true(pv_clock_write_system_time(cpu,
						       addresses[i] | ENABLED));
		assert_true(pv_clock_write_wall_clock(cpu, addresses[i]));
	}
	assert_int_equal(fake_end, VM_END_NONE);
}

static void refuses_odd_addresses(void **state)
{
	(void)state;
	for (uint64_t offset = 1; offset < 4; offset++) {
		assert_false(pv_clock_write_wall_clock(cpu, PAGE + offset));
		if (offset > 1)
			assert_false(
				pv_clock_write_system_time(cpu, PAGE + offset));
	}
	assert_int_equal(cpu->msr.kvm_clock, 0);
	assert_int_equal(cpu->msr.kvm_wall_clock, 0);
	assert_int_equal(fake_vm.memory.own_size, 0);
}

static void tells_when_time_began(void **state)
{
	uint32_t words[3];

	(void)state;
	fake_vm.wall_base = 1700000000 * SECOND + 123456789;
	fake_vm.clock_base = 5 * SECOND;
	fake_now = 65 * SECOND;
	assert_true(msr_write(cpu, MSR_KVM_WALL_CLOCK_NEW, PAGE));
	guest_read(&fake_vm.memory, (gpa_t){ PAGE }, words, sizeof(words));
	assert_int_equal(words[0], 2);
	assert_int_equal(words[1], 1700000000);
	assert_int_equal(words[2], 123456789);
}

static void both_numbers_are_one(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(msr_write(cpu, MSR_KVM_SYSTEM_TIME, PAGE | ENABLED));
	assert_true(msr_read(cpu, MSR_KVM_SYSTEM_TIME_NEW, &value));
	assert_int_equal(value, PAGE | ENABLED);
	assert_int_not_equal(read_clock(PAGE).tsc_to_system_mul, 0);
	msr_reset(cpu, true);
	assert_true(msr_read(cpu, MSR_KVM_SYSTEM_TIME, &value));
	assert_int_equal(value, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_at_the_right_rate),	TEST(a_year_does_not_overflow),
		TEST(all_vcpus_have_one_line),	TEST(versions_go_on),
		TEST(writes_only_when_enabled), TEST(addresses_without_memory),
		TEST(refuses_odd_addresses),	TEST(tells_when_time_began),
		TEST(both_numbers_are_one),	TEST(crosses_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
