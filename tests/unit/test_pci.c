/* The PCI bus as a guest sees it: configuration space, bridges, slots. */
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

#define ECAM(slot, offset) \
	(VM_ECAM_BASE + ((uint64_t)(slot) << 15) + (uint64_t)(offset))

static struct pci_device cards[PCI_SLOTS];
static unsigned int destroyed;
static uint32_t window_value;
static unsigned int window_calls;

static void destroy(struct pci_device *device)
{
	destroyed++;
	pci_detach(device);
}

static uint32_t window_read(struct pci_device *device, unsigned int size)
{
	(void)device;
	/* not under vm->lock: this would wait for ever */
	spin_lock(&fake_vm.lock);
	spin_unlock(&fake_vm.lock);
	window_calls++;
	return size == 4 ? window_value : 0x11;
}

static void window_write(struct pci_device *device, unsigned int size,
			 uint32_t value)
{
	(void)device;
	(void)size;
	spin_lock(&fake_vm.lock);
	spin_unlock(&fake_vm.lock);
	window_calls++;
	window_value = value;
}

static const struct pci_ops card_ops = { .window_read = window_read,
					 .window_write = window_write,
					 .destroy = destroy };

/* A device without anything but a pin. */
static struct pci_device *add_card(uint8_t pin)
{
	struct pci_device *card = cards;

	while (card->root)
		card++;
	card->ops = &card_ops;
	pci_set_identity(card, 0x1234, 0x5678, 0x020000, 3);
	pci_config_set(card, PCI_INT_PIN, 1, pin);
	assert_int_equal(pci_attach(&fake_vm, card), 0);
	return card;
}

static int setup(void **state)
{
	(void)state;
	fake_vm_reset(1, 0);
	frame_machine_reset(NULL);
	frame_machine_start_simple(GIB);
	heap_init();
	memset(cards, 0, sizeof(cards));
	destroyed = window_calls = 0;
	assert_int_equal(pci_create(&fake_vm), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_destroy(&fake_vm);
	return 0;
}

static void shows_its_bridges(void **state)
{
	(void)state;
	assert_int_equal(config_read(0, 0, 4), 0x29c08086);
	assert_int_equal(config_read(0, 8, 4) >> 8, 0x060000);
	assert_int_equal(config_read(31, 0, 4), 0x29188086);
	assert_int_equal(config_read(31, 8, 4) >> 8, 0x060100);
	assert_int_equal(config_read(0, 0x0e, 1), 0);
}

static void reads_bytes_and_words(void **state)
{
	(void)state;
	add_card(0);
	assert_int_equal(config_read(1, 0, 2), 0x1234);
	assert_int_equal(config_read(1, 2, 2), 0x5678);
	assert_int_equal(config_read(1, 3, 1), 0x56);
	assert_int_equal(config_read(1, 1, 2), 0x7812);
	assert_int_equal(config_read(1, 8, 4), 0x02000003);
}

static void nobody_reads_as_ones(void **state)
{
	(void)state;
	assert_int_equal(config_read(5, 0, 4), 0xffffffff);
	assert_int_equal(config_read(5, 1, 1), 0xff);
	config_write(5, 4, 4, 0);
	/* function 1, bus 1 */
	port_write(0xcf8, 4, 0x80000100);
	assert_int_equal(port_read(0xcfc, 4), 0xffffffff);
	port_write(0xcf8, 4, 0x80010000);
	assert_int_equal(port_read(0xcfc, 2), 0xffff);
	/* not enabled */
	port_write(0xcf8, 4, 0);
	assert_int_equal(port_read(0xcfc, 4), 0xffffffff);
}

static void address_port_is_four_bytes_wide(void **state)
{
	(void)state;
	port_write(0xcf8, 4, 0x80000000);
	port_write(0xcf8, 1, 0x12);
	port_write(0xcfa, 2, 0x3456);
	assert_int_equal(port_read(0xcf8, 4), 0x80000000);
	assert_int_equal(port_read(0xcf8, 2), 0xffff);
	/* across both registers */
	assert_int_equal(port_read(0xcfa, 4), 0xffffffff);
	port_write(0xcfa, 4, 0);
	assert_int_equal(port_read(0xcf8, 4), 0x80000000);
}

static void reset_port_is_among_them(void **state)
{
	(void)state;
	port_write(0xcf9, 1, 0x02);
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(port_read(0xcf9, 1), 0x02);
	port_write(0xcf9, 1, 0x06);
	assert_int_equal(fake_end, VM_END_RESET);
}

static void ecam_is_the_same_space(void **state)
{
	(void)state;
	add_card(0);
	assert_int_equal(mmio_read(ECAM(1, 0), 4), 0x56781234);
	assert_int_equal(mmio_read(ECAM(1, 0), 8),
			 config_read(1, 0, 4) | (uint64_t)config_read(1, 4, 4)
							<< 32);
	assert_int_equal(mmio_read(ECAM(1, 2), 1), 0x78);
	assert_int_equal(mmio_read(ECAM(1, 1), 4) & 0xffffff, 0x567812);
	mmio_write(ECAM(1, PCI_INT_LINE), 1, 0x5a);
	assert_int_equal(config_read(1, PCI_INT_LINE, 1), 0x5a);
	mmio_write(ECAM(1, PCI_INT_LINE - 1), 4, 0xffffa5ff);
	assert_int_equal(config_read(1, PCI_INT_LINE, 1), 0xa5);
}

static void ecam_ends_where_nothing_is(void **state)
{
	(void)state;
	add_card(0);
	assert_int_equal(mmio_read(ECAM(1, 0x100), 4), 0);
	assert_int_equal(mmio_read(ECAM(1, 0xffc), 4), 0);
	mmio_write(ECAM(1, 0x100), 4, 1);
	assert_int_equal(mmio_read(ECAM(2, 0x100), 4), 0xffffffff);
	/* function 1 of the card, bus 1, the last bytes of all */
	assert_int_equal(mmio_read(ECAM(1, 0x1000), 4), 0xffffffff);
	assert_int_equal(mmio_read(VM_ECAM_BASE + MIB, 4), 0xffffffff);
	assert_int_equal(mmio_read(VM_ECAM_BASE + VM_ECAM_SIZE - 8, 8),
			 UINT64_MAX);
	/* from one function into the next: 3 bytes of each */
	assert_int_equal(mmio_read(ECAM(1, 0xffd), 4), 0xff000000);
}

static void writes_what_may_be_written(void **state)
{
	(void)state;
	add_card(1);
	config_write(1, 0, 4, 0);
	assert_int_equal(config_read(1, 0, 4), 0x56781234);
	config_write(1, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(config_read(1, PCI_COMMAND, 2), 0x0547);
	config_write(1, PCI_COMMAND + 1, 1, 0);
	assert_int_equal(config_read(1, PCI_COMMAND, 2), 0x0047);
	config_write(1, PCI_STATUS, 2, 0xffff);
	assert_int_equal(config_read(1, PCI_STATUS, 2), 0);
}

static bool is_answered(uint64_t address)
{
	struct io_region region;

	return io_find(&fake_vm.mmio, address, 4, &region);
}

static void ecam_follows_its_register(void **state)
{
	(void)state;
	assert_int_equal(config_read(0, 0x60, 4), VM_ECAM_BASE | 1);
	/* as SeaBIOS does */
	config_write(0, 0x60, 4, 0);
	config_write(0, 0x64, 4, 0);
	config_write(0, 0x60, 4, 0xb0000001);
	assert_int_equal(config_read(0, 0x60, 4), 0xb0000001);
	assert_int_equal(mmio_read(0xb0000000, 4), 0x29c08086);
	assert_int_equal(mmio_read(VM_ECAM_BASE, 4), 0x29c08086);
	assert_int_equal(mmio_read(0xb0000000 + 255 * MIB, 4), 0xffffffff);
	/* 64 MiB only, and through itself away again */
	config_write(0, 0x60, 4, 0xb0000005);
	assert_true(is_answered(0xb4000000 - 4));
	assert_false(is_answered(0xb4000000));
	mmio_write(0xb0000060, 4, 0xa0000001);
	assert_int_equal(mmio_read(0xb0000000, 4), 0xffffffff);
	assert_int_equal(mmio_read(0xa0000000, 4), 0x29c08086);
	config_write(0, 0x60, 4, VM_ECAM_BASE | 1);
	assert_int_equal(mmio_read(0xa0000000, 4), 0xffffffff);
	assert_int_equal(mmio_read(VM_ECAM_BASE, 4), 0x29c08086);
}

static void firmware_finds_its_registers(void **state)
{
	(void)state;
	assert_int_equal(config_read(31, 0x40, 4), VM_PM_PORT | 1);
	config_write(31, 0x40, 4, 0x0601);
	assert_int_equal(config_read(31, 0x40, 4), 0x0601);
	assert_int_equal(config_read(31, 0x44, 1) & 0x80, 0x80);
	config_write(31, 0xf0, 4, 0xfed1c001);
	assert_int_equal(config_read(31, 0xf0, 4), 0xfed1c001);
	config_write(31, 0x60, 1, 0xff);
	assert_int_equal(config_read(31, 0x60, 1), 0x8f);
	/* shadow RAM: there */
	assert_int_equal(config_read(0, 0x90, 1), 0x30);
	config_write(0, 0x91, 1, 0x11);
	assert_int_equal(config_read(0, 0x91, 1), 0x11);
}

static void windows_are_without_lock(void **state)
{
	struct pci_device *card = add_card(0);

	(void)state;
	card->window_offset = 0x50;
	config_write(1, 0x50, 4, 0xabcd1234);
	assert_int_equal(window_value, 0xabcd1234);
	assert_int_equal(config_read(1, 0x50, 4), 0xabcd1234);
	assert_int_equal(config_read(1, 0x50, 1), 0x11);
	assert_int_equal(mmio_read(ECAM(1, 0x50), 4), 0xabcd1234);
	assert_int_equal(window_calls, 4);
	/* not its beginning: plain configuration space */
	assert_int_equal(config_read(1, 0x52, 2), 0);
	assert_int_equal(window_calls, 4);
}

static void capabilities_are_a_list(void **state)
{
	struct pci_device *card = &cards[0];

	(void)state;
	assert_int_equal(pci_add_capability(card, 9, 7), 0x40);
	assert_int_equal(pci_add_capability(card, 5, 14), 0x48);
	assert_int_equal(pci_add_capability(card, 9, 0x5c), 0x58);
	assert_int_equal(pci_add_capability(card, 9, 0x4c), 0);
	assert_int_equal(pci_add_capability(card, 9, 0x48), 0xb4);
	assert_int_equal(pci_add_capability(card, 9, 4), 0);
	assert_int_equal(pci_attach(&fake_vm, card), 0);
	assert_int_equal(config_read(1, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(find_cap(1, 9, 0), 0x40);
	assert_int_equal(find_cap(1, 5, 0), 0x48);
	assert_int_equal(find_cap(1, 9, 1), 0x58);
	assert_int_equal(find_cap(1, 9, 2), 0xb4);
	assert_int_equal(find_cap(1, 9, 3), 0);
}

static void slots_run_out(void **state)
{
	(void)state;
	for (unsigned int i = 1; i < 31; i++)
		assert_int_equal(add_card(1)->slot, i);
	assert_int_equal(pci_attach(&fake_vm, &cards[31]), -ENOSPC);
	pci_detach(&cards[4]);
	assert_int_equal(config_read(5, 0, 4), 0xffffffff);
	assert_int_equal(pci_attach(&fake_vm, &cards[4]), 0);
	assert_int_equal(cards[4].slot, 5);
}

static void ends_with_its_devices(void **state)
{
	(void)state;
	add_card(0);
	add_card(0);
	config_write(0, 0x60, 4, 0xb0000001);
	pci_destroy(&fake_vm);
	assert_int_equal(destroyed, 2);
	assert_null(fake_vm.pci);
	assert_int_equal(fake_vm.ports.count, 0);
	assert_int_equal(fake_vm.mmio.count, 0);
}

static void refuses_a_taken_place(void **state)
{
	static const struct io_ops none;

	(void)state;
	pci_destroy(&fake_vm);
	io_add(&fake_vm.mmio, &(struct io_region){ .base = VM_ECAM_BASE + MIB,
						   .size = 1,
						   .ops = &none });
	assert_int_equal(pci_create(&fake_vm), -EEXIST);
	assert_null(fake_vm.pci);
	assert_int_equal(fake_vm.ports.count, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(shows_its_bridges),
		CASE(reads_bytes_and_words),
		CASE(nobody_reads_as_ones),
		CASE(address_port_is_four_bytes_wide),
		CASE(reset_port_is_among_them),
		CASE(ecam_is_the_same_space),
		CASE(ecam_ends_where_nothing_is),
		CASE(writes_what_may_be_written),
		CASE(ecam_follows_its_register),
		CASE(firmware_finds_its_registers),
		CASE(windows_are_without_lock),
		CASE(capabilities_are_a_list),
		CASE(slots_run_out),
		CASE(ends_with_its_devices),
		CASE(refuses_a_taken_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
