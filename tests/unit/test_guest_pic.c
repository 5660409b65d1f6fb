/* The two 8259As of a guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pic_fixture.h"

#define SPURIOUS_MASTER 0x37
#define SPURIOUS_SLAVE	0x3f

static void starts_silent(void **state)
{
	(void)state;
	memset(&fake_vm.ports, 0, sizeof(fake_vm.ports));
	assert_int_equal(vpic_init(&pic, &fake_vm), 0);
	for (uint32_t irq = 0; irq < 16; irq++)
		raise(irq);
	assert_int_equal(in(0x21), 0xff);
	assert_int_equal(in(0xa1), 0xff);
	assert_false(vpic_has_interrupt(&pic));
	assert_int_equal(vpic_init(&pic, &fake_vm), -EEXIST);
}

static void not_while_half_programmed(void **state)
{
	(void)state;
	out(0x20, 0x11);
	pulse(1);
	assert_false(vpic_has_interrupt(&pic));
	out(0x21, 0x50);
	out(0x21, 0x04);
	assert_false(vpic_has_interrupt(&pic));
	out(0x21, 0x01);
	assert_int_equal(take(), 0x51);
	/* single and without ICW4: one word */
	out(0x20, 0x12);
	out(0x21, 0x67);
	out(0x21, 0xfe);
	assert_int_equal(in(0x21), 0xfe);
	pulse(0);
	assert_int_equal(take(), 0x60);
}

static void lower_numbers_go_first(void **state)
{
	(void)state;
	pulse(7);
	pulse(3);
	assert_int_equal(in(0x20), 0x88);
	assert_int_equal(take(), 0x33);
	assert_int_equal(take(), -1);
	pulse(4);
	assert_int_equal(take(), -1);
	pulse(1);
	assert_int_equal(take(), 0x31);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0x0a);
	out(0x20, 0x0a);
	assert_int_equal(in(0x20), 0x90);
	out(0x20, 0x20);
	out(0x20, 0x20);
	assert_int_equal(take(), 0x34);
	out(0x20, 0x64);
	assert_int_equal(take(), 0x37);
}

static void the_slave_is_at_2(void **state)
{
	(void)state;
	pulse(3);
	pulse(15);
	pulse(8);
	pulse(2);
	assert_int_equal(take(), 0x38);
	assert_int_equal(take(), -1);
	/* master first, slave still busy: its lower ones wait */
	out(0x20, 0x20);
	assert_int_equal(take(), 0x33);
	out(0x20, 0x20);
	out(0xa0, 0x20);
	assert_int_equal(take(), 0x3f);
	out(0x20, 0x62);
	out(0xa0, 0x67);
	assert_int_equal(take(), -1);
	out(0x20, 0x0b);
	out(0xa0, 0x0b);
	assert_int_equal(in(0x20), 0);
	assert_int_equal(in(0xa0), 0);
}

static void masks_hold_back(void **state)
{
	(void)state;
	out(0x21, 0x08);
	out(0xa1, 0x10);
	pulse(3);
	pulse(12);
	assert_int_equal(take(), -1);
	assert_int_equal(in(0x20), 0x08);
	out(0x21, 0x00);
	assert_int_equal(take(), 0x33);
	out(0x20, 0x20);
	out(0xa1, 0x00);
	assert_int_equal(take(), 0x3c);
}

static void edges_and_levels(void **state)
{
	(void)state;
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	assert_int_equal(in(0x4d0), 0xf8);
	assert_int_equal(in(0x4d1), 0xde);
	assert_int_equal(io_read(&fake_vm, &fake_vm.ports, 0x4d0, 2), 0xdef8);
	out(0x4d0, 0x20);
	out(0x4d1, 0x00);
	/* an edge stays, however short, and comes once */
	raise(4);
	raise(4);
	assert_int_equal(take(), 0x34);
	out(0x20, 0x20);
	assert_int_equal(take(), -1);
	/* a level lasts as long as it does */
	raise(5);
	assert_int_equal(take(), 0x35);
	out(0x20, 0x20);
	assert_int_equal(take(), 0x35);
	lower(5);
	out(0x20, 0x20);
	assert_int_equal(take(), -1);
	raise(5);
	lower(5);
	assert_int_equal(take(), -1);
	/* an active input that becomes a level asks */
	io_write(&fake_vm, &fake_vm.ports, 0x4d0, 2, 0x0430);
	assert_int_equal(take(), 0x34);
	out(0x20, 0x20);
	out(0x4d0, 0x00);
	assert_int_equal(take(), -1);
}

static void initialisation_forgets_edges_not_levels(void **state)
{
	(void)state;
	out(0x4d0, 0x20);
	raise(4);
	raise(5);
	raise(1);
	assert_int_equal(take(), 0x31);
	program(0x01);
	assert_int_equal(take(), 0x35);
	out(0x20, 0x20);
	lower(5);
	assert_int_equal(take(), -1);
}

static void spurious_interrupts(void **state)
{
	(void)state;
	out(0x4d0, 0x20);
	out(0x4d1, 0x02);
	/* gone between INTR and INTA */
	raise(5);
	assert_true(vpic_has_interrupt(&pic));
	lower(5);
	assert_int_equal(vpic_acknowledge(&pic), SPURIOUS_MASTER);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0);
	/* at the slave: the master's request stays and is in service */
	raise(9);
	lower(9);
	assert_int_equal(take(), SPURIOUS_SLAVE);
	out(0xa0, 0x0b);
	assert_int_equal(in(0xa0), 0);
	assert_int_equal(in(0x20), 0x04);
}

static void a_rise_wakes_the_first_vcpu(void **state)
{
	(void)state;
	raise(4);
	assert_int_equal(take_requests(0), REQUEST_EVENT);
	raise(3);
	assert_int_equal(take_requests(0), 0);
	assert_int_equal(vpic_acknowledge(&pic), 0x33);
	assert_int_equal(take_requests(0), 0);
	out(0x20, 0x20);
	assert_int_equal(take_requests(0), REQUEST_EVENT);
	assert_int_equal(vpic_acknowledge(&pic), 0x34);
	/* automatic EOI: the next one is there with INTA */
	lower(3);
	program(0x03);
	pulse(3);
	pulse(6);
	take_requests(0);
	assert_int_equal(vpic_acknowledge(&pic), 0x33);
	assert_int_equal(take_requests(0), REQUEST_EVENT);
	assert_int_equal(vpic_acknowledge(&pic), 0x36);
	/* not if it does not listen; it will look when it does */
	enable_xapic(0);
	poke(0, 0x350, 0x10700);
	take_requests(0);
	pulse(3);
	assert_int_equal(take_requests(0), 0);
	assert_true(vpic_has_interrupt(&pic));
	poke(0, 0x350, 0x700);
	assert_int_equal(take_requests(0), REQUEST_EVENT);
}

static void words_are_two_bytes(void **state)
{
	(void)state;
	io_write(&fake_vm, &fake_vm.ports, 0x20, 2, 0xfe0b);
	assert_int_equal(in(0x21), 0xfe);
	pulse(2 + 8);
	assert_int_equal(take(), -1);
	assert_int_equal(io_read(&fake_vm, &fake_vm.ports, 0x20, 2), 0xfe00);
	raise(16);
	raise(0xffffffff);
	assert_int_equal(take(), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(starts_silent),
		TEST(not_while_half_programmed),
		TEST(lower_numbers_go_first),
		TEST(the_slave_is_at_2),
		TEST(masks_hold_back),
		TEST(edges_and_levels),
		TEST(initialisation_forgets_edges_not_levels),
		TEST(spurious_interrupts),
		TEST(a_rise_wakes_the_first_vcpu),
		TEST(words_are_two_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
