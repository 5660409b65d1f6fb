/*
 * Why a VM entry failed: the CPU tells that it did not like the VMCS, not what
 * of it. These functions look for the rule that the current VMCS breaks. They
 * know the controls that the back end may turn on; rules of others (CET, PKRS,
 * MPX, PERF_GLOBAL_CTRL, RTIT, SMM, shadow VMCSs) are not among theirs. [pure]
 */
#ifndef VMX_VMX_CHECK_H
#define VMX_VMX_CHECK_H

#include <stdint.h>

/* Of the CPU, not of what the guest is told of it: CPUID.80000008:EAX, and MSRs
 * IA32_VMX_CR0_FIXED0 to CR4_FIXED1 and IA32_VMX_MISC (SDM 3D appendix A "VMX
 * Capability Reporting Facility"). */
struct vmx_check_limits {
	uint8_t physical_width; /* of addresses, in bits */
	uint8_t linear_width;	/* 48 or 57 */
	uint64_t cr0_fixed0, cr0_fixed1;
	uint64_t cr4_fixed0, cr4_fixed1;
	uint64_t misc;
};

/* What VMCS_INSN_ERROR says, in short; "unknown" for what the manual does not
 * list. SDM 3C 31.4 "VM Instruction Error Numbers". */
const char *vmx_insn_error_name(uint32_t number);

/*
 * The first rule that the guest's state breaks, or NULL: for entries that fail
 * with VMCS_EXIT_BAD_GUEST_STATE. SDM 3C 27.3.1 "Checks on the Guest State
 * Area". Call it before the next entry changes fields.
 */
const char *vmx_check_guest_state(const struct vmx_check_limits *limits);

/*
 * The first rule that the controls or the host's state break, or NULL: for
 * entries that fail with instruction errors 7 and 8. SDM 3C 27.2 "Checks on VMX
 * Controls and Host-State Area", of which reserved bits of the controls are not
 * checked.
 */
const char *vmx_check_controls(const struct vmx_check_limits *limits);

#endif
