/* Dates against the C library's timegm, and dates that do not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "kernel/lib/date.h"

static void agrees_with_timegm(void **state)
{
	(void)state;
	/* every 1,000,003 s: all times of day and all days over 400 years */
	for (time_t t = 0; t < 430L * 365 * 86400; t += 1000003) {
		struct tm tm;
		struct date date;

		gmtime_r(&t, &tm);
		date = (struct date){
			(uint32_t)tm.tm_year + 1900, (uint32_t)tm.tm_mon + 1,
			(uint32_t)tm.tm_mday,	     (uint32_t)tm.tm_hour,
			(uint32_t)tm.tm_min,	     (uint32_t)tm.tm_sec
		};
		if (date.year >= 2400)
			break;
		assert_int_equal(date_to_unix(date), t);
	}
}

static void refuses_what_is_no_date(void **state)
{
	static const struct date none[] = {
		{ 1969, 12, 31, 0, 0, 0 }, { 2400, 1, 1, 0, 0, 0 },
		{ 2026, 0, 1, 0, 0, 0 },   { 2026, 13, 1, 0, 0, 0 },
		{ 2026, 2, 29, 0, 0, 0 },  { 2100, 2, 29, 0, 0, 0 },
		{ 2026, 4, 31, 0, 0, 0 },  { 2026, 1, 0, 0, 0, 0 },
		{ 2026, 1, 1, 24, 0, 0 },  { 2026, 1, 1, 0, 60, 0 },
		{ 2026, 1, 1, 0, 0, 60 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(date_to_unix(none[i]), 0);
	assert_int_equal(date_to_unix((struct date){ 2000, 2, 29, 0, 0, 0 }),
			 951782400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_timegm),
		cmocka_unit_test(refuses_what_is_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
