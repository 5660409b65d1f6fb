/* The local APIC: modes, registers, priorities, EOI, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lapic_fixture.h"

static int setup(void **state)
{
	(void)state;
	start(2);
	return 0;
}

static void resets_to_what_the_manual_says(void **state)
{
	(void)state;
	assert_int_equal(vcpus[0].msr.apic_base, BASE_XAPIC | APIC_BASE_IS_BSP);
	assert_int_equal(vcpus[1].msr.apic_base, BASE_XAPIC);
	assert_int_equal(peek(1, 0x20), 1U << 24);
	assert_int_equal(peek(1, 0x30), 0x01050014);
	assert_int_equal(peek(1, 0xd0), 0);
	assert_int_equal(peek(1, 0xe0), 0xffffffff);
	assert_int_equal(peek(1, 0xf0), 0xff);
	for (uint32_t offset = 0x320; offset <= 0x370; offset += 16)
		assert_int_equal(peek(1, offset), 0x10000);
	/* the firmware's: the 8259s reach vCPU 0 */
	assert_int_equal(peek(0, 0x350), 0x700);
	assert_true(lapic_takes_extint(lapic_of(0)));
	assert_false(lapic_takes_extint(lapic_of(1)));
	assert_int_equal(lapic_next_vector(lapic_of(1)), LAPIC_NONE);
}

static void init_keeps_id_and_base(void **state)
{
	(void)state;
	enable_x2apic(1);
	vcpus[1].tpr = 0x50;
	lapic_accept(lapic_of(1), 0x61, true);
	assert_int_equal(inject(1), 0x61);
	lapic_accept(lapic_of(1), 0x81, false);
	lapic_reset(lapic_of(1), true);
	assert_int_equal(vcpus[1].msr.apic_base, BASE_X2APIC);
	assert_int_equal(read_msr(1, 0x20), 1);
	assert_int_equal(read_msr(1, 0xf0), 0xff);
	assert_int_equal(read_msr(1, 0x80), 0);
	assert_int_equal(read_msr(1, 0xa0), 0);
	for (uint32_t offset = 0x100; offset < 0x280; offset += 16)
		assert_int_equal(read_msr(1, offset), 0);
	lapic_reset(lapic_of(1), false);
	assert_int_equal(vcpus[1].msr.apic_base, BASE_XAPIC);
}

/* Every pair of modes, each reached from reset. */
static void modes_change_as_the_figure_says(void **state)
{
	static const uint64_t modes[] = { 0, APIC_BASE_X2APIC, APIC_BASE_ENABLE,
					  APIC_BASE_ENABLE | APIC_BASE_X2APIC };
	static const bool allowed[4][4] = {
		{ true, false, true, false },
		{ false },
		{ true, false, true, true },
		{ true, false, false, true },
	};
	struct lapic *lapic = lapic_of(1);

	(void)state;
	for (unsigned int from = 0; from < 4; from++) {
		for (unsigned int to = 0; from != 1 && to < 4; to++) {
			lapic_reset(lapic, false);
			assert_true(lapic_write_base(
				lapic, VM_LAPIC_BASE | modes[from]));
			assert_int_equal(lapic_write_base(lapic,
							  VM_LAPIC_BASE |
								  modes[to]),
					 allowed[from][to]);
			assert_int_equal(
				vcpus[1].msr.apic_base,
				VM_LAPIC_BASE |
					modes[allowed[from][to] ? to : from]);
		}
	}
	lapic_reset(lapic, false);
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool is_reserved = bit < 8 || bit == 9 || bit >= 52;

		if (is_reserved)
			assert_false(lapic_write_base(
				lapic,
				VM_LAPIC_BASE | APIC_BASE_ENABLE | BIT(bit)));
	}
}

static void answers_only_where_it_is(void **state)
{
	struct lapic *lapic = lapic_of(1);
	uint64_t value;

	(void)state;
	assert_true(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE }));
	assert_true(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE + 0xfff }));
	assert_false(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE + 0x1000 }));
	assert_false(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE - 1 }));
	assert_false(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE | BIT(40) }));
	assert_false(lapic_msr_read(lapic, 0x803, &value));
	assert_false(lapic_msr_write(lapic, 0x80b, 0));
	assert_true(lapic_write_base(lapic, 0x12345000 | APIC_BASE_ENABLE));
	assert_true(lapic_is_at(lapic, (gpa_t){ 0x12345020 }));
	assert_false(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE }));
	assert_true(lapic_write_base(lapic, BASE_X2APIC));
	assert_false(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE }));
	assert_true(lapic_msr_read(lapic, 0x803, &value));
	assert_true(lapic_write_base(lapic, VM_LAPIC_BASE));
	assert_false(lapic_is_at(lapic, (gpa_t){ VM_LAPIC_BASE }));
	assert_false(lapic_msr_read(lapic, 0x803, &value));
}

static void is_forgetful_and_deaf_when_off(void **state)
{
	struct lapic *lapic = lapic_of(1);
	struct apic_message nmi = { .destination = 1, .delivery = APIC_NMI };

	(void)state;
	enable_xapic(1);
	lapic_accept(lapic, 0x61, false);
	poke(1, 0xd0, 0x11000000);
	assert_true(lapic_write_base(lapic, VM_LAPIC_BASE));
	assert_true(lapic_takes_extint(lapic));
	lapic_accept(lapic, 0x62, false);
	assert_false(lapic_deliver(&fake_vm, &nmi));
	take_requests(1);
	lapic_signal_nmi_line(lapic);
	assert_int_equal(take_requests(1), REQUEST_NMI);
	assert_true(lapic_write_base(lapic, BASE_XAPIC));
	assert_int_equal(lapic_next_vector(lapic), LAPIC_NONE);
	assert_int_equal(peek(1, 0xd0), 0);
	assert_int_equal(peek(1, 0xf0), 0xff);
}

static void software_disabled_it_masks_its_pins(void **state)
{
	(void)state;
	enable_xapic(1);
	poke(1, 0x360, 0x400);
	lapic_accept(lapic_of(1), 0x61, false);
	poke(1, 0xf0, 0xff);
	assert_int_equal(peek(1, 0x360), 0x10400);
	poke(1, 0x360, 0x400);
	assert_int_equal(peek(1, 0x360), 0x10400);
	take_requests(1);
	lapic_signal_nmi_line(lapic_of(1));
	lapic_accept(lapic_of(1), 0x71, false);
	assert_int_equal(take_requests(1), 0);
	/* what it had before is still there */
	assert_int_equal(inject(1), 0x61);
	poke(1, 0xf0, 0x1ff);
	assert_int_equal(peek(1, 0x360), 0x10400);
	poke(1, 0x360, 0x400);
	lapic_signal_nmi_line(lapic_of(1));
	assert_int_equal(take_requests(1), REQUEST_NMI);
}

static void reads_parts_of_registers_only_where_they_are(void **state)
{
	struct lapic *lapic = lapic_of(1);

	(void)state;
	assert_int_equal(lapic_mmio_read(lapic, 0x30, 1), 0x14);
	assert_int_equal(lapic_mmio_read(lapic, 0x32, 1), 0x05);
	assert_int_equal(lapic_mmio_read(lapic, 0x32, 2), 0x0105);
	assert_int_equal(lapic_mmio_read(lapic, 0x30, 8), 0x01050014);
	assert_int_equal(lapic_mmio_read(lapic, 0x34, 4), 0);
	assert_int_equal(lapic_mmio_read(lapic, 0x3e, 4), 0);
	lapic_mmio_write(lapic, 0x80, 1, 0x20);
	lapic_mmio_write(lapic, 0x84, 4, 0x20);
	lapic_mmio_write(lapic, 0x80, 8, 0x20);
	assert_int_equal(vcpus[1].tpr, 0);
	lapic_mmio_write(lapic, 0x80, 4, 0xffffff20);
	assert_int_equal(vcpus[1].tpr, 0x20);
	/* read-only ones stay */
	poke(1, 0x20, 0x55000000);
	poke(1, 0x30, 0);
	poke(1, 0xa0, 0);
	assert_int_equal(peek(1, 0x20), 1U << 24);
	assert_int_equal(peek(1, 0x30), 0x01050014);
	assert_int_equal(peek(1, 0xa0), 0x20);
}

static void writes_set_what_is_not_reserved(void **state)
{
	static const struct {
		uint32_t offset, mask;
	} rows[] = {
		{ 0xd0, 0xff000000 },  { 0x310, 0xff000000 },
		{ 0x320, 0x000700ff }, { 0x330, 0x000107ff },
		{ 0x340, 0x000107ff }, { 0x350, 0x0001a7ff },
		{ 0x360, 0x0001a7ff }, { 0x370, 0x000100ff },
		{ 0x3e0, 0x0000000b }, { 0xf0, 0x000013ff },
	};

	(void)state;
	enable_xapic(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		poke(1, rows[i].offset, 0xffffffff);
		assert_int_equal(peek(1, rows[i].offset), rows[i].mask);
	}
	poke(1, 0xe0, 0);
	assert_int_equal(peek(1, 0xe0), 0x0fffffff);
}

/* Which MSRs can be read and written: SDM 3A 11.12.1.2. */
static void msrs_are_those_of_the_table(void **state)
{
	static const char *const semantics[0x40] = {
		[0x02] = "r",  [0x03] = "r",  [0x08] = "rw", [0x0a] = "r",
		[0x0b] = "w",  [0x0d] = "r",  [0x0f] = "rw", [0x28] = "rw",
		[0x30] = "rw", [0x32] = "rw", [0x33] = "rw", [0x34] = "rw",
		[0x35] = "rw", [0x36] = "rw", [0x37] = "rw", [0x38] = "rw",
		[0x39] = "r",  [0x3e] = "rw", [0x3f] = "w",
	};
	uint64_t value;

	(void)state;
	enable_x2apic(1);
	for (uint32_t msr = 0x800; msr < 0x900; msr++) {
		const char *row = msr < 0x840 ? semantics[msr - 0x800] : NULL;

		if (msr >= 0x810 && msr < 0x828)
			row = "r";
		if (!row)
			row = "";
		assert_int_equal(lapic_msr_read(lapic_of(1), msr, &value),
				 !!strchr(row, 'r'));
		assert_int_equal(lapic_msr_write(lapic_of(1), msr, 0),
				 !!strchr(row, 'w'));
	}
	assert_false(lapic_msr_read(lapic_of(1), 0x7ff, &value));
}

static void msrs_refuse_reserved_bits(void **state)
{
	static const struct {
		uint32_t offset;
		uint64_t allowed;
	} rows[] = {
		{ 0x80, 0xff },
		{ 0xb0, 0 },
		{ 0xf0, 0x13ff },
		{ 0x280, 0 },
		{ 0x300, 0xffffffff000cdfff },
		{ 0x320, 0x000750ff },
		{ 0x330, 0x000157ff },
		{ 0x340, 0x000157ff },
		{ 0x350, 0x0001f7ff },
		{ 0x360, 0x0001f7ff },
		{ 0x370, 0x000150ff },
		{ 0x380, 0xffffffff },
		{ 0x3e0, 0xb },
		{ 0x3f0, 0xff },
	};

	(void)state;
	enable_x2apic(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned int bit = 0; bit < 64; bit++)
			assert_int_equal(write_msr(1, rows[i].offset, BIT(bit)),
					 !!(rows[i].allowed & BIT(bit)));
	}
}

static void higher_classes_go_first(void **state)
{
	(void)state;
	enable_xapic(1);
	lapic_accept(lapic_of(1), 0x31, false);
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	lapic_accept(lapic_of(1), 0xff, false);
	lapic_accept(lapic_of(1), 0x3f, false);
	lapic_accept(lapic_of(1), 0x40, false);
	assert_int_equal(peek(1, 0x200 + 0x10), 0x80020000);
	assert_int_equal(peek(1, 0x200 + 0x20), 1);
	assert_int_equal(peek(1, 0x200 + 0x70), 0x80000000);
	assert_int_equal(inject(1), 0xff);
	assert_int_equal(inject(1), LAPIC_MASKED);
	assert_int_equal(peek(1, 0xa0), 0xf0);
	assert_int_equal(peek(1, 0x100 + 0x70), 0x80000000);
	take_requests(1);
	poke(1, 0xb0, 0);
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	assert_int_equal(inject(1), 0x40);
	/* above in number, but not in class */
	lapic_accept(lapic_of(1), 0x4f, false);
	assert_int_equal(inject(1), LAPIC_MASKED);
	/* a higher class nests */
	lapic_accept(lapic_of(1), 0x50, false);
	assert_int_equal(inject(1), 0x50);
	poke(1, 0xb0, 0);
	assert_int_equal(peek(1, 0xa0), 0x40);
	assert_int_equal(inject(1), LAPIC_MASKED);
	poke(1, 0xb0, 0);
	assert_int_equal(inject(1), 0x4f);
	poke(1, 0xb0, 0);
	assert_int_equal(inject(1), 0x3f);
	poke(1, 0xb0, 0);
	assert_int_equal(inject(1), 0x31);
	poke(1, 0xb0, 0);
	take_requests(1);
	poke(1, 0xb0, 0);
	assert_int_equal(inject(1), LAPIC_NONE);
	assert_int_equal(take_requests(1), 0);
}

static void task_priority_holds_back(void **state)
{
	(void)state;
	enable_x2apic(1);
	lapic_accept(lapic_of(1), 0x5f, false);
	vcpus[1].tpr = 0x50;
	assert_int_equal(inject(1), LAPIC_MASKED);
	assert_int_equal(read_msr(1, 0x80), 0x50);
	assert_int_equal(read_msr(1, 0xa0), 0x50);
	take_requests(1);
	assert_true(write_msr(1, 0x80, 0x4f));
	assert_int_equal(vcpus[1].tpr, 0x4f);
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	assert_int_equal(read_msr(1, 0xa0), 0x4f);
	assert_int_equal(inject(1), 0x5f);
	assert_int_equal(read_msr(1, 0xa0), 0x50);
}

static void errors_show_after_a_write_and_interrupt_once(void **state)
{
	(void)state;
	enable_xapic(1);
	poke(1, 0x370, 0xe1);
	peek(1, 0x2f0);
	poke(1, 0x400, 0);
	assert_int_equal(peek(1, 0x280), 0);
	assert_int_equal(inject(1), 0xe1);
	poke(1, 0xb0, 0);
	lapic_accept(lapic_of(1), 15, false);
	poke(1, 0x300, 0x4000e);
	assert_int_equal(inject(1), LAPIC_NONE);
	poke(1, 0x280, 0);
	assert_int_equal(peek(1, 0x280), ESR_ILLEGAL_REGISTER |
						 ESR_RECEIVE_ILLEGAL_VECTOR |
						 ESR_SEND_ILLEGAL_VECTOR);
	poke(1, 0x280, 0);
	assert_int_equal(peek(1, 0x280), 0);
	/* armed again; an entry with an illegal vector does not go in circles */
	poke(1, 0x370, 0x0f);
	peek(1, 0xff0);
	poke(1, 0x280, 0);
	assert_int_equal(peek(1, 0x280),
			 ESR_ILLEGAL_REGISTER | ESR_RECEIVE_ILLEGAL_VECTOR);
	assert_int_equal(inject(1), LAPIC_NONE);
}

static void lint0_decides_about_the_8259(void **state)
{
	(void)state;
	enable_xapic(1);
	poke(1, 0x350, 0x700);
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	assert_true(lapic_takes_extint(lapic_of(1)));
	poke(1, 0x350, 0x10700);
	assert_false(lapic_takes_extint(lapic_of(1)));
	poke(1, 0x350, 0x0);
	assert_false(lapic_takes_extint(lapic_of(1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(resets_to_what_the_manual_says),
		TEST(init_keeps_id_and_base),
		TEST(modes_change_as_the_figure_says),
		TEST(answers_only_where_it_is),
		TEST(is_forgetful_and_deaf_when_off),
		TEST(software_disabled_it_masks_its_pins),
		TEST(reads_parts_of_registers_only_where_they_are),
		TEST(writes_set_what_is_not_reserved),
		TEST(msrs_are_those_of_the_table),
		TEST(msrs_refuse_reserved_bits),
		TEST(higher_classes_go_first),
		TEST(task_priority_holds_back),
		TEST(errors_show_after_a_write_and_interrupt_once),
		TEST(lint0_decides_about_the_8259),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
