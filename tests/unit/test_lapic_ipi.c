/* The local APIC: whom a message means and what it does to them. */
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
	start(VCPUS_MAX);
	return 0;
}

/* Bit n: vCPU n has @vector requested; and forget all about it. */
static uint64_t take_receivers(uint8_t vector)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < fake_vm.vcpu_count; i++) {
		uint64_t *word = &lapic_of(i)->irr[vector / 64];

		if (*word & BIT(vector % 64))
			set |= BIT(i);
		*word = 0;
		assert_int_equal(take_requests(i) & REQUEST_EVENT,
				 set & BIT(i) ? REQUEST_EVENT : 0);
	}
	return set;
}

/* Bit n: vCPU n was asked for exactly @request. */
static uint64_t take_requested(uint32_t request)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < fake_vm.vcpu_count; i++) {
		if (take_requests(i) == request)
			set |= BIT(i);
	}
	return set;
}

static uint64_t send(uint32_t destination, bool is_logical)
{
	struct apic_message message = { .destination = destination,
					.vector = 0x55,
					.is_logical = is_logical };
	bool is_anybody = lapic_deliver(&fake_vm, &message);
	uint64_t set = take_receivers(0x55);

	assert_int_equal(is_anybody, set != 0);
	return set;
}

#define ALL (BIT(VCPUS_MAX) - 1)

static void x2apic_ids_follow_from_the_number(void **state)
{
	(void)state;
	enable_x2apic(37);
	assert_int_equal(read_msr(37, 0x20), 37);
	assert_int_equal(read_msr(37, 0xd0), 0x20020);
}

static void physical_is_the_id(void **state)
{
	(void)state;
	enable_all(enable_xapic);
	for (uint32_t i = 0; i < VCPUS_MAX; i++)
		assert_int_equal(send(i, false), BIT(i));
	assert_int_equal(send(VCPUS_MAX, false), 0);
	assert_int_equal(send(0xfe, false), 0);
	assert_int_equal(send(0x100, false), 0);
	assert_int_equal(send(0xfffffffe, false), 0);
	assert_int_equal(send(0xff, false), ALL);
	assert_int_equal(send(0xffffffff, false), ALL);
	enable_x2apic(3);
	assert_int_equal(send(3, false), BIT(3));
	/* an id there, nobody's */
	assert_int_equal(send(0xff, false), ALL & ~BIT(3));
	assert_int_equal(send(0xffffffff, false), ALL);
}

static void logical_flat_is_a_set_of_bits(void **state)
{
	(void)state;
	enable_all(enable_xapic);
	for (uint32_t i = 0; i < 8; i++)
		poke(i, 0xd0, 1U << (24 + i));
	assert_int_equal(send(0x01, true), BIT(0));
	assert_int_equal(send(0x81, true), BIT(0) | BIT(7));
	assert_int_equal(send(0x00, true), 0);
	assert_int_equal(send(0xff, true), ALL);
	assert_int_equal(send(0x101, true), 0);
	assert_int_equal(send(0xffffffff, true), ALL);
}

static void logical_cluster_is_one_of_15(void **state)
{
	(void)state;
	enable_all(enable_xapic);
	for (uint32_t i = 0; i < 12; i++) {
		poke(i, 0xe0, 0x0fffffff);
		poke(i, 0xd0, (i / 4) << 28 | 1U << (24 + i % 4));
	}
	assert_int_equal(send(0x13, true), BIT(4) | BIT(5));
	assert_int_equal(send(0x2f, true), 0xf00);
	assert_int_equal(send(0x0f, true), 0x00f);
	assert_int_equal(send(0x3f, true), 0);
	assert_int_equal(send(0x10, true), 0);
	assert_int_equal(send(0xff, true), ALL);
}

static void logical_x2apic_is_cluster_and_bits(void **state)
{
	(void)state;
	enable_all(enable_x2apic);
	assert_int_equal(send(0x00000001, true), BIT(0));
	assert_int_equal(send(0x000000ff, true), 0xff);
	assert_int_equal(send(0x0000ffff, true), 0xffff);
	assert_int_equal(send(0x00018001, true), BIT(16) | BIT(31));
	assert_int_equal(send(0x0002ffff, true), 0xff00000000);
	assert_int_equal(send(0x00030001, true), 0);
	assert_int_equal(send(0x00020000, true), 0);
	assert_int_equal(send(0xfffffffe, true), 0);
	assert_int_equal(send(0xffffffff, true), ALL);
}

static void lowest_priority_chooses_one_that_can(void **state)
{
	struct apic_message message = { .destination = 0x0f,
					.delivery = APIC_LOWEST,
					.is_logical = true };
	uint64_t all = 0;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		poke(i, 0xd0, 1U << (24 + i));
	message.vector = 0x55;
	assert_false(lapic_deliver(&fake_vm, &message));
	enable_xapic(0);
	enable_xapic(2);
	enable_xapic(3);
	for (uint8_t vector = 0x50; vector < 0x56; vector++) {
		uint64_t one;

		message.vector = vector;
		assert_true(lapic_deliver(&fake_vm, &message));
		one = take_receivers(vector);
		assert_int_equal(__builtin_popcountl(one), 1);
		/* the same again */
		assert_true(lapic_deliver(&fake_vm, &message));
		assert_int_equal(take_receivers(vector), one);
		all |= one;
	}
	assert_int_equal(all, BIT(0) | BIT(2) | BIT(3));
}

static void shorthands_in_both_modes(void **state)
{
	(void)state;
	enable_all(enable_xapic);
	poke(5, 0x310, 0x07000000);
	poke(5, 0x300, 0x44055);
	assert_int_equal(take_receivers(0x55), BIT(5));
	poke(5, 0x300, 0x84055);
	assert_int_equal(take_receivers(0x55), ALL);
	poke(5, 0x300, 0xc4055);
	assert_int_equal(take_receivers(0x55), ALL & ~BIT(5));
	poke(5, 0x300, 0x04055);
	assert_int_equal(take_receivers(0x55), BIT(7));
	poke(5, 0x310, 0xff000000);
	poke(5, 0x300, 0x05055);
	assert_int_equal(take_receivers(0x55), ALL);
	/* delivery is never seen pending */
	assert_int_equal(peek(5, 0x300), 0x04055);
	assert_int_equal(peek(5, 0x310), 0xff000000);
	/* everybody, whatever their modes */
	enable_x2apic(3);
	poke(5, 0x300, 0x04055);
	assert_int_equal(take_receivers(0x55), ALL);
	enable_all(enable_x2apic);
	assert_true(write_msr(5, 0x300, 0x700044055));
	assert_int_equal(take_receivers(0x55), BIT(5));
	assert_true(write_msr(5, 0x300, 0x700084055));
	assert_int_equal(take_receivers(0x55), ALL);
	assert_true(write_msr(5, 0x300, 0x7000c4055));
	assert_int_equal(take_receivers(0x55), ALL & ~BIT(5));
	assert_true(write_msr(5, 0x300, 0x700005055));
	assert_int_equal(take_receivers(0x55), BIT(7));
	assert_int_equal(read_msr(5, 0x300), 0x700004055);
	/* logical: cluster 1, bits 0 and 2 */
	assert_true(write_msr(5, 0x300, 0x0001000500004855));
	assert_int_equal(take_receivers(0x55), BIT(16) | BIT(18));
	assert_true(write_msr(5, 0x3f0, 0x55));
	assert_int_equal(take_receivers(0x55), BIT(5));
}

static void brings_up_processors(void **state)
{
	(void)state;
	enable_x2apic(0);
	/* INIT to all others, whether they take interrupts or not */
	assert_true(write_msr(0, 0x300, 0xc4500));
	assert_int_equal(take_requested(REQUEST_INIT), ALL & ~BIT(0));
	/* its de-assert is nothing */
	assert_true(write_msr(0, 0x300, 0x00000003000c8500));
	assert_int_equal(take_requested(0), ALL);
	assert_true(write_msr(0, 0x300, 0x300004608 | 0x9f));
	assert_int_equal(take_requested(REQUEST_STARTUP), BIT(3));
	assert_int_equal(vcpus[3].startup_page, 0x9f);
	/* one that INIT follows starts nobody; one behind it does */
	assert_true(write_msr(0, 0x300, 0x300004608));
	assert_true(write_msr(0, 0x300, 0x300004500));
	assert_int_equal(vcpus[3].requests, REQUEST_INIT);
	assert_true(write_msr(0, 0x300, 0x300004608));
	assert_int_equal(vcpus[3].requests, REQUEST_INIT | REQUEST_STARTUP);
	take_requested(0);
	assert_true(write_msr(0, 0x300, 0x400004400));
	assert_int_equal(take_requested(REQUEST_NMI), BIT(4));
	/* vectors below 16 are illegal in interrupts only */
	assert_true(write_msr(0, 0x280, 0));
	assert_int_equal(read_msr(0, 0x280), 0);
	/* nobody knows SMI, ExtINT, or reserved modes */
	assert_true(write_msr(0, 0x300, 0x400004200));
	assert_true(write_msr(0, 0x300, 0x400004300));
	assert_true(write_msr(0, 0x300, 0x400004700));
	assert_int_equal(take_requested(0), ALL);
}

static void illegal_vectors_are_not_sent(void **state)
{
	(void)state;
	enable_all(enable_x2apic);
	assert_true(write_msr(5, 0x300, 0x70000400f));
	assert_true(write_msr(5, 0x3f0, 0x0f));
	assert_int_equal(take_receivers(0x0f), 0);
	assert_true(write_msr(5, 0x280, 0));
	assert_int_equal(read_msr(5, 0x280), ESR_SEND_ILLEGAL_VECTOR);
	assert_true(write_msr(7, 0x280, 0));
	assert_int_equal(read_msr(7, 0x280), 0);
}

/* One kick is enough for a vector that waits already. */
static void asks_once(void **state)
{
	(void)state;
	enable_x2apic(1);
	lapic_accept(lapic_of(1), 0x55, true);
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	lapic_accept(lapic_of(1), 0x55, false);
	assert_int_equal(take_requests(1), 0);
	assert_int_equal(read_msr(1, 0x180 + 0x20), 0);
	assert_int_equal(inject(1), 0x55);
	lapic_accept(lapic_of(1), 0x55, true);
	assert_int_equal(take_requests(1), REQUEST_EVENT);
	assert_int_equal(read_msr(1, 0x180 + 0x20), BIT(0x15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(x2apic_ids_follow_from_the_number),
		TEST(physical_is_the_id),
		TEST(logical_flat_is_a_set_of_bits),
		TEST(logical_cluster_is_one_of_15),
		TEST(logical_x2apic_is_cluster_and_bits),
		TEST(lowest_priority_chooses_one_that_can),
		TEST(shorthands_in_both_modes),
		TEST(brings_up_processors),
		TEST(illegal_vectors_are_not_sent),
		TEST(asks_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
