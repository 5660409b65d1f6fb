/* The composed PC: all ports are there, it unwinds wherever memory ends, and each
 * timer reaches its device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/lapic.h"
#include "drivers/pc/pc_state.h"
#include "drivers/pc/vclock.h"
#include "drivers/pci/pci.h"
#include "kernel/lib/errno.h"
#include "mm/frame.h"
#include "mm/heap.h"

static struct config_vm config;
static struct diag why;

static int reset(void **state)
{
	(void)state;
	bench_reset(2, 64 * MIB);
	heap_init();
	memset(&config, 0, sizeof(config));
	config.has_testdev = true;
	fake_vm.config = &config;
	for (uint32_t i = 0; i < fake_vm.vcpu_count; i++)
		fake_vcpus[i].lapic = lapic_create(&fake_vcpus[i]);
	return 0;
}

static void create(void)
{
	if (pc_create(&fake_vm, &why))
		fail_msg("%s", why.text);
}

/* All of the machine's memory, but for some frames. */
#define RUNS_MAX 2048
static struct {
	hpa_t base;
	unsigned int order;
} runs[RUNS_MAX];
static uint32_t run_count;

static bool take(unsigned int order)
{
	hpa_t base = frame_alloc(order, 0);

	if (hpa_equals(base, HPA_NONE))
		return false;
	assert_true(run_count < RUNS_MAX);
	runs[run_count].base = base;
	runs[run_count++].order = order;
	return true;
}

static void give_back(uint32_t first)
{
	while (run_count > first) {
		run_count--;
		frame_free(runs[run_count].base, runs[run_count].order);
	}
}

static void take_all_but(uint32_t rest)
{
	hpa_t kept[256];

	for (uint32_t i = 0; i < rest; i++)
		kept[i] = frame_alloc(0, 0);
	for (unsigned int order = FRAME_ORDER_COUNT; order-- > 0;) {
		while (take(order))
			;
	}
	for (uint32_t i = 0; i < rest; i++)
		frame_free(kept[i], 0);
}

static void has_what_a_pc_has(void **state)
{
	static const uint16_t ports[] = {
		0x20,  0x21,  0x40,  0x43,  0x60,  0x61,  0x64,	  0x70,	 0x71,
		0x92,  0xa0,  0xa1,  0xe0,  0xe4,  0xe8,  0xf4,	  0x3f8, 0x3ff,
		0x402, 0x4d0, 0x4d1, 0x505, 0x510, 0x511, 0x514,  0x51b, 0x600,
		0x605, 0x60b, 0x62f, 0xcf8, 0xcf9, 0xcfc, 0x2017,
	};
	struct io_region region;

	(void)state;
	create();
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		assert_true(io_find(&fake_vm.ports, ports[i], 1, &region));
	assert_true(io_find(&fake_vm.mmio, VM_HPET_BASE, 8, &region));
	assert_true(io_find(&fake_vm.mmio, VM_IOAPIC_BASE, 4, &region));
	assert_true(io_find(&fake_vm.mmio, VM_TESTDEV_BASE, 8, &region));
	assert_true(io_find(&fake_vm.mmio, VM_ECAM_BASE, 4, &region));
	out8(0xcf9, 6);
	assert_int_equal(fake_end, VM_END_RESET);
	pc_destroy(&fake_vm);
}

static void test_device_is_for_those_who_ask(void **state)
{
	struct io_region region;

	(void)state;
	config.has_testdev = false;
	create();
	assert_false(io_find(&fake_vm.ports, 0xf4, 1, &region));
	assert_false(io_find(&fake_vm.mmio, VM_TESTDEV_BASE, 1, &region));
	pc_destroy(&fake_vm);
}

/* With memory for ever more of it; nothing is left behind by a failure. */
static void unwinds_wherever_memory_ends(void **state)
{
	uint64_t used;
	uint32_t rest = 0;
	int error;

	(void)state;
	used = heap_used();
	do {
		why.text[0] = '\0';
		take_all_but(rest);
		error = pc_create(&fake_vm, &why);
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_string_not_equal(why.text, "");
			assert_null(fake_vm.pc);
			assert_null(fake_vm.pci);
			assert_int_equal(fake_vm.ports.count, 0);
			assert_int_equal(fake_vm.mmio.count, 0);
			assert_int_equal(heap_used(), used);
		}
		give_back(0);
		rest++;
	} while (error);
	assert_in_range(rest, 4, 256);
	pc_destroy(&fake_vm);
	assert_int_equal(heap_used(), used);
	create(); /* and again, as a restart does */
	pc_destroy(&fake_vm);
}

/* The line that rises when @timer fires at its deadline. */
static void assert_fires(enum vm_timer timer, uint32_t gsi)
{
	assert_true(fake_vm.deadlines[timer] != TIME_NEVER);
	fake_now = fake_vm.deadlines[timer];
	bench_take_rises(gsi);
	pc_timer_fire(&fake_vm, timer);
	assert_int_equal(bench_take_rises(gsi), 1);
}

static void timers_reach_their_devices(void **state)
{
	(void)state;
	create();
	out8(0x43, 0x34);
	out8(0x40, 0);
	out8(0x40, 0x10);
	assert_fires(VM_TIMER_PIT, 0);
	out8(0x70, 0x0b);
	out8(0x71, 0x12);
	assert_fires(VM_TIMER_RTC, 8);
	bench_out(0x602, 2, 1);
	assert_fires(VM_TIMER_PM, 9);
	io_write(&fake_vm, &fake_vm.mmio, VM_HPET_BASE + 0x10, 8, 1);
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t timer = VM_HPET_BASE + 0x100 + 0x20 * i;
		uint64_t now = io_read(&fake_vm, &fake_vm.mmio,
				       VM_HPET_BASE + 0xf0, 8);

		io_write(&fake_vm, &fake_vm.mmio, timer, 8,
			 BIT(2) | (16 + i) << 9);
		io_write(&fake_vm, &fake_vm.mmio, timer + 8, 8, now + 1000);
		assert_fires(VM_TIMER_HPET0 + (unsigned int)i,
			     16 + (uint32_t)i);
	}
	pc_destroy(&fake_vm);
}

static void the_outside_reaches_devices(void **state)
{
	(void)state;
	create();
	pc_console_input(&fake_vm, "k", 1);
	assert_int_equal(in8(0x3f8), 'k');
	bench_out(0x602, 2, 0x100);
	pc_press_power_button(&fake_vm);
	assert_true(bench_is_high(VM_SCI_GSI));
	/* the 8259: vectors from 0x20, only line 4 unmasked */
	out8(0x20, 0x11);
	out8(0x21, 0x20);
	out8(0x21, 4);
	out8(0x21, 1);
	out8(0x21, 0xef);
	assert_false(pc_has_extint(&fake_vm));
	pc_set_irq(&fake_vm, 4, true);
	assert_true(pc_has_extint(&fake_vm));
	assert_int_equal(pc_take_extint(&fake_vm), 0x24);
	assert_false(pc_has_extint(&fake_vm));
	assert_int_equal(fake_vm.lock.next, fake_vm.lock.owner);
	pc_destroy(&fake_vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(has_what_a_pc_has, reset),
		cmocka_unit_test_setup(test_device_is_for_those_who_ask, reset),
		cmocka_unit_test_setup(unwinds_wherever_memory_ends, reset),
		cmocka_unit_test_setup(timers_reach_their_devices, reset),
		cmocka_unit_test_setup(the_outside_reaches_devices, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
