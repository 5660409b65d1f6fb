/*
 * What firmware finds in CMOS RAM: sizes of memory and number of CPUs, where
 * SeaBIOS looks for them on QEMU. [pure] OSDev Wiki, "CMOS", "Register 0x14" and
 * those after it.
 */
#ifndef DRIVERS_PC_VCMOS_H
#define DRIVERS_PC_VCMOS_H

#include "kernel/vm.h"

#define VCMOS_SIZE 128

/* Bytes 0x15 to 0x18, 0x30, 0x31, 0x34, 0x35 and 0x5b to 0x5f. */
void vcmos_fill(uint8_t cmos[VCMOS_SIZE], const struct vm *vm);

#endif
