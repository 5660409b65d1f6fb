/* Calendar dates. */
#include "kernel/lib/date.h"

#include <stdbool.h>

static bool is_leap(uint32_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint32_t days_in_month(uint32_t year, uint32_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30,
					31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year) ? 1U : 0U);
}

static bool is_valid(struct date d)
{
	return d.year >= 1970 && d.year < 2400 && d.month >= 1 &&
	       d.month <= 12 && d.day >= 1 &&
	       d.day <= days_in_month(d.year, d.month) && d.hour < 24 &&
	       d.minute < 60 && d.second < 60;
}

uint64_t date_to_unix(struct date d)
{
	uint64_t days = 0;

	if (!is_valid(d))
		return 0;
	for (uint32_t year = 1970; year < d.year; year++)
		days += is_leap(year) ? 366 : 365;
	for (uint32_t month = 1; month < d.month; month++)
		days += days_in_month(d.year, month);
	days += d.day - 1;
	return ((days * 24 + d.hour) * 60 + d.minute) * 60 + d.second;
}
