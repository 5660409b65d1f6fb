/* MADT: each kind of entry, right, wrong, repeated and one too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "acpi_image.h"

#define ENABLED	       1
#define ONLINE_CAPABLE 2

static void madt_ioapic(unsigned int id, uint32_t base, uint32_t gsi_base)
{
	put8(1);
	put8(12);
	put8(id);
	put8(0);
	put32(base);
	put32(gsi_base);
}

static void madt_override(unsigned int bus, unsigned int irq, uint32_t gsi,
			  unsigned int flags)
{
	put8(2);
	put8(10);
	put8(bus);
	put8(irq);
	put32(gsi);
	put16(flags);
}

static void madt_lapic_base(uint64_t base)
{
	put8(5);
	put8(12);
	put16(0);
	put64(base);
}

/* The table under construction becomes the machine's only one. */
static void seal_madt(void)
{
	image_end();
	image_seal();
}

static void reads_every_kind(void **state)
{
	(void)state;
	madt_begin();
	madt_lapic(7, 3, ENABLED);
	madt_ioapic(5, 0xfec00000, 24);
	madt_override(0, 9, 20, 0xd);
	put8(4); /* local APIC NMI: not read */
	put8(6);
	put32(0);
	madt_x2apic(0x12345678, 0x9abcdef0, ENABLED | ONLINE_CAPABLE);
	madt_lapic_base(0xfee00000000);
	put8(0x7f); /* of a later specification */
	put8(2);
	seal_madt();
	assert_taken();
	assert_int_equal(platform.cpu_count, 2);
	assert_int_equal(platform.cpus[0].apic_id, 3);
	assert_int_equal(platform.cpus[0].acpi_uid, 7);
	assert_int_equal(platform.cpus[0].node, 0);
	assert_int_equal(platform.cpus[1].apic_id, 0x9abcdef0);
	assert_int_equal(platform.cpus[1].acpi_uid, 0x12345678);
	assert_int_equal(platform.ioapic_count, 1);
	assert_int_equal(platform.ioapics[0].id, 5);
	assert_int_equal(platform.ioapics[0].base.value, 0xfec00000);
	assert_int_equal(platform.ioapics[0].gsi_base, 24);
	assert_int_equal(platform.override_count, 1);
	assert_int_equal(platform.overrides[0].irq, 9);
	assert_int_equal(platform.overrides[0].gsi, 20);
	assert_int_equal(platform.overrides[0].flags, 0xd);
	assert_int_equal(platform.lapic_base.value, 0xfee00000000);
	assert_true(platform.has_8259);
	assert_int_equal(platform.node_count, 1);
	assert_int_equal(platform.node_range_count, 0);
	assert_int_equal(platform.facp_base.value, 0);
}

static void knows_a_pc_without_8259(void **state)
{
	(void)state;
	image_begin("APIC", 4);
	put32(0xfee00000);
	put32(2);
	madt_lapic(0, 0, ENABLED);
	seal_madt();
	assert_taken();
	assert_false(platform.has_8259);
}

static void leaves_out_unusable_cpus(void **state)
{
	(void)state;
	madt_begin();
	madt_lapic(0, 0, 0);
	madt_lapic(1, 1, ONLINE_CAPABLE);
	madt_lapic(2, 0xff, ENABLED);
	madt_x2apic(3, 3, ONLINE_CAPABLE);
	madt_x2apic(4, 0xffffffff, ENABLED);
	madt_x2apic(5, 0xff, ENABLED);
	seal_madt();
	assert_taken();
	assert_int_equal(platform.cpu_count, 1);
	assert_int_equal(platform.cpus[0].apic_id, 0xff);
	assert_int_equal(platform.cpus[0].acpi_uid, 5);
}

static void takes_a_cpu_once(void **state)
{
	(void)state;
	madt_begin();
	madt_lapic(1, 1, ENABLED);
	madt_x2apic(2, 2, ENABLED);
	madt_x2apic(1, 1, ENABLED);
	madt_lapic(2, 2, ENABLED);
	seal_madt();
	assert_taken();
	assert_int_equal(platform.cpu_count, 2);
	image_reset(NULL);
	madt_begin();
	madt_lapic(1, 1, ENABLED);
	madt_x2apic(1, 1, ENABLED);
	madt_x2apic(1, 1, ENABLED);
	madt_lapic(9, 1, ENABLED);
	seal_madt();
	assert_warned("ACPI MADT at 0x7fe00001: 2 CPUs listed again, taken "
		      "once");
	assert_int_equal(platform.cpu_count, 1);
	assert_int_equal(platform.cpus[0].acpi_uid, 1);
}

static void keeps_as_many_as_there_is_room_for(void **state)
{
	(void)state;
	madt_begin();
	for (uint32_t i = 0; i < CPUS_MAX + 3; i++)
		madt_x2apic(i, i, ENABLED);
	madt_lapic(0, 5, ENABLED); /* is in already */
	seal_madt();
	assert_warned("3 CPUs left out, there are too many");
	assert_int_equal(platform.cpu_count, CPUS_MAX);
	assert_int_equal(platform.cpus[CPUS_MAX - 1].apic_id, CPUS_MAX - 1);
	image_reset(NULL);
	madt_begin();
	madt_lapic(0, 0, ENABLED);
	for (uint32_t i = 0; i < PLATFORM_IOAPICS_MAX + 2; i++)
		madt_ioapic(i, 0xfec00000 + i * 0x1000, i * 24);
	seal_madt();
	assert_warned("2 I/O APICs left out, there are too many");
	assert_int_equal(platform.ioapic_count, PLATFORM_IOAPICS_MAX);
}

static void takes_one_override_an_interrupt(void **state)
{
	(void)state;
	madt_begin();
	madt_lapic(0, 0, ENABLED);
	for (unsigned int irq = 0; irq < 16; irq++)
		madt_override(0, irq, 100 + irq, 0);
	madt_override(0, 3, 200, 0);
	seal_madt();
	assert_warned("1 interrupts overridden again, the first one holds");
	assert_int_equal(platform.override_count, 16);
	assert_int_equal(platform.overrides[3].gsi, 103);
	image_reset(NULL);
	madt_begin();
	madt_override(0, 16, 16, 0);
	seal_madt();
	assert_refused("ACPI MADT at 0x7fe00001: entry at 44: bus 0, "
		       "interrupt 16, expected bus 0 and less than 16");
	image_reset(NULL);
	madt_begin();
	madt_override(1, 0, 2, 0);
	seal_madt();
	assert_refused("entry at 44: bus 1, interrupt 0");
}

static void refuses_bad_registers(void **state)
{
	static const uint64_t bad[] = { 0, 0xfee00800, BIT(52) };

	(void)state;
	madt_begin();
	madt_lapic(0, 0, ENABLED);
	madt_ioapic(0, 0, 0);
	seal_madt();
	assert_refused("entry at 52: I/O APIC registers at 0");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		image_reset(NULL);
		madt_begin();
		madt_lapic(0, 0, ENABLED);
		madt_lapic_base(bad[i]);
		seal_madt();
		assert_refused("local APIC registers at ");
	}
}

static void refuses_a_machine_without_cpus(void **state)
{
	(void)state;
	madt_begin();
	madt_lapic(0, 0, 0);
	seal_madt();
	assert_refused("ACPI MADT at 0x7fe00001: no usable CPU");
}

static void refuses_bad_entries(void **state)
{
	static const struct {
		uint8_t type, length;
		const char *why;
	} rows[] = {
		{ 3, 0, "entry at 52: length 0, expected at least 2" },
		{ 3, 1, "entry at 52: length 1, expected at least 2" },
		{ 0, 7, "entry at 52: length 7, expected at least 8" },
		{ 1, 11, "entry at 52: length 11, expected at least 12" },
		{ 2, 9, "entry at 52: length 9, expected at least 10" },
		{ 5, 11, "entry at 52: length 11, expected at least 12" },
		{ 9, 15, "length 15, expected at least 16 for type 9" },
		{ 3, 21,
		  "entry at 52: length 21 passes the table's end at 72" },
		{ 9, 255, "entry at 52: length 255 passes the table's end" },
		{ 3, 19, "entry at 71: cut by the table's end at 72" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		image_reset(NULL);
		madt_begin();
		madt_lapic(0, 0, ENABLED);
		put8(rows[i].type);
		put8(rows[i].length);
		put_zeros(18);
		seal_madt();
		assert_refused(rows[i].why);
	}
}

static void takes_longer_entries(void **state)
{
	(void)state;
	madt_begin();
	put8(0);
	put8(10);
	put16(0x0403);
	put32(ENABLED);
	put16(0xffff);
	madt_lapic(0, 5, ENABLED);
	seal_madt();
	assert_taken();
	assert_int_equal(platform.cpu_count, 2);
	assert_int_equal(platform.cpus[0].apic_id, 4);
	assert_int_equal(platform.cpus[1].apic_id, 5);
}

static void refuses_a_short_table(void **state)
{
	(void)state;
	image_begin("APIC", 4);
	put32(0xfee00000);
	seal_madt();
	assert_refused("length 40, expected at least 44");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_every_kind, image_reset),
		cmocka_unit_test_setup(knows_a_pc_without_8259, image_reset),
		cmocka_unit_test_setup(leaves_out_unusable_cpus, image_reset),
		cmocka_unit_test_setup(takes_a_cpu_once, image_reset),
		cmocka_unit_test_setup(keeps_as_many_as_there_is_room_for,
				       image_reset),
		cmocka_unit_test_setup(takes_one_override_an_interrupt,
				       image_reset),
		cmocka_unit_test_setup(refuses_bad_registers, image_reset),
		cmocka_unit_test_setup(refuses_a_machine_without_cpus,
				       image_reset),
		cmocka_unit_test_setup(refuses_bad_entries, image_reset),
		cmocka_unit_test_setup(takes_longer_entries, image_reset),
		cmocka_unit_test_setup(refuses_a_short_table, image_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
