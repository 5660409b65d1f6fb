/* The MC146818: its calendar against the C library's, setting it, and what it
 * interrupts for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vrtc.h"
#include "drivers/pc/vrtc_time.h"

/* 2021-03-04 05:06:07 UTC, a Thursday */
#define WALL 1614834367UL

static struct vrtc rtc;
static const struct vrtc_format binary_24 = { true, true };
static const struct vrtc_format bcd_12 = { false, false };

static uint8_t get(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void set(uint8_t index, uint8_t value)
{
	out8(0x70, index | 0x80);
	out8(0x71, value);
}

static void fire(void)
{
	vrtc_timer_fire(&rtc);
}

static unsigned int run(uint64_t time)
{
	return bench_run(time, VM_TIMER_RTC, fire, VRTC_GSI);
}

static void start(uint64_t ram_size)
{
	memset(&fake_vm.ports, 0, sizeof(fake_vm.ports));
	memset(&rtc, 0, sizeof(rtc));
	fake_vm.ram_size = ram_size;
	fake_vm.wall_base = WALL * NS_PER_SEC;
	assert_int_equal(vrtc_init(&rtc, &fake_vm), 0);
}

static int reset(void **state)
{
	(void)state;
	bench_reset(3, 0);
	start(64 * MIB);
	return 0;
}

static void calendar_is_the_c_librarys(void **state)
{
	(void)state;
	for (int64_t second = -62167219200; second < 253402300800;
	     second += 86400L * 13 + 3607) {
		struct vrtc_time time = vrtc_time_encode(second, binary_24);
		struct tm tm;

		gmtime_r(&second, &tm);
		assert_int_equal(time.second, tm.tm_sec);
		assert_int_equal(time.minute, tm.tm_min);
		assert_int_equal(time.hour, tm.tm_hour);
		assert_int_equal(time.weekday, tm.tm_wday + 1);
		assert_int_equal(time.day, tm.tm_mday);
		assert_int_equal(time.month, tm.tm_mon + 1);
		assert_int_equal(time.year, (tm.tm_year + 1900) % 100);
		assert_int_equal(time.century, (tm.tm_year + 1900) / 100);
		assert_int_equal(vrtc_time_decode(&time, binary_24), second);
		time = vrtc_time_encode(second, bcd_12);
		assert_int_equal(vrtc_time_decode(&time, bcd_12), second);
	}
}

static void every_day_of_400_years(void **state)
{
	(void)state;
	for (int64_t day = -135140; day < 10957 + 1; day++) {
		struct vrtc_time time =
			vrtc_time_encode(day * 86400, binary_24);
		int64_t second = day * 86400;
		struct tm tm;

		gmtime_r(&second, &tm);
		assert_int_equal(time.day, tm.tm_mday);
		assert_int_equal(time.month, tm.tm_mon + 1);
		assert_int_equal(vrtc_time_decode(&time, binary_24), second);
	}
}

static void survives_any_registers(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		uint8_t b = (uint8_t)i;
		struct vrtc_time time = { b, b, b, b, b, b, b, b };
		int64_t second = vrtc_time_decode(&time, bcd_12);

		assert_true(second >= -62167219200 && second < 253502300800);
		vrtc_time_encode(second, bcd_12);
		vrtc_time_next_match(&time, bcd_12, second);
	}
	vrtc_time_encode(INT64_MIN, bcd_12);
	vrtc_time_encode(INT64_MAX, bcd_12);
}

static bool matches(uint8_t alarm, int tm, struct vrtc_format format)
{
	return alarm >= 0xc0 ||
	       (format.is_binary ? alarm : (alarm >> 4) * 10 + (alarm & 15)) ==
		       tm;
}

/* Second by second. */
static int64_t walk(const struct vrtc_time *time, struct vrtc_format format,
		    int64_t from)
{
	for (int64_t at = from; at < from + 86400; at++) {
		if (matches(time->hour, (int)(at / 3600 % 24), format) &&
		    matches(time->minute, (int)(at / 60 % 60), format) &&
		    matches(time->second, (int)(at % 60), format))
			return at;
	}
	return INT64_MAX;
}

/* From @from on, and from behind what that found. */
static void check_alarm(const struct vrtc_time *time, struct vrtc_format format,
			int64_t from)
{
	int64_t found = walk(time, format, from);

	assert_int_equal(vrtc_time_next_match(time, format, from), found);
	if (found != INT64_MAX)
		assert_int_equal(vrtc_time_next_match(time, format, found + 1),
				 walk(time, format, found + 1));
}

static void alarms_are_the_next_that_match(void **state)
{
	static const uint8_t values[] = { 0,	0x01, 0x09, 0x17, 0x18,
					  0x23, 0x3b, 0x3c, 0x59, 0x60,
					  0x7f, 0xbf, 0xc0, 0xff };
	uint32_t random = 1;

	(void)state;
	for (unsigned int i = 0; i < 3000; i++) {
		uint8_t v[3];
		struct vrtc_time time = { 0 };

		for (unsigned int j = 0; j < 3; j++) {
			random = random * 1103515245 + 12345;
			v[j] = values[(random >> 16) % sizeof(values)];
		}
		time.hour = v[0];
		time.minute = v[1];
		time.second = v[2];
		check_alarm(&time, (struct vrtc_format){ i & 1, true },
			    1614800000 + random % 100000);
	}
}

/* A guest writes alarm registers as often as it likes. */
static void alarms_that_never_come_cost_nothing(void **state)
{
	struct vrtc_time time = { .hour = 0xff, .minute = 0xff };
	clock_t start = clock();

	(void)state;
	time.second = 0x7f;
	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(vrtc_time_next_match(&time, binary_24, WALL),
				 INT64_MAX);
	assert_true(clock() - start < CLOCKS_PER_SEC / 4);
}

static void shows_the_wall_clock(void **state)
{
	(void)state;
	assert_int_equal(get(0), 0x07);
	assert_int_equal(get(2), 0x06);
	assert_int_equal(get(4), 0x05);
	assert_int_equal(get(6), 5);
	assert_int_equal(get(7), 0x04);
	assert_int_equal(get(8), 0x03);
	assert_int_equal(get(9), 0x21);
	assert_int_equal(get(0x32), 0x20);
	assert_int_equal(get(0x0d), 0x80);
	run(53 * NS_PER_SEC);
	assert_int_equal(get(0), 0);
	assert_int_equal(get(2), 7);
	run(14 * 3600 * NS_PER_SEC);
	assert_int_equal(get(4), 0x19);
	set(0x0b, 0); /* 12 hours */
	assert_int_equal(get(4), 0x87);
	set(0x0b, 4); /* and binary */
	assert_int_equal(get(4), 0x87);
	assert_int_equal(get(9), 21);
}

static void is_set_as_drivers_do(void **state)
{
	(void)state;
	run(NS_PER_SEC / 4);
	set(0x0b, 0x82);
	set(0, 0x58);
	set(2, 0x59);
	set(4, 0x23);
	set(7, 0x31);
	set(8, 0x12);
	set(9, 0x99);
	set(0x32, 0x19);
	run(10 * NS_PER_SEC + NS_PER_SEC / 2); /* it stands */
	assert_int_equal(get(0), 0x58);
	set(0x0b, 0x02);
	run(11 * NS_PER_SEC + NS_PER_SEC / 2);
	assert_int_equal(get(0), 0x59);
	run(12 * NS_PER_SEC + NS_PER_SEC / 4);
	assert_int_equal(get(0), 0x00);
	assert_int_equal(get(9), 0x00);
	assert_int_equal(get(0x32), 0x20);
	assert_int_equal(get(7), 0x01);
	assert_int_equal(get(6), 7); /* 2000-01-01 was a Saturday */
	/* one register of the running clock */
	set(2, 0x30);
	assert_int_equal(get(2), 0x30);
	assert_int_equal(get(7), 0x01);
	/* half a second after the divider's reset */
	set(0x0a, 0x76);
	run(20 * NS_PER_SEC);
	set(0, 0x10);
	set(0x0a, 0x26);
	run(20 * NS_PER_SEC + NS_PER_SEC / 2 - 1);
	assert_int_equal(get(0), 0x10);
	run(20 * NS_PER_SEC + NS_PER_SEC / 2);
	assert_int_equal(get(0), 0x11);
}

static void tells_of_an_update_before_it_comes(void **state)
{
	(void)state;
	assert_int_equal(get(0x0a), 0x26);
	run(NS_PER_SEC - 2228 * NS_PER_US - 1);
	assert_int_equal(get(0x0a), 0x26);
	run(NS_PER_SEC - 2228 * NS_PER_US);
	assert_int_equal(get(0x0a), 0xa6);
	run(NS_PER_SEC - 1);
	assert_int_equal(get(0x0a), 0xa6);
	set(0x0a, 0xa6);
	run(NS_PER_SEC);
	assert_int_equal(get(0x0a), 0x26);
	run(2 * NS_PER_SEC - 1);
	set(0x0b, 0x82);
	assert_int_equal(get(0x0a), 0x26);
}

static void interrupts_each_second_if_read(void **state)
{
	(void)state;
	set(0x0b, 0x12);
	assert_int_equal(run(1500 * NS_PER_MS), 1);
	assert_true(fake_vm.deadlines[VM_TIMER_RTC] == TIME_NEVER);
	assert_int_equal(run(3500 * NS_PER_MS), 0);
	assert_true(bench_is_high(VRTC_GSI));
	assert_int_equal(get(0x0c), 0x80 | 0x40 | 0x10);
	assert_false(bench_is_high(VRTC_GSI));
	assert_int_equal(get(0x0c), 0);
	assert_int_equal(run(4500 * NS_PER_MS), 1);
	assert_int_equal(get(0x0c) & 0x90, 0x90);
}

static void interrupts_periodically(void **state)
{
	unsigned int rises = 0;

	(void)state;
	set(0x0a, 0x26); /* 1024 Hz */
	set(0x0b, 0x42);
	for (unsigned int i = 1; i <= 5000; i++) {
		rises += run(i * NS_PER_MS / 2);
		get(0x0c);
	}
	assert_int_equal(rises, 2560); /* in 2.5 s */
	set(0x0a, 0x20);
	assert_true(fake_vm.deadlines[VM_TIMER_RTC] == TIME_NEVER);
	get(0x0c);
	set(0x0a, 0x23); /* 8192 Hz: nobody reads C, so one it is */
	assert_int_equal(run(10 * NS_PER_SEC), 1);
}

static void flags_without_interrupts(void **state)
{
	(void)state;
	get(0x0c);
	run(NS_PER_SEC / 4);
	assert_int_equal(get(0x0c), 0x40);
	run(NS_PER_SEC);
	assert_int_equal(get(0x0c), 0x50);
	assert_int_equal(fake_irq_count, 0);
	run(5 * NS_PER_SEC);
	set(0x0b, 0x12); /* enabled with its flag set: at once */
	assert_true(bench_is_high(VRTC_GSI));
}

static void alarm_rings_when_it_matches(void **state)
{
	(void)state;
	/* 05:06:07 now; at 05:10:00 */
	set(1, 0x00);
	set(3, 0x10);
	set(5, 0x05);
	set(0x0b, 0x22);
	assert_int_equal(run(233 * NS_PER_SEC - 1), 0);
	assert_int_equal(run(233 * NS_PER_SEC), 1);
	assert_int_equal(get(0x0c) & 0xa0, 0xa0);
	assert_int_equal(run(86400UL * NS_PER_SEC), 0);
	assert_int_equal(run((86400UL + 233) * NS_PER_SEC), 1);
	get(0x0c);
	/* at second 30 of every minute */
	set(1, 0x30);
	set(3, 0xc0);
	set(5, 0xff);
	for (unsigned int i = 1; i < 5; i++) {
		assert_int_equal(run((86400UL + 233 + 60 * i) * NS_PER_SEC), 1);
		get(0x0c);
	}
	set(1, 0x77); /* never */
	assert_true(fake_vm.deadlines[VM_TIMER_RTC] == TIME_NEVER);
	set(0x32, 0x00); /* nor long ago */
	set(9, 0x00);
	assert_true(fake_vm.deadlines[VM_TIMER_RTC] == TIME_NEVER);
}

static void is_silent_while_replaced(void **state)
{
	(void)state;
	set(0x0b, 0x12);
	vrtc_set_replaced(&rtc, true);
	assert_int_equal(run(3 * NS_PER_SEC), 0);
	vrtc_set_replaced(&rtc, false);
	assert_true(bench_is_high(VRTC_GSI));
	get(0x0c);
	assert_int_equal(run(4500 * NS_PER_MS), 1);
}

static void describes_memory_and_cpus(void **state)
{
	(void)state;
	start(6 * GIB);
	assert_int_equal(get(0x15) | get(0x16) << 8, 640);
	assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
	assert_int_equal(get(0x30) | get(0x31) << 8, 0xffff);
	assert_int_equal(get(0x34) | get(0x35) << 8, (3 * 1024 - 16) * 16);
	assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16,
			 3 * 1024 * 16);
	assert_int_equal(get(0x5f), 2);
	start(8 * MIB);
	assert_int_equal(get(0x17) | get(0x18) << 8, 7 * 1024);
	assert_int_equal(get(0x34), 0);
	set(0x40, 0x5a); /* the rest is RAM */
	assert_int_equal(get(0x40), 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_is_the_c_librarys),
		cmocka_unit_test(every_day_of_400_years),
		cmocka_unit_test(survives_any_registers),
		cmocka_unit_test(alarms_are_the_next_that_match),
		cmocka_unit_test(alarms_that_never_come_cost_nothing),
		cmocka_unit_test_setup(shows_the_wall_clock, reset),
		cmocka_unit_test_setup(is_set_as_drivers_do, reset),
		cmocka_unit_test_setup(tells_of_an_update_before_it_comes,
				       reset),
		cmocka_unit_test_setup(interrupts_each_second_if_read, reset),
		cmocka_unit_test_setup(interrupts_periodically, reset),
		cmocka_unit_test_setup(flags_without_interrupts, reset),
		cmocka_unit_test_setup(alarm_rings_when_it_matches, reset),
		cmocka_unit_test_setup(is_silent_while_replaced, reset),
		cmocka_unit_test_setup(describes_memory_and_cpus, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
