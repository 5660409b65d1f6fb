/* The queue of console output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/char_ring.h"

static void keeps_order(void **state)
{
	static struct char_ring ring;
	uint8_t in = 0, out = 0;
	char text[32];

	(void)state;
	/* around its end many times, in pieces that do not divide it; counters
	 * wrap */
	ring.head = 0U - 5000;
	for (uint32_t round = 0; round < 1000; round++) {
		uint32_t size = round % 31 + 1;

		for (uint32_t i = 0; i < size; i++)
			text[i] = (char)in++;
		assert_int_equal(char_ring_put(&ring, text, size), size);
		size = char_ring_take(&ring, text, size);
		for (uint32_t i = 0; i < size; i++)
			assert_int_equal((uint8_t)text[i], out++);
	}
	assert_int_equal(in, out);
	assert_int_equal(char_ring_room(&ring), CHAR_RING_SIZE);
}

static void takes_what_fits(void **state)
{
	static struct char_ring ring;
	char text[100], back[100];
	uint32_t done = 0;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[47] = 'z';
	for (; done + 100 <= CHAR_RING_SIZE; done += 100)
		assert_int_equal(char_ring_put(&ring, text, 100), 100);
	assert_int_equal(char_ring_room(&ring), 48);
	assert_int_equal(char_ring_put(&ring, text, 100), 48);
	assert_int_equal(char_ring_put(&ring, text, 1), 0);
	assert_int_equal(char_ring_room(&ring), 0);
	for (; done; done -= 100)
		assert_int_equal(char_ring_take(&ring, back, 100), 100);
	assert_memory_equal(back, text, 100);
	assert_int_equal(char_ring_take(&ring, back, 100), 48);
	assert_int_equal(back[47], 'z');
	assert_int_equal(char_ring_take(&ring, back, 100), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(takes_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
