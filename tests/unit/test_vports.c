/* The smallest devices: debug console, pvpanic, reset port, test device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vdebug_port.h"
#include "drivers/pc/vpvpanic.h"
#include "drivers/pc/vreset_port.h"
#include "drivers/pc/vtestdev.h"
#include "fake.h"
#include "kernel/lib/log.h"
#include "mm/heap.h"

static struct vdebug_port debug_port;
static struct vpvpanic pvpanic;
static struct vtestdev testdev;

static int reset(void **state)
{
	(void)state;
	bench_reset(1, 4 * MIB);
	heap_init();
	fake_log_reset();
	memcpy(fake_vm.name, "vm", 3);
	memset(&debug_port, 0, sizeof(debug_port));
	memset(&testdev, 0, sizeof(testdev));
	assert_int_equal(vdebug_port_init(&debug_port, &fake_vm), 0);
	assert_int_equal(vpvpanic_init(&pvpanic, &fake_vm), 0);
	assert_int_equal(vtestdev_init(&testdev, &fake_vm), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vtestdev_fini(&testdev);
	return 0;
}

static void print(const char *text)
{
	for (; *text; text++)
		out8(VDEBUG_PORT, (uint8_t)*text);
}

static void debug_console_logs_lines(void **state)
{
	(void)state;
	assert_int_equal(in8(VDEBUG_PORT), 0xe9);
	print("half");
	assert_int_equal(fake_log_count[LOG_DEBUG], 0);
	print(" a line\r\n");
	assert_string_equal(fake_log_last, "vm: firmware: half a line");
	print("\x1b[2J\xff\n");
	assert_string_equal(fake_log_last, "vm: firmware: .[2J.");
	print("\n\n");
	assert_int_equal(fake_log_count[LOG_DEBUG], 2);
	for (unsigned int i = 0; i < 2 * VDEBUG_PORT_LINE_MAX + 1; i++)
		print("x");
	assert_int_equal(fake_log_count[LOG_DEBUG], 4);
}

static void debug_console_is_rate_limited(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		print("flood\n");
	assert_int_equal(fake_log_count[LOG_DEBUG], VDEBUG_PORT_LINES_MAX);
	fake_now += NS_PER_SEC;
	print("again\n");
	assert_int_equal(fake_log_count[LOG_DEBUG], VDEBUG_PORT_LINES_MAX + 1);
}

static void pvpanic_notes_it_once(void **state)
{
	(void)state;
	assert_int_equal(in8(VPVPANIC_PORT), 1);
	out8(VPVPANIC_PORT, 0xfe);
	assert_int_equal(fake_vm.panicked, 0);
	out8(VPVPANIC_PORT, 1);
	out8(VPVPANIC_PORT, 1);
	assert_int_equal(fake_vm.panicked, 1);
	assert_int_equal(fake_log_count[LOG_DEBUG], 1);
	assert_int_equal(fake_end, VM_END_NONE);
}

static void reset_port_resets_on_the_rise(void **state)
{
	static const uint8_t values[] = { 0x04, 0x06, 0x0e };
	struct vreset_port port;

	for (unsigned int i = 0; i < 3; i++) {
		reset(state);
		vreset_port_init(&port, &fake_vm);
		vreset_port_write(&port, 0xf2);
		assert_int_equal(vreset_port_read(&port), 0x02);
		assert_int_equal(fake_end, VM_END_NONE);
		vreset_port_write(&port, values[i]);
		assert_int_equal(fake_end, VM_END_RESET);
		teardown(state);
	}
}

static void latch_keeps_bytes(void **state)
{
	(void)state;
	bench_out(0xe0, 4, 0x12345678);
	assert_int_equal(bench_in(0xe0, 4), 0x12345678);
	assert_int_equal(bench_in(0xe1, 2), 0x3456);
	bench_out(0xe2, 2, 0xabcd);
	out8(0xe1, 0xff);
	assert_int_equal(bench_in(0xe8, 4), 0xabcdff78);
	out8(0xeb, 1);
	assert_int_equal(bench_in(0xe0, 4), 0x01cdff78);
}

static void hides_a_page(void **state)
{
	uint32_t value = 0x1234;

	(void)state;
	guest_write_u32(&fake_vm.memory, (gpa_t){ 0x5000 }, value);
	bench_out(0xe4, 4, 0x5123);
	bench_out(0xe4, 4, 0xfffff000); /* no memory there */
	out8(0xe4, 0);
	guest_read_u32(&fake_vm.memory, (gpa_t){ 0x5000 }, &value);
	assert_int_equal(value, 0x1234);
}

static void ends_with_a_code(void **state)
{
	(void)state;
	bench_out(0xf4, 4, 0x15);
	assert_int_equal(fake_end, VM_END_EXIT);
	assert_int_equal(fake_vm.exit_code, 0x2b);
	out8(0xf4, 0);
	assert_int_equal(fake_vm.exit_code, 0x2b); /* the first is the one */
}

static void drives_lines(void **state)
{
	(void)state;
	out8(0x2000 + 23, 7);
	assert_true(bench_is_high(23));
	out8(0x2000 + 23, 0);
	assert_false(bench_is_high(23));
	bench_out(0x2000 + 24, 1, 1);
	bench_out(0x2000, 2, 0x0101);
	assert_int_equal(fake_irq_count, 0);
}

static void memory_is_byte_accurate(void **state)
{
	(void)state;
	for (unsigned int size = 1; size <= 8; size *= 2) {
		uint64_t value = 0x8877665544332211 >> (64 - 8 * size);
		uint64_t at = VM_TESTDEV_BASE + 0xfff1;

		io_write(&fake_vm, &fake_vm.mmio, at, size, value);
		assert_true(io_read(&fake_vm, &fake_vm.mmio, at, size) ==
			    value);
		assert_int_equal(io_read(&fake_vm, &fake_vm.mmio, at, 1),
				 value & 0xff);
	}
	/* the last byte, and one beyond */
	assert_int_equal(io_read(&fake_vm, &fake_vm.mmio,
				 VM_TESTDEV_BASE + 0xffff, 2),
			 0xff00);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(debug_console_logs_lines, reset,
						teardown),
		cmocka_unit_test_setup_teardown(debug_console_is_rate_limited,
						reset, teardown),
		cmocka_unit_test_setup_teardown(pvpanic_notes_it_once, reset,
						teardown),
		cmocka_unit_test(reset_port_resets_on_the_rise),
		cmocka_unit_test_setup_teardown(latch_keeps_bytes, reset,
						teardown),
		cmocka_unit_test_setup_teardown(hides_a_page, reset, teardown),
		cmocka_unit_test_setup_teardown(ends_with_a_code, reset,
						teardown),
		cmocka_unit_test_setup_teardown(drives_lines, reset, teardown),
		cmocka_unit_test_setup_teardown(memory_is_byte_accurate, reset,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
