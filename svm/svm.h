/* The AMD back end. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "kernel/lib/diag.h"
#include "kernel/vcpu.h"

/* Can this CPU run guests by SVM? Lists its capabilities in the log. 0, -ENODEV
 * or -ENOTSUP with the reason. */
int svm_probe(struct diag *why);

extern const struct vcpu_ops svm_ops;

#endif
