/* The DSDT: addresses in it by their bytes, the rest by ACPICA's tools where they
 * are installed. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "acpi_tools.h"
#include "drivers/pc/acpi/dsdt.h"
#include "drivers/pc/vhpet.h"
#include "drivers/pc/vpvpanic.h"
#include "kernel/vm.h"

static void is_a_table(void **state)
{
	uint32_t length;
	uint8_t sum = 0;

	(void)state;
	assert_memory_equal(acpi_dsdt, "DSDT", 4);
	memcpy(&length, acpi_dsdt + 4, 4);
	assert_int_equal(length, acpi_dsdt_size);
	for (uint32_t i = 0; i < acpi_dsdt_size; i++)
		sum = (uint8_t)(sum + acpi_dsdt[i]);
	assert_int_equal(sum, 0);
}

/* The DSDT has these bytes, of a resource descriptor. */
static void assert_dsdt_has(const void *bytes, size_t size)
{
	assert_non_null(memmem(acpi_dsdt, acpi_dsdt_size, bytes, size));
}

/* ACPI 6.4, 6.4.2.5 "I/O Port Descriptor". */
static void assert_dsdt_has_ports(uint16_t port, uint8_t size)
{
	const uint8_t descriptor[] = { 0x47,
				       1,
				       (uint8_t)port,
				       (uint8_t)(port >> 8),
				       (uint8_t)port,
				       (uint8_t)(port >> 8),
				       1,
				       size };

	assert_dsdt_has(descriptor, sizeof(descriptor));
}

/* 6.4.3.4 "32-Bit Fixed Memory Range Descriptor". */
static void assert_dsdt_has_memory(uint64_t base, uint64_t size)
{
	uint8_t descriptor[] = { 0x86, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0 };

	memcpy(descriptor + 4, &base, 4);
	memcpy(descriptor + 8, &size, 4);
	assert_dsdt_has(descriptor, sizeof(descriptor));
}

static void has_addresses_of_devices(void **state)
{
	const uint32_t window[] = { 0, VM_PCI_BASE,
				    VM_PCI_BASE + VM_PCI_SIZE - 1, 0,
				    VM_PCI_SIZE };
	const uint16_t low_ports[] = { 0, 0, 0xcf7, 0, 0xcf8 };
	const uint16_t high_ports[] = { 0, 0xd00, 0xffff, 0, 0xf300 };
	const uint16_t buses[] = { 0, 0, 0, 0, 1 };

	(void)state;
	assert_dsdt_has(window, sizeof(window));
	assert_dsdt_has(low_ports, sizeof(low_ports));
	assert_dsdt_has(high_ports, sizeof(high_ports));
	assert_dsdt_has(buses, sizeof(buses));
	assert_dsdt_has_memory(VM_ECAM_BASE, VM_ECAM_SIZE);
	assert_dsdt_has_memory(VM_HPET_BASE, VHPET_SIZE);
	assert_dsdt_has_ports(0xcf8, 8);
	assert_dsdt_has_ports(0x3f8, 8);
	assert_dsdt_has_ports(0x70, 2);
	assert_dsdt_has_ports(VPVPANIC_PORT, 1);
}

static void disassembles(void **state)
{
	(void)state;
	if (run("iasl -v >/dev/null 2>&1"))
		skip();
	folder_write("dsdt", acpi_dsdt, acpi_dsdt_size);
	folder_disassemble("dsdt");
	/* and compiles again */
	assert_int_equal(run("iasl -we -vs -p %s/again %s/dsdt.dsl "
			     ">/dev/null 2>&1",
			     folder, folder),
			 0);
}

/* The integers that evaluating _PRT prints, four an entry. */
static void routes_interrupts(void **state)
{
	unsigned long value;
	uint32_t count = 0;
	char command[128];
	FILE *output;

	(void)state;
	if (run("acpiexec -v >/dev/null 2>&1"))
		skip();
	folder_write("dsdt", acpi_dsdt, acpi_dsdt_size);
	snprintf(command, sizeof(command),
		 "acpiexec -b 'execute \\_SB.PCI0._PRT' %s/dsdt.aml 2>&1 |"
		 " sed -n 's/.*.Integer. = //p'",
		 folder);
	output = popen(command, "r");
	assert_non_null(output);
	for (; fscanf(output, "%lx", &value) == 1; count++) {
		uint32_t slot = count / 16, pin = count / 4 % 4;
		const unsigned long expected[] = { slot << 16 | 0xffff, pin, 0,
						   16 + ((slot + pin) & 7) };

		assert_int_equal(value, expected[count % 4]);
	}
	assert_int_equal(count, 32 * 4 * 4);
	assert_int_equal(pclose(output), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_table),
		cmocka_unit_test(has_addresses_of_devices),
		cmocka_unit_test_setup_teardown(disassembles, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(routes_interrupts, folder_setup,
						folder_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
