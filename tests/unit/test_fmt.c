/* fmt_print against the C library's snprintf, and what it does at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/diag.h"
#include "kernel/lib/fmt.h"

#define SAME(...)                                                      \
	do {                                                           \
		char ours[128], theirs[128];                           \
		size_t n = fmt_print(ours, sizeof(ours), __VA_ARGS__); \
		int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		assert_string_equal(ours, theirs);                     \
		assert_int_equal(n, m);                                \
	} while (0)

static void formats_like_printf(void **state)
{
	(void)state;
	SAME("plain");
	SAME("%d %i %u", -5, 0, 4000000000U);
	SAME("%d", INT32_MIN);
	SAME("%ld %lu", INT64_MIN, UINT64_MAX);
	SAME("%lld %llu %zu", -1LL, 1ULL, (size_t)7);
	SAME("%x %X %lx", 0xbeefU, 0xbeefU, 0xfedcba9876543210UL);
	SAME("%#x %#lx", 0x1fU, 0xfe000000UL);
	SAME("[%8d] [%-8d] [%08d]", 42, 42, 42);
	SAME("[%08x] [%016lx]", 0xabcU, 0xabcUL);
	SAME("[%#010x]", 0x1234U);
	SAME("[%s] [%10s] [%-10s] [%.2s]", "abc", "abc", "abc", "abc");
	SAME("[%.*s] [%*d]", 2, "xyz", 5, 1);
	SAME("%c%c 100%%", 'o', 'k');
	SAME("%p", (void *)0x1234);
}

static void cuts_and_terminates(void **state)
{
	char buf[4] = "zzz";

	(void)state;
	assert_int_equal(fmt_print(buf, sizeof(buf), "%d", 123456), 6);
	assert_string_equal(buf, "123");
	assert_int_equal(fmt_print(buf, 0, "%s", "abc"), 3);
	assert_string_equal(buf, "123");
}

static void does_not_read_past_precision(void **state)
{
	char four[4] = { 'a', 'b', 'c', 'd' }; /* no NUL: ASan watches */
	char buf[16];

	(void)state;
	fmt_print(buf, sizeof(buf), "%.*s", 4, four);
	assert_string_equal(buf, "abcd");
}

static void survives_odd_formats(void **state)
{
	const char *odd = "%y %";
	char buf[16];

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	fmt_print(buf, sizeof(buf), odd);
#pragma GCC diagnostic pop
	assert_string_equal(buf, "y ");
}

static void diag_returns_its_error(void **state)
{
	struct diag diag;

	(void)state;
	assert_int_equal(diag_set(&diag, -22, "%s:%d: bad", "f", 3), -22);
	assert_string_equal(diag.text, "f:3: bad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_like_printf),
		cmocka_unit_test(cuts_and_terminates),
		cmocka_unit_test(does_not_read_past_precision),
		cmocka_unit_test(survives_odd_formats),
		cmocka_unit_test(diag_returns_its_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
