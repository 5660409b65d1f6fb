/*
 * Our string functions against the C library's. The Makefile prefixes ours with
 * basalt_ (objcopy), as they have the library's names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void *basalt_memcpy(void *dst, const void *src, size_t size);
void *basalt_memmove(void *dst, const void *src, size_t size);
void *basalt_memset(void *dst, int byte, size_t size);
int basalt_memcmp(const void *a, const void *b, size_t size);
size_t basalt_strlen(const char *s);
size_t basalt_strnlen(const char *s, size_t max);
int basalt_strcmp(const char *a, const char *b);
int basalt_strncmp(const char *a, const char *b, size_t max);
char *basalt_strchr(const char *s, int c);
int basalt___popcountdi2(int64_t value);

#define SIZE 256

static unsigned char ours[SIZE], theirs[SIZE];

static void fill(void)
{
	for (size_t i = 0; i < SIZE; i++)
		ours[i] = theirs[i] = (unsigned char)rand();
}

static void copies_like_the_library(void **state)
{
	(void)state;
	srand(3);
	for (int i = 0; i < 20000; i++) {
		size_t from = (size_t)rand() % SIZE, to = (size_t)rand() % SIZE;
		size_t room = SIZE - (from > to ? from : to);
		size_t size = (size_t)rand() % (room + 1);
		int byte = rand();

		fill();
		assert_ptr_equal(basalt_memmove(ours + to, ours + from, size),
				 ours + to);
		memmove(theirs + to, theirs + from, size);
		assert_memory_equal(ours, theirs, SIZE);
		assert_ptr_equal(basalt_memset(ours + to, byte, size),
				 ours + to);
		memset(theirs + to, byte, size);
		assert_memory_equal(ours, theirs, SIZE);
		fill();
		basalt_memcpy(ours, theirs + from, SIZE - from);
		assert_memory_equal(ours, theirs + from, SIZE - from);
	}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void compares_like_the_library(void **state)
{
	static const char *const words[] = { "",    "a", "ab",	 "abc",
					     "abd", "b", "\x80", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
			const char *a = words[i], *b = words[j];
			size_t shorter =
				strlen(a) < strlen(b) ? strlen(a) : strlen(b);

			assert_int_equal(sign(basalt_strcmp(a, b)),
					 sign(strcmp(a, b)));
			assert_int_equal(sign(basalt_strncmp(a, b, 2)),
					 sign(strncmp(a, b, 2)));
			assert_int_equal(sign(basalt_memcmp(a, b, shorter)),
					 sign(memcmp(a, b, shorter)));
		}
	}
	assert_int_equal(basalt_strlen("four"), 4);
	assert_int_equal(basalt_strnlen("four", 2), 2);
	assert_int_equal(basalt_strnlen("four", 9), 4);
	assert_string_equal(basalt_strchr("a=b", '='), "=b");
	assert_null(basalt_strchr("ab", '='));
	assert_string_equal(basalt_strchr("ab", 0), "");
}

static void counts_bits(void **state)
{
	(void)state;
	srand(4);
	for (int i = 0; i < 10000; i++) {
		int64_t value =
			(int64_t)((uint64_t)rand() << 33 ^
				  (uint64_t)rand() << 11 ^ (uint64_t)rand());

		assert_int_equal(
			basalt___popcountdi2(value),
			__builtin_popcountll((unsigned long long)value));
	}
	assert_int_equal(basalt___popcountdi2(-1), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_like_the_library),
		cmocka_unit_test(compares_like_the_library),
		cmocka_unit_test(counts_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
