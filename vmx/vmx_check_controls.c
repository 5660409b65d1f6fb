/* Why a VM entry failed: controls, and the host's state. */
#include "vmx/vmx_check_rules.h"

/* Software exceptions may be injected with length 0: SDM 3D A.6 "Miscellaneous
 * Data". */
#define MISC_ZERO_LENGTH BIT(30)

#define INSN_LEN_MAX 15

#define EVENT_RESERVED BITS(30, 12)

/* EPT pointer: SDM 3C table 25-9. Bits 6 and 7 turn on what a CPU may have. */
#define EPTP_MEMORY_TYPE BITS(2, 0)
#define EPTP_LEVELS	 BITS(5, 3) /* less one */
#define EPTP_RESERVED	 BITS(11, 8)
#define UNCACHEABLE	 0
#define WRITE_BACK	 6

static bool is_virtual_nmi_free(const struct vmx_check_view *view)
{
	return (view->pin & VMCS_PIN_VIRTUAL_NMI) &&
	       !(view->pin & VMCS_PIN_NMI);
}

static bool is_nmi_window_free(const struct vmx_check_view *view)
{
	return (view->proc & VMCS_PROC_NMI_WINDOW) &&
	       !(view->pin & VMCS_PIN_VIRTUAL_NMI);
}

static bool is_frame_bad(const struct vmx_check_view *view)
{
	return vmcs_read(view->which) & (vmx_check_beyond(view) | BITS(11, 0));
}

static bool is_msr_bitmap_bad(const struct vmx_check_view *view)
{
	return (view->proc & VMCS_PROC_MSR_BITMAP) && is_frame_bad(view);
}

static bool is_virtual_apic_bad(const struct vmx_check_view *view)
{
	return (view->proc & VMCS_PROC_TPR_SHADOW) && is_frame_bad(view);
}

static bool is_virtual_apic_bare(const struct vmx_check_view *view)
{
	const uint64_t needing = VMCS_PROC2_X2APIC | VMCS_PROC2_APIC_REGS |
				 VMCS_PROC2_VIRTUAL_INTR;

	return (view->proc2 & needing) && !(view->proc & VMCS_PROC_TPR_SHADOW);
}

static bool is_virtual_interrupt_bare(const struct vmx_check_view *view)
{
	return (view->proc2 & VMCS_PROC2_VIRTUAL_INTR) &&
	       !(view->pin & VMCS_PIN_INTERRUPT);
}

static bool is_threshold_bad(const struct vmx_check_view *view)
{
	return (view->proc & VMCS_PROC_TPR_SHADOW) &&
	       (vmcs_read(VMCS_TPR_THRESHOLD) & BITS(31, 4));
}

static bool is_untagged(const struct vmx_check_view *view)
{
	return (view->proc2 & VMCS_PROC2_VPID) && vmcs_read(VMCS_VPID) == 0;
}

static bool is_unrestricted_flat(const struct vmx_check_view *view)
{
	return vmx_check_is_unrestricted(view) &&
	       !(view->proc2 & VMCS_PROC2_EPT);
}

static bool is_eptp_bad(const struct vmx_check_view *view)
{
	uint64_t eptp = vmcs_read(VMCS_EPTP);
	uint64_t type = FIELD_GET(EPTP_MEMORY_TYPE, eptp);

	return (view->proc2 & VMCS_PROC2_EPT) &&
	       ((type != UNCACHEABLE && type != WRITE_BACK) ||
		FIELD_GET(EPTP_LEVELS, eptp) != 3 ||
		(eptp & (vmx_check_beyond(view) | EPTP_RESERVED)));
}

static uint64_t vector_of(const struct vmx_check_view *view)
{
	return FIELD_GET(VMCS_EVENT_VECTOR, view->event);
}

static bool is_type_bad(const struct vmx_check_view *view)
{
	return view->event && FIELD_GET(VMCS_EVENT_TYPE, view->event) == 1;
}

static bool is_nmi_vector_bad(const struct vmx_check_view *view)
{
	return vmx_check_injects(view, VMCS_EVENT_NMI) &&
	       vector_of(view) != VECTOR_NMI;
}

static bool is_exception_vector_bad(const struct vmx_check_view *view)
{
	return vmx_check_injects(view, VMCS_EVENT_EXCEPTION) &&
	       vector_of(view) > 31;
}

static bool is_other_vector_bad(const struct vmx_check_view *view)
{
	return vmx_check_injects(view, VMCS_EVENT_OTHER) &&
	       vector_of(view) != 0;
}

/* In real mode there are no error codes. #CP has one where the CPU knows it. */
static bool may_have_error(const struct vmx_check_view *view)
{
	const uint64_t vectors = BIT(VECTOR_DF) | BIT(VECTOR_TS) |
				 BIT(VECTOR_NP) | BIT(VECTOR_SS) |
				 BIT(VECTOR_GP) | BIT(VECTOR_PF) |
				 BIT(VECTOR_AC) | BIT(VECTOR_CP);
	bool is_real = vmx_check_is_unrestricted(view) && !(view->cr0 & CR0_PE);

	return vmx_check_injects(view, VMCS_EVENT_EXCEPTION) &&
	       vector_of(view) < 32 && (vectors & BIT(vector_of(view))) &&
	       !is_real;
}

static bool is_error_superfluous(const struct vmx_check_view *view)
{
	return (view->event & VMCS_EVENT_HAS_ERROR) && !may_have_error(view);
}

static bool is_error_missing(const struct vmx_check_view *view)
{
	return !(view->event & VMCS_EVENT_HAS_ERROR) && may_have_error(view) &&
	       vector_of(view) != VECTOR_CP;
}

static bool is_event_bad(const struct vmx_check_view *view)
{
	return view->event & EVENT_RESERVED;
}

static bool is_error_wide(const struct vmx_check_view *view)
{
	return (view->event & VMCS_EVENT_HAS_ERROR) &&
	       (vmcs_read(VMCS_ENTRY_ERROR_CODE) & BITS(31, 16));
}

static bool is_length_bad(const struct vmx_check_view *view)
{
	uint64_t len = vmcs_read(VMCS_ENTRY_INSN_LEN);
	bool has_len =
		vmx_check_injects(view, VMCS_EVENT_SOFT_INTERRUPT) ||
		vmx_check_injects(view, VMCS_EVENT_PRIVILEGED_EXCEPTION) ||
		vmx_check_injects(view, VMCS_EVENT_SOFT_EXCEPTION);

	return has_len &&
	       (len > INSN_LEN_MAX ||
		(len == 0 && !(view->limits->misc & MISC_ZERO_LENGTH)));
}

/* No host is unrestricted, so all of the fixed bits count. */
static bool is_host_cr0_bad(const struct vmx_check_view *view)
{
	uint64_t cr0 = vmcs_read(VMCS_HOST_CR0);
	uint64_t kept = CR0_NW | CR0_CD;

	return (~cr0 & view->limits->cr0_fixed0 & ~kept) ||
	       (cr0 & ~view->limits->cr0_fixed1 & ~kept);
}

static bool is_host_cr4_bad(const struct vmx_check_view *view)
{
	uint64_t cr4 = vmcs_read(VMCS_HOST_CR4);

	return (~cr4 & view->limits->cr4_fixed0) ||
	       (cr4 & ~view->limits->cr4_fixed1);
}

static bool is_host_cet_writable(const struct vmx_check_view *view)
{
	(void)view;
	return (vmcs_read(VMCS_HOST_CR4) & CR4_CET) &&
	       !(vmcs_read(VMCS_HOST_CR0) & CR0_WP);
}

static bool is_host_pat_bad(const struct vmx_check_view *view)
{
	return (view->exit & VMCS_EXIT_LOAD_PAT) && vmx_check_is_bad_pat(view);
}

static bool is_host_efer_bad(const struct vmx_check_view *view)
{
	return (view->exit & VMCS_EXIT_LOAD_EFER) &&
	       vmx_check_is_bad_efer(view);
}

static bool is_host_efer_short(const struct vmx_check_view *view)
{
	uint64_t both = EFER_LMA | EFER_LME;

	return (view->exit & VMCS_EXIT_LOAD_EFER) &&
	       (vmcs_read(VMCS_HOST_EFER) & both) != both;
}

static bool is_selector_bad(const struct vmx_check_view *view)
{
	return vmcs_read(view->which) & BITS(2, 0);
}

static bool is_zero(const struct vmx_check_view *view)
{
	return vmcs_read(view->which) == 0;
}

static bool is_host_short(const struct vmx_check_view *view)
{
	return !(view->exit & VMCS_EXIT_HOST_64);
}

static bool is_host_pae_off(const struct vmx_check_view *view)
{
	(void)view;
	return !(vmcs_read(VMCS_HOST_CR4) & CR4_PAE);
}

static const struct vmx_check_rule rules[] = {
	/* SDM 3C 27.2.1.1 "VM-Execution Control Fields" */
	{ "virtual NMIs without NMI exits", is_virtual_nmi_free, 0 },
	{ "NMI window without virtual NMIs", is_nmi_window_free, 0 },
	{ "MSR bitmap is not a frame", is_msr_bitmap_bad, VMCS_MSR_BITMAP },
	{ "virtual-APIC page is not a frame", is_virtual_apic_bad,
	  VMCS_VIRTUAL_APIC_PAGE },
	{ "virtual APIC without TPR shadow", is_virtual_apic_bare, 0 },
	{ "virtual interrupts without interrupt exits",
	  is_virtual_interrupt_bare, 0 },
	{ "TPR threshold has bits 31:4 set", is_threshold_bad, 0 },
	{ "VPID is 0", is_untagged, 0 },
	{ "unrestricted guest without EPT", is_unrestricted_flat, 0 },
	{ "EPT pointer is malformed", is_eptp_bad, 0 },

	/* SDM 3C 27.2.1.3 "VM-Entry Control Fields" */
	{ "event of a reserved type", is_type_bad, 0 },
	{ "NMI with a vector that is not 2", is_nmi_vector_bad, 0 },
	{ "exception with a vector above 31", is_exception_vector_bad, 0 },
	{ "other event with a vector that is not 0", is_other_vector_bad, 0 },
	{ "event with an error code that it does not have",
	  is_error_superfluous, 0 },
	{ "exception without its error code", is_error_missing, 0 },
	{ "event has reserved bits set", is_event_bad, 0 },
	{ "error code has bits 31:16 set", is_error_wide, 0 },
	{ "event with an impossible instruction length", is_length_bad, 0 },

	/* SDM 3C 27.2.2 "Checks on Host Control Registers, MSRs, and SSP" */
	{ "host's CR0 lacks or has a bit against VMX", is_host_cr0_bad, 0 },
	{ "host's CR4 lacks or has a bit against VMX", is_host_cr4_bad, 0 },
	{ "host's CR4.CET without CR0.WP", is_host_cet_writable, 0 },
	{ "host's CR3 is wider than a physical address", vmx_check_is_bad_cr3,
	  VMCS_HOST_CR3 },
	{ "host's SYSENTER_ESP is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_SYSENTER_ESP },
	{ "host's SYSENTER_EIP is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_SYSENTER_EIP },
	{ "host's PAT has a reserved type", is_host_pat_bad, VMCS_HOST_PAT },
	{ "host's EFER has reserved bits set", is_host_efer_bad,
	  VMCS_HOST_EFER },
	{ "host's EFER lacks LMA or LME", is_host_efer_short, 0 },

	/* SDM 3C 27.2.3 "Checks on Host Segment and Descriptor-Table
	 * Registers" */
	{ "host's CS has RPL or TI", is_selector_bad, VMCS_HOST_CS_SELECTOR },
	{ "host's SS has RPL or TI", is_selector_bad, VMCS_HOST_SS_SELECTOR },
	{ "host's DS has RPL or TI", is_selector_bad, VMCS_HOST_DS_SELECTOR },
	{ "host's ES has RPL or TI", is_selector_bad, VMCS_HOST_ES_SELECTOR },
	{ "host's FS has RPL or TI", is_selector_bad, VMCS_HOST_FS_SELECTOR },
	{ "host's GS has RPL or TI", is_selector_bad, VMCS_HOST_GS_SELECTOR },
	{ "host's TR has RPL or TI", is_selector_bad, VMCS_HOST_TR_SELECTOR },
	{ "host's CS is null", is_zero, VMCS_HOST_CS_SELECTOR },
	{ "host's TR is null", is_zero, VMCS_HOST_TR_SELECTOR },
	{ "host's FS.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_FS_BASE },
	{ "host's GS.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_GS_BASE },
	{ "host's TR.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_TR_BASE },
	{ "host's GDTR.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_GDTR_BASE },
	{ "host's IDTR.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_IDTR_BASE },

	/* SDM 3C 27.2.4 "Checks Related to Address-Space Size", for a host
	 * that is in 64-bit mode as this one is */
	{ "exit controls do not go to a 64-bit host", is_host_short, 0 },
	{ "host's CR4 lacks PAE", is_host_pae_off, 0 },
	{ "host's RIP is not canonical", vmx_check_is_not_canonical,
	  VMCS_HOST_RIP },
};

const struct vmx_check_table vmx_check_vmx = { rules, ARRAY_SIZE(rules) };
