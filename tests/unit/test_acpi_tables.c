/*
 * A guest's ACPI tables: read by the parser that reads the machine's own, by
 * number, and by iasl where it is installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "acpi_tools.h"
#include "boot/acpi.h"
#include "drivers/pc/acpi/dsdt.h"
#include "drivers/pc/acpi_format.h"
#include "drivers/pc/vacpi_pm.h"
#include "drivers/pc/vhpet.h"
#include "drivers/pc/vreset_port.h"
#include "kernel/loader.h"
#include "mm/heap.h"
#include "vm_machine.h"

#define TABLES_SIZE (VM_TABLES_END - VM_TABLES_BASE)

/* What the guest has from VM_TABLES_BASE on. */
static uint8_t tables[TABLES_SIZE];
static struct platform platform;
static struct diag diag;

static void *table_at(uint64_t gpa)
{
	assert_in_range(gpa, VM_TABLES_BASE, VM_TABLES_END - 1);
	return tables + (gpa - VM_TABLES_BASE);
}

const void *acpi_map(hpa_t base, size_t size)
{
	if (base.value < VM_TABLES_BASE ||
	    !range_fits(base.value - VM_TABLES_BASE, size, TABLES_SIZE))
		return NULL;
	return table_at(base.value);
}

static void write_for(uint32_t vcpu_count)
{
	gpa_t rsdp = { 0 };

	fake_vm_reset(1, 64 * MIB);
	fake_vm.vcpu_count = vcpu_count;
	heap_init();
	assert_int_equal(acpi_tables_write(&fake_vm, &rsdp, &diag), 0);
	assert_int_equal(rsdp.value, VM_TABLES_BASE);
	assert_int_equal(guest_read(&fake_vm.memory, rsdp, tables, TABLES_SIZE),
			 0);
}

static int setup(void **state)
{
	(void)state;
	write_for(3);
	return 0;
}

static uint8_t sum(const void *bytes, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + ((const uint8_t *)bytes)[i]);
	return total;
}

/* The table that RSDT and XSDT call @signature. */
static void *find_table(const char *signature)
{
	const struct acpi_rsdp *rsdp = table_at(VM_TABLES_BASE);
	const struct acpi_rsdt *rsdt = table_at(rsdp->rsdt);
	const struct acpi_xsdt *xsdt = table_at(rsdp->xsdt);

	for (int i = 0; i < ACPI_ROOT_ENTRIES; i++) {
		void *table = table_at(xsdt->tables[i]);

		assert_int_equal(rsdt->tables[i], xsdt->tables[i]);
		if (memcmp(table, signature, 4) == 0)
			return table;
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void has_right_checksums(void **state)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG", "HPET" };
	const struct acpi_rsdp *rsdp = table_at(VM_TABLES_BASE);
	const struct acpi_header *root;

	(void)state;
	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(rsdp->revision, 2);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	root = table_at(rsdp->rsdt);
	assert_memory_equal(root->signature, "RSDT", 4);
	assert_int_equal(sum(root, root->length), 0);
	root = table_at(rsdp->xsdt);
	assert_memory_equal(root->signature, "XSDT", 4);
	assert_int_equal(sum(root, root->length), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct acpi_header *table = find_table(names[i]);

		assert_int_equal(sum(table, table->length), 0);
		assert_true(
			is_aligned((uint64_t)((uint8_t *)table - tables), 16));
	}
}

static void parse(void)
{
	assert_int_equal(acpi_parse(tables, 36, &platform, &diag), 0);
}

/* What Basalt would believe if it were the guest. */
static void is_understood(void **state)
{
	(void)state;
	parse();
	assert_int_equal(platform.lapic_base.value, VM_LAPIC_BASE);
	assert_int_equal(platform.hpet_base.value, VM_HPET_BASE);
	assert_int_equal(platform.pm_timer_port, VACPI_PM_TIMER_PORT);
	assert_true(platform.pm_timer_is_32bit);
	assert_true(platform.has_8259);
	assert_false(platform.has_no_cmos_rtc);
	assert_int_equal(platform.cpu_count, 3);
	assert_int_equal(platform.ioapic_count, 1);
	assert_int_equal(platform.ioapics[0].base.value, VM_IOAPIC_BASE);
	assert_int_equal(platform.ioapics[0].gsi_base, 0);
	assert_int_equal(platform.override_count, 2);
	assert_int_equal(platform.overrides[0].irq, 0);
	assert_int_equal(platform.overrides[0].gsi, 2);
	assert_int_equal(platform.overrides[0].flags, 0);
	assert_int_equal(platform.overrides[1].irq, 9);
	assert_int_equal(platform.overrides[1].gsi, VM_SCI_GSI);
	assert_int_equal(platform.overrides[1].flags, 0xd);
	assert_int_equal(platform.pci_segment_count, 1);
	assert_int_equal(platform.pci_segments[0].base.value, VM_ECAM_BASE);
	assert_int_equal(platform.pci_segments[0].bus_start, 0);
	assert_int_equal(platform.pci_segments[0].bus_end, 0);
}

static void lists_all_vcpus(void **state)
{
	static const uint32_t counts[] = { 1, 2, 16, 254, VM_VCPUS_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		write_for(counts[i]);
		parse();
		assert_int_equal(platform.cpu_count, counts[i]);
		for (uint32_t k = 0; k < counts[i]; k++)
			assert_int_equal(platform.cpus[k].apic_id, k);
	}
}

static void keeps_off_smbios(void **state)
{
	(void)state;
	write_for(VM_VCPUS_MAX);
	for (uint64_t i = VM_SMBIOS_BASE; i < VM_TABLES_END; i++)
		assert_int_equal(*(uint8_t *)table_at(i), 0);
}

static void describes_fixed_hardware(void **state)
{
	const struct acpi_fadt *fadt = find_table("FACP");
	const struct acpi_facs *facs = table_at(fadt->facs);

	(void)state;
	assert_int_equal(fadt->header.revision, 6);
	assert_int_equal(fadt->sci, VM_SCI_GSI);
	assert_int_equal(fadt->smi_command, 0);
	assert_int_equal(fadt->pm1a_event, 0x600);
	assert_int_equal(fadt->x_pm1a_event.address, 0x600);
	assert_int_equal(fadt->pm1_event_size, 4);
	assert_int_equal(fadt->pm1a_control, 0x604);
	assert_int_equal(fadt->x_pm1a_control.address, 0x604);
	assert_int_equal(fadt->pm1_control_size, 2);
	assert_int_equal(fadt->pm_timer, 0x608);
	assert_int_equal(fadt->x_pm_timer.address, 0x608);
	assert_int_equal(fadt->x_pm_timer.bit_width, 32);
	assert_int_equal(fadt->pm_timer_size, 4);
	assert_int_equal(fadt->gpe0, 0x620);
	assert_int_equal(fadt->x_gpe0.address, 0x620);
	assert_int_equal(fadt->gpe0_size, 16);
	assert_int_equal(fadt->x_gpe0.bit_width, 128);
	assert_int_equal(fadt->reset.space, 1);
	assert_int_equal(fadt->reset.bit_width, 8);
	assert_int_equal(fadt->reset.address, VRESET_PORT);
	assert_int_equal(fadt->reset_value, 0x0f);
	/* WBINVD, PROC_C1, SLP_BUTTON, FIX_RTC, TMR_VAL_EXT, RESET_REG_SUP;
	 * PWR_BUTTON clear: there is one */
	assert_int_equal(fadt->flags, 0x565);
	assert_int_equal(fadt->boot_flags, 7);
	assert_int_equal(fadt->century, 0x32);
	assert_int_equal(fadt->dsdt, fadt->x_dsdt);
	assert_memory_equal(facs->signature, "FACS", 4);
	assert_int_equal(facs->length, 64);
	assert_true(is_aligned(fadt->facs, 64));
}

static void has_other_tables(void **state)
{
	const struct acpi_madt *madt = find_table("APIC");
	const struct acpi_hpet *hpet = find_table("HPET");
	static const uint8_t nmi[] = { 4, 6, 0xff, 0, 0, 1 };

	(void)state;
	assert_int_equal(madt->flags, 1);
	assert_memory_equal(&madt->nmi, nmi, sizeof(nmi));
	assert_int_equal(madt->header.length, 82 + 3 * 8);
	assert_int_equal(hpet->block_id, 0x8086a201);
	assert_int_equal(hpet->block_id, VHPET_ID);
	assert_int_equal(hpet->address.address, VM_HPET_BASE);
	assert_int_equal(hpet->address.space, 0);
}

static void fails_without_ram(void **state)
{
	gpa_t rsdp;

	(void)state;
	fake_vm_reset(1, 512 * KIB);
	heap_init();
	assert_int_equal(acpi_tables_write(&fake_vm, &rsdp, &diag), -14);
	assert_non_null(strstr(diag.text, "error 14 writing ACPI tables"));
}

static void disassembles(void **state)
{
	static const char *const names[] = { "FACP", "APIC", "MCFG", "HPET" };

	(void)state;
	if (run("iasl -v >/dev/null 2>&1"))
		skip();
	write_for(3);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct acpi_header *table = find_table(names[i]);

		folder_write(names[i], table, table->length);
		folder_disassemble(names[i]);
	}
}

static void has_dsdt(void **state)
{
	const struct acpi_fadt *fadt = find_table("FACP");

	(void)state;
	assert_memory_equal(table_at(fadt->x_dsdt), acpi_dsdt, acpi_dsdt_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(has_right_checksums, setup),
		cmocka_unit_test_setup(is_understood, setup),
		cmocka_unit_test(lists_all_vcpus),
		cmocka_unit_test(keeps_off_smbios),
		cmocka_unit_test_setup(describes_fixed_hardware, setup),
		cmocka_unit_test_setup(has_other_tables, setup),
		cmocka_unit_test(fails_without_ram),
		cmocka_unit_test_setup(has_dsdt, setup),
		cmocka_unit_test_setup_teardown(disassembles, folder_setup,
						folder_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
