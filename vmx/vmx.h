/* The Intel back end. */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "kernel/lib/diag.h"
#include "kernel/vcpu.h"

/* Can this CPU run guests by VMX? Lists its capabilities in the log. 0, -ENODEV
 * or -ENOTSUP with the reason. */
int vmx_probe(struct diag *why);

/* Can the calling CPU, too, as the one that vmx_probe was called on? */
bool vmx_probe_other(void);

/* Written once by vmx_probe. */
extern struct vcpu_ops vmx_ops;

#endif
