/* What AMD SVM this CPU has. [pure] */
#ifndef SVM_SVM_CAPS_H
#define SVM_SVM_CAPS_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/lib/bits.h"
#include "kernel/lib/diag.h"

/* CPUID 8000_000A (APM 3 E.4.9 "Function 8000_000Ah—SVM Features") and MSR
 * VM_CR (APM 2 15.30.1 "VM_CR MSR"). */
struct svm_caps {
	bool has_svm;	     /* CPUID 8000_0001 ECX.SVM */
	uint32_t revision;   /* EAX[7:0] */
	uint32_t asid_count; /* EBX */
	uint32_t features;   /* EDX */
	uint64_t vm_cr;	     /* 0 if the CPU has no such MSR */
};

#define SVM_FEATURE_NESTED_PAGING   BIT(0)
#define SVM_FEATURE_PAUSE_FILTER    BIT(10)
#define SVM_FEATURE_PAUSE_THRESHOLD BIT(12)
#define VM_CR_LOCK		    BIT(3)
#define VM_CR_SVMDIS		    BIT(4)

/* 0, -ENODEV (no SVM) or -ENOTSUP (SVM that Basalt cannot use, with the
 * reason). */
int svm_caps_check(const struct svm_caps *caps, struct diag *why);

/* "revision 1, 16 ASIDs: nested-paging, …" into @buf; returns as fmt_print. */
size_t svm_caps_print(const struct svm_caps *caps, char *buf, size_t size);

#endif
