/* The 16550A as drivers see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vserial.h"

#define DATA VSERIAL_PORT
#define IER  (VSERIAL_PORT + 1)
#define IIR  (VSERIAL_PORT + 2)
#define FCR  IIR
#define LCR  (VSERIAL_PORT + 3)
#define MCR  (VSERIAL_PORT + 4)
#define LSR  (VSERIAL_PORT + 5)
#define MSR  (VSERIAL_PORT + 6)
#define SCR  (VSERIAL_PORT + 7)

static struct vserial serial;

static int reset(void **state)
{
	(void)state;
	bench_reset(1, 0);
	memset(&serial, 0, sizeof(serial));
	assert_int_equal(vserial_init(&serial, &fake_vm), 0);
	return 0;
}

static bool irq(void)
{
	return bench_is_high(VSERIAL_GSI);
}

static void writes_to_the_console(void **state)
{
	(void)state;
	for (const char *c = "hello\n"; *c; c++) {
		assert_int_equal(in8(LSR), 0x60);
		out8(DATA, (uint8_t)*c);
	}
	assert_int_equal(fake_console_size, 6);
	assert_memory_equal(fake_console, "hello\n", 6);
	assert_int_equal(fake_irq_count, 0);
}

static void waits_for_the_console(void **state)
{
	(void)state;
	out8(IER, 2);
	out8(DATA, 'a');
	assert_true(irq());
	fake_console_is_full = true;
	out8(DATA, 'b');
	assert_false(irq());
	assert_int_equal(in8(LSR), 0);
	assert_int_equal(in8(IIR), 0x01);
	fake_console_is_full = false;
	assert_false(irq());
	vserial_settle(&serial);
	assert_true(irq());
	assert_int_equal(in8(LSR), 0x60);
	assert_int_equal(in8(IIR), 0x02);
	assert_false(irq());
	/* what goes round never gets there */
	fake_console_is_full = true;
	out8(MCR, 0x10);
	assert_int_equal(in8(LSR), 0x60);
}

static void divisor_hides_data(void **state)
{
	(void)state;
	out8(LCR, 0x83);
	assert_int_equal(in8(DATA), 12);
	out8(DATA, 1);
	out8(IER, 2);
	assert_int_equal(in8(DATA), 1);
	assert_int_equal(in8(IER), 2);
	out8(LCR, 0x03);
	assert_int_equal(in8(IER), 0);
	assert_int_equal(fake_console_size, 0);
	out8(IER, 0xff);
	assert_int_equal(in8(IER), 0x0f);
	out8(SCR, 0xa5);
	assert_int_equal(in8(SCR), 0xa5);
}

static void receives(void **state)
{
	(void)state;
	vserial_input(&serial, "ab", 2);
	assert_int_equal(in8(LSR), 0x61);
	assert_false(irq());
	out8(IER, 1);
	assert_true(irq());
	assert_int_equal(in8(IIR), 0x04);
	assert_int_equal(in8(DATA), 'a');
	assert_true(irq());
	assert_int_equal(in8(DATA), 'b');
	assert_false(irq());
	assert_int_equal(in8(LSR), 0x60);
	assert_int_equal(in8(DATA), 0);
	assert_int_equal(in8(IIR), 0x01);
}

static void fifo_has_trigger_and_timeout(void **state)
{
	(void)state;
	out8(FCR, 0x81); /* 8 */
	out8(IER, 1);
	vserial_input(&serial, "0123456", 7);
	assert_int_equal(in8(IIR), 0xcc);
	vserial_input(&serial, "7", 1);
	assert_int_equal(in8(IIR), 0xc4);
	out8(FCR, 0x83); /* clears */
	assert_int_equal(in8(IIR), 0xc1);
	assert_int_equal(in8(LSR), 0x60);
	assert_false(irq());
	vserial_input(&serial, "x", 1);
	out8(FCR, 0); /* and so does switching it off */
	assert_int_equal(in8(IIR), 0x01);
}

static void overrun_is_noted_once(void **state)
{
	static const char many[300] = "first";

	(void)state;
	out8(IER, 5);
	vserial_input(&serial, many, sizeof(many));
	assert_int_equal(in8(IIR), 0x06);
	assert_int_equal(in8(LSR), 0x63);
	assert_int_equal(in8(LSR), 0x61);
	assert_int_equal(in8(IIR), 0x04);
	assert_int_equal(in8(DATA), 'f');
	vserial_input(&serial, "z", 1);
	for (unsigned int i = 1; i < VSERIAL_INPUT_MAX; i++)
		in8(DATA);
	assert_int_equal(in8(DATA), 'z');
	assert_int_equal(in8(LSR), 0x60);
	assert_false(irq());
}

static void empty_interrupt_has_an_edge_a_character(void **state)
{
	(void)state;
	out8(IER, 2);
	assert_int_equal(bench_take_rises(VSERIAL_GSI), 1);
	out8(DATA, 'x'); /* before IIR was read */
	assert_int_equal(bench_take_rises(VSERIAL_GSI), 1);
	assert_int_equal(in8(IIR), 0x02);
	assert_false(irq());
	assert_int_equal(in8(IIR), 0x01);
	out8(DATA, 'y');
	assert_int_equal(bench_take_rises(VSERIAL_GSI), 1);
	out8(IER, 0);
	assert_false(irq());
	in8(IIR);
	out8(IER, 2); /* enabling raises it anew */
	assert_true(irq());
}

static void loop_mode_answers_itself(void **state)
{
	(void)state;
	assert_int_equal(in8(MSR), 0xb0);
	out8(MCR, 0x10 | 0x0a); /* as Linux probes */
	assert_int_equal(in8(MSR) & 0xf0, 0x90);
	out8(DATA, 0xae);
	assert_int_equal(fake_console_size, 0);
	assert_int_equal(in8(DATA), 0xae);
	in8(MSR);
	out8(IER, 8);
	assert_false(irq());
	out8(MCR, 0x10 | 0x0e); /* RI rises: no event */
	assert_false(irq());
	out8(MCR, 0x10 | 0x0b); /* RI falls, DSR rises */
	assert_true(irq());
	assert_int_equal(in8(IIR), 0x00);
	assert_int_equal(in8(MSR), 0xb0 | 0x06);
	assert_false(irq());
	assert_int_equal(in8(MSR), 0xb0);
	out8(MCR, 0xe3);
	assert_int_equal(in8(MCR), 0x03);
}

static void takes_words(void **state)
{
	(void)state;
	bench_out(DATA, 2, 0x0100 | 'w'); /* THR and IER */
	assert_int_equal(fake_console[0], 'w');
	assert_int_equal(in8(IER), 1);
	bench_out(LSR, 2, 0xffff); /* read-only */
	assert_int_equal(bench_in(LSR, 2), 0xb060);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes_to_the_console, reset),
		cmocka_unit_test_setup(waits_for_the_console, reset),
		cmocka_unit_test_setup(divisor_hides_data, reset),
		cmocka_unit_test_setup(receives, reset),
		cmocka_unit_test_setup(fifo_has_trigger_and_timeout, reset),
		cmocka_unit_test_setup(overrun_is_noted_once, reset),
		cmocka_unit_test_setup(empty_interrupt_has_an_edge_a_character,
				       reset),
		cmocka_unit_test_setup(loop_mode_answers_itself, reset),
		cmocka_unit_test_setup(takes_words, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
