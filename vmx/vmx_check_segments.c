/*
 * Why a VM entry failed: the guest's segment registers. SDM 3C 27.3.1.2 "Checks
 * on Guest Segment Registers".
 */
#include "vmx/vmx_check_rules.h"

#define SELECTOR_RPL BITS(1, 0)
#define SELECTOR_TI  BIT(2)

#define RIGHTS_RESERVED (BITS(31, 17) | BITS(11, 8))

/* Bits of SEGMENT_TYPE of code and data */
#define TYPE_ACCESSED	BIT(0)
#define TYPE_READABLE	BIT(1) /* code; data: writable */
#define TYPE_CONFORMING BIT(2) /* code; data: expand-down */
#define TYPE_CODE	BIT(3)

enum segment_type {
	TYPE_LDT = 2,
	TYPE_DATA = 3, /* as CS has it in real mode */
	TYPE_BUSY_TSS_16 = 3,
	TYPE_DATA_DOWN = 7,
	TYPE_BUSY_TSS = 11, /* 32 or 64 bits */
};

static const struct vmx_check_segment *segment_of(
	const struct vmx_check_view *view)
{
	return &view->segments[view->which];
}

static uint64_t type_of(const struct vmx_check_segment *segment)
{
	return segment->rights & SEGMENT_TYPE;
}

static uint64_t dpl_of(const struct vmx_check_segment *segment)
{
	return FIELD_GET(SEGMENT_DPL, segment->rights);
}

static uint64_t rpl_of(const struct vmx_check_segment *segment)
{
	return segment->selector & SELECTOR_RPL;
}

static bool is_vm86(const struct vmx_check_view *view)
{
	return view->rflags & RFLAGS_VM;
}

static bool is_code(const struct vmx_check_segment *segment)
{
	return segment->rights & TYPE_CODE;
}

/* CS and TR are used even if they are marked unusable. */
static bool is_used(const struct vmx_check_view *view)
{
	return view->which == SEGMENT_CS || view->which == SEGMENT_TR ||
	       !(segment_of(view)->rights & VMCS_RIGHTS_UNUSABLE);
}

/* Are the parts of the access rights looked at? In virtual-8086 mode they have
 * but one value, except for those of LDTR and TR. */
static bool has_rights(const struct vmx_check_view *view)
{
	bool is_system =
		view->which == SEGMENT_LDTR || view->which == SEGMENT_TR;

	return is_used(view) && (is_system || !is_vm86(view));
}

static bool is_local(const struct vmx_check_view *view)
{
	return is_used(view) && (segment_of(view)->selector & SELECTOR_TI);
}

static bool is_rpl_unlike(const struct vmx_check_view *view)
{
	return !vmx_check_is_unrestricted(view) && !is_vm86(view) &&
	       rpl_of(segment_of(view)) != rpl_of(&view->segments[SEGMENT_CS]);
}

static bool is_vm86_base_bad(const struct vmx_check_view *view)
{
	return is_vm86(view) &&
	       segment_of(view)->base != segment_of(view)->selector << 4;
}

static bool is_vm86_limit_bad(const struct vmx_check_view *view)
{
	return is_vm86(view) && segment_of(view)->limit != 0xffff;
}

static bool is_vm86_rights_bad(const struct vmx_check_view *view)
{
	return is_vm86(view) &&
	       segment_of(view)->rights !=
		       (SEGMENT_P | SEGMENT_DPL | SEGMENT_S | TYPE_DATA);
}

static bool is_ldtr_not_canonical(const struct vmx_check_view *view)
{
	return !(view->segments[SEGMENT_LDTR].rights & VMCS_RIGHTS_UNUSABLE) &&
	       vmx_check_is_not_canonical(view);
}

static bool is_base_wide(const struct vmx_check_view *view)
{
	return is_used(view) && (segment_of(view)->base & BITS(63, 32));
}

static bool is_cs_type_bad(const struct vmx_check_view *view)
{
	uint64_t type = type_of(segment_of(view));

	if (is_vm86(view))
		return false;
	if (type == TYPE_DATA)
		return !vmx_check_is_unrestricted(view);
	return !(type & TYPE_CODE) || !(type & TYPE_ACCESSED);
}

static bool is_ss_type_bad(const struct vmx_check_view *view)
{
	uint64_t type = type_of(segment_of(view));

	return has_rights(view) && type != TYPE_DATA && type != TYPE_DATA_DOWN;
}

static bool is_not_accessed(const struct vmx_check_view *view)
{
	return has_rights(view) && !(type_of(segment_of(view)) & TYPE_ACCESSED);
}

static bool is_unreadable(const struct vmx_check_view *view)
{
	return has_rights(view) && is_code(segment_of(view)) &&
	       !(type_of(segment_of(view)) & TYPE_READABLE);
}

static bool is_s_clear(const struct vmx_check_view *view)
{
	return has_rights(view) && !(segment_of(view)->rights & SEGMENT_S);
}

static bool is_real_cs_dpl_bad(const struct vmx_check_view *view)
{
	return !is_vm86(view) && !is_code(segment_of(view)) &&
	       dpl_of(segment_of(view)) != 0;
}

static bool is_cs_dpl_bad(const struct vmx_check_view *view)
{
	const struct vmx_check_segment *cs = segment_of(view);

	return !is_vm86(view) && is_code(cs) &&
	       !(type_of(cs) & TYPE_CONFORMING) &&
	       dpl_of(cs) != dpl_of(&view->segments[SEGMENT_SS]);
}

static bool is_conforming_dpl_bad(const struct vmx_check_view *view)
{
	const struct vmx_check_segment *cs = segment_of(view);

	return !is_vm86(view) && is_code(cs) &&
	       (type_of(cs) & TYPE_CONFORMING) &&
	       dpl_of(cs) > dpl_of(&view->segments[SEGMENT_SS]);
}

static bool is_ss_dpl_bad(const struct vmx_check_view *view)
{
	return !vmx_check_is_unrestricted(view) && !is_vm86(view) &&
	       dpl_of(segment_of(view)) != rpl_of(segment_of(view));
}

/* Of SS, usable or not: its DPL is the CPL. */
static bool is_real_ss_dpl_bad(const struct vmx_check_view *view)
{
	bool is_real = !(view->cr0 & CR0_PE) ||
		       type_of(&view->segments[SEGMENT_CS]) == TYPE_DATA;

	return is_real && !is_vm86(view) && dpl_of(segment_of(view)) != 0;
}

static bool is_data_dpl_bad(const struct vmx_check_view *view)
{
	const struct vmx_check_segment *data = segment_of(view);
	bool is_conforming = is_code(data) && (type_of(data) & TYPE_CONFORMING);

	return !vmx_check_is_unrestricted(view) && has_rights(view) &&
	       !is_conforming && dpl_of(data) < rpl_of(data);
}

static bool is_absent(const struct vmx_check_view *view)
{
	return has_rights(view) && !(segment_of(view)->rights & SEGMENT_P);
}

static bool has_reserved(const struct vmx_check_view *view)
{
	return has_rights(view) && (segment_of(view)->rights & RIGHTS_RESERVED);
}

static bool is_cs_both_sizes(const struct vmx_check_view *view)
{
	return has_rights(view) && vmx_check_is_long(view) &&
	       (segment_of(view)->rights & VMCS_RIGHTS_L) &&
	       (segment_of(view)->rights & VMCS_RIGHTS_DB);
}

static bool is_limit_in_bytes(const struct vmx_check_view *view)
{
	return has_rights(view) && (segment_of(view)->rights & VMCS_RIGHTS_G) &&
	       (~segment_of(view)->limit & BITS(11, 0));
}

static bool is_limit_in_pages(const struct vmx_check_view *view)
{
	return has_rights(view) &&
	       !(segment_of(view)->rights & VMCS_RIGHTS_G) &&
	       (segment_of(view)->limit & BITS(31, 20));
}

static bool is_tr_type_bad(const struct vmx_check_view *view)
{
	uint64_t type = type_of(segment_of(view));

	return type != TYPE_BUSY_TSS &&
	       (vmx_check_is_long(view) || type != TYPE_BUSY_TSS_16);
}

static bool is_ldtr_type_bad(const struct vmx_check_view *view)
{
	return is_used(view) && type_of(segment_of(view)) != TYPE_LDT;
}

static bool is_s_set(const struct vmx_check_view *view)
{
	return is_used(view) && (segment_of(view)->rights & SEGMENT_S);
}

static bool is_unusable(const struct vmx_check_view *view)
{
	return segment_of(view)->rights & VMCS_RIGHTS_UNUSABLE;
}

/* A row for each register: macros, because only the preprocessor puts literals
 * together. */
#define OF(name, broken, predicate)                           \
	{                                                     \
		.text = #name broken, .is_broken = predicate, \
		.which = SEGMENT_##name                       \
	}
#define OF_DATA(broken, predicate)                            \
	OF(DS, broken, predicate), OF(ES, broken, predicate), \
		OF(FS, broken, predicate), OF(GS, broken, predicate)
#define OF_ALL(broken, predicate)                             \
	OF(CS, broken, predicate), OF(SS, broken, predicate), \
		OF_DATA(broken, predicate)
#define OF_SYSTEM(broken, predicate) \
	OF(TR, broken, predicate), OF(LDTR, broken, predicate)

static const struct vmx_check_rule rules[] = {
	/* Selectors */
	OF_SYSTEM(".selector has TI set", is_local),
	OF(SS, ".selector has another RPL than CS's", is_rpl_unlike),

	/* Bases */
	OF_ALL(".base is not selector << 4 with RFLAGS.VM", is_vm86_base_bad),
	{ "TR.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_TR_BASE },
	{ "FS.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_FS_BASE },
	{ "GS.base is not canonical", vmx_check_is_not_canonical,
	  VMCS_GUEST_GS_BASE },
	{ "LDTR.base is not canonical", is_ldtr_not_canonical,
	  VMCS_GUEST_LDTR_BASE },
	OF(CS, ".base has bits 63:32 set", is_base_wide),
	OF(SS, ".base has bits 63:32 set", is_base_wide),
	OF(DS, ".base has bits 63:32 set", is_base_wide),
	OF(ES, ".base has bits 63:32 set", is_base_wide),

	/* Limits */
	OF_ALL(".limit is not 0xffff with RFLAGS.VM", is_vm86_limit_bad),

	/* Access rights of code and data */
	OF_ALL(" rights are not 0xf3 with RFLAGS.VM", is_vm86_rights_bad),
	OF(CS, ".type is not of accessed code", is_cs_type_bad),
	OF(SS, ".type is not of accessed, writable data", is_ss_type_bad),
	OF_DATA(".type is not accessed", is_not_accessed),
	OF_DATA(".type is of code that cannot be read", is_unreadable),
	OF_ALL(".S is clear", is_s_clear),
	OF(CS, ".DPL is not 0 with a type of data", is_real_cs_dpl_bad),
	OF(CS, ".DPL is not SS.DPL", is_cs_dpl_bad),
	OF(CS, ".DPL is above SS.DPL", is_conforming_dpl_bad),
	OF(SS, ".DPL is not its selector's RPL", is_ss_dpl_bad),
	OF(SS, ".DPL is not 0 without CR0.PE or with CS.type of data",
	   is_real_ss_dpl_bad),
	OF_DATA(".DPL is below its selector's RPL", is_data_dpl_bad),
	OF_ALL(".P is clear", is_absent),
	OF_ALL(" rights have reserved bits set", has_reserved),
	OF(CS, ".D with CS.L in IA-32e mode", is_cs_both_sizes),
	OF_ALL(".limit has bits of 11:0 clear with G set", is_limit_in_bytes),
	OF_ALL(".limit has bits of 31:20 set with G clear", is_limit_in_pages),

	/* Access rights of TR and LDTR */
	OF(TR, ".type is not of a busy TSS", is_tr_type_bad),
	OF(LDTR, ".type is not of an LDT", is_ldtr_type_bad),
	OF_SYSTEM(".S is set", is_s_set),
	OF_SYSTEM(".P is clear", is_absent),
	OF_SYSTEM(" rights have reserved bits set", has_reserved),
	OF_SYSTEM(".limit has bits of 11:0 clear with G set",
		  is_limit_in_bytes),
	OF_SYSTEM(".limit has bits of 31:20 set with G clear",
		  is_limit_in_pages),
	OF(TR, " is unusable", is_unusable),
};

const struct vmx_check_table vmx_check_segments = { rules, ARRAY_SIZE(rules) };
