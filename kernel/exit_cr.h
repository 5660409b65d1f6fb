/* Writes of control registers that the back end may not let through: CR0, CR4,
 * CR8, XCR0. SDM 3A 2.5 "Control Registers". [pure] */
#ifndef KERNEL_EXIT_CR_H
#define KERNEL_EXIT_CR_H

#include "kernel/vcpu.h"

/* The exits: register and skip, or #GP (XSETBV: also #UD). */
void exit_cr_write(struct vcpu *vcpu);
void exit_cr_read(struct vcpu *vcpu);
void exit_xsetbv(struct vcpu *vcpu);

/*
 * What MOV to and from CR@number does: 0, 2, 3, 4 or 8. False: #GP, nothing
 * changed; for a number that does not exist too.
 */
bool cr_write(struct vcpu *vcpu, uint8_t number, uint64_t value);
bool cr_read(struct vcpu *vcpu, uint8_t number, uint64_t *value);

#endif
