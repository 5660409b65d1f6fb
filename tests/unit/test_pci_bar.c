/* Base address registers: sizing, moving, and addresses that somebody else has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame_machine.h"
#include "kernel/lib/errno.h"
#include "mm/heap.h"
#include "pci_bus.h"

/* Two cards: BAR 0 memory of 4 KiB, BAR 2 memory of 64 KiB with 64 bits, BAR 5
 * 32 ports. Everywhere reads as the card's number and the BAR's. */
static struct pci_device cards[2];
static uint32_t names[2][PCI_BARS];

static uint64_t read_name(void *context, uint64_t offset, unsigned int size)
{
	(void)offset;
	(void)size;
	return *(uint32_t *)context;
}

static void write_nothing(void *context, uint64_t offset, unsigned int size,
			  uint64_t value)
{
	(void)context;
	(void)offset;
	(void)size;
	(void)value;
}

static const struct io_ops ops = { read_name, write_nothing };

static void add_card(uint32_t number)
{
	struct pci_device *card = &cards[number];

	for (uint32_t i = 0; i < PCI_BARS; i++)
		names[number][i] = (number + 1) << 4 | i;
	pci_set_identity(card, 0x1234, 0x5678, 0x020000, 0);
	pci_add_bar(card, 0, PCI_BAR_MEMORY32, 0x1000, &ops, &names[number][0],
		    false);
	pci_add_bar(card, 2, PCI_BAR_MEMORY64, 0x10000, &ops, &names[number][2],
		    true);
	pci_add_bar(card, 5, PCI_BAR_PORTS, 32, &ops, &names[number][5], false);
	assert_int_equal(pci_attach(&fake_vm, card), 0);
}

static int setup(void **state)
{
	(void)state;
	fake_vm_reset(1, 0);
	frame_machine_reset(NULL);
	frame_machine_start_simple(GIB);
	heap_init();
	memset(cards, 0, sizeof(cards));
	assert_int_equal(pci_create(&fake_vm), 0);
	add_card(0);
	add_card(1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_destroy(&fake_vm);
	return 0;
}

static uint32_t bar(uint32_t slot, uint32_t index)
{
	return config_read(slot, PCI_BAR0 + 4 * index, 4);
}

static void set_bar(uint32_t slot, uint32_t index, uint32_t value)
{
	config_write(slot, PCI_BAR0 + 4 * index, 4, value);
}

static bool answers(uint64_t address, uint32_t name)
{
	return mmio_read(address, 1) == name;
}

static void work_from_the_start(void **state)
{
	(void)state;
	for (uint32_t slot = 1; slot <= 2; slot++) {
		uint64_t small = bar_address(slot, 0);
		uint64_t large = bar_address(slot, 2);

		assert_int_equal(config_read(slot, PCI_COMMAND, 2), 7);
		assert_in_range(small, VM_PCI_BASE,
				VM_PCI_BASE + VM_PCI_SIZE - 0x1000);
		assert_int_equal(small % 0x1000, 0);
		assert_int_equal(large % 0x10000, 0);
		assert_true(answers(small, slot << 4));
		assert_true(answers(small + 0xfff, slot << 4));
		assert_true(answers(large, slot << 4 | 2));
		assert_int_equal(port_read(bar(slot, 5) & ~3U, 1),
				 slot << 4 | 5);
	}
}

static void can_be_sized(void **state)
{
	(void)state;
	set_bar(1, 0, 0xffffffff);
	assert_int_equal(bar(1, 0), 0xfffff000);
	set_bar(1, 2, 0xffffffff);
	set_bar(1, 3, 0xffffffff);
	assert_int_equal(bar(1, 2), 0xffff0004);
	assert_int_equal(bar(1, 3), 0xffffffff);
	set_bar(1, 5, 0xffffffff);
	assert_int_equal(bar(1, 5), 0x0000ffe1);
	/* none */
	set_bar(1, 1, 0xffffffff);
	assert_int_equal(bar(1, 1), 0);
	set_bar(1, 4, 0xffffffff);
	assert_int_equal(bar(1, 4), 0);
}

static void move(void **state)
{
	uint64_t old = bar_address(1, 0);

	(void)state;
	set_bar(1, 0, 0xd0000000);
	assert_true(answers(0xd0000000, 0x10));
	assert_true(answers(old, 0xff));
	/* above 4 GiB, a half at a time */
	set_bar(1, 2, 0x00010000);
	set_bar(1, 3, 0x12);
	assert_true(answers(0x1200010000, 0x12));
	set_bar(1, 5, 0xe000);
	assert_int_equal(port_read(0xe01f, 1), 0x15);
	assert_int_equal(port_read(0xe020, 1), 0xff);
	/* a byte of the register */
	config_write(1, PCI_BAR0 + 3, 1, 0xd1);
	assert_true(answers(0xd1000000, 0x10));
}

static void answer_when_decoded(void **state)
{
	uint64_t memory = bar_address(1, 0);
	uint32_t ports = bar(1, 5) & ~3U;

	(void)state;
	config_write(1, PCI_COMMAND, 2, PCI_COMMAND_PORTS);
	assert_true(answers(memory, 0xff));
	assert_int_equal(port_read(ports, 1), 0x15);
	config_write(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(answers(memory, 0x10));
	assert_int_equal(port_read(ports, 1), 0xff);
	set_bar(1, 0, 0);
	assert_true(answers(0, 0xff));
	/* moved while it does not decode */
	config_write(1, PCI_COMMAND, 2, 0);
	set_bar(1, 0, 0xd0000000);
	assert_true(answers(0xd0000000, 0xff));
	config_write(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(answers(0xd0000000, 0x10));
}

static void the_later_one_waits(void **state)
{
	uint64_t first = bar_address(1, 0);

	(void)state;
	set_bar(2, 0, (uint32_t)first);
	assert_true(answers(first, 0x10));
	set_bar(1, 0, 0xd0000000);
	assert_true(answers(0xd0000000, 0x10));
	assert_true(answers(first, 0x20));
	/* and by decoding */
	set_bar(1, 0, (uint32_t)first);
	assert_true(answers(first, 0x20));
	config_write(2, PCI_COMMAND, 2, 0);
	assert_true(answers(first, 0x10));
}

static void give_way_to_what_is_fixed(void **state)
{
	(void)state;
	set_bar(1, 0, VM_ECAM_BASE + 0x1000);
	assert_int_equal(mmio_read(VM_ECAM_BASE, 4), 0x29c08086);
	assert_int_equal(mmio_read(VM_ECAM_BASE + 0x1000, 4), 0xffffffff);
	set_bar(1, 5, 0xce0);
	assert_int_equal(config_read(0, 0, 4), 0x29c08086);
	/* the end of all addresses */
	set_bar(1, 2, 0xffffffff);
	set_bar(1, 3, 0xffffffff);
	assert_true(answers(UINT64_MAX - 0xffff, 0xff));
	set_bar(1, 2, 0xd0000000);
	set_bar(1, 3, 0);
	assert_true(answers(0xd0000000, 0x12));
}

static void gone_with_their_device(void **state)
{
	uint64_t first = bar_address(1, 0);
	uint64_t second = bar_address(2, 0);

	(void)state;
	pci_detach(&cards[0]);
	assert_true(answers(first, 0xff));
	assert_true(answers(second, 0x20));
}

static void addresses_run_out(void **state)
{
	static struct pci_device large;

	(void)state;
	large = (struct pci_device){ 0 };
	pci_add_bar(&large, 0, PCI_BAR_MEMORY32, VM_PCI_SIZE, &ops,
		    &names[0][0], false);
	assert_int_equal(pci_attach(&fake_vm, &large), -ENOSPC);
	assert_int_equal(config_read(3, 0, 4), 0xffffffff);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(work_from_the_start),
		CASE(can_be_sized),
		CASE(move),
		CASE(answer_when_decoded),
		CASE(the_later_one_waits),
		CASE(give_way_to_what_is_fixed),
		CASE(gone_with_their_device),
		CASE(addresses_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
