/* Guest memory: bytes in and out, words, pointers, pins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest_fixture.h"

static const gpa_t hole = { 0xa0000 };

/* RAM, a hole, ROM, RAM right behind it. */
static int setup_pc(void **state)
{
	setup(state);
	add(GUEST_RAM, 0, 0xa0000);
	add(GUEST_ROM, 0xc0000, 0x40000);
	add(GUEST_RAM, MIB, 15 * MIB);
	return 0;
}

static void reads_absent_memory_as_zero(void **state)
{
	static char bytes[5 * MIB];
	uint64_t word = 1;

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(
		guest_read(&gm, (gpa_t){ MIB + 1 }, bytes, sizeof(bytes)), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(guest_read_u64(&gm, (gpa_t){ MIB }, &word), 0);
	assert_int_equal(word, 0);
	assert_int_equal(guest_zero(&gm, (gpa_t){ MIB }, 15 * MIB), 0);
	assert_int_equal(guest_copy(&gm, (gpa_t){ MIB }, &gm,
				    (gpa_t){ 8 * MIB }, 7 * MIB),
			 0);
	assert_int_equal(gm.own_size, 0);
}

static void crosses_pages_and_slots(void **state)
{
	char from[3 * PAGE_SIZE], to[3 * PAGE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (char)(i * 7);
	/* from ROM into RAM: only guest_load may */
	assert_int_equal(guest_write(&gm, (gpa_t){ MIB - 5000 }, from,
				     sizeof(from)),
			 -EFAULT);
	assert_int_equal(gm.own_size, 0);
	assert_int_equal(
		guest_load(&gm, (gpa_t){ MIB - 5000 }, from, sizeof(from)), 0);
	assert_int_equal(guest_read(&gm, (gpa_t){ MIB - 5000 }, to, sizeof(to)),
			 0);
	assert_memory_equal(from, to, sizeof(to));
}

static void refuses_what_is_not_wholly_memory(void **state)
{
	static const struct {
		uint64_t base, size;
	} bad[] = {
		{ 0xa0000, 1 },	      { 0x9ffff, 2 },	{ 0xbffff, 2 },
		{ 16 * MIB - 1, 2 },  { 16 * MIB, 1 },	{ BIT(48), 1 },
		{ BIT(48) + MIB, 1 }, { ~0UL, 1 },	{ ~0UL, 2 },
		{ MIB, ~0UL },	      { MIB, BIT(63) },
	};
	char bytes[2] = "a";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		gpa_t at = { bad[i].base };
		uint64_t size = bad[i].size;
		gpa_t good = { MIB };

		assert_int_equal(guest_read(&gm, at, bytes, size), -EFAULT);
		assert_int_equal(guest_write(&gm, at, bytes, size), -EFAULT);
		assert_int_equal(guest_load(&gm, at, bytes, size), -EFAULT);
		assert_int_equal(guest_zero(&gm, at, size), -EFAULT);
		assert_int_equal(guest_copy(&gm, at, &gm, good, size), -EFAULT);
		assert_int_equal(guest_copy(&gm, good, &gm, at, size), -EFAULT);
	}
	assert_int_equal(gm.own_size, 0);
	assert_string_equal(bytes, "a");
	assert_int_equal(guest_zero(&gm, (gpa_t){ 0xc0000 }, 1), -EFAULT);
	assert_int_equal(guest_copy(&gm, (gpa_t){ 0xc0000 }, &gm,
				    (gpa_t){ MIB }, 1),
			 -EFAULT);
	assert_null(guest_pointer(&gm, hole, ACCESS_READ));
	assert_null(guest_pointer(&gm, (gpa_t){ 0xc0000 }, ACCESS_WRITE));
	/* nothing is nowhere wrong */
	assert_int_equal(guest_read(&gm, hole, bytes, 0), 0);
}

static void copies_between_guests(void **state)
{
	struct guest_mem other;
	char text[16] = "";
	hpa_t image = make_image();

	(void)state;
	assert_int_equal(guest_mem_init(&other, &pt_format_npt, 1, 0), 0);
	assert_int_equal(guest_mem_add(&other, GUEST_RAM, (gpa_t){ 0 }, MIB),
			 0);
	guest_write(&gm, (gpa_t){ MIB + 4090 }, "hello, world", 13);
	assert_int_equal(guest_copy(&other, (gpa_t){ 8187 }, &gm,
				    (gpa_t){ MIB + 4090 }, 13),
			 0);
	guest_read(&other, (gpa_t){ 8187 }, text, 13);
	assert_string_equal(text, "hello, world");
	/* what is absent here makes zeroes there */
	assert_int_equal(guest_copy(&other, (gpa_t){ 8190 }, &gm,
				    (gpa_t){ 15 * MIB }, 13),
			 0);
	guest_read(&other, (gpa_t){ 8187 }, text, 13);
	assert_string_equal(text, "hel");
	assert_int_equal(other.own_size, 2 * PAGE_SIZE);
	/* out of an image and over it */
	guest_mem_share(&gm, (gpa_t){ 4 * MIB }, image, 2 * PAGE_SIZE);
	assert_int_equal(guest_copy(&gm, (gpa_t){ 4 * MIB }, &gm,
				    (gpa_t){ 4 * MIB + PAGE_SIZE }, 5),
			 0);
	assert_int_equal(byte_at(4 * MIB + 4), 2);
	assert_int_equal(byte_at(4 * MIB + 5), 1);
	guest_mem_fini(&other);
	free_image(image);
}

static void overlapping_copies_do_no_harm(void **state)
{
	(void)state;
	guest_write(&gm, (gpa_t){ MIB }, "abcdefgh", 8);
	assert_int_equal(
		guest_copy(&gm, (gpa_t){ MIB + 2 }, &gm, (gpa_t){ MIB }, 6), 0);
	assert_int_equal(byte_at(MIB), 'a');
	assert_int_equal(byte_at(MIB + 7), 'f');
	assert_int_equal(byte_at(MIB + 8), 0);
}

static void words_are_aligned_and_exact(void **state)
{
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;

	(void)state;
	assert_int_equal(guest_write_u64(&gm, (gpa_t){ 8 }, 0x1122334455667788),
			 0);
	assert_int_equal(guest_read_u16(&gm, (gpa_t){ 10 }, &u16), 0);
	assert_int_equal(u16, 0x5566);
	assert_int_equal(guest_read_u32(&gm, (gpa_t){ 12 }, &u32), 0);
	assert_int_equal(u32, 0x11223344);
	assert_int_equal(guest_write_u16(&gm, (gpa_t){ 8 }, 0xaaaa), 0);
	assert_int_equal(guest_write_u32(&gm, (gpa_t){ 12 }, 0xbbbbbbbb), 0);
	assert_int_equal(guest_read_u64(&gm, (gpa_t){ 8 }, &u64), 0);
	assert_true(u64 == 0xbbbbbbbb5566aaaa);
	assert_int_equal(guest_read_u16(&gm, (gpa_t){ 1 }, &u16), -EFAULT);
	assert_int_equal(guest_read_u32(&gm, (gpa_t){ 2 }, &u32), -EFAULT);
	assert_int_equal(guest_write_u64(&gm, (gpa_t){ 4 }, 0), -EFAULT);
	assert_int_equal(guest_read_u64(&gm, hole, &u64), -EFAULT);
	assert_int_equal(guest_write_u32(&gm, (gpa_t){ 0xc0000 }, 0), -EFAULT);
	assert_int_equal(guest_read_u32(&gm, (gpa_t){ 0xc0000 }, &u32), 0);
}

static void exchanges_if_equal(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };
	uint64_t was;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int size = sizes[i];
		uint64_t mask = BITS(8 * size - 1, 0);
		gpa_t at = { MIB + 64 * i };

		was = 0;
		assert_int_equal(
			guest_compare_exchange(&gm, at, size, &was, ~0UL), 0);
		assert_int_equal(was, 0);
		was = 5;
		assert_int_equal(guest_compare_exchange(&gm, at, size, &was, 7),
				 0);
		assert_true(was == mask);
		assert_int_equal(byte_at(at.value + size - 1), 0xff);
		assert_int_equal(byte_at(at.value + size), 0);
	}
	assert_int_equal(guest_compare_exchange(&gm, (gpa_t){ MIB + 4 }, 8,
						&was, 0),
			 -EFAULT);
	assert_int_equal(guest_compare_exchange(&gm, hole, 1, &was, 0),
			 -EFAULT);
}

static void pointers_are_the_memory(void **state)
{
	char *at = guest_pointer(&gm, (gpa_t){ MIB + 5 }, ACCESS_READ);

	(void)state;
	assert_int_equal(*at, 0);
	*(char *)guest_pointer(&gm, (gpa_t){ MIB + 5 }, ACCESS_WRITE) = 'p';
	assert_int_equal(*at, 'p');
	assert_int_equal(byte_at(MIB + 5), 'p');
}

static void pins_hold_pages_still(void **state)
{
	hpa_t image = make_image();
	struct guest_pin pin = { 0 };

	(void)state;
	guest_mem_share(&gm, (gpa_t){ 4 * MIB }, image, LARGE_PAGE_SIZE);
	/* for reading only; the guest's later write must not take it away */
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 4 * MIB + 100 },
				   8 * PAGE_SIZE, ACCESS_READ),
			 0);
	assert_int_equal(*(char *)guest_pin_at(&pin, 8 * PAGE_SIZE - 1), 9);
	guest_write(&gm, (gpa_t){ 4 * MIB + 8 * PAGE_SIZE }, "w", 1);
	assert_int_equal(*(char *)guest_pin_at(&pin, 8 * PAGE_SIZE - 100), 'w');
	assert_false(list_is_empty(&gm.pins));
	guest_unpin(&gm, &pin);
	guest_unpin(&gm, &pin);
	assert_true(list_is_empty(&gm.pins));
	free_image(image);
}

static void refuses_bad_pins(void **state)
{
	struct guest_pin pin = { 0 };

	(void)state;
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 0 }, 0, 0), -EINVAL);
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 1 },
				   GUEST_PIN_PAGES_MAX * PAGE_SIZE, 0),
			 -EINVAL);
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 0 }, ~0UL, 0), -EINVAL);
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ ~0UL }, 2, 0), -EFAULT);
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 0x9ffff }, 2, 0),
			 -EFAULT);
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 0xc0000 }, 1,
				   ACCESS_WRITE),
			 -EFAULT);
	assert_int_equal(pin.size, 0);
	assert_int_equal(
		guest_pin(&gm, &pin, (gpa_t){ 0xc0000 }, 1, ACCESS_READ), 0);
	/* the end of a pinned guest is our own bug */
	PANICS(guest_mem_fini(&gm), "list_is_empty");
	guest_unpin(&gm, &pin);
	assert_int_equal(guest_pin(&gm, &pin, (gpa_t){ 0 },
				   GUEST_PIN_PAGES_MAX * PAGE_SIZE, 0),
			 0);
	guest_unpin(&gm, &pin);
}

#define PC_TEST(name) cmocka_unit_test_setup_teardown(name, setup_pc, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PC_TEST(reads_absent_memory_as_zero),
		PC_TEST(crosses_pages_and_slots),
		PC_TEST(refuses_what_is_not_wholly_memory),
		PC_TEST(copies_between_guests),
		PC_TEST(overlapping_copies_do_no_harm),
		PC_TEST(words_are_aligned_and_exact),
		PC_TEST(exchanges_if_equal),
		PC_TEST(pointers_are_the_memory),
		PC_TEST(pins_hold_pages_still),
		PC_TEST(refuses_bad_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
