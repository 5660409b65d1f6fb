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

bool vmx_check_is_not_canonical(const struct vmx_check_limits *limits,
				uint32_t field)
{
	uint64_t sign = ~0UL << (limits->linear_width - 1);
	uint64_t upper = vmcs_read(field) & sign;

	return upper && upper != sign;
}

/* Bits 62:61 belong to linear-address masking where the CPU has it: SDM 3A 4.4
 * "Linear-Address Pre-Processing". */
bool vmx_check_is_bad_cr3(const struct vmx_check_limits *limits,
			  uint32_t field)
{
	uint64_t allowed = BITS(limits->physical_width - 1, 0);

	if (limits->cr4_fixed1 & CR4_LAM_SUP)
		allowed |= BITS(62, 61);
	return vmx_check_has(field, ~allowed);
}

/* Types 2, 3 and above 7 are reserved: SDM 3A 12.12.2 "IA32_PAT MSR". */
bool vmx_check_is_bad_pat(const struct vmx_check_limits *limits,
			  uint32_t field)
{
	uint64_t pat = vmcs_read(field);

	(void)limits;
	for (unsigned int at = 0; at < 64; at += 8) {
		uint64_t type = pat >> at & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return true;
	}
	return false;
}

bool vmx_check_is_bad_efer(const struct vmx_check_limits *limits,
			   uint32_t field)
{
	(void)limits;
	return vmx_check_has(field,
			     ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE));
}

static const char *first_broken(const struct vmx_check_limits *limits,
				const struct vmx_check_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct vmx_check_rule *rule = &table->rules[i];

		if (rule->is_broken(limits, rule->which))
			return rule->text;
	}
	return NULL;
}

const char *vmx_check_guest_state(const struct vmx_check_limits *limits)
{
	const char *broken = first_broken(limits, &vmx_check_registers);

	if (!broken)
		broken = first_broken(limits, &vmx_check_segments);
	if (!broken)
		broken = first_broken(limits, &vmx_check_state);
	return broken;
}

const char *vmx_check_controls(const struct vmx_check_limits *limits)
{
	return first_broken(limits, &vmx_check_control_rules);
}
