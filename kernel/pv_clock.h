/* kvm-clock: Linux Documentation/virt/kvm/x86/msr.rst and
 * include/asm/pvclock-abi.h. [pure] */
#ifndef KERNEL_PV_CLOCK_H
#define KERNEL_PV_CLOCK_H

#include "kernel/vcpu.h"

/* MSR_KVM_SYSTEM_TIME(_NEW) was written. False: #GP. */
bool pv_clock_write_system_time(struct vcpu *vcpu, uint64_t value);
/* MSR_KVM_WALL_CLOCK(_NEW) was written. */
bool pv_clock_write_wall_clock(struct vcpu *vcpu, uint64_t value);
/* Write the vCPU's clock page anew (REQUEST_CLOCK). */
void pv_clock_update(struct vcpu *vcpu);

#endif
