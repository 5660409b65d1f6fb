/* The 8254: its modes, read one tick after the other, and its interrupt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vclock.h"
#include "drivers/pc/vpit.h"

#define CONTROL 0x43

static struct vpit pit;

static int reset(void **state)
{
	(void)state;
	bench_reset(1, 0);
	memset(&pit, 0, sizeof(pit));
	assert_int_equal(vpit_init(&pit, &fake_vm), 0);
	return 0;
}

static void fire(void)
{
	vpit_timer_fire(&pit);
}

static void set_tick(uint64_t tick)
{
	fake_now = BENCH_START + vclock_ns(tick, VPIT_HZ);
}

/* @mode with both bytes of @count. */
static void program(unsigned int channel, unsigned int mode, uint16_t count)
{
	out8(CONTROL, channel << 6 | 3 << 4 | mode << 1);
	out8(0x40 + channel, count & 0xff);
	out8(0x40 + channel, count >> 8);
}

static uint16_t read_count(unsigned int channel)
{
	uint16_t low;

	out8(CONTROL, channel << 6);
	low = in8(0x40 + channel);
	return (uint16_t)(low | in8(0x40 + channel) << 8);
}

static bool out_2(void)
{
	return in8(0x61) & 0x20;
}

static void counts_in_every_mode(void **state)
{
	/* counts at ticks 0 to 7 after 5 was written (or the gate rose), and
	 * the ticks at which OUT is high */
	static const struct {
		uint16_t counts[8];
		const char *out;
	} modes[6] = {
		{ { 5, 4, 3, 2, 1, 0, 0xffff, 0xfffe }, "_____^^^" },
		{ { 5, 4, 3, 2, 1, 0, 0xffff, 0xfffe }, "_____^^^" },
		{ { 5, 4, 3, 2, 1, 5, 4, 3 }, "^^^^_^^^" },
		{ { 4, 2, 0, 4, 2, 4, 2, 0 }, "^^^__^^^" },
		{ { 5, 4, 3, 2, 1, 0, 0xffff, 0xfffe }, "^^^^^_^^" },
		{ { 5, 4, 3, 2, 1, 0, 0xffff, 0xfffe }, "^^^^^_^^" },
	};

	for (unsigned int mode = 0; mode < 6; mode++) {
		reset(state);
		set_tick(1000);
		out8(0x61, mode % 4 != 1);
		program(2, mode, 5);
		out8(0x61, 1); /* starts modes 1 and 5 */
		for (unsigned int i = 0; i < 8; i++) {
			set_tick(1000 + i);
			assert_int_equal(read_count(2), modes[mode].counts[i]);
			assert_int_equal(out_2(), modes[mode].out[i] == '^');
		}
	}
}

static void square_wave_of_even_count(void **state)
{
	static const uint16_t counts[] = { 6, 4, 2, 6, 4, 2, 6 };

	(void)state;
	out8(0x61, 1);
	program(2, 3, 6);
	for (unsigned int i = 0; i < 7; i++) {
		set_tick(i);
		assert_int_equal(read_count(2), counts[i]);
		assert_int_equal(out_2(), i % 6 < 3);
	}
}

static void gate_pauses_restarts_and_triggers(void **state)
{
	(void)state;
	out8(0x61, 1);
	program(2, 0, 100);
	set_tick(10);
	out8(0x61, 0);
	set_tick(50);
	assert_int_equal(read_count(2), 90);
	out8(0x61, 1);
	set_tick(51);
	assert_int_equal(read_count(2), 89);

	program(2, 2, 100);
	set_tick(61);
	out8(0x61, 0);
	assert_true(out_2());
	set_tick(70);
	out8(0x61, 1);
	set_tick(72);
	assert_int_equal(read_count(2), 98);

	out8(0x61, 0);
	program(2, 1, 100);
	set_tick(90);
	assert_true(out_2());
	out8(0x61, 1);
	set_tick(100);
	assert_int_equal(read_count(2), 90);
	out8(0x42, 7); /* for the next trigger */
	out8(0x42, 0);
	set_tick(110);
	assert_int_equal(read_count(2), 80);
	out8(0x61, 0);
	out8(0x61, 1);
	set_tick(111);
	assert_int_equal(read_count(2), 6);
}

static void counts_in_bcd(void **state)
{
	(void)state;
	out8(CONTROL, 2 << 6 | 3 << 4 | 0 << 1 | 1);
	out8(0x61, 1);
	out8(0x42, 0x34);
	out8(0x42, 0x12);
	set_tick(35);
	assert_int_equal(read_count(2), 0x1199);
	set_tick(1235);
	assert_int_equal(read_count(2), 0x9999);
	/* digits that are none do no harm */
	out8(0x42, 0xff);
	out8(0x42, 0xff);
	assert_int_equal(read_count(2), 0x6665);
	set_tick(1235 + 6665);
	assert_true(out_2());
	set_tick(1235);
	out8(0x42, 0);
	out8(0x42, 0);
	set_tick(1236);
	assert_int_equal(read_count(2), 0x9999);
}

static void reads_bytes_as_asked(void **state)
{
	(void)state;
	out8(CONTROL, 0 << 6 | 1 << 4 | 2 << 1); /* low byte only */
	out8(0x40, 0x80);
	set_tick(1);
	assert_int_equal(in8(0x40), 0x7f);
	assert_int_equal(in8(0x40), 0x7f);
	out8(CONTROL, 0 << 6 | 2 << 4 | 2 << 1); /* high byte only */
	out8(0x40, 0x12);
	set_tick(2);
	assert_int_equal(in8(0x40), 0x11);
	program(0, 2, 0); /* is 65536 */
	set_tick(3);
	assert_int_equal(in8(0x40), 0xff);
	assert_int_equal(in8(0x40), 0xff);
	/* a latch holds while time goes on, and a second one changes nothing */
	out8(CONTROL, 0);
	set_tick(1000);
	out8(CONTROL, 0);
	assert_int_equal(in8(0x40), 0xff);
	assert_int_equal(in8(0x40), 0xff);
	assert_int_equal(in8(0x40), (0x10000 - 998) & 0xff);
	assert_int_equal(in8(CONTROL), 0);
}

static void reads_back(void **state)
{
	(void)state;
	program(0, 2, 1000);
	out8(CONTROL, 2 << 6 | 3 << 4 | 0 << 1);
	set_tick(10);
	/* status and count of 0 and 2 */
	out8(CONTROL, 0xc0 | 1 << 1 | 4 << 1);
	set_tick(20);
	assert_int_equal(in8(0x40), 0x80 | 3 << 4 | 2 << 1);
	assert_int_equal(in8(0x40), 990 & 0xff);
	assert_int_equal(in8(0x40), 990 >> 8);
	/* nothing loaded, OUT low in mode 0 */
	assert_int_equal(in8(0x42), 0x40 | 3 << 4 | 0 << 1);
	/* a count that waits for the end of the period */
	out8(0x40, 10);
	out8(0x40, 0);
	out8(CONTROL, 0xe0 | 1 << 1);
	assert_int_equal(in8(0x40) & 0x40, 0x40);
	set_tick(999);
	assert_int_equal(read_count(0), 1);
	set_tick(1004);
	assert_int_equal(read_count(0), 6);
	set_tick(1015);
	assert_int_equal(read_count(0), 5);
}

static void interrupts_without_drift(void **state)
{
	const uint64_t hours = 3 * 3600;

	(void)state;
	program(0, 2, 11932);
	assert_int_equal(bench_run(hours * NS_PER_SEC, VM_TIMER_PIT, fire,
				   VPIT_GSI),
			 hours * VPIT_HZ / 11932);
	/* the next edge is where it should be, to the nanosecond */
	assert_int_equal(
		fake_vm.deadlines[VM_TIMER_PIT],
		BENCH_START + vclock_ns((hours * VPIT_HZ / 11932 + 1) * 11932,
					VPIT_HZ));
}

static void interrupts_once_in_one_shot_modes(void **state)
{
	(void)state;
	for (unsigned int mode = 0; mode <= 4; mode += 4) {
		reset(state);
		program(0, mode, 1000);
		set_tick(999);
		assert_true(fake_vm.deadlines[VM_TIMER_PIT] > fake_now);
		assert_int_equal(
			bench_run(NS_PER_SEC, VM_TIMER_PIT, fire, VPIT_GSI), 1);
		assert_true(fake_vm.deadlines[VM_TIMER_PIT] == TIME_NEVER);
	}
	program(0, 1, 1000);
	assert_int_equal(bench_run(2 * NS_PER_SEC, VM_TIMER_PIT, fire, 0), 0);
}

static void new_count_takes_over_at_the_period(void **state)
{
	(void)state;
	program(0, 2, 10000);
	set_tick(5000);
	out8(0x40, 2000 & 0xff);
	out8(0x40, 2000 >> 8);
	assert_int_equal(fake_vm.deadlines[VM_TIMER_PIT],
			 BENCH_START + vclock_ns(10000, VPIT_HZ));
	/* edges at 10000, 12000, … 20000 */
	assert_int_equal(bench_run(vclock_ns(20001, VPIT_HZ), VM_TIMER_PIT,
				   fire, VPIT_GSI),
			 6);
}

static void is_bounded_in_rate(void **state)
{
	unsigned int rises;

	(void)state;
	program(0, 2, 2);
	rises = bench_run(NS_PER_SEC, VM_TIMER_PIT, fire, VPIT_GSI);
	assert_in_range(rises, 9000, NS_PER_SEC / VCLOCK_PERIOD_MIN_NS);
	/* late by an hour: one interrupt, not all that were missed */
	program(0, 2, 11932);
	fake_now += 3600 * NS_PER_SEC;
	bench_take_rises(0);
	fire();
	assert_int_equal(bench_take_rises(0), 1);
	assert_true(fake_vm.deadlines[VM_TIMER_PIT] > fake_now);
}

static void is_silent_while_replaced(void **state)
{
	(void)state;
	program(0, 2, 11932);
	vpit_set_replaced(&pit, true);
	assert_int_equal(bench_run(NS_PER_SEC, VM_TIMER_PIT, fire, 0), 0);
	program(0, 2, 11932);
	assert_int_equal(bench_run(2 * NS_PER_SEC, VM_TIMER_PIT, fire, 0), 0);
	vpit_set_replaced(&pit, false);
	assert_int_equal(bench_run(3 * NS_PER_SEC, VM_TIMER_PIT, fire, 0), 100);
}

static void an_unprogrammed_timer_asks_for_nothing(void **state)
{
	(void)state;
	assert_true(fake_vm.deadlines[VM_TIMER_PIT] == TIME_NEVER);
	assert_int_equal(read_count(0), 0);
	out8(0x61, 1);
	assert_true(fake_vm.deadlines[VM_TIMER_PIT] == TIME_NEVER);
}

static void refresh_bit_toggles(void **state)
{
	unsigned int changes = 0;
	uint8_t last = in8(0x61);

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		uint8_t value;

		fake_now += 1000;
		value = in8(0x61);
		changes += (value ^ last) >> 4 & 1;
		last = value;
	}
	assert_in_range(changes, 660, 666); /* 10 ms of 15.085 us */
	out8(0x61, 0xff);
	assert_int_equal(in8(0x61) & 0xcf, 0x0f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(counts_in_every_mode, reset),
		cmocka_unit_test_setup(square_wave_of_even_count, reset),
		cmocka_unit_test_setup(gate_pauses_restarts_and_triggers,
				       reset),
		cmocka_unit_test_setup(counts_in_bcd, reset),
		cmocka_unit_test_setup(reads_bytes_as_asked, reset),
		cmocka_unit_test_setup(reads_back, reset),
		cmocka_unit_test_setup(interrupts_without_drift, reset),
		cmocka_unit_test_setup(interrupts_once_in_one_shot_modes,
				       reset),
		cmocka_unit_test_setup(new_count_takes_over_at_the_period,
				       reset),
		cmocka_unit_test_setup(is_bounded_in_rate, reset),
		cmocka_unit_test_setup(is_silent_while_replaced, reset),
		cmocka_unit_test_setup(an_unprogrammed_timer_asks_for_nothing,
				       reset),
		cmocka_unit_test_setup(refresh_bit_toggles, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
