/* The current VMCS as an array, for pure files that read and write it. */
#ifndef FAKE_VMX_ASM_H
#define FAKE_VMX_ASM_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmcs.h"

/* By encoding; a test fills it and looks. Defined in fake_vmcs.c. */
extern uint64_t fake_vmcs[0x7000];

/* What vmx_open and vmx_close were used for since a test zeroed it. A close ends
 * all opens, as on another CPU than the vCPU's. */
struct fake_vmcs_use {
	bool is_open;
	unsigned int opens, closes;
	unsigned int strays; /* accesses while it was not open */
};
extern struct fake_vmcs_use fake_vmcs_use;

static inline uint64_t vmcs_read(enum vmcs_field field)
{
	fake_vmcs_use.strays += !fake_vmcs_use.is_open;
	return fake_vmcs[field];
}

/* As wide as the encoding says: SDM 3D appendix B "Field Encoding in VMCS". */
static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
	static const uint64_t masks[] = { UINT16_MAX, UINT64_MAX, UINT32_MAX,
					  UINT64_MAX };

	fake_vmcs_use.strays += !fake_vmcs_use.is_open;
	fake_vmcs[field] = value & masks[field >> 13 & 3];
}

#endif
