/* The keyboard controller that nobody is plugged into, and port 0x92. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vi8042.h"

#define FULL	0x01
#define TIMEOUT 0x40

static struct vi8042 i8042;

static int reset(void **state)
{
	(void)state;
	bench_reset(1, 0);
	memset(&i8042, 0, sizeof(i8042));
	assert_int_equal(vi8042_init(&i8042, &fake_vm), 0);
	return 0;
}

static void command(uint8_t value)
{
	out8(0x64, value);
}

/* The answer to a command, which must be there. */
static uint8_t answer(void)
{
	assert_int_equal(in8(0x64) & FULL, FULL);
	return in8(0x60);
}

static void passes_tests(void **state)
{
	(void)state;
	assert_int_equal(in8(0x64), 0x14);
	command(0xaa);
	assert_int_equal(answer(), 0x55);
	assert_int_equal(in8(0x64) & FULL, 0);
	command(0xab);
	assert_int_equal(answer(), 0);
	assert_int_equal(in8(0x64), 0x1c); /* the last write was a command */
}

static void keeps_its_ram(void **state)
{
	(void)state;
	command(0x20);
	assert_int_equal(answer(), 0x64);
	command(0x60);
	out8(0x60, 0x47);
	command(0x20);
	assert_int_equal(answer(), 0x47);
	command(0x7f);
	out8(0x60, 0x99);
	command(0x3f);
	assert_int_equal(answer(), 0x99);
	command(0xad);
	command(0xa8);
	command(0x20);
	assert_int_equal(answer(), 0x57);
	command(0xae);
	command(0xa7);
	command(0x20);
	assert_int_equal(answer(), 0x67);
}

/* What Linux's probe looks at: each answer is there at once. */
static void has_no_mouse(void **state)
{
	(void)state;
	command(0xd3);
	out8(0x60, 0x5a);
	assert_int_equal(in8(0x64) & 0x21, FULL); /* not from the mouse */
	assert_int_equal(answer(), 0x5a);
	command(0xa9);
	assert_int_equal(answer(), 0x01);
	command(0xd4);
	out8(0x60, 0xf2);
	assert_int_equal(in8(0x64) & TIMEOUT, TIMEOUT);
	assert_int_equal(answer(), 0xfe);
}

static void has_no_keyboard(void **state)
{
	(void)state;
	out8(0x60, 0xf2);
	assert_int_equal(in8(0x64) & (FULL | TIMEOUT), FULL | TIMEOUT);
	assert_false(bench_is_high(VI8042_GSI));
	command(0x60);
	out8(0x60, 0x45); /* interrupts: the byte still waits */
	assert_true(bench_is_high(VI8042_GSI));
	assert_int_equal(in8(0x60), 0xfe);
	assert_false(bench_is_high(VI8042_GSI));
	assert_int_equal(in8(0x64) & (FULL | TIMEOUT), 0);
	out8(0x60, 0xff);
	assert_true(bench_is_high(VI8042_GSI));
}

static void shows_a20(void **state)
{
	(void)state;
	command(0xd0);
	assert_int_equal(answer(), 0x03);
	assert_int_equal(in8(0x92), 0x02);
	command(0xd1);
	out8(0x60, 0x01);
	assert_int_equal(in8(0x92), 0x00);
	out8(0x92, 0x02);
	command(0xd0);
	assert_int_equal(answer(), 0x03);
	command(0xdd);
	assert_int_equal(in8(0x92), 0x00);
	command(0xdf);
	assert_int_equal(in8(0x92), 0x02);
	assert_int_equal(fake_end, VM_END_NONE);
}

static void resets(void **state)
{
	(void)state;
	command(0xff); /* pulses nothing */
	command(0xf1);
	assert_int_equal(fake_end, VM_END_NONE);
	command(0xfe);
	assert_int_equal(fake_end, VM_END_RESET);
	reset(state);
	command(0xd1);
	out8(0x60, 0x02);
	assert_int_equal(fake_end, VM_END_RESET);
	reset(state);
	out8(0x92, 0x03);
	assert_int_equal(fake_end, VM_END_RESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(passes_tests, reset),
		cmocka_unit_test_setup(keeps_its_ram, reset),
		cmocka_unit_test_setup(has_no_mouse, reset),
		cmocka_unit_test_setup(has_no_keyboard, reset),
		cmocka_unit_test_setup(shows_a20, reset),
		cmocka_unit_test_setup(resets, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
