/* Why a VM entry failed. */
#include "vmx/vmx_check_rules.h"

static const char *const insn_errors[] = {
	[1] = "VMCALL in root operation",
	[2] = "VMCLEAR: bad address",
	[3] = "VMCLEAR of the VMXON region",
	[4] = "VMLAUNCH: VMCS is not clear",
	[5] = "VMRESUME: VMCS is not launched",
	[6] = "VMRESUME after VMXOFF",
	[7] = "entry: bad control field",
	[8] = "entry: bad host state",
	[9] = "VMPTRLD: bad address",
	[10] = "VMPTRLD of the VMXON region",
	[11] = "VMPTRLD: wrong revision",
	[12] = "VMREAD or VMWRITE: no such field",
	[13] = "VMWRITE: read-only field",
	[15] = "VMXON in root operation",
	[16] = "entry: bad executive VMCS",
	[17] = "entry: executive VMCS is not launched",
	[18] = "entry: executive VMCS is not the VMXON region",
	[19] = "VMCALL: VMCS is not clear",
	[20] = "VMCALL: bad exit controls",
	[22] = "VMCALL: wrong revision of MSEG",
	[23] = "VMXOFF while SMM has a monitor",
	[24] = "VMCALL: bad features of the SMM monitor",
	[25] = "entry: bad execution controls in executive VMCS",
	[26] = "entry: events are blocked by MOV SS",
	[28] = "INVEPT or INVVPID: bad operand",
};

const char *vmx_insn_error_name(uint32_t number)
{
	if (number >= ARRAY_SIZE(insn_errors) || !insn_errors[number])
		return "unknown";
	return insn_errors[number];
}

bool vmx_check_is_not_canonical(const struct vmx_check_view *view)
{
	uint64_t sign = ~0UL << (view->limits->linear_width - 1);
	uint64_t upper = vmcs_read(view->which) & sign;

	return upper && upper != sign;
}

/* Bits 62:61 belong to linear-address masking where the CPU has it: SDM 3A 4.4
 * "Linear-Address Pre-Processing". */
bool vmx_check_is_bad_cr3(const struct vmx_check_view *view)
{
	uint64_t reserved = vmx_check_beyond(view);

	if (view->limits->cr4_fixed1 & CR4_LAM_SUP)
		reserved &= ~BITS(62, 61);
	return vmcs_read(view->which) & reserved;
}

/* Types 2, 3 and above 7 are reserved: SDM 3A 12.12.2 "IA32_PAT MSR". */
bool vmx_check_is_bad_pat(const struct vmx_check_view *view)
{
	uint64_t pat = vmcs_read(view->which);

	for (unsigned int at = 0; at < 64; at += 8) {
		uint64_t type = pat >> at & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return true;
	}
	return false;
}

bool vmx_check_is_bad_efer(const struct vmx_check_view *view)
{
	return vmcs_read(view->which) &
	       ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
}

static void read_controls(struct vmx_check_view *view)
{
	uint64_t event = vmcs_read(VMCS_ENTRY_EVENT);

	view->pin = vmcs_read(VMCS_PIN_CONTROLS);
	view->proc = vmcs_read(VMCS_PROC_CONTROLS);
	if (view->proc & VMCS_PROC_SECONDARY)
		view->proc2 = vmcs_read(VMCS_PROC2_CONTROLS);
	view->entry = vmcs_read(VMCS_ENTRY_CONTROLS);
	view->exit = vmcs_read(VMCS_EXIT_CONTROLS);
	view->event = event & VMCS_EVENT_VALID ? event : 0;
}

static void read_segment(struct vmx_check_segment *segment, uint32_t name)
{
	uint32_t step = name * VMCS_FIELD_STEP;

	segment->selector = vmcs_read(VMCS_GUEST_ES_SELECTOR + step);
	segment->base = vmcs_read(VMCS_GUEST_ES_BASE + step);
	segment->limit = vmcs_read(VMCS_GUEST_ES_LIMIT + step);
	segment->rights = vmcs_read(VMCS_GUEST_ES_RIGHTS + step);
}

static struct vmx_check_view read_view(const struct vmx_check_limits *limits)
{
	struct vmx_check_view view = { .limits = limits };

	read_controls(&view);
	view.cr0 = vmcs_read(VMCS_GUEST_CR0);
	view.cr4 = vmcs_read(VMCS_GUEST_CR4);
	view.efer = vmcs_read(VMCS_GUEST_EFER);
	view.debugctl = vmcs_read(VMCS_GUEST_DEBUGCTL);
	view.rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	view.rip = vmcs_read(VMCS_GUEST_RIP);
	view.activity = vmcs_read(VMCS_GUEST_ACTIVITY);
	view.blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
	view.pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG);
	for (uint32_t name = 0; name < SEGMENT_COUNT; name++)
		read_segment(&view.segments[name], name);
	return view;
}

static const char *first_broken(struct vmx_check_view *view,
				const struct vmx_check_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		view->which = table->rules[i].which;
		if (table->rules[i].is_broken(view))
			return table->rules[i].text;
	}
	return NULL;
}

const char *vmx_check_guest_state(const struct vmx_check_limits *limits)
{
	struct vmx_check_view view = read_view(limits);
	const char *broken = first_broken(&view, &vmx_check_registers);

	if (!broken)
		broken = first_broken(&view, &vmx_check_segments);
	if (!broken)
		broken = first_broken(&view, &vmx_check_state);
	return broken;
}

const char *vmx_check_controls(const struct vmx_check_limits *limits)
{
	struct vmx_check_view view = read_view(limits);

	return first_broken(&view, &vmx_check_vmx);
}
