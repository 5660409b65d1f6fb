/* The one switch over exits. */
#ifndef KERNEL_EXIT_H
#define KERNEL_EXIT_H

#include "kernel/vcpu.h"

/* Handle vcpu->exit, on the vCPU's own thread, with no lock held. It may give
 * way. */
void exit_handle(struct vcpu *vcpu);

#endif
