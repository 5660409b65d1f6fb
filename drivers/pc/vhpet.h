/*
 * The high precision event timer: one block of three comparators. [pure]
 * Intel, "IA-PC HPET Specification 1.0a", section 2.3 "Register Definitions".
 */
#ifndef DRIVERS_PC_VHPET_H
#define DRIVERS_PC_VHPET_H

#include "kernel/vm.h"

struct vpit;
struct vrtc;

#define VHPET_HZ	100000000UL
#define VHPET_PERIOD_FS 10000000UL
#define VHPET_SIZE	0x400
#define VHPET_TIMERS	3
/* Low half of GENERAL_CAP_ID, as ACPI's HPET table repeats it. */
#define VHPET_ID 0x8086a201U

/* [l] vm->lock guards all. Counts are those of the main counter. */
struct vhpet_timer {
	uint64_t config;
	uint64_t comparator;
	uint64_t period; /* last written while periodic */
	uint64_t due;	 /* match waited for, if is_armed; as if the counter had
			    64 bits */
	bool is_armed;
};

struct vhpet {
	struct vm *vm;
	struct vpit *pit;
	struct vrtc *rtc;
	uint64_t config;  /* GENERAL_CONFIG */
	uint64_t status;  /* GENERAL_INTERRUPT_STATUS */
	uint64_t counter; /* main counter at vm_time() 0 (it runs), or now */
	struct vhpet_timer timers[VHPET_TIMERS];
};

/* Reset state, counter halted at 0. @pit and @rtc lose their interrupt lines while
 * legacy replacement is on. Adds memory. -E of io_add. */
int vhpet_init(struct vhpet *hpet, struct vm *vm, struct vpit *pit,
	       struct vrtc *rtc);

/* VM_TIMER_HPET0 + @number is due. vm->lock held. */
void vhpet_timer_fire(struct vhpet *hpet, uint32_t number);

#endif
