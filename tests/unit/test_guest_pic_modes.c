/* The two 8259As of a guest: automatic EOI, rotation, special modes, polling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pic_fixture.h"

static void automatic_eoi(void **state)
{
	(void)state;
	program(0x03);
	pulse(3);
	pulse(9);
	assert_int_equal(take(), 0x39);
	assert_int_equal(take(), 0x33);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0);
	/* and rotating: who was served goes last */
	out(0x20, 0x80);
	pulse(3);
	assert_int_equal(take(), 0x33);
	pulse(3);
	pulse(4);
	assert_int_equal(take(), 0x34);
	out(0x20, 0x00);
	assert_int_equal(take(), 0x33);
	/* 5 is still the first */
	pulse(4);
	pulse(7);
	assert_int_equal(take(), 0x37);
	assert_int_equal(take(), 0x34);
}

static void priorities_rotate(void **state)
{
	(void)state;
	out(0x20, 0xc3);
	pulse(3);
	pulse(4);
	assert_int_equal(take(), 0x34);
	assert_int_equal(take(), -1);
	/* non-specific, rotating: 4 is the last now */
	out(0x20, 0xa0);
	assert_int_equal(take(), 0x33);
	pulse(4);
	assert_int_equal(take(), -1);
	pulse(5);
	assert_int_equal(take(), 0x35);
	/* specific, rotating */
	out(0x20, 0xe3);
	out(0x20, 0x65);
	assert_int_equal(take(), 0x34);
}

static void special_mask_lets_lower_ones_through(void **state)
{
	(void)state;
	pulse(3);
	assert_int_equal(take(), 0x33);
	pulse(6);
	assert_int_equal(take(), -1);
	out(0x20, 0x68);
	out(0x21, 0x08);
	assert_int_equal(take(), 0x36);
	/* passes over 3, which is masked */
	out(0x20, 0x20);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0x08);
	out(0x20, 0x20);
	assert_int_equal(in(0x20), 0x08);
	out(0x20, 0x48);
	out(0x20, 0x20);
	assert_int_equal(in(0x20), 0x00);
}

static void special_nested_lets_the_slave_nest(void **state)
{
	(void)state;
	pulse(14);
	assert_int_equal(take(), 0x3e);
	pulse(9);
	assert_int_equal(take(), -1);
	program(0x11);
	pulse(14);
	assert_int_equal(take(), 0x3e);
	pulse(3);
	assert_int_equal(take(), -1);
	pulse(9);
	assert_int_equal(take(), 0x39);
	pulse(1);
	assert_int_equal(take(), 0x31);
	/* but nobody else: not the master's own, not within the slave */
	pulse(1);
	pulse(9);
	assert_int_equal(take(), -1);
}

static void polling_acknowledges(void **state)
{
	(void)state;
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0);
	pulse(4);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0x84);
	assert_false(vpic_has_interrupt(&pic));
	assert_int_equal(in(0x20), 0);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0x10);
	out(0x20, 0x20);
	/* the slave's goes without the master's */
	pulse(10);
	assert_true(vpic_has_interrupt(&pic));
	out(0xa0, 0x0c);
	assert_int_equal(in(0xa0), 0x82);
	assert_false(vpic_has_interrupt(&pic));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(automatic_eoi),
		TEST(priorities_rotate),
		TEST(special_mask_lets_lower_ones_through),
		TEST(special_nested_lets_the_slave_nest),
		TEST(polling_acknowledges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
