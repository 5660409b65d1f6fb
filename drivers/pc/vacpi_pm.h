/*
 * ACPI fixed hardware: PM1 event and control, PM timer, GPE0. [pure]
 * ACPI 6.4, 4.8.3 "Fixed Hardware Registers".
 *
 * What the FADT has to say of it: VACPI_PM_* below; SMI_CMD 0 (there is no legacy
 * mode, SCI_EN is always set); flags TMR_VAL_EXT (the timer has 32 bits), SLP_BUTTON
 * and FIX_RTC (neither has a bit here), not PWR_BUTTON (that one has).
 */
#ifndef DRIVERS_PC_VACPI_PM_H
#define DRIVERS_PC_VACPI_PM_H

#include "kernel/vm.h"

#define VACPI_PM_EVENT_PORT   VM_PM_PORT /* status, then enable */
#define VACPI_PM_EVENT_SIZE   4
#define VACPI_PM_CONTROL_PORT (VM_PM_PORT + 0x04)
#define VACPI_PM_CONTROL_SIZE 2
#define VACPI_PM_TIMER_PORT   (VM_PM_PORT + 0x08)
#define VACPI_PM_TIMER_SIZE   4
#define VACPI_PM_TIMER_HZ     3579545UL
#define VACPI_PM_GPE0_PORT    (VM_PM_PORT + 0x20)
#define VACPI_PM_GPE0_SIZE    16 /* 8 bytes of status, 8 of enable */
#define VACPI_PM_S5	      0	 /* SLP_TYPa of \_S5 */

/* [l] vm->lock guards all. */
struct vacpi_pm {
	struct vm *vm;
	uint16_t status; /* PM1_STS, but TMR_STS is brought up to date when
			    somebody looks */
	uint16_t enable;
	uint16_t control;
	uint64_t gpe_enable;
	uint64_t half; /* timer >> 31 when TMR_STS was last looked at */
	bool is_sci_high;
};

/* Reset state. Adds ports. -E of io_add. */
int vacpi_pm_init(struct vacpi_pm *pm, struct vm *vm);

/* VM_TIMER_PM is due. vm->lock held. */
void vacpi_pm_timer_fire(struct vacpi_pm *pm);

/* The power button was pressed. vm->lock held. */
void vacpi_pm_press_power_button(struct vacpi_pm *pm);

#endif
