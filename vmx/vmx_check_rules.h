/*
 * What the files vmx_check*.c share: rules, and what their predicates look at.
 * [pure]
 */
#ifndef VMX_VMX_CHECK_RULES_H
#define VMX_VMX_CHECK_RULES_H

#include "kernel/cpu/x86_regs.h"
#include "kernel/vcpu.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_check.h"

struct vmx_check_segment {
	uint64_t selector, base, limit, rights;
};

/* The current VMCS, as far as several rules ask for it. */
struct vmx_check_view {
	const struct vmx_check_limits *limits;
	uint32_t which; /* of the rule that is being looked at */
	uint64_t pin, proc, proc2, entry, exit; /* controls; proc2 is 0 if the
						   secondary ones are off */
	uint64_t cr0, cr4, efer, debugctl, rflags, rip;
	uint64_t activity, blocking, pending;
	uint64_t event; /* to inject; 0 if none */
	struct vmx_check_segment segments[SEGMENT_COUNT];
};

/* The text says how it is broken. @which tells one predicate for whom to look:
 * a field, a segment register, a bit, the number of a PDPTE. */
struct vmx_check_rule {
	const char *text;
	bool (*is_broken)(const struct vmx_check_view *view);
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
extern const struct vmx_check_table vmx_check_vmx;

/* Predicates for field view->which, be it the guest's or the host's. */
bool vmx_check_is_not_canonical(const struct vmx_check_view *view);
bool vmx_check_is_bad_cr3(const struct vmx_check_view *view);
bool vmx_check_is_bad_pat(const struct vmx_check_view *view);
bool vmx_check_is_bad_efer(const struct vmx_check_view *view);

/* Bits of an address that the machine's memory does not reach. */
static inline uint64_t vmx_check_beyond(const struct vmx_check_view *view)
{
	return ~BITS(view->limits->physical_width - 1, 0);
}

/* "IA-32e mode guest" */
static inline bool vmx_check_is_long(const struct vmx_check_view *view)
{
	return view->entry & VMCS_ENTRY_GUEST_64;
}

static inline bool vmx_check_is_unrestricted(const struct vmx_check_view *view)
{
	return view->proc2 & VMCS_PROC2_UNRESTRICTED;
}

/* Is an event of @type to be injected? */
static inline bool vmx_check_injects(const struct vmx_check_view *view,
				     enum vmcs_event_type type)
{
	return view->event && FIELD_GET(VMCS_EVENT_TYPE, view->event) == type;
}

#endif
