/*
 * The MC146818 clock and its CMOS RAM. [pure]
 * Motorola, "MC146818A Real-Time Clock Plus RAM", sections "Address Map" and
 * "Registers".
 *
 * The time is the VM's wall clock plus an offset; setting the time changes the
 * offset. Flags of register C are brought up to date when somebody looks, and a
 * deadline is armed only for an interrupt that is enabled and not yet raised.
 */
#ifndef DRIVERS_PC_VRTC_H
#define DRIVERS_PC_VRTC_H

#include "drivers/pc/vcmos.h"

#define VRTC_PORT 0x70
#define VRTC_GSI  8

/* [l] vm->lock guards all. Seconds are since 1970-01-01 of the clock's time. */
struct vrtc {
	struct vm *vm;
	int64_t offset;	      /* seconds */
	uint64_t offset_ns;   /* and nanoseconds, below a second */
	int64_t seen_second;  /* up to here update and alarm are in the flags */
	uint64_t seen_period; /* up to here the periodic flag is */
	int64_t alarm;	      /* next second that matches, INT64_MAX: none */
	uint8_t index;
	uint8_t cmos[VCMOS_SIZE]; /* 0 to 9 and 0x32: while the clock
					 stands */
	bool is_replaced;	  /* by the HPET: no interrupts */
};

/* Time of @vm's wall clock, memory size and CPUs in CMOS RAM as SeaBIOS looks for
 * them. Adds ports. -E of io_add. */
int vrtc_init(struct vrtc *rtc, struct vm *vm);

/* VM_TIMER_RTC is due. vm->lock held. */
void vrtc_timer_fire(struct vrtc *rtc);

/* The HPET has taken over interrupt line 8, or gives it back. vm->lock held. */
void vrtc_set_replaced(struct vrtc *rtc, bool is_replaced);

#endif
