/* Messages: MSI, and MSI-X with its masks and pending bits. */
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

#define VECTORS	 40
#define ADDRESS	 0xfee01000U
#define ENABLE	 0x8000U
#define MASK_ALL 0x4000U

static struct pci_device card;
static uint64_t table;
static uint32_t cap;

static void start(int (*fill)(struct pci_device *device))
{
	fake_vm_reset(1, 0);
	frame_machine_reset(NULL);
	frame_machine_start_simple(GIB);
	heap_init();
	memset(&card, 0, sizeof(card));
	assert_int_equal(pci_create(&fake_vm), 0);
	pci_set_identity(&card, 0x1234, 0x5678, 0x020000, 0);
	pci_config_set(&card, PCI_INT_PIN, 1, 1);
	assert_int_equal(fill(&card), 0);
	assert_int_equal(pci_attach(&fake_vm, &card), 0);
}

static int fill_msix(struct pci_device *device)
{
	return pci_add_msix(device, 1, VECTORS);
}

static int setup(void **state)
{
	(void)state;
	start(fill_msix);
	table = bar_address(1, 1);
	cap = find_cap(1, PCI_CAP_MSIX, 0);
	return 0;
}

static int setup_msi(void **state)
{
	(void)state;
	start(pci_add_msi);
	cap = find_cap(1, PCI_CAP_MSI, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_detach(&card);
	pci_destroy(&fake_vm);
	return 0;
}

static void set_control(uint32_t value)
{
	config_write(1, cap + 2, 2, value);
}

static uint64_t entry(uint32_t vector)
{
	return table + vector * 16;
}

static void set_masked(uint32_t vector, bool is_masked)
{
	mmio_write(entry(vector) + 12, 4, is_masked);
}

static void set_entry(uint32_t vector, uint32_t data)
{
	mmio_write(entry(vector), 4, ADDRESS);
	mmio_write(entry(vector) + 4, 4, 1);
	mmio_write(entry(vector) + 8, 4, data);
	set_masked(vector, false);
}

static uint64_t pending(void)
{
	return mmio_read(table + 0x800, 8);
}

static void describes_itself(void **state)
{
	(void)state;
	assert_int_not_equal(cap, 0);
	assert_int_equal(config_read(1, cap + 2, 2), VECTORS - 1);
	assert_int_equal(config_read(1, cap + 4, 4), 1);
	assert_int_equal(config_read(1, cap + 8, 4), 0x801);
	config_write(1, cap + 2, 2, 0xffff);
	assert_int_equal(config_read(1, cap + 2, 2),
			 (VECTORS - 1) | ENABLE | MASK_ALL);
	for (uint32_t i = 0; i < VECTORS; i++)
		assert_int_equal(mmio_read(entry(i) + 12, 4), 1);
	assert_int_equal(pci_msix_count(&card), VECTORS);
}

static void keeps_its_table(void **state)
{
	(void)state;
	mmio_write(entry(3), 8, 0x123456789abcdeffUL);
	mmio_write(entry(3) + 8, 8, 0xffffffff00c0ffeeUL);
	assert_int_equal(mmio_read(entry(3), 8), 0x123456789abcdefcUL);
	assert_int_equal(mmio_read(entry(3) + 8, 8), 0x100c0ffeeUL);
	/* neighbours, bytes, misaligned, pending bits, beyond */
	assert_int_equal(mmio_read(entry(2), 8), 0);
	mmio_write(entry(3), 1, 0x11);
	mmio_write(entry(3) + 2, 4, 0x11);
	mmio_write(entry(3) + 4, 8, 0);
	assert_int_equal(mmio_read(entry(3), 8), 0x123456789abcdefcUL);
	mmio_write(table + 0x800, 8, UINT64_MAX);
	assert_int_equal(pending(), 0);
	mmio_write(entry(VECTORS), 8, UINT64_MAX);
	assert_int_equal(mmio_read(entry(VECTORS), 8), 0);
	assert_int_equal(mmio_read(table + 0xff8, 8), 0);
}

static void sends(void **state)
{
	(void)state;
	set_entry(2, 0x4042);
	pci_msix_signal(&card, 2);
	assert_int_equal(fake_msi_count, 0); /* not on */
	assert_int_equal(pending(), 0);
	set_control(ENABLE);
	pci_msix_signal(&card, 2);
	assert_int_equal(fake_msi_count, 1);
	assert_int_equal(fake_msi_address, 0x1fee01000UL);
	assert_int_equal(fake_msi_data, 0x4042);
	pci_msix_signal(&card, VECTORS);
	pci_msix_signal(&card, 0xffff);
	assert_int_equal(fake_msi_count, 1);
	config_write(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_msix_signal(&card, 2);
	assert_int_equal(fake_msi_count, 1);
}

static void a_masked_vector_pends(void **state)
{
	(void)state;
	set_entry(39, 7);
	set_control(ENABLE);
	set_masked(39, true);
	pci_msix_signal(&card, 39);
	pci_msix_signal(&card, 39);
	assert_int_equal(fake_msi_count, 0);
	assert_int_equal(pending(), BIT(39));
	assert_int_equal(mmio_read(table + 0x804, 4), BIT(7));
	set_masked(38, false);
	assert_int_equal(fake_msi_count, 0);
	set_masked(39, false);
	assert_int_equal(fake_msi_count, 1);
	assert_int_equal(fake_msi_data, 7);
	assert_int_equal(pending(), 0);
	set_masked(39, false);
	assert_int_equal(fake_msi_count, 1);
}

static void a_masked_function_pends(void **state)
{
	(void)state;
	set_entry(0, 1);
	set_entry(5, 2);
	set_entry(6, 3);
	set_control(ENABLE | MASK_ALL);
	set_masked(6, true);
	pci_msix_signal(&card, 0);
	pci_msix_signal(&card, 5);
	pci_msix_signal(&card, 6);
	assert_int_equal(fake_msi_count, 0);
	set_masked(0, false);
	assert_int_equal(fake_msi_count, 0);
	set_control(ENABLE);
	assert_int_equal(fake_msi_count, 2);
	assert_int_equal(pending(), BIT(6));
	set_control(0);
	assert_int_equal(pending(), 0);
	set_control(ENABLE);
	set_masked(6, false);
	assert_int_equal(fake_msi_count, 2);
}

static void set_pin(bool level)
{
	spin_lock(&fake_vm.lock);
	pci_set_intx(&card, level);
	spin_unlock(&fake_vm.lock);
}

static void replaces_the_pin(void **state)
{
	(void)state;
	set_pin(true);
	assert_int_equal(fake_irqs[0].gsi, 17);
	assert_true(fake_irqs[0].level);
	fake_irq_count = 0;
	set_control(ENABLE);
	assert_int_equal(fake_irqs[0].gsi, 17);
	assert_false(fake_irqs[0].level);
	fake_irq_count = 0;
	set_pin(false);
	set_pin(true);
	assert_int_equal(fake_irq_count, 0);
	set_control(0);
	assert_true(fake_irqs[0].level);
}

static void has_a_limit(void **state)
{
	struct pci_device other = { 0 };

	(void)state;
	assert_int_equal(pci_add_msix(&other, 0, PCI_MSIX_VECTORS_MAX + 1),
			 -ENOSPC);
	assert_int_equal(pci_add_msix(&other, 0, 0), -ENOSPC);
	assert_int_equal(pci_add_msix(&other, 0, PCI_MSIX_VECTORS_MAX), 0);
	pci_free_msix(&other);
}

static void msi_sends(void **state)
{
	(void)state;
	assert_int_not_equal(cap, 0);
	config_write(1, cap + 4, 4, 0xfee02003);
	config_write(1, cap + 8, 4, 0x5);
	config_write(1, cap + 12, 4, 0xffff4051);
	pci_msi_signal(&card);
	assert_int_equal(fake_msi_count, 0);
	set_control(0xffff);
	assert_int_equal(config_read(1, cap + 2, 2), 0x81);
	assert_true(pci_msi_is_on(&card));
	pci_msi_signal(&card);
	assert_int_equal(fake_msi_count, 1);
	assert_int_equal(fake_msi_address, 0x5fee02000UL);
	assert_int_equal(fake_msi_data, 0x4051);
}

static void msi_replaces_the_pin(void **state)
{
	(void)state;
	set_control(1);
	set_pin(true);
	assert_int_equal(fake_irq_count, 0);
	set_control(0);
	assert_int_equal(fake_irqs[0].gsi, 17);
	assert_true(fake_irqs[0].level);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CASE_MSI(test) \
	cmocka_unit_test_setup_teardown(test, setup_msi, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(describes_itself),
		CASE(keeps_its_table),
		CASE(sends),
		CASE(a_masked_vector_pends),
		CASE(a_masked_function_pends),
		CASE(replaces_the_pin),
		CASE(has_a_limit),
		CASE_MSI(msi_sends),
		CASE_MSI(msi_replaces_the_pin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
