/* Calendar dates. [pure] */
#ifndef KERNEL_LIB_DATE_H
#define KERNEL_LIB_DATE_H

#include <stdint.h>

/* A moment in UTC; month and day from 1. */
struct date {
	uint32_t year, month, day, hour, minute, second;
};

/* Seconds since 1970-01-01, Gregorian calendar; 0 for a date that does not
 * exist or is before 1970 or after 2399. */
uint64_t date_to_unix(struct date date);

#endif
