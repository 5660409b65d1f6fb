/* The KVM guest ABI's hypercalls: Linux Documentation/virt/kvm/x86/hypercalls.rst.
 * [pure] */
#ifndef KERNEL_HYPERCALL_H
#define KERNEL_HYPERCALL_H

#include "kernel/vcpu.h"

/* VMCALL or VMMCALL: number in RAX, arguments in RBX, RCX, RDX, RSI; result in
 * RAX; skip. */
void exit_hypercall(struct vcpu *vcpu);

#endif
