/* The log ring: order, dropping the oldest, cutting, cursors that fell behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/log_ring.h"

static struct log_ring ring;

static void write_numbered(unsigned int number)
{
	char text[LOG_TEXT_MAX + 1];
	int length =
		snprintf(text, sizeof(text), "line %u %.*s", number,
			 (int)(number % 97),
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");

	log_ring_write(&ring, number * 10, (uint8_t)(number % 4), text,
		       (size_t)length);
}

static void reads_in_order(void **state)
{
	struct log_record record;
	char text[LOG_TEXT_MAX];
	uint64_t cursor = 0;

	(void)state;
	memset(&ring, 0, sizeof(ring));
	assert_false(log_ring_read(&ring, &cursor, &record, text));
	log_ring_write(&ring, 7, 2, "one", 3);
	log_ring_write(&ring, 8, 3, "", 0);
	assert_true(log_ring_read(&ring, &cursor, &record, text));
	assert_int_equal(record.sequence, 0);
	assert_int_equal(record.time, 7);
	assert_int_equal(record.level, 2);
	assert_int_equal(record.length, 3);
	assert_memory_equal(text, "one", 3);
	assert_true(log_ring_read(&ring, &cursor, &record, text));
	assert_int_equal(record.sequence, 1);
	assert_int_equal(record.length, 0);
	assert_false(log_ring_read(&ring, &cursor, &record, text));
}

static void keeps_the_newest(void **state)
{
	struct log_record record = { 0 };
	char text[LOG_TEXT_MAX + 1], expected[32];
	uint64_t cursor = 0, next = 0;
	unsigned int count = 0;

	(void)state;
	memset(&ring, 0, sizeof(ring));
	for (unsigned int i = 0; i < 5000; i++) {
		write_numbered(i);
		assert_true(ring.head - ring.tail <= LOG_RING_SIZE);
	}
	while (log_ring_read(&ring, &cursor, &record, text)) {
		assert_true(count == 0 || record.sequence == next);
		next = record.sequence + 1;
		text[record.length] = '\0';
		snprintf(expected, sizeof(expected), "line %u ",
			 (unsigned int)record.sequence);
		assert_memory_equal(text, expected, strlen(expected));
		count++;
	}
	assert_int_equal(next, 5000);
	assert_true(count > 200);
}

static void cuts_long_lines(void **state)
{
	struct log_record record;
	char text[LOG_TEXT_MAX], line[LOG_TEXT_MAX + 100];
	uint64_t cursor = 0;

	(void)state;
	memset(&ring, 0, sizeof(ring));
	memset(line, 'a', sizeof(line));
	log_ring_write(&ring, 0, 0, line, sizeof(line));
	assert_true(log_ring_read(&ring, &cursor, &record, text));
	assert_int_equal(record.length, LOG_TEXT_MAX);
}

static void a_late_cursor_meets_the_oldest(void **state)
{
	struct log_record record;
	char text[LOG_TEXT_MAX];
	uint64_t cursor = 0;

	(void)state;
	memset(&ring, 0, sizeof(ring));
	write_numbered(0);
	assert_true(log_ring_read(&ring, &cursor, &record, text));
	for (unsigned int i = 1; i < 3000; i++)
		write_numbered(i);
	assert_true(log_ring_read(&ring, &cursor, &record, text));
	assert_true(record.sequence > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_order),
		cmocka_unit_test(keeps_the_newest),
		cmocka_unit_test(cuts_long_lines),
		cmocka_unit_test(a_late_cursor_meets_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
