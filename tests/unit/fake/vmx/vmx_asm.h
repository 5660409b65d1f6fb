/* The current VMCS as an array, for pure files that read and write it. */
#ifndef FAKE_VMX_ASM_H
#define FAKE_VMX_ASM_H

#include <stdint.h>

#include "vmx/vmcs.h"

/* By encoding; a test fills it and looks. Defined in fake_vmcs.c. */
extern uint64_t fake_vmcs[0x7000];

static inline uint64_t vmcs_read(enum vmcs_field field)
{
	return fake_vmcs[field];
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
	fake_vmcs[field] = value;
}

#endif
