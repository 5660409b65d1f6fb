/* SVM's instructions. VMRUN itself is in svm_entry.asm. */
#ifndef SVM_SVM_ASM_H
#define SVM_SVM_ASM_H

#include "mm/addr.h"

/* Store FS, GS, TR, LDTR and the system-call MSRs into the VMCB at @vmcb. */
static inline void svm_vmsave(hpa_t vmcb)
{
	asm volatile("vmsave %%rax" ::"a"(vmcb.value) : "memory");
}

#endif
