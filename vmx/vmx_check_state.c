/* Why a VM entry failed: the guest's state outside registers. */
#include "vmx/vmx_check_rules.h"

#include "kernel/vcpu.h"

/* SDM 3C 25.4.2 "Guest Non-Register State" */
enum activity { IS_ACTIVE, IS_HALTED, IS_SHUT_DOWN, WAITS_FOR_STARTUP };

/* The states but the first that a CPU has, by their numbers: SDM 3D A.6
 * "Miscellaneous Data". */
#define MISC_ACTIVITY BITS(8, 6)

/* "Other event": an exit of the monitor trap flag. */
#define EVENT_OTHER 7

/* Bit 11 is for bus locks, which no guest has been offered. */
#define PENDING_RESERVED (BITS(63, 17) | BIT(15) | BIT(13) | BITS(11, 4))

#define DEBUGCTL_BTF BIT(1)

static bool is_activity_bad(const struct vmx_check_limits *limits,
			    uint32_t which)
{
	uint64_t activity = vmcs_read(VMCS_GUEST_ACTIVITY);
	uint64_t states = FIELD_GET(MISC_ACTIVITY, limits->misc) << 1;

	(void)which;
	return activity > WAITS_FOR_STARTUP ||
	       (activity != IS_ACTIVE && !(states & BIT(activity)));
}

static bool is_user_halted(const struct vmx_check_limits *limits,
			   uint32_t which)
{
	(void)limits;
	(void)which;
	return vmcs_read(VMCS_GUEST_ACTIVITY) == IS_HALTED &&
	       vmx_check_has(VMCS_GUEST_SS_RIGHTS, SEGMENT_DPL);
}

static bool is_shadowed(void)
{
	return vmx_check_has(VMCS_GUEST_INTERRUPTIBILITY, VMCS_SHADOW);
}

static bool is_shadow_inactive(const struct vmx_check_limits *limits,
			       uint32_t which)
{
	(void)limits;
	(void)which;
	return is_shadowed() && vmcs_read(VMCS_GUEST_ACTIVITY) != IS_ACTIVE;
}

static bool wakes(uint64_t activity, uint64_t type, uint64_t vector)
{
	bool is_exception = type == VMCS_EVENT_EXCEPTION;

	switch (activity) {
	case IS_ACTIVE: return true;
	case IS_HALTED:
		return type == VMCS_EVENT_INTERRUPT || type == VMCS_EVENT_NMI ||
		       (is_exception &&
			(vector == VECTOR_DB || vector == VECTOR_MC)) ||
		       (type == EVENT_OTHER && vector == 0);
	case IS_SHUT_DOWN:
		return type == VMCS_EVENT_NMI ||
		       (is_exception && vector == VECTOR_MC);
	default: return false;
	}
}

static bool is_event_asleep(const struct vmx_check_limits *limits,
			    uint32_t which)
{
	uint64_t event = vmcs_read(VMCS_ENTRY_EVENT);

	(void)limits;
	(void)which;
	return (event & VMCS_EVENT_VALID) &&
	       !wakes(vmcs_read(VMCS_GUEST_ACTIVITY),
		      FIELD_GET(VMCS_EVENT_TYPE, event),
		      FIELD_GET(VMCS_EVENT_VECTOR, event));
}

static bool is_blocking_bad(const struct vmx_check_limits *limits,
			    uint32_t which)
{
	(void)limits;
	(void)which;
	return vmx_check_has(VMCS_GUEST_INTERRUPTIBILITY, ~BITS(4, 0));
}

static bool is_shadow_twofold(const struct vmx_check_limits *limits,
			      uint32_t which)
{
	(void)limits;
	(void)which;
	return (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & VMCS_SHADOW) ==
	       VMCS_SHADOW;
}

static bool is_sti_off(const struct vmx_check_limits *limits, uint32_t which)
{
	(void)limits;
	(void)which;
	return vmx_check_has(VMCS_GUEST_INTERRUPTIBILITY,
			     VMCS_BLOCKED_BY_STI) &&
	       !vmx_check_has(VMCS_GUEST_RFLAGS, RFLAGS_IF);
}

static bool is_interrupt_shadowed(const struct vmx_check_limits *limits,
				  uint32_t which)
{
	(void)limits;
	(void)which;
	return vmx_check_injects(VMCS_EVENT_INTERRUPT) && is_shadowed();
}

/* @which: the bit that blocks */
static bool is_nmi_blocked(const struct vmx_check_limits *limits,
			   uint32_t which)
{
	(void)limits;
	return vmx_check_injects(VMCS_EVENT_NMI) &&
	       vmx_check_has(VMCS_GUEST_INTERRUPTIBILITY, which);
}

static bool is_virtual_nmi_blocked(const struct vmx_check_limits *limits,
				   uint32_t which)
{
	return vmx_check_has(VMCS_PIN_CONTROLS, VMCS_PIN_VIRTUAL_NMI) &&
	       is_nmi_blocked(limits, which);
}

static bool is_smi_blocked(const struct vmx_check_limits *limits,
			   uint32_t which)
{
	(void)limits;
	(void)which;
	return vmx_check_has(VMCS_GUEST_INTERRUPTIBILITY, VMCS_BLOCKED_BY_SMI);
}

static bool is_enclave_shadowed(const struct vmx_check_limits *limits,
				uint32_t which)
{
	uint64_t both = VMCS_IN_ENCLAVE | VMCS_BLOCKED_BY_MOV_SS;

	(void)limits;
	(void)which;
	return (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & both) == both;
}

static bool is_pending_bad(const struct vmx_check_limits *limits,
			   uint32_t which)
{
	(void)limits;
	(void)which;
	return vmx_check_has(VMCS_GUEST_PENDING_DEBUG, PENDING_RESERVED);
}

/* Where an instruction has just been executed that debug exceptions wait for. */
static bool is_step_known(void)
{
	return is_shadowed() || vmcs_read(VMCS_GUEST_ACTIVITY) == IS_HALTED;
}

static bool is_stepping(void)
{
	return vmx_check_has(VMCS_GUEST_RFLAGS, RFLAGS_TF) &&
	       !vmx_check_has(VMCS_GUEST_DEBUGCTL, DEBUGCTL_BTF);
}

static bool is_step_missing(const struct vmx_check_limits *limits,
			    uint32_t which)
{
	(void)limits;
	(void)which;
	return is_step_known() && is_stepping() &&
	       !vmx_check_has(VMCS_GUEST_PENDING_DEBUG, VMCS_PENDING_BS);
}

static bool is_step_untrue(const struct vmx_check_limits *limits,
			   uint32_t which)
{
	(void)limits;
	(void)which;
	return is_step_known() && !is_stepping() &&
	       vmx_check_has(VMCS_GUEST_PENDING_DEBUG, VMCS_PENDING_BS);
}

static bool is_rtm_mixed(const struct vmx_check_limits *limits, uint32_t which)
{
	uint64_t pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG);

	(void)limits;
	(void)which;
	return (pending & VMCS_PENDING_RTM) &&
	       pending != (VMCS_PENDING_RTM | VMCS_PENDING_BREAKPOINT);
}

static bool is_rtm_shadowed(const struct vmx_check_limits *limits,
			    uint32_t which)
{
	(void)limits;
	(void)which;
	return vmx_check_has(VMCS_GUEST_PENDING_DEBUG, VMCS_PENDING_RTM) &&
	       vmx_check_has(VMCS_GUEST_INTERRUPTIBILITY,
			     VMCS_BLOCKED_BY_MOV_SS);
}

static bool is_linked(const struct vmx_check_limits *limits, uint32_t which)
{
	(void)limits;
	(void)which;
	return vmcs_read(VMCS_LINK_POINTER) != ~0UL;
}

/* Reserved: SDM 3A table 4-8 "Format of a PAE Page-Directory-Pointer-Table Entry
 * (PDPTE)". */
static bool is_pdpte_bad(const struct vmx_check_limits *limits, uint32_t which)
{
	uint64_t reserved = ~BITS(limits->physical_width - 1, 0) | BITS(8, 5) |
			    BITS(2, 1);
	uint64_t pdpte =
		vmcs_read(VMCS_GUEST_PDPTE0 + which * VMCS_FIELD_STEP);

	return vmx_check_has_proc2(VMCS_PROC2_EPT) && !vmx_check_is_long() &&
	       vmx_check_has(VMCS_GUEST_CR0, CR0_PG) &&
	       vmx_check_has(VMCS_GUEST_CR4, CR4_PAE) && (pdpte & BIT(0)) &&
	       (pdpte & reserved);
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
	{ "VMCS link pointer is not ~0", is_linked, 0 },

	/* SDM 3C 27.3.1.6 "Checks on Guest Page-Directory-Pointer-Table
	 * Entries" */
	{ "PDPTE0 has reserved bits set", is_pdpte_bad, 0 },
	{ "PDPTE1 has reserved bits set", is_pdpte_bad, 1 },
	{ "PDPTE2 has reserved bits set", is_pdpte_bad, 2 },
	{ "PDPTE3 has reserved bits set", is_pdpte_bad, 3 },
};

const struct vmx_check_table vmx_check_state = { rules, ARRAY_SIZE(rules) };
