/* SRAT: nodes numbered, ranges sorted and disjoint, CPUs placed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "acpi_image.h"

#define ENABLED	      1
#define HOT_PLUGGABLE 2

static void srat_begin(uint8_t revision)
{
	image_begin("SRAT", revision);
	put32(1);
	put64(0);
}

static void srat_lapic(unsigned int id, uint32_t domain, uint32_t flags)
{
	put8(0);
	put8(16);
	put8(domain & 0xff);
	put8(id);
	put32(flags);
	put8(0);
	put8(domain >> 8 & 0xff);
	put16(domain >> 16);
	put32(0);
}

static void srat_memory(uint64_t base, uint64_t size, uint32_t domain,
			uint32_t flags)
{
	put8(1);
	put8(40);
	put32(domain);
	put16(0);
	put64(base);
	put64(size);
	put32(0);
	put32(flags);
	put64(0);
}

static void srat_x2apic(uint32_t id, uint32_t domain, uint32_t flags)
{
	put8(2);
	put8(24);
	put16(0);
	put32(domain);
	put32(id);
	put32(flags);
	put64(0);
}

static void begin_srat(uint8_t revision)
{
	machine_begin(4);
	srat_begin(revision);
}

static void assert_range(uint32_t index, uint64_t base, uint64_t size,
			 uint32_t node)
{
	assert_true(index < platform.node_range_count);
	assert_int_equal(platform.node_ranges[index].base, base);
	assert_int_equal(platform.node_ranges[index].size, size);
	assert_int_equal(platform.node_ranges[index].node, node);
}

static void numbers_nodes_by_memory(void **state)
{
	(void)state;
	begin_srat(3);
	srat_lapic(0, 0x12345678, ENABLED);
	srat_lapic(1, 3, ENABLED);
	srat_memory(8 * GIB, GIB, 70000, ENABLED);
	srat_memory(4 * GIB, 4 * GIB, 3, ENABLED | HOT_PLUGGABLE);
	srat_memory(0, GIB, 70000, ENABLED);
	srat_x2apic(2, 70000, ENABLED);
	put8(3); /* GICC: not read */
	put8(2);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.node_count, 3);
	assert_int_equal(platform.node_proximity[0], 70000);
	assert_int_equal(platform.node_proximity[1], 3);
	assert_int_equal(platform.node_proximity[2], 0x12345678);
	assert_int_equal(platform.node_range_count, 3);
	assert_range(0, 0, GIB, 0);
	assert_range(1, 4 * GIB, 4 * GIB, 1);
	assert_range(2, 8 * GIB, GIB, 0);
	assert_int_equal(platform.cpus[0].node, 2);
	assert_int_equal(platform.cpus[1].node, 1);
	assert_int_equal(platform.cpus[2].node, 0);
	assert_int_equal(platform.cpus[3].node, 0); /* not named */
}

static void skips_what_is_not_there(void **state)
{
	(void)state;
	begin_srat(3);
	srat_memory(0, GIB, 9, 0);
	srat_memory(0, 0, 8, ENABLED);
	srat_lapic(0, 7, 0);
	srat_lapic(0xff, 6, ENABLED);
	srat_lapic(17, 5, ENABLED);
	srat_x2apic(1, 4, 0);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.node_count, 1);
	assert_int_equal(platform.node_range_count, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(platform.cpus[i].node, 0);
}

/* 0xff in eight bits is nobody; in 32 it is a CPU. */
static void does_not_take_nobody_for_cpu_255(void **state)
{
	(void)state;
	image_reset(NULL);
	madt_begin();
	madt_x2apic(1, 0xff, 1);
	image_end();
	srat_begin(3);
	srat_memory(0, GIB, 3, ENABLED);
	srat_lapic(0xff, 6, ENABLED);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.node_count, 1);
	assert_int_equal(platform.cpus[0].node, 0);
}

static void reads_byte_domains_of_revision_1(void **state)
{
	(void)state;
	begin_srat(1);
	srat_memory(0, GIB, 0xabcdef01, ENABLED);
	srat_lapic(0, 0xffffff01, ENABLED);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.node_count, 1);
	assert_int_equal(platform.node_proximity[0], 1);
}

static void unites_ranges_of_one_node(void **state)
{
	(void)state;
	begin_srat(3);
	srat_memory(3 * GIB, GIB, 1, ENABLED);
	srat_memory(0, 2 * GIB, 1, ENABLED);
	srat_memory(GIB, 2 * GIB, 1, ENABLED);
	srat_memory(GIB, MIB, 1, ENABLED);
	srat_memory(4 * GIB, GIB, 2, ENABLED);
	machine_seal();
	assert_taken();
	assert_int_equal(platform.node_range_count, 3);
	assert_range(0, 0, 3 * GIB, 0);
	assert_range(1, 3 * GIB, GIB, 0);
	assert_range(2, 4 * GIB, GIB, 1);
}

static void refuses_memory_in_two_nodes(void **state)
{
	(void)state;
	begin_srat(3);
	srat_memory(GIB, GIB, 5, ENABLED);
	srat_memory(0, GIB + 1, 6, ENABLED);
	machine_seal();
	assert_refused("memory at 0x40000000 is in domains 6 and 5");
	begin_srat(3); /* hidden under a range that goes further */
	srat_memory(0, 4 * GIB, 5, ENABLED);
	srat_memory(GIB, MIB, 5, ENABLED);
	srat_memory(3 * GIB, MIB, 6, ENABLED);
	machine_seal();
	assert_refused("memory at 0xc0000000 is in domains 5 and 6");
}

static void refuses_memory_past_the_limit(void **state)
{
	(void)state;
	begin_srat(3);
	srat_memory(BIT(52) - MIB, MIB, 0, ENABLED);
	machine_seal();
	assert_taken();
	begin_srat(3);
	srat_memory(BIT(52) - MIB, MIB + 1, 0, ENABLED);
	machine_seal();
	assert_refused("entry at 48: 0x100001 bytes of memory at "
		       "0xffffffff00000");
	begin_srat(3);
	srat_memory(MIB, ~0UL, 0, ENABLED);
	machine_seal();
	assert_refused("entry at 48: ");
}

static void refuses_a_cpu_in_two_domains(void **state)
{
	(void)state;
	begin_srat(3);
	srat_lapic(1, 4, ENABLED);
	srat_x2apic(1, 4, ENABLED);
	machine_seal();
	assert_taken();
	begin_srat(3);
	srat_lapic(1, 4, ENABLED);
	srat_x2apic(1, 5, ENABLED);
	machine_seal();
	assert_refused("entry at 64: APIC id 1 is in two domains");
	begin_srat(3);
	srat_x2apic(1, 5, ENABLED);
	srat_lapic(1, 4, ENABLED);
	srat_x2apic(0, 4, ENABLED); /* does not hide the error before it */
	machine_seal();
	assert_refused("entry at 72: APIC id 1 is in two domains");
}

static void has_room_for_64_nodes(void **state)
{
	(void)state;
	begin_srat(3);
	for (uint32_t i = 0; i < NODES_MAX + 3; i++)
		srat_memory(i * GIB, GIB, i, ENABLED);
	srat_lapic(1, NODES_MAX - 1, ENABLED);
	machine_seal();
	assert_warned("ACPI SRAT at 0x7fe0004d: 3 memory ranges left out, "
		      "there are too many");
	assert_int_equal(platform.node_count, NODES_MAX);
	assert_int_equal(platform.node_range_count, NODES_MAX);
	assert_int_equal(platform.cpus[1].node, NODES_MAX - 1);
	begin_srat(3);
	for (uint32_t i = 0; i < NODES_MAX; i++)
		srat_memory(i * GIB, GIB, i, ENABLED);
	srat_lapic(1, 1000, ENABLED);
	srat_x2apic(2, 1001, ENABLED);
	machine_seal();
	assert_warned("2 CPUs put in node 0, there are too many domains");
	assert_int_equal(platform.node_count, NODES_MAX);
	assert_int_equal(platform.cpus[1].node, 0);
}

static void has_room_for_128_ranges(void **state)
{
	(void)state;
	begin_srat(3);
	for (uint32_t i = 0; i < PLATFORM_NODE_RANGES_MAX + 2; i++)
		srat_memory((1000 - i) * GIB, MIB, i & 1, ENABLED);
	machine_seal();
	assert_warned("2 memory ranges left out, there are too many");
	assert_int_equal(platform.node_range_count, PLATFORM_NODE_RANGES_MAX);
	assert_range(0, (1001 - PLATFORM_NODE_RANGES_MAX) * GIB, MIB, 1);
	assert_range(PLATFORM_NODE_RANGES_MAX - 1, 1000 * GIB, MIB, 0);
}

static void refuses_bad_entries(void **state)
{
	static const struct {
		uint8_t type, length;
		const char *why;
	} rows[] = {
		{ 5, 0, "entry at 48: length 0, expected at least 2" },
		{ 0, 15, "entry at 48: length 15, expected at least 16" },
		{ 1, 39, "entry at 48: length 39, expected at least 40" },
		{ 2, 23, "entry at 48: length 23, expected at least 24" },
		{ 1, 51,
		  "entry at 48: length 51 passes the table's end at 98" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin_srat(3);
		put8(rows[i].type);
		put8(rows[i].length);
		put_zeros(48);
		machine_seal();
		assert_refused(rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_nodes_by_memory),
		cmocka_unit_test(skips_what_is_not_there),
		cmocka_unit_test(does_not_take_nobody_for_cpu_255),
		cmocka_unit_test(reads_byte_domains_of_revision_1),
		cmocka_unit_test(unites_ranges_of_one_node),
		cmocka_unit_test(refuses_memory_in_two_nodes),
		cmocka_unit_test(refuses_memory_past_the_limit),
		cmocka_unit_test(refuses_a_cpu_in_two_domains),
		cmocka_unit_test(has_room_for_64_nodes),
		cmocka_unit_test(has_room_for_128_ranges),
		cmocka_unit_test(refuses_bad_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
