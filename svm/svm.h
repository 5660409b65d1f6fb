/* The AMD back end. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "kernel/lib/diag.h"

/* Can this CPU run guests by SVM? Lists its capabilities in the log. 0, -ENODEV
 * or -ENOTSUP with the reason. */
int svm_probe(struct diag *why);

#endif
