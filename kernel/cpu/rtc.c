/* Reading the CMOS clock: register layout of the MC146818. */
#include "kernel/cpu/rtc.h"

#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/date.h"
#include "kernel/lib/string.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

enum rtc_register {
	RTC_SECOND = 0x00,
	RTC_MINUTE = 0x02,
	RTC_HOUR = 0x04,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_STATUS_A = 0x0a,
	RTC_STATUS_B = 0x0b,
};

#define STATUS_A_UPDATING BIT(7)
#define STATUS_B_24_HOURS BIT(1)
#define STATUS_B_BINARY	  BIT(2)
#define HOUR_PM		  BIT(7)
#define UPDATE_POLLS \
	100000 /* an update takes about 2 ms; a port read about 1 us */
#define READ_TRIES 3

static uint8_t cmos_read(enum rtc_register reg)
{
	x86_outb(CMOS_INDEX, (uint8_t)reg);
	return x86_inb(CMOS_DATA);
}

static void read_raw(struct date *raw)
{
	for (uint32_t i = 0; i < UPDATE_POLLS; i++) {
		if (!(cmos_read(RTC_STATUS_A) & STATUS_A_UPDATING))
			break;
	}
	*raw = (struct date){
		.second = cmos_read(RTC_SECOND),
		.minute = cmos_read(RTC_MINUTE),
		.hour = cmos_read(RTC_HOUR),
		.day = cmos_read(RTC_DAY),
		.month = cmos_read(RTC_MONTH),
		.year = cmos_read(RTC_YEAR),
	};
}

static uint32_t decode(uint32_t value, uint8_t status_b)
{
	if (status_b & STATUS_B_BINARY)
		return value;
	return (value >> 4) * 10 + (value & 0xf);
}

static struct date decode_date(struct date raw, uint8_t status_b)
{
	bool is_pm = !(status_b & STATUS_B_24_HOURS) && (raw.hour & HOUR_PM);
	uint32_t hour = decode(raw.hour & ~(uint32_t)HOUR_PM, status_b);

	if (!(status_b & STATUS_B_24_HOURS))
		hour = hour % 12 + (is_pm ? 12 : 0);
	return (struct date){
		.second = decode(raw.second, status_b),
		.minute = decode(raw.minute, status_b),
		.hour = hour,
		.day = decode(raw.day, status_b),
		.month = decode(raw.month, status_b),
		.year = 2000 + decode(raw.year, status_b),
	};
}

uint64_t rtc_read_seconds(void)
{
	struct date first, second;

	/* an update between two registers shows as two differing readings */
	for (uint32_t i = 0; i < READ_TRIES; i++) {
		read_raw(&first);
		read_raw(&second);
		if (memcmp(&first, &second, sizeof(first)) == 0)
			return date_to_unix(
				decode_date(first, cmos_read(RTC_STATUS_B)));
	}
	return 0;
}
