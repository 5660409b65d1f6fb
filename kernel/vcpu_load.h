/*
 * The registers that stay in the CPU while the hypervisor runs, because it uses
 * none of them: FPU and vectors, XCR0, DR0 to DR3, TSC_AUX. They are exchanged
 * only when another vCPU comes to the CPU.
 */
#ifndef KERNEL_VCPU_LOAD_H
#define KERNEL_VCPU_LOAD_H

#include "kernel/cpu/percpu.h"
#include "kernel/vcpu.h"

/* The vCPU whose registers this CPU holds; NULL: nobody's. */
extern struct vcpu *vcpu_loaded;

/* Learn what state the CPU has; once on the boot CPU, before vCPUs. */
void vcpu_load_init(void);

/* Let the FPU's instructions work on this CPU, for guests. */
void vcpu_load_cpu_start(void);

/* Order of the frames at vcpu->xsave. */
unsigned int vcpu_load_order(void);

void vcpu_exchange(struct vcpu *vcpu);

/* Make this CPU hold the registers of @vcpu. */
static inline void vcpu_load(struct vcpu *vcpu)
{
	if (*this_cpu(vcpu_loaded) != vcpu)
		vcpu_exchange(vcpu);
}

/* Make struct vcpu hold them, and this CPU nobody's: before they are changed
 * there, and at its end. */
void vcpu_unload(struct vcpu *vcpu);

#endif
