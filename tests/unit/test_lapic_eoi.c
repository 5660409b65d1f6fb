/* The local APIC: who is told of an EOI, and EOIs without an exit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/pc/pc.h"
#include "lapic_fixture.h"

#define WORD 0x1234 /* of PV EOI, in the guest's memory */

static unsigned int broadcast_count;
static uint8_t broadcast_vector;

/* Weak: stands in for the PC, which nothing here needs otherwise. */
__attribute__((weak)) void pc_end_of_interrupt(struct vm *vm, uint8_t vector)
{
	assert_ptr_equal(vm, &fake_vm);
	broadcast_count++;
	broadcast_vector = vector;
}

static int setup(void **state)
{
	(void)state;
	start(2);
	enable_x2apic(1);
	broadcast_count = 0;
	broadcast_vector = 0;
	return 0;
}

static void eoi(void)
{
	assert_true(write_msr(1, 0xb0, 0));
}

static void levels_are_broadcast(void **state)
{
	(void)state;
	lapic_accept(lapic_of(1), 0x55, true);
	lapic_accept(lapic_of(1), 0x66, false);
	assert_int_equal(inject(1), 0x66);
	eoi();
	assert_int_equal(broadcast_count, 0);
	assert_int_equal(inject(1), 0x55);
	eoi();
	assert_int_equal(broadcast_count, 1);
	assert_int_equal(broadcast_vector, 0x55);
	/* the same vector, as an edge */
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	eoi();
	assert_int_equal(broadcast_count, 1);
}

static void broadcasts_can_be_suppressed(void **state)
{
	(void)state;
	assert_true(write_msr(1, 0xf0, 0x11ff));
	lapic_accept(lapic_of(1), 0x55, true);
	assert_int_equal(inject(1), 0x55);
	eoi();
	assert_int_equal(broadcast_count, 0);
	assert_int_equal(read_msr(1, 0xa0), 0);
}

static uint32_t word(void)
{
	uint32_t value = ~0U;

	assert_int_equal(
		guest_read_u32(&fake_vm.memory, (gpa_t){ WORD }, &value), 0);
	return value;
}

/* What a guest's kernel does at the end of an interrupt. */
static void guest_eoi(void)
{
	if (word() & 1)
		guest_write_u32(&fake_vm.memory, (gpa_t){ WORD }, 0);
	else
		eoi();
}

static void one_edge_needs_no_eoi(void **state)
{
	(void)state;
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ WORD });
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	assert_int_equal(word(), 1);
	assert_int_equal(lapic_next_vector(lapic_of(1)), LAPIC_NONE);
	assert_int_equal(word(), 1);
	assert_int_equal(read_msr(1, 0xa0), 0x50);
	guest_eoi();
	assert_int_equal(read_msr(1, 0xa0), 0);
	assert_int_equal(read_msr(1, 0x100 + 0x20), 0);
	/* no register was read in between */
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	guest_eoi();
	lapic_accept(lapic_of(1), 0x54, false);
	assert_int_equal(inject(1), 0x54);
	assert_int_equal(word(), 1);
}

static void levels_need_theirs(void **state)
{
	(void)state;
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ WORD });
	lapic_accept(lapic_of(1), 0x55, true);
	assert_int_equal(inject(1), 0x55);
	assert_int_equal(word(), 0);
	guest_eoi();
	assert_int_equal(broadcast_count, 1);
}

static void what_waits_needs_an_exit(void **state)
{
	(void)state;
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ WORD });
	/* waits from the beginning */
	lapic_accept(lapic_of(1), 0x44, false);
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	assert_int_equal(word(), 0);
	guest_eoi();
	assert_int_equal(inject(1), 0x44);
	assert_int_equal(word(), 1);
	/* comes while one is in service, below it */
	lapic_accept(lapic_of(1), 0x33, false);
	assert_int_equal(inject(1), LAPIC_MASKED);
	assert_int_equal(word(), 0);
	take_requests(1);
	guest_eoi();
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	assert_int_equal(inject(1), 0x33);
	assert_int_equal(word(), 1);
	/* and above it: both need an EOI */
	lapic_accept(lapic_of(1), 0x77, false);
	assert_int_equal(inject(1), 0x77);
	assert_int_equal(word(), 0);
	guest_eoi();
	assert_int_equal(read_msr(1, 0xa0), 0x30);
	guest_eoi();
	assert_int_equal(read_msr(1, 0xa0), 0);
}

/* The guest may write an EOI though it need not. */
static void an_eoi_all_the_same_counts_once(void **state)
{
	(void)state;
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ WORD });
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	eoi();
	assert_int_equal(word(), 0);
	assert_int_equal(read_msr(1, 0xa0), 0);
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	assert_int_equal(word(), 1);
}

static void is_given_up_with_the_word(void **state)
{
	(void)state;
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ WORD });
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ 0 });
	assert_int_equal(word(), 0);
	assert_int_equal(read_msr(1, 0xa0), 0x50);
	eoi();
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	assert_int_equal(word(), 0);
	lapic_set_pv_eoi(lapic_of(1), (gpa_t){ WORD });
	eoi();
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(inject(1), 0x55);
	assert_int_equal(word(), 1);
	lapic_reset(lapic_of(1), true);
	assert_int_equal(word(), 0);
	assert_true(list_is_empty(&fake_vm.memory.pins));
}

static void bad_words_leave_it_off(void **state)
{
	static const uint64_t bad[] = { WORD + 1, WORD + 2, MIB,
					MIB - 2,  BIT(52),  ~3UL };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		lapic_set_pv_eoi(lapic_of(1), (gpa_t){ bad[i] });
		lapic_accept(lapic_of(1), 0x55, false);
		assert_int_equal(inject(1), 0x55);
		assert_int_equal(word(), 0);
		eoi();
		assert_int_equal(read_msr(1, 0xa0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(levels_are_broadcast),
		TEST(broadcasts_can_be_suppressed),
		TEST(one_edge_needs_no_eoi),
		TEST(levels_need_theirs),
		TEST(what_waits_needs_an_exit),
		TEST(an_eoi_all_the_same_counts_once),
		TEST(is_given_up_with_the_word),
		TEST(bad_words_leave_it_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
