/* Which of the two back ends drives guests on this machine. */
#ifndef KERNEL_BACKEND_H
#define KERNEL_BACKEND_H

/* Probe SVM, then VMX; stop with one line if neither can be used. */
void backend_choose(void);

/* Turn virtualization on on every running CPU; stop if one refuses. */
void backend_start(void);

/* "svm" or "vmx". */
const char *backend_name(void);

#endif
