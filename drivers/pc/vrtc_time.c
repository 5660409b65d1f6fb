/*
 * The MC146818's time registers. Days are counted in a calendar whose year begins
 * in March, so that the leap day is the last of a year, and whose 400-year cycle
 * begins with year 0.
 */
#include "drivers/pc/vrtc_time.h"

#include "kernel/lib/bits.h"

#define DAYS_400_YEARS 146097
#define DAYS_TO_1970   719468 /* from 0000-03-01 */
#define DAY_SECONDS    86400
#define SECONDS_MIN    (-62167219200) /* 0000-01-01 */
#define SECONDS_MAX    253402300799   /* 9999-12-31 23:59:59 */

#define HOUR_PM	  BIT(7) /* in 12-hour format */
#define ALARM_ANY 0xc0
#define JUMPS_MAX 5

static uint8_t encode(uint32_t value, struct vrtc_format format)
{
	if (format.is_binary)
		return (uint8_t)value;
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static uint32_t decode(uint8_t value, struct vrtc_format format)
{
	if (format.is_binary)
		return value;
	return (value >> 4) * 10U + (value & 0xf);
}

static uint8_t encode_hour(uint32_t hour, struct vrtc_format format)
{
	if (format.is_24_hours)
		return encode(hour, format);
	return (uint8_t)(encode(hour % 12 ? hour % 12 : 12, format) |
			 (hour >= 12 ? HOUR_PM : 0));
}

static uint32_t decode_hour(uint8_t value, struct vrtc_format format)
{
	if (format.is_24_hours)
		return decode(value, format);
	return decode((uint8_t)(value & ~HOUR_PM), format) % 12 +
	       (value & HOUR_PM ? 12 : 0);
}

/* Days before the month @month (0: March) in a year from March on. */
static uint32_t days_before(uint32_t month)
{
	return (153 * month + 2) / 5;
}

static int64_t days_from_date(uint32_t year, uint32_t month, uint32_t day)
{
	bool is_before_march = month < 3;
	int64_t y = (int64_t)year - (is_before_march ? 1 : 0);
	uint32_t m = is_before_march ? month + 9 : month - 3;

	if (y < 0)
		return (int64_t)days_before(m) + day - 1 - 366 - DAYS_TO_1970;
	return y * 365 + y / 4 - y / 100 + y / 400 + days_before(m) + day - 1 -
	       DAYS_TO_1970;
}

static void date_from_days(int64_t days, uint32_t date[3])
{
	/* from -0400-03-01 on, so that nothing is negative */
	uint32_t n = (uint32_t)(days + DAYS_TO_1970 + DAYS_400_YEARS);
	uint32_t cycle = n / DAYS_400_YEARS;
	uint32_t day = n % DAYS_400_YEARS;
	uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	uint32_t month;

	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	date[2] = day - days_before(month) + 1;
	date[1] = month < 10 ? month + 3 : month - 9;
	date[0] = cycle * 400 + year - 400 + (month < 10 ? 0 : 1);
}

struct vrtc_time vrtc_time_encode(int64_t seconds, struct vrtc_format format)
{
	struct vrtc_time time;
	uint32_t date[3], rest;
	int64_t days;

	if (seconds < SECONDS_MIN)
		seconds = SECONDS_MIN;
	if (seconds > SECONDS_MAX)
		seconds = SECONDS_MAX;
	days = (seconds - SECONDS_MIN) / DAY_SECONDS;
	rest = (uint32_t)((seconds - SECONDS_MIN) % DAY_SECONDS);
	/* 0000-01-01 was a Saturday */
	time.weekday = encode((uint32_t)((days + 6) % 7) + 1, format);
	date_from_days(days + SECONDS_MIN / DAY_SECONDS, date);
	time.century = encode(date[0] / 100, format);
	time.year = encode(date[0] % 100, format);
	time.month = encode(date[1], format);
	time.day = encode(date[2], format);
	time.hour = encode_hour(rest / 3600, format);
	time.minute = encode(rest / 60 % 60, format);
	time.second = encode(rest % 60, format);
	return time;
}

int64_t vrtc_time_decode(const struct vrtc_time *time,
			 struct vrtc_format format)
{
	uint32_t year = decode(time->century, format) % 100 * 100 +
			decode(time->year, format) % 100;
	uint32_t month = decode(time->month, format);
	int64_t seconds;

	if (month < 1 || month > 12)
		month = 1;
	seconds = days_from_date(year, month, decode(time->day, format)) *
			  DAY_SECONDS +
		  decode_hour(time->hour, format) * 3600L +
		  decode(time->minute, format) * 60L +
		  decode(time->second, format);
	/* day 0 of the first month */
	return seconds < SECONDS_MIN ? SECONDS_MIN : seconds;
}

/* Is the register a "don't care" (its two highest bits set)? Section "Alarm
 * bytes". */
static bool is_any(uint8_t value)
{
	return value >= ALARM_ANY;
}

/* A part of the time of day: what the alarm wants of it. */
struct part {
	uint32_t wanted;
	uint32_t length; /* seconds that one lasts */
	uint32_t count;	 /* of them in the next larger part */
	bool is_any;
};

/* Seconds from @rest, of a day, until the part is as wanted; 0: it is. */
static uint32_t until(const struct part *part, uint32_t rest)
{
	uint32_t now = rest / part->length % part->count;

	if (part->is_any || now == part->wanted)
		return 0;
	return (part->wanted + part->count - now) % part->count * part->length -
	       rest % part->length;
}

int64_t vrtc_time_next_match(const struct vrtc_time *time,
			     struct vrtc_format format, int64_t from)
{
	const struct part parts[] = {
		{ decode_hour(time->hour, format), 3600, 24,
		  is_any(time->hour) },
		{ decode(time->minute, format), 60, 60, is_any(time->minute) },
		{ decode(time->second, format), 1, 60, is_any(time->second) },
	};
	uint32_t rest, jump;

	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!parts[i].is_any && parts[i].wanted >= parts[i].count)
			return INT64_MAX;
	}
	/* each jump skips what does not match: at most to a second, from there
	 * to a minute, an hour, and within it to the minute and the second */
	for (unsigned int i = 0; i <= JUMPS_MAX; i++) {
		rest = (uint32_t)((from - SECONDS_MIN) % DAY_SECONDS);
		jump = until(&parts[0], rest);
		if (!jump)
			jump = until(&parts[1], rest);
		if (!jump)
			jump = until(&parts[2], rest);
		if (!jump)
			return from;
		from += jump;
	}
	return INT64_MAX;
}
