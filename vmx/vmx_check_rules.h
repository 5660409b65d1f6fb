/*
 * What the files vmx_check*.c share: rules, and how predicates read the current
 * VMCS. [pure]
 */
#ifndef VMX_VMX_CHECK_RULES_H
#define VMX_VMX_CHECK_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/cpu/x86_regs.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_check.h"

/* The text says how it is broken. @which tells one predicate for whom to look: a
 * field, a segment register, the number of a PDPTE. */
struct vmx_check_rule {
	const char *text;
	bool (*is_broken)(const struct vmx_check_limits *limits,
			  uint32_t which);
	uint32_t which;
};

struct vmx_check_table {
	const struct vmx_check_rule *rules;
	size_t count;
};

/* One a file; the guest's are looked at in this order. */
extern const struct vmx_check_table vmx_check_registers;
extern const struct vmx_check_table vmx_check_segments;
extern const struct vmx_check_table vmx_check_state;
/* Of vmx_check_controls. */
extern const struct vmx_check_table vmx_check_control_rules;

/* Predicates for fields of the guest and of the host. */
bool vmx_check_is_not_canonical(const struct vmx_check_limits *limits,
				uint32_t field);
bool vmx_check_is_bad_cr3(const struct vmx_check_limits *limits,
			  uint32_t field);
bool vmx_check_is_bad_pat(const struct vmx_check_limits *limits,
			  uint32_t field);
bool vmx_check_is_bad_efer(const struct vmx_check_limits *limits,
			   uint32_t field);

static inline bool vmx_check_has(enum vmcs_field field, uint64_t bits)
{
	return (vmcs_read(field) & bits) != 0;
}

/* Secondary controls are off when nobody turned them on. */
static inline bool vmx_check_has_proc2(uint64_t bits)
{
	return vmx_check_has(VMCS_PROC_CONTROLS, VMCS_PROC_SECONDARY) &&
	       vmx_check_has(VMCS_PROC2_CONTROLS, bits);
}

static inline bool vmx_check_is_unrestricted(void)
{
	return vmx_check_has_proc2(VMCS_PROC2_UNRESTRICTED);
}

/* "IA-32e mode guest" */
static inline bool vmx_check_is_long(void)
{
	return vmx_check_has(VMCS_ENTRY_CONTROLS, VMCS_ENTRY_GUEST_64);
}

/* Is an event of @type to be injected? */
static inline bool vmx_check_injects(enum vmcs_event_type type)
{
	uint64_t event = vmcs_read(VMCS_ENTRY_EVENT);

	return (event & VMCS_EVENT_VALID) &&
	       FIELD_GET(VMCS_EVENT_TYPE, event) == type;
}

#endif
