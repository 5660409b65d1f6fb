/* Why a VM entry failed: the guest's state outside registers. */
#include "vmx/vmx_check_rules.h"

/* SDM 3C 25.4.2 "Guest Non-Register State" */
enum activity { IS_ACTIVE, IS_HALTED, IS_SHUT_DOWN, WAITS_FOR_STARTUP };

/* The states but the first that a CPU has, by their numbers: SDM 3D A.6
 * "Miscellaneous Data". */
#define MISC_ACTIVITY BITS(8, 6)

/* Bit 11 is for bus locks, which no guest has been offered. */
#define PENDING_RESERVED (BITS(63, 17) | BIT(15) | BIT(13) | BITS(11, 4))

#define DEBUGCTL_BTF BIT(1)

static bool is_activity_bad(const struct vmx_check_view *view)
{
	uint64_t states = FIELD_GET(MISC_ACTIVITY, view->limits->misc) << 1 |
			  BIT(IS_ACTIVE);

	return view->activity > WAITS_FOR_STARTUP ||
	       !(states & BIT(view->activity));
}

static bool is_user_halted(const struct vmx_check_view *view)
{
	return view->activity == IS_HALTED &&
	       (view->segments[SEGMENT_SS].rights & SEGMENT_DPL);
}

static bool is_shadow_inactive(const struct vmx_check_view *view)
{
	return (view->blocking & VMCS_SHADOW) && view->activity != IS_ACTIVE;
}

static bool reaches(uint64_t activity, uint64_t type, uint64_t vector)
{
	bool is_exception = type == VMCS_EVENT_EXCEPTION;

	switch (activity) {
	case IS_ACTIVE: return true;
	case IS_HALTED:
		return type == VMCS_EVENT_INTERRUPT || type == VMCS_EVENT_NMI ||
		       (is_exception &&
			(vector == VECTOR_DB || vector == VECTOR_MC)) ||
		       (type == VMCS_EVENT_OTHER && vector == 0);
	case IS_SHUT_DOWN:
		return type == VMCS_EVENT_NMI ||
		       (is_exception && vector == VECTOR_MC);
	default: return false;
	}
}

static bool is_event_asleep(const struct vmx_check_view *view)
{
	return view->event &&
	       !reaches(view->activity, FIELD_GET(VMCS_EVENT_TYPE, view->event),
			FIELD_GET(VMCS_EVENT_VECTOR, view->event));
}

static bool is_blocking_bad(const struct vmx_check_view *view)
{
	return view->blocking & ~BITS(4, 0);
}

static bool is_shadow_twofold(const struct vmx_check_view *view)
{
	return (view->blocking & VMCS_SHADOW) == VMCS_SHADOW;
}

static bool is_sti_off(const struct vmx_check_view *view)
{
	return (view->blocking & VMCS_BLOCKED_BY_STI) &&
	       !(view->rflags & RFLAGS_IF);
}

static bool is_interrupt_shadowed(const struct vmx_check_view *view)
{
	return vmx_check_injects(view, VMCS_EVENT_INTERRUPT) &&
	       (view->blocking & VMCS_SHADOW);
}

static bool is_nmi_blocked(const struct vmx_check_view *view)
{
	return vmx_check_injects(view, VMCS_EVENT_NMI) &&
	       (view->blocking & view->which);
}

static bool is_virtual_nmi_blocked(const struct vmx_check_view *view)
{
	return (view->pin & VMCS_PIN_VIRTUAL_NMI) && is_nmi_blocked(view);
}

static bool is_smi_blocked(const struct vmx_check_view *view)
{
	return view->blocking & VMCS_BLOCKED_BY_SMI;
}

static bool is_enclave_shadowed(const struct vmx_check_view *view)
{
	return (view->blocking & VMCS_IN_ENCLAVE) &&
	       (view->blocking & VMCS_BLOCKED_BY_MOV_SS);
}

static bool is_pending_bad(const struct vmx_check_view *view)
{
	return view->pending & PENDING_RESERVED;
}

/* Where debug exceptions wait for the end of a shadow or for a wake-up, the
 * step that has been made must be among them. */
static bool is_step_waiting(const struct vmx_check_view *view)
{
	return (view->blocking & VMCS_SHADOW) || view->activity == IS_HALTED;
}

static bool is_stepping(const struct vmx_check_view *view)
{
	return (view->rflags & RFLAGS_TF) && !(view->debugctl & DEBUGCTL_BTF);
}

static bool is_step_missing(const struct vmx_check_view *view)
{
	return is_step_waiting(view) && is_stepping(view) &&
	       !(view->pending & VMCS_PENDING_BS);
}

static bool is_step_untrue(const struct vmx_check_view *view)
{
	return is_step_waiting(view) && !is_stepping(view) &&
	       (view->pending & VMCS_PENDING_BS);
}

static bool is_rtm_mixed(const struct vmx_check_view *view)
{
	return (view->pending & VMCS_PENDING_RTM) &&
	       view->pending != (VMCS_PENDING_RTM | VMCS_PENDING_BREAKPOINT);
}

static bool is_rtm_shadowed(const struct vmx_check_view *view)
{
	return (view->pending & VMCS_PENDING_RTM) &&
	       (view->blocking & VMCS_BLOCKED_BY_MOV_SS);
}

static bool is_not_all_ones(const struct vmx_check_view *view)
{
	return vmcs_read(view->which) != ~0UL;
}

static bool is_paging_pae(const struct vmx_check_view *view)
{
	return (view->cr0 & CR0_PG) && (view->cr4 & CR4_PAE) &&
	       !vmx_check_is_long(view);
}

/* Reserved: SDM 3A table 4-8 "Format of a PAE Page-Directory-Pointer-Table
 * Entry (PDPTE)". */
static bool is_pdpte_bad(const struct vmx_check_view *view)
{
	uint64_t pdpte =
		vmcs_read(VMCS_GUEST_PDPTE0 + view->which * VMCS_FIELD_STEP);

	return is_paging_pae(view) && (view->proc2 & VMCS_PROC2_EPT) &&
	       (pdpte & BIT(0)) &&
	       (pdpte & (vmx_check_beyond(view) | BITS(8, 5) | BITS(2, 1)));
}

static const struct vmx_check_rule rules[] = {
	/* SDM 3C 27.3.1.5 "Checks on Guest Non-Register State". That an NMI
	 * must not come behind STI is a rule of some CPUs. */
	{ "activity state that the CPU does not have", is_activity_bad, 0 },
	{ "halted with SS.DPL not 0", is_user_halted, 0 },
	{ "inactive behind STI or MOV SS", is_shadow_inactive, 0 },
	{ "event injected that the activity state blocks", is_event_asleep, 0 },
	{ "interruptibility has reserved bits set", is_blocking_bad, 0 },
	{ "blocked by both STI and MOV SS", is_shadow_twofold, 0 },
	{ "blocked by STI with RFLAGS.IF clear", is_sti_off, 0 },
	{ "interrupt injected behind STI or MOV SS", is_interrupt_shadowed, 0 },
	{ "NMI injected behind MOV SS", is_nmi_blocked,
	  VMCS_BLOCKED_BY_MOV_SS },
	{ "NMI injected behind STI", is_nmi_blocked, VMCS_BLOCKED_BY_STI },
	{ "NMI injected while virtual NMIs are blocked", is_virtual_nmi_blocked,
	  VMCS_BLOCKED_BY_NMI },
	{ "blocked by SMI outside SMM", is_smi_blocked, 0 },
	{ "enclave interruption behind MOV SS", is_enclave_shadowed, 0 },
	{ "pending debug exceptions have reserved bits set", is_pending_bad,
	  0 },
	{ "no BS pending in a shadow or HLT with RFLAGS.TF", is_step_missing,
	  0 },
	{ "BS pending in a shadow or HLT without RFLAGS.TF or with BTF",
	  is_step_untrue, 0 },
	{ "RTM pending, but not with bit 12 alone", is_rtm_mixed, 0 },
	{ "RTM pending behind MOV SS", is_rtm_shadowed, 0 },
	{ "VMCS link pointer is not ~0", is_not_all_ones, VMCS_LINK_POINTER },

	/* SDM 3C 27.3.1.6 "Checks on Guest Page-Directory-Pointer-Table
	 * Entries" */
	{ "PDPTE0 has reserved bits set", is_pdpte_bad, 0 },
	{ "PDPTE1 has reserved bits set", is_pdpte_bad, 1 },
	{ "PDPTE2 has reserved bits set", is_pdpte_bad, 2 },
	{ "PDPTE3 has reserved bits set", is_pdpte_bad, 3 },
};

const struct vmx_check_table vmx_check_state = { rules, ARRAY_SIZE(rules) };
