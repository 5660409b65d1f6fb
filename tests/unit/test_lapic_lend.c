/* The local APIC, lent to a CPU that takes vectors and EOIs by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/pc/pc.h"
#include "lapic_fixture.h"

#include "apic_cpu.h"

#define WORD 0x1234 /* of PV EOI, in the guest's memory */

static unsigned int broadcast_count;
static uint8_t broadcast_vector;

/* Weak: stands in for the PC, which nothing here needs otherwise. */
__attribute__((weak)) void pc_end_of_interrupt(struct vm *vm, uint8_t vector)
{
	(void)vm;
	broadcast_count++;
	broadcast_vector = vector;
}

/* vCPU 0 in xAPIC mode, vCPU 1 lent. */
static int setup(void **state)
{
	(void)state;
	memset(fake_vmcs, 0, sizeof(fake_vmcs));
	start(2);
	give_apic_cpu(0);
	give_apic_cpu(1);
	enable_xapic(0);
	enable_x2apic(1);
	vcpus[1].is_event_due = true;
	enter(1);
	broadcast_count = 0;
	return 0;
}

static void modes_choose(void **state)
{
	(void)state;
	assert_false(vcpus[0].apic.is_on);
	assert_true(vcpus[1].apic.is_on);
	assert_int_equal(fake_vmcs[VMCS_PROC2_CONTROLS],
			 VMCS_PROC2_EPT | VMCS_PROC2_X2APIC |
				 VMCS_PROC2_VIRTUAL_INTR);
	assert_int_equal(fake_vmcs[VMCS_MSR_BITMAP], 0x2000);
	assert_true(lapic_write_base(lapic_of(1), VM_LAPIC_BASE));
	assert_false(vcpus[1].apic.is_on);
	enter(1);
	assert_int_equal(fake_vmcs[VMCS_PROC2_CONTROLS], VMCS_PROC2_EPT);
	assert_int_equal(fake_vmcs[VMCS_MSR_BITMAP], 0x1000);
	/* the CPU cannot */
	vcpus[0].apic.page = NULL;
	enable_x2apic(0);
	assert_false(vcpus[0].apic.is_on);
	lapic_accept(lapic_of(0), 0x55, false);
	assert_int_equal(inject(0), 0x55);
}

static void vectors_come_and_go(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(vcpus[1].requests, REQUEST_EVENT);
	lapic_accept(lapic_of(1), 0xff, false);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0xff);
	assert_int_equal(cpu_deliver(1), -1);
	assert_false(cpu_end(1));
	assert_int_equal(cpu_deliver(1), 0x55);
	assert_false(cpu_end(1));
	assert_int_equal(cpu_deliver(1), -1);
	assert_false(lapic_has_vector(lapic_of(1)));
}

/* Exits that have nothing to do with vectors leave all with the CPU. */
static void what_is_lent_stays(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, false);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x55);
	read_msr(1, 0x390);
	write_msr(1, 0x380, 1000);
	lapic_accept(lapic_of(1), 0x44, false);
	enter(1);
	assert_true(lapic_of(1)->is_lent);
	assert_false(vcpus[1].apic.is_changed);
	assert_int_equal(status()[0], 0x44);
	assert_int_equal(status()[1], 0x55);
	/* nothing came: nothing is told */
	vcpus[1].is_event_due = true;
	assert_int_equal(lapic_next_vector(lapic_of(1)), LAPIC_NONE);
	assert_false(vcpus[1].apic.is_changed);
}

/* Between entries software sees what the CPU did, and it all goes back. */
static void who_looks_takes_back(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, false);
	lapic_accept(lapic_of(1), 0x51, false);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x55);
	assert_int_equal(read_msr(1, 0x100 + 16 * 2), BIT(0x15));
	assert_int_equal(read_msr(1, 0x200 + 16 * 2), BIT(0x11));
	assert_int_equal(read_msr(1, 0xa0), 0x50);
	assert_false(lapic_of(1)->is_lent);
	assert_true(vcpus[1].is_event_due);
	lapic_accept(lapic_of(1), 0x99, false);
	memset(status(), 0xee, 2);
	enter(1);
	assert_int_equal(status()[0], 0x99);
	assert_int_equal(status()[1], 0x55);
	assert_int_equal(cpu_deliver(1), 0x99);
	cpu_end(1);
	cpu_end(1);
	assert_int_equal(cpu_deliver(1), 0x51);
	cpu_end(1);
	assert_int_equal(read_msr(1, 0xa0), 0);
	assert_int_equal(lapic_of(1)->in_service, -1);
	assert_true(lapic_is_empty(lapic_of(1)->irr));
}

static void an_eoi_may_exit_all_the_same(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, true);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x55);
	assert_true(write_msr(1, 0xb0, 0));
	assert_int_equal(broadcast_count, 1);
	enter(1);
	assert_int_equal(status()[1], 0);
}

static void levels_are_told(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, true);
	lapic_accept(lapic_of(1), 0x66, false);
	enter(1);
	assert_int_equal(apic_cpus[1].page[0x180 / 4 + 2 * 4], BIT(0x15));
	assert_int_equal(cpu_deliver(1), 0x66);
	assert_false(cpu_end(1));
	assert_int_equal(cpu_deliver(1), 0x55);
	assert_true(cpu_end(1));
	lapic_eoi_done(lapic_of(1), 0x55);
	assert_int_equal(broadcast_count, 1);
	assert_int_equal(broadcast_vector, 0x55);
	/* the same vector, as an edge */
	lapic_accept(lapic_of(1), 0x55, false);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x55);
	assert_false(cpu_end(1));
	/* turned into an edge after it was lent: exits, and nobody is told */
	lapic_accept(lapic_of(1), 0x55, true);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x55);
	lapic_accept(lapic_of(1), 0x55, false);
	assert_true(cpu_end(1));
	lapic_eoi_done(lapic_of(1), 0x55);
	assert_int_equal(broadcast_count, 1);
}

static void broadcasts_can_be_suppressed(void **state)
{
	(void)state;
	assert_true(write_msr(1, 0xf0, 0x11ff));
	lapic_accept(lapic_of(1), 0x55, true);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x55);
	assert_true(cpu_end(1));
	lapic_eoi_done(lapic_of(1), 0x55);
	assert_int_equal(broadcast_count, 0);
}

/* A vector that software put into service is ended by the CPU; the PV EOI that
 * was offered with it is not good any more. */
static void service_goes_on_in_the_other_mode(void **state)
{
	uint32_t word = 0;

	(void)state;
	lapic_set_pv_eoi(lapic_of(0), (gpa_t){ WORD });
	lapic_accept(lapic_of(0), 0x55, false);
	assert_int_equal(inject(0), 0x55);
	guest_read_u32(&fake_vm.memory, (gpa_t){ WORD }, &word);
	assert_int_equal(word, 1);
	enable_x2apic(0);
	guest_read_u32(&fake_vm.memory, (gpa_t){ WORD }, &word);
	assert_int_equal(word, 0);
	lapic_accept(lapic_of(0), 0x56, false);
	enter(0);
	assert_int_equal(cpu_deliver(0), -1);
	cpu_end(0);
	assert_int_equal(cpu_deliver(0), 0x56);
	guest_read_u32(&fake_vm.memory, (gpa_t){ WORD }, &word);
	assert_int_equal(word, 0); /* nor offered */
}

static void reset_forgets(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, true);
	lapic_accept(lapic_of(1), 0x66, false);
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x66);
	lapic_reset(lapic_of(1), true); /* INIT: x2APIC mode stays */
	/* off by SVR, it takes no self-IPIs, which a CPU would */
	assert_false(vcpus[1].apic.is_on);
	assert_true(write_msr(1, 0xf0, 0x1ff));
	assert_true(vcpus[1].apic.is_on);
	enter(1);
	assert_int_equal(status()[0], 0);
	assert_int_equal(status()[1], 0);
	for (unsigned int i = 0; i < 24 * 4; i++)
		assert_int_equal(apic_cpus[1].page[0x100 / 4 + i], 0);
	assert_int_equal(fake_vmcs[VMCS_EOI_EXIT_BITMAP0 + 2], 0);
	assert_int_equal(apic_cpus[1].page[0xf0 / 4], 0x1ff);
	lapic_reset(lapic_of(1), false);
	assert_false(vcpus[1].apic.is_on);
}

/* Turned off and on again: what came between, or before, is no longer there. */
static void off_forgets(void **state)
{
	(void)state;
	lapic_accept(lapic_of(0), 0x55, false);
	assert_true(lapic_write_base(lapic_of(0), VM_LAPIC_BASE));
	lapic_of(0)->irr[1] = 1; /* by somebody who looked before */
	assert_int_equal(lapic_next_vector(lapic_of(0)), LAPIC_NONE);
	assert_true(lapic_write_base(lapic_of(0), BASE_XAPIC));
	enable_xapic(0);
	assert_int_equal(lapic_next_vector(lapic_of(0)), LAPIC_NONE);
	lapic_accept(lapic_of(0), 0x56, false);
	assert_int_equal(inject(0), 0x56);
}

static void halted_ones_wake(void **state)
{
	(void)state;
	enter(1);
	assert_false(lapic_has_vector(lapic_of(1)));
	lapic_accept(lapic_of(1), 0x55, false);
	vcpus[1].tpr = 0x50;
	assert_false(lapic_has_vector(lapic_of(1)));
	vcpus[1].tpr = 0x4f;
	assert_true(lapic_has_vector(lapic_of(1)));
	/* one that the CPU has, and could not take before HLT */
	enter(1);
	assert_true(lapic_has_vector(lapic_of(1)));
	enter(1);
	cpu_send_self(1, 0x77);
	assert_true(lapic_has_vector(lapic_of(1)));
	enter(1);
	assert_int_equal(cpu_deliver(1), 0x77);
}

/* What the guest reads without an exit is what an exit would tell it; but for what
 * the CPU itself changes. */
#define LIVE (BIT(0x08) | BIT(0x0a) | BITS(0x27, 0x10))

static void page_agrees(void)
{
	for (uint32_t reg = 0; reg < 64; reg++) {
		const uint32_t *at = &apic_cpus[1].page[reg * 4];

		if (lapic_page_registers & ~LIVE & BIT(reg))
			assert_int_equal(at[0] | (uint64_t)at[1] << 32,
					 read_msr(1, reg * 16));
	}
}

static void page_has_what_msrs_have(void **state)
{
	static const uint32_t writes[][2] = {
		{ 0xf0, 0x1ff },    { 0x320, 0x40031 }, { 0x340, 0x12 },
		{ 0x370, 0x44 },    { 0x3e0, 0xa },	{ 0x320, 0x31 },
		{ 0x380, 0x12345 }, { 0x3f0, 5 },	{ 0x280, 0 },
		{ 0xf0, 0x1fe },
	};

	(void)state;
	assert_int_equal(lapic_page_registers & ~LIVE,
			 BIT(2) | BIT(3) | BIT(0xd) | BIT(0xf) | BIT(0x28) |
				 BIT(0x30) | BITS(0x38, 0x32) | BIT(0x3e));
	page_agrees();
	for (unsigned int i = 0; i < ARRAY_SIZE(writes); i++) {
		assert_true(write_msr(1, writes[i][0], writes[i][1]));
		assert_true(write_msr(1, 0x300, 0x700000041 + i));
		page_agrees();
	}
	lapic_reset(lapic_of(1), true);
	page_agrees();
}

static void illegal_self_ipis_are_errors(void **state)
{
	(void)state;
	apic_cpus[1].page[0x3f0 / 4] = 5;
	lapic_page_written(lapic_of(1), 0x3f0);
	assert_true(write_msr(1, 0x280, 0));
	assert_int_equal(read_msr(1, 0x280), ESR_SEND_ILLEGAL_VECTOR);
	/* no register that a CPU would tell of */
	apic_cpus[1].page[0xf0 / 4] = 0x1234;
	lapic_page_written(lapic_of(1), 0xf0);
	lapic_page_written(lapic_of(1), 0xff0);
	assert_int_equal(read_msr(1, 0xf0), 0x1ff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(modes_choose),
		TEST(vectors_come_and_go),
		TEST(what_is_lent_stays),
		TEST(who_looks_takes_back),
		TEST(an_eoi_may_exit_all_the_same),
		TEST(levels_are_told),
		TEST(broadcasts_can_be_suppressed),
		TEST(service_goes_on_in_the_other_mode),
		TEST(reset_forgets),
		TEST(off_forgets),
		TEST(halted_ones_wake),
		TEST(page_has_what_msrs_have),
		TEST(illegal_self_ipis_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
