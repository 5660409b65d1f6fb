/* The battery-backed clock (MC146818 and its descendants). */
#ifndef KERNEL_CPU_RTC_H
#define KERNEL_CPU_RTC_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC (the RTC is taken to run in UTC); 0 if it does
 * not answer sensibly. */
uint64_t rtc_read_seconds(void);

#endif
