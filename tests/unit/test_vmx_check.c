/* A guest's sound state breaks no rule, and each rule can be broken: every row
 * of the tables has to be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmx_check_vmcs.h"

static void sound_states_pass(void **state)
{
	(void)state;
	for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
		make_sound(mode);
		expect_sound();
	}
}

/* What looks wrong and is not. */
static void oddities_pass(void **state)
{
	static const struct row rows[] = {
		{ LONG, "CR0 kept", { VMCS_GUEST_CR0, CR0_CD | CR0_NW } },
		{ LONG, "CET", { VMCS_GUEST_CR4, CR4_CET } },
		{ LONG, "no WP", { VMCS_GUEST_CR0, CR0_WP } },
		{ PROTECTED, "unpaged", { VMCS_GUEST_CR0, CR0_PG } },
		{ LONG, "behind the lower half", { VMCS_GUEST_RIP, BIT(47) } },
		{ LONG, "upper half", { VMCS_GUEST_RIP, BITS(63, 47) } },
		{ LONG,
		  "LDTR unusable",
		  { LDTR_RIGHTS, VMCS_RIGHTS_UNUSABLE | 0xffff,
		    VMCS_GUEST_LDTR_BASE, BIT(60), LDTR_SELECTOR, 4 } },
		{ PROTECTED, "16-bit TSS", { TR_RIGHTS, 8 } },
		{ PROTECTED, "code of data", { CS_RIGHTS, 8 } },
		{ PROTECTED, "conforming", { CS_RIGHTS, 4, SS_RIGHTS, DPL3 } },
		{ PROTECTED,
		  "conforming user",
		  { CS_RIGHTS, 4 | DPL3, SS_RIGHTS, DPL3 } },
		{ REAL, "code of code", { CS_RIGHTS, 8 } },
		{ PROTECTED, "RPL below", { SS_SELECTOR, 3 } },
		{ PROTECTED, "D and L", { CS_RIGHTS, VMCS_RIGHTS_L } },
		{ RESTRICTED,
		  "user",
		  { CS_RIGHTS, DPL3, SS_RIGHTS, DPL3, CS_SELECTOR, 3,
		    SS_SELECTOR, 3 } },
		{ RESTRICTED,
		  "DS conforms",
		  { DS_RIGHTS, 0xc, DS_SELECTOR, 3 } },
		{ PAE, "PDPTE off", { VMCS_GUEST_PDPTE0, 0x1e7 } },
		{ LONG, "PDPTE unused", { VMCS_GUEST_PDPTE0, 0x1ff } },
		{ LONG,
		  "MSRs left alone",
		  { VMCS_ENTRY_CONTROLS, LOAD, VMCS_GUEST_PAT, BIT(7),
		    VMCS_GUEST_EFER, BIT(1) | EFER_LMA, VMCS_GUEST_DEBUGCTL,
		    BIT(3) } },
		{ LONG,
		  "secondary off",
		  { VMCS_PROC_CONTROLS, VMCS_PROC_SECONDARY, VMCS_EPTP, 7 } },
		{ LONG, "event not valid", { EVENT, 0x7fffff20 } },
		{ LONG, "STI", { VMCS_GUEST_RFLAGS, RFLAGS_IF, BLOCKING, 1 } },
		{ LONG, "step kept", { PENDING, VMCS_PENDING_BS } },
		{ LONG,
		  "step in a shadow",
		  { VMCS_GUEST_RFLAGS, RFLAGS_TF, BLOCKING, 2, PENDING,
		    VMCS_PENDING_BS } },
		{ LONG, "RTM", { PENDING, BIT(16) | BIT(12) } },
		{ LONG,
		  "interrupt",
		  { EVENT, INTERRUPT, VMCS_GUEST_RFLAGS, RFLAGS_IF } },
		{ LONG, "NMI", { EVENT, NMI, BLOCKING, 0x10 } },
		{ LONG, "#PF", { EVENT, PAGE_FAULT } },
		{ LONG, "#CP", { EVENT, 0x80000b15 } },
		{ LONG, "#CP of old", { EVENT, 0x80000315 } },
		{ REAL, "#GP", { EVENT, 0x8000030d } },
		{ LONG, "INT3", { EVENT, SOFT, VMCS_ENTRY_INSN_LEN, 1 } },
		{ LONG,
		  "VPID",
		  { VMCS_PROC2_CONTROLS, VMCS_PROC2_VPID, VMCS_VPID, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_row(&rows[i]);
		expect_sound();
	}
}

static void limits_count(void **state)
{
	(void)state;
	make_sound(LONG);
	fake_vmcs[VMCS_GUEST_CR3] = BITS(62, 61);
	expect(vmx_check_guest_state(&limits),
	       "CR3 is wider than a physical address");
	limits.cr4_fixed1 |= CR4_LAM_SUP;
	expect_sound();
	limits.linear_width = 57;
	fake_vmcs[VMCS_GUEST_GDTR_BASE] = BIT(55);
	fake_vmcs[VMCS_GUEST_RIP] = BIT(56);
	expect_sound();
	fake_vmcs[ACTIVITY] = 3;
	expect_sound();
	limits.misc = BITS(7, 6);
	expect(vmx_check_guest_state(&limits),
	       "activity state that the CPU does not have");
	fake_vmcs[ACTIVITY] = 0;
	fake_vmcs[EVENT] = SOFT;
	expect(vmx_check_controls(&limits),
	       "event with an impossible instruction length");
	limits.misc |= BIT(30);
	expect_sound();
	limits.cr0_fixed0 |= CR0_NW;
	limits.cr0_fixed1 &= ~CR0_CD;
	flip(VMCS_GUEST_CR0, CR0_CD);
	flip(VMCS_HOST_CR0, CR0_CD);
	expect_sound();
}

/* Which events each activity state lets in. */
static void activity_blocks_events(void **state)
{
	static const struct {
		uint64_t event;
		bool reaches[4];
	} rows[] = {
		{ INTERRUPT, { true, true, false, false } },
		{ NMI, { true, true, true, false } },
		{ 0x80000301, { true, true, false, false } }, /* #DB */
		{ 0x80000312, { true, true, true, false } },  /* #MC */
		{ PAGE_FAULT, { true, false, false, false } },
		{ 0x80000700, { true, true, false, false } },
		{ 0x80000701, { true, false, false, false } },
		{ 0x80000480, { true, false, false, false } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * 4; i++) {
		make_sound(LONG);
		flip(VMCS_GUEST_RFLAGS, RFLAGS_IF);
		flip(EVENT, rows[i / 4].event);
		flip(ACTIVITY, i % 4);
		if (rows[i / 4].reaches[i % 4])
			assert_null(vmx_check_guest_state(&limits));
		else
			expect(vmx_check_guest_state(&limits),
			       "event injected that the activity state blocks");
	}
}

static void registers_are_checked(void **state)
{
	static const struct row rows[] = {
		{ REAL,
		  "CR0 lacks a bit that VMX needs",
		  { VMCS_GUEST_CR0, CR0_NE } },
		{ RESTRICTED,
		  "CR0 lacks a bit that VMX needs",
		  { VMCS_GUEST_CR0, PDG } },
		{ PROTECTED,
		  "CR0.PG without CR0.PE",
		  { VMCS_GUEST_CR0, CR0_PE } },
		{ LONG,
		  "CR4 lacks a bit that VMX needs",
		  { VMCS_GUEST_CR4, CR4_VMXE } },
		{ LONG,
		  "CR4 has a bit that VMX forbids",
		  { VMCS_GUEST_CR4, CR4_UMIP } },
		{ LONG,
		  "CR4.CET without CR0.WP",
		  { VMCS_GUEST_CR0, CR0_WP, VMCS_GUEST_CR4, CR4_CET } },
		{ LONG,
		  "IA-32e mode without CR0.PG",
		  { VMCS_GUEST_CR0, CR0_PG } },
		{ LONG,
		  "IA-32e mode without CR4.PAE",
		  { VMCS_GUEST_CR4, CR4_PAE } },
		{ PAE,
		  "CR4.PCIDE outside IA-32e mode",
		  { VMCS_GUEST_CR4, CR4_PCIDE } },
		{ LONG,
		  "SYSENTER_ESP is not canonical",
		  { VMCS_GUEST_SYSENTER_ESP, BIT(47) } },
		{ LONG,
		  "SYSENTER_EIP is not canonical",
		  { VMCS_GUEST_SYSENTER_EIP, BIT(63) } },
		{ LONG, "PAT has a reserved type", { VMCS_GUEST_PAT, BIT(2) } },
		{ LONG,
		  "PAT has a reserved type",
		  { VMCS_GUEST_PAT, BIT(63) } },
		{ LONG,
		  "EFER has reserved bits set",
		  { VMCS_GUEST_EFER, EFER_SVME } },
		{ LONG,
		  "EFER.LMA differs from entry control IA-32e mode guest",
		  { VMCS_GUEST_EFER, EFER_LMA | EFER_LME } },
		{ PROTECTED,
		  "EFER.LME differs from EFER.LMA with CR0.PG set",
		  { VMCS_GUEST_EFER, EFER_LME } },
		{ LONG,
		  "GDTR.base is not canonical",
		  { VMCS_GUEST_GDTR_BASE, BIT(47) } },
		{ LONG,
		  "IDTR.base is not canonical",
		  { VMCS_GUEST_IDTR_BASE, BIT(47) } },
		{ LONG,
		  "IDTR.limit has bits 31:16 set",
		  { VMCS_GUEST_IDTR_LIMIT, BIT(31) } },
		{ LONG,
		  "RIP has bits 63:32 set outside 64-bit code",
		  { VMCS_GUEST_RIP, BIT(32), CS_RIGHTS, VMCS_RIGHTS_L } },
		{ LONG,
		  "RIP has unlike bits above linear addresses",
		  { VMCS_GUEST_RIP, BIT(LIN) } },
		{ LONG,
		  "RFLAGS has bit 1 clear",
		  { VMCS_GUEST_RFLAGS, BIT(1) } },
		{ LONG,
		  "RFLAGS.VM in IA-32e mode",
		  { VMCS_GUEST_RFLAGS, RFLAGS_VM } },
		{ REAL,
		  "RFLAGS.VM without CR0.PE",
		  { VMCS_GUEST_RFLAGS, RFLAGS_VM } },
		{ LONG,
		  "interrupt injected with RFLAGS.IF clear",
		  { EVENT, INTERRUPT } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_guest(&rows[i]);
}

static void other_state_is_checked(void **state)
{
	static const struct row rows[] = {
		{ LONG,
		  "activity state that the CPU does not have",
		  { ACTIVITY, 4 } },
		{ LONG,
		  "activity state that the CPU does not have",
		  { ACTIVITY, BIT(31) } },
		{ LONG,
		  "halted with SS.DPL not 0",
		  { ACTIVITY, 1, SS_RIGHTS, DPL3, CS_RIGHTS, DPL3 } },
		{ LONG,
		  "inactive behind STI or MOV SS",
		  { ACTIVITY, 1, BLOCKING, 2 } },
		{ LONG, "blocked by both STI and MOV SS", { BLOCKING, 3 } },
		{ LONG,
		  "blocked by STI with RFLAGS.IF clear",
		  { BLOCKING, 1 } },
		{ LONG,
		  "interrupt injected behind STI or MOV SS",
		  { BLOCKING, 1, EVENT, INTERRUPT, VMCS_GUEST_RFLAGS,
		    RFLAGS_IF } },
		{ LONG,
		  "interrupt injected behind STI or MOV SS",
		  { BLOCKING, 2, EVENT, INTERRUPT, VMCS_GUEST_RFLAGS,
		    RFLAGS_IF } },
		{ LONG,
		  "NMI injected behind MOV SS",
		  { BLOCKING, 2, EVENT, NMI } },
		{ LONG,
		  "NMI injected behind STI",
		  { BLOCKING, 1, EVENT, NMI, VMCS_GUEST_RFLAGS, RFLAGS_IF } },
		{ LONG,
		  "NMI injected while virtual NMIs are blocked",
		  { BLOCKING, 8, EVENT, NMI } },
		{ LONG, "blocked by SMI outside SMM", { BLOCKING, 4 } },
		{ LONG,
		  "enclave interruption behind MOV SS",
		  { BLOCKING, BIT(4) | BIT(1) } },
		{ LONG,
		  "no BS pending in a shadow or HLT with RFLAGS.TF",
		  { BLOCKING, 2, VMCS_GUEST_RFLAGS, RFLAGS_TF } },
		{ LONG,
		  "no BS pending in a shadow or HLT with RFLAGS.TF",
		  { ACTIVITY, 1, VMCS_GUEST_RFLAGS, RFLAGS_TF } },
		{ LONG,
		  "BS pending in a shadow or HLT without RFLAGS.TF or with BTF",
		  { BLOCKING, 2, PENDING, BIT(14) } },
		{ LONG,
		  "BS pending in a shadow or HLT without RFLAGS.TF or with BTF",
		  { BLOCKING, 2, PENDING, BIT(14), VMCS_GUEST_RFLAGS, RFLAGS_TF,
		    VMCS_GUEST_DEBUGCTL, 2 } },
		{ LONG,
		  "RTM pending, but not with bit 12 alone",
		  { PENDING, BIT(16) } },
		{ LONG,
		  "RTM pending, but not with bit 12 alone",
		  { PENDING, BIT(16) | BIT(12) | 1 } },
		{ LONG,
		  "RTM pending behind MOV SS",
		  { PENDING, BIT(16) | BIT(12), BLOCKING, 2 } },
		{ LONG,
		  "VMCS link pointer is not ~0",
		  { VMCS_LINK_POINTER, BIT(63) } },
		{ PAE,
		  "PDPTE1 has reserved bits set",
		  { VMCS_GUEST_PDPTE0 + 2, BIT(5) } },
		{ PAE,
		  "PDPTE2 has reserved bits set",
		  { VMCS_GUEST_PDPTE0 + 4, BIT(PHYS) } },
		{ PAE,
		  "PDPTE3 has reserved bits set",
		  { VMCS_GUEST_PDPTE0 + 6, BIT(63) } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_guest(&rows[i]);
}

/* These break the rule, each alone, and no other bits of the field do. */
static void bits_are_exact(void **state)
{
	static const struct row rows[] = {
		{ LONG,
		  "CR0 has a bit that VMX forbids",
		  { VMCS_GUEST_CR0, BITS(63, 32) } },
		{ LONG,
		  "CR3 is wider than a physical address",
		  { VMCS_GUEST_CR3, BITS(63, PHYS) } },
		{ LONG,
		  "DEBUGCTL has reserved bits set",
		  { VMCS_GUEST_DEBUGCTL, BITS(63, 16) | BITS(5, 3) } },
		{ LONG,
		  "DR7 has bits 63:32 set",
		  { VMCS_GUEST_DR7, BITS(63, 32) } },
		{ LONG,
		  "GDTR.limit has bits 31:16 set",
		  { VMCS_GUEST_GDTR_LIMIT, BITS(63, 16) } },
		{ PROTECTED,
		  "RIP has bits 63:32 set outside 64-bit code",
		  { VMCS_GUEST_RIP, BITS(63, 32) } },
		{ LONG,
		  "RFLAGS has reserved bits set",
		  { VMCS_GUEST_RFLAGS,
		    BITS(63, 22) | BIT(15) | BIT(5) | BIT(3) } },
		{ LONG,
		  "CS.base has bits 63:32 set",
		  { CS_BASE, BITS(63, 32) } },
		{ LONG,
		  "DS rights have reserved bits set",
		  { DS_RIGHTS, BITS(31, 17) | BITS(11, 8) } },
		{ LONG,
		  "DS.limit has bits of 11:0 clear with G set",
		  { DS_LIMIT, BITS(11, 0) } },
		{ REAL,
		  "DS.limit has bits of 31:20 set with G clear",
		  { DS_LIMIT, BITS(31, 20) } },
		{ LONG,
		  "interruptibility has reserved bits set",
		  { BLOCKING, BITS(63, 5) } },
		{ LONG,
		  "pending debug exceptions have reserved bits set",
		  { PENDING, BITS(63, 17) | BIT(15) | BIT(13) | BITS(11, 4) } },
		{ PAE,
		  "PDPTE0 has reserved bits set",
		  { VMCS_GUEST_PDPTE0,
		    BITS(63, PHYS) | BITS(8, 5) | BITS(2, 1) } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_bits(&rows[i], vmx_check_guest_state);
}

/* The last test, because it looks at what the others saw. */
static void every_rule_was_broken(void **state)
{
	(void)state;
	expect_seen(&vmx_check_registers);
	expect_seen(&vmx_check_state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_states_pass),
		cmocka_unit_test(oddities_pass),
		cmocka_unit_test(limits_count),
		cmocka_unit_test(activity_blocks_events),
		cmocka_unit_test(registers_are_checked),
		cmocka_unit_test(other_state_is_checked),
		cmocka_unit_test(bits_are_exact),
		cmocka_unit_test(every_rule_was_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
