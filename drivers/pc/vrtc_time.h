/* The MC146818's time registers and seconds since 1970-01-01. [pure] */
#ifndef DRIVERS_PC_VRTC_TIME_H
#define DRIVERS_PC_VRTC_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* How registers hold numbers: bits of register B. */
struct vrtc_format {
	bool is_binary;
	bool is_24_hours;
};

/* Registers as they are read and written. */
struct vrtc_time {
	uint8_t second, minute, hour;
	uint8_t weekday; /* 1: Sunday */
	uint8_t day, month, year, century;
};

/* Any number of seconds within the years 0 to 9999, else as if it were the
 * nearest of these. */
struct vrtc_time vrtc_time_encode(int64_t seconds, struct vrtc_format format);

/* Registers may hold anything: days beyond the month count on into the next. The
 * weekday is ignored. */
int64_t vrtc_time_decode(const struct vrtc_time *time,
			 struct vrtc_format format);

/* The first second at or after @from whose time of day matches the alarm registers
 * in @time (0xc0 and above match all); INT64_MAX: none ever does. */
int64_t vrtc_time_next_match(const struct vrtc_time *time,
			     struct vrtc_format format, int64_t from);

#endif
