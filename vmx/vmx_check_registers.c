/* Why a VM entry failed: control registers, MSRs, descriptor tables, RIP and
 * RFLAGS of the guest. */
#include "vmx/vmx_check_rules.h"

/* VM entry leaves these as they are: SDM 3C 27.3.1.1. */
#define CR0_KEPT (CR0_NW | CR0_CD)

/* SDM 4 table 2-2 "IA-32 Architectural MSRs", 1D9H; a CPU may have fewer. */
#define DEBUGCTL_BITS (BITS(15, 6) | BITS(2, 0))

#define RFLAGS_RESERVED (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))

static bool is_cr0_bit_clear(const struct vmx_check_view *view)
{
	uint64_t needed = view->limits->cr0_fixed0 & ~CR0_KEPT;

	if (vmx_check_is_unrestricted(view))
		needed &= ~(CR0_PE | CR0_PG);
	return ~view->cr0 & needed;
}

static bool is_cr0_bit_set(const struct vmx_check_view *view)
{
	return view->cr0 & ~view->limits->cr0_fixed1 & ~CR0_KEPT;
}

static bool is_paging_real(const struct vmx_check_view *view)
{
	return (view->cr0 & CR0_PG) && !(view->cr0 & CR0_PE);
}

static bool is_cr4_bit_clear(const struct vmx_check_view *view)
{
	return ~view->cr4 & view->limits->cr4_fixed0;
}

static bool is_cr4_bit_set(const struct vmx_check_view *view)
{
	return view->cr4 & ~view->limits->cr4_fixed1;
}

static bool is_cet_writable(const struct vmx_check_view *view)
{
	return (view->cr4 & CR4_CET) && !(view->cr0 & CR0_WP);
}

static bool is_debugctl_bad(const struct vmx_check_view *view)
{
	return (view->entry & VMCS_ENTRY_LOAD_DEBUG) &&
	       (view->debugctl & ~DEBUGCTL_BITS);
}

static bool is_long_unpaged(const struct vmx_check_view *view)
{
	return vmx_check_is_long(view) && !(view->cr0 & CR0_PG);
}

static bool is_long_without_pae(const struct vmx_check_view *view)
{
	return vmx_check_is_long(view) && !(view->cr4 & CR4_PAE);
}

static bool is_pcide_legacy(const struct vmx_check_view *view)
{
	return !vmx_check_is_long(view) && (view->cr4 & CR4_PCIDE);
}

static bool is_dr7_wide(const struct vmx_check_view *view)
{
	return (view->entry & VMCS_ENTRY_LOAD_DEBUG) &&
	       (vmcs_read(VMCS_GUEST_DR7) & BITS(63, 32));
}

static bool is_pat_bad(const struct vmx_check_view *view)
{
	return (view->entry & VMCS_ENTRY_LOAD_PAT) &&
	       vmx_check_is_bad_pat(view);
}

static bool is_efer_bad(const struct vmx_check_view *view)
{
	return (view->entry & VMCS_ENTRY_LOAD_EFER) &&
	       vmx_check_is_bad_efer(view);
}

static bool is_lma_bad(const struct vmx_check_view *view)
{
	bool lma = view->efer & EFER_LMA;

	return (view->entry & VMCS_ENTRY_LOAD_EFER) &&
	       lma != vmx_check_is_long(view);
}

static bool is_lme_bad(const struct vmx_check_view *view)
{
	bool lma = view->efer & EFER_LMA;
	bool lme = view->efer & EFER_LME;

	return (view->entry & VMCS_ENTRY_LOAD_EFER) && (view->cr0 & CR0_PG) &&
	       lma != lme;
}

static bool is_table_long(const struct vmx_check_view *view)
{
	return vmcs_read(view->which) > 0xffff;
}

static bool is_in_64_bit_code(const struct vmx_check_view *view)
{
	return vmx_check_is_long(view) &&
	       (view->segments[SEGMENT_CS].rights & VMCS_RIGHTS_L);
}

static bool is_rip_wide(const struct vmx_check_view *view)
{
	return !is_in_64_bit_code(view) && (view->rip & BITS(63, 32));
}

/* Not quite "is not canonical": the highest bit that the CPU implements may
 * differ, as it does behind an instruction at the end of the lower half. */
static bool is_rip_bad(const struct vmx_check_view *view)
{
	uint64_t above = ~0UL << view->limits->linear_width;
	uint64_t upper = view->rip & above;

	return is_in_64_bit_code(view) && upper && upper != above;
}

static bool is_rflags_bad(const struct vmx_check_view *view)
{
	return view->rflags & RFLAGS_RESERVED;
}

static bool is_rflags_bit1_clear(const struct vmx_check_view *view)
{
	return !(view->rflags & RFLAGS_FIXED);
}

static bool is_vm86_long(const struct vmx_check_view *view)
{
	return (view->rflags & RFLAGS_VM) && vmx_check_is_long(view);
}

static bool is_vm86_real(const struct vmx_check_view *view)
{
	return (view->rflags & RFLAGS_VM) && !(view->cr0 & CR0_PE);
}

static bool is_interrupt_off(const struct vmx_check_view *view)
{
	return vmx_check_injects(view, VMCS_EVENT_INTERRUPT) &&
	       !(view->rflags & RFLAGS_IF);
}

static const struct vmx_check_rule rules[] = {
	/* SDM 3C 27.3.1.1 "Checks on Guest Control Registers, Debug Registers,
	 * and MSRs" */
	{ "CR0 lacks a bit that VMX needs", is_cr0_bit_clear, 0 },
	{ "CR0 has a bit that VMX forbids", is_cr0_bit_set, 0 },
	{ "CR0.PG without CR0.PE", is_paging_real, 0 },
	{ "CR4 lacks a bit that VMX needs", is_cr4_bit_clear, 0 },
	{ "CR4 has a bit that VMX forbids", is_cr4_bit_set, 0 },
	{ "CR4.CET without CR0.WP", is_cet_writable, 0 },
	{ "DEBUGCTL has reserved bits set", is_debugctl_bad, 0 },
	{ "IA-32e mode without CR0.PG", is_long_unpaged, 0 },
	{ "IA-32e mode without CR4.PAE", is_long_without_pae, 0 },
	{ "CR4.PCIDE outside IA-32e mode", is_pcide_legacy, 0 },
	{ "CR3 is wider than a physical address", vmx_check_is_bad_cr3,
	  VMCS_GUEST_CR3 },
	{ "DR7 has bits 63:32 set", is_dr7_wide, 0 },
	{ "SYSENTER_ESP is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_SYSENTER_ESP },
	{ "SYSENTER_EIP is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_SYSENTER_EIP },
	{ "PAT has a reserved type", is_pat_bad, VMCS_GUEST_PAT },
	{ "EFER has reserved bits set", is_efer_bad, VMCS_GUEST_EFER },
	{ "EFER.LMA differs from entry control IA-32e mode guest", is_lma_bad,
	  VMCS_GUEST_EFER },
	{ "EFER.LME differs from EFER.LMA with CR0.PG set", is_lme_bad,
	  VMCS_GUEST_EFER },

	/* SDM 3C 27.3.1.3 "Checks on Guest Descriptor-Table Registers" */
	{ "GDTR.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_GDTR_BASE },
	{ "IDTR.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_IDTR_BASE },
	{ "GDTR.limit has bits 31:16 set", is_table_long,
	  VMCS_GUEST_GDTR_LIMIT },
	{ "IDTR.limit has bits 31:16 set", is_table_long,
	  VMCS_GUEST_IDTR_LIMIT },

	/* SDM 3C 27.3.1.4 "Checks on Guest RIP, RFLAGS, and SSP" */
	{ "RIP has bits 63:32 set outside 64-bit code", is_rip_wide, 0 },
	{ "RIP has unlike bits above linear addresses", is_rip_bad, 0 },
	{ "RFLAGS has reserved bits set", is_rflags_bad, 0 },
	{ "RFLAGS has bit 1 clear", is_rflags_bit1_clear, 0 },
	{ "RFLAGS.VM in IA-32e mode", is_vm86_long, 0 },
	{ "RFLAGS.VM without CR0.PE", is_vm86_real, 0 },
	{ "interrupt injected with RFLAGS.IF clear", is_interrupt_off, 0 },
};

const struct vmx_check_table vmx_check_registers = { rules, ARRAY_SIZE(rules) };
