/* Interrupt pins of PCI devices: their lines, and their way to the 8259s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame_machine.h"
#include "mm/heap.h"
#include "pci_bus.h"

static struct pci_device cards[4];

/* A device in the next slot, from 1, without anything but a pin. */
static struct pci_device *add_card(uint8_t pin)
{
	struct pci_device *card = cards;

	while (card->root)
		card++;
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
	assert_int_equal(pci_create(&fake_vm), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pci_destroy(&fake_vm);
	return 0;
}

static void set_pin(struct pci_device *card, bool level)
{
	spin_lock(&fake_vm.lock);
	pci_set_intx(card, level);
	spin_unlock(&fake_vm.lock);
}

/* The last level that was set on @gsi. */
static bool line(uint32_t gsi)
{
	bool level = false;

	for (unsigned int i = 0; i < fake_irq_count; i++) {
		if (fake_irqs[i].gsi == gsi)
			level = fake_irqs[i].level;
	}
	return level;
}

static void pins_have_lines(void **state)
{
	struct pci_device *one = add_card(1);
	struct pci_device *two = add_card(4);

	(void)state;
	/* 16 + ((slot + pin) & 7): slot 1 INTA, slot 2 INTD */
	set_pin(one, true);
	assert_true(line(17));
	set_pin(two, true);
	assert_true(line(21));
	set_pin(one, false);
	assert_false(line(17));
	assert_true(line(21));
}

static void lines_are_shared(void **state)
{
	struct pci_device *one = add_card(2); /* slot 1, INTB: PIRQ C */
	struct pci_device *two = add_card(1); /* slot 2, INTA: PIRQ C */

	(void)state;
	set_pin(one, true);
	set_pin(two, true);
	set_pin(two, true);
	assert_true(line(18));
	set_pin(one, false);
	assert_true(line(18));
	set_pin(two, false);
	assert_false(line(18));
}

static void status_shows_the_pin(void **state)
{
	struct pci_device *card = add_card(1);

	(void)state;
	set_pin(card, true);
	assert_int_equal(config_read(1, PCI_STATUS, 2), PCI_STATUS_INTERRUPT);
	config_write(1, PCI_COMMAND, 2, 0x0400);
	assert_false(line(17));
	assert_int_equal(config_read(1, PCI_STATUS, 2), PCI_STATUS_INTERRUPT);
	config_write(1, PCI_COMMAND, 2, 0);
	assert_true(line(17));
	set_pin(card, false);
	assert_int_equal(config_read(1, PCI_STATUS, 2), 0);
}

static void pirqs_reach_the_8259s(void **state)
{
	struct pci_device *card = add_card(1); /* PIRQ B */

	(void)state;
	assert_int_equal(config_read(1, PCI_INT_LINE, 1), 10);
	set_pin(card, true);
	assert_true(line(10));
	config_write(31, 0x61, 1, 5);
	assert_false(line(10));
	assert_true(line(5));
	config_write(31, 0x61, 1, 0x85);
	assert_false(line(5));
	/* IRQ 0 is nobody's */
	config_write(31, 0x61, 1, 0);
	assert_false(line(0));
	config_write(31, 0x61, 1, 11);
	assert_true(line(11));
	set_pin(card, false);
	assert_false(line(11));
}

static void a_device_takes_its_level_along(void **state)
{
	struct pci_device *one = add_card(1);
	struct pci_device *two = add_card(1);

	(void)state;
	set_pin(one, true);
	set_pin(two, true);
	pci_detach(one);
	assert_false(line(17));
	assert_true(line(18));
	assert_false(line(10));
	assert_true(line(11));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pins_have_lines),
		CASE(lines_are_shared),
		CASE(status_shows_the_pin),
		CASE(pirqs_reach_the_8259s),
		CASE(a_device_takes_its_level_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
