/* As test_vmx_check.c, of controls and of the host's state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmx_check_vmcs.h"

static void break_controls(const struct row *row)
{
	make_row(row);
	expect(vmx_check_controls(&limits), row->text);
}

static void errors_have_names(void **state)
{
	unsigned int unknown = 0;

	(void)state;
	assert_string_equal(vmx_insn_error_name(1), "VMCALL in root operation");
	assert_string_equal(vmx_insn_error_name(7), "entry: bad control field");
	assert_string_equal(vmx_insn_error_name(28),
			    "INVEPT or INVVPID: bad operand");
	assert_string_equal(vmx_insn_error_name(UINT32_MAX), "unknown");
	for (uint32_t number = 0; number <= 29; number++)
		unknown += !strcmp(vmx_insn_error_name(number), "unknown");
	assert_int_equal(unknown, 5); /* 0, 14, 21, 27 and 29 */
}

static void oddities_pass(void **state)
{
	static const struct row rows[] = {
		{ LONG,
		  "no virtual NMIs",
		  { VMCS_PIN_CONTROLS, VMCS_PIN_VIRTUAL_NMI } },
		{ LONG,
		  "NMI window",
		  { VMCS_PROC_CONTROLS, VMCS_PROC_NMI_WINDOW } },
		{ LONG,
		  "uncacheable EPT with A and D",
		  { VMCS_EPTP, 6 | BIT(6) } },
		{ LONG,
		  "unused pages",
		  { VMCS_PROC_CONTROLS,
		    VMCS_PROC_MSR_BITMAP | VMCS_PROC_TPR_SHADOW,
		    VMCS_MSR_BITMAP, 1, VMCS_VIRTUAL_APIC_PAGE, 1 } },
		{ LONG, "longest", { EVENT, SOFT, VMCS_ENTRY_INSN_LEN, 15 } },
		{ LONG, "CET", { VMCS_HOST_CR4, CR4_CET } },
		{ LONG, "no WP", { VMCS_HOST_CR0, CR0_WP } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_row(&rows[i]);
		expect_sound();
	}
}

/* Which exceptions have an error code: SDM 3A table 6-1. #CP has it where the
 * CPU knows it. */
static void errors_belong_to_vectors(void **state)
{
	static const uint64_t with = BIT(8) | BITS(14, 10) | BIT(17) | BIT(21);

	(void)state;
	for (uint64_t vector = 0; vector < 32; vector++) {
		make_sound(LONG);
		flip(EVENT, 0x80000b00 | vector);
		if (with & BIT(vector))
			expect_sound();
		else
			expect(vmx_check_controls(&limits),
			       "event with an error code that it does not "
			       "have");
		flip(EVENT, BIT(11));
		if ((with & BIT(vector)) && vector != VECTOR_CP)
			expect(vmx_check_controls(&limits),
			       "exception without its error code");
		else
			expect_sound();
	}
}

/* These break the rule, each alone, and no other bits of the field do. */
static void bits_are_exact(void **state)
{
	static const struct row rows[] = {
		{ LONG,
		  "MSR bitmap is not a frame",
		  { VMCS_MSR_BITMAP, BITS(63, PHYS) | BITS(11, 0) } },
		{ LONG,
		  "TPR threshold has bits 31:4 set",
		  { VMCS_TPR_THRESHOLD, BITS(31, 4) } },
		{ LONG,
		  "event has reserved bits set",
		  { EVENT, BITS(30, 12), EVENT, NMI } },
		{ LONG,
		  "error code has bits 31:16 set",
		  { VMCS_ENTRY_ERROR_CODE, BITS(31, 16), EVENT, PAGE_FAULT } },
		{ LONG,
		  "host's CR0 lacks or has a bit against VMX",
		  { VMCS_HOST_CR0, BITS(63, 32) | PDG | CR0_NE } },
		{ LONG,
		  "EPT pointer is malformed",
		  { VMCS_EPTP, BITS(63, PHYS) | BITS(11, 8) | BITS(5, 0) } },
		{ LONG,
		  "host's CS has RPL or TI",
		  { VMCS_HOST_CS_SELECTOR, BITS(2, 0) } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_bits(&rows[i], vmx_check_controls);
}

static void controls_are_checked(void **state)
{
	static const struct row rows[] = {
		{ LONG,
		  "virtual NMIs without NMI exits",
		  { VMCS_PIN_CONTROLS, VMCS_PIN_NMI } },
		{ LONG,
		  "NMI window without virtual NMIs",
		  { VMCS_PIN_CONTROLS, VMCS_PIN_VIRTUAL_NMI, VMCS_PROC_CONTROLS,
		    VMCS_PROC_NMI_WINDOW } },
		{ LONG, "MSR bitmap is not a frame", { VMCS_MSR_BITMAP, 1 } },
		{ LONG,
		  "virtual-APIC page is not a frame",
		  { VMCS_VIRTUAL_APIC_PAGE, BIT(PHYS) } },
		{ LONG,
		  "TPR threshold has bits 31:4 set",
		  { VMCS_TPR_THRESHOLD, BIT(4) } },
		{ LONG,
		  "virtual APIC without TPR shadow",
		  { VMCS_PROC2_CONTROLS, VMCS_PROC2_X2APIC, VMCS_PROC_CONTROLS,
		    VMCS_PROC_TPR_SHADOW } },
		{ LONG,
		  "virtual interrupts without interrupt exits",
		  { VMCS_PROC2_CONTROLS, VMCS_PROC2_VIRTUAL_INTR } },
		{ LONG, "VPID is 0", { VMCS_PROC2_CONTROLS, VMCS_PROC2_VPID } },
		{ LONG,
		  "unrestricted guest without EPT",
		  { VMCS_PROC2_CONTROLS, VMCS_PROC2_EPT } },
		{ LONG, "EPT pointer is malformed", { VMCS_EPTP, 2 } },
		{ LONG, "EPT pointer is malformed", { VMCS_EPTP, BIT(3) } },
		{ LONG, "EPT pointer is malformed", { VMCS_EPTP, BIT(8) } },
		{ LONG, "event of a reserved type", { EVENT, 0x80000120 } },
		{ LONG, "NMI with a vector that is not 2", { EVENT, NMI | 1 } },
		{ LONG,
		  "exception with a vector above 31",
		  { EVENT, 0x80000320 } },
		{ LONG,
		  "other event with a vector that is not 0",
		  { EVENT, 0x80000701 } },
		{ LONG,
		  "event with an error code that it does not have",
		  { EVENT, INTERRUPT | BIT(11) } },
		{ LONG,
		  "event with an error code that it does not have",
		  { EVENT, 0x80000b06 } },
		{ REAL,
		  "event with an error code that it does not have",
		  { EVENT, PAGE_FAULT } },
		{ LONG,
		  "exception without its error code",
		  { EVENT, 0x8000030d } },
		{ LONG,
		  "event has reserved bits set",
		  { EVENT, NMI | BIT(12) } },
		{ LONG,
		  "error code has bits 31:16 set",
		  { EVENT, PAGE_FAULT, VMCS_ENTRY_ERROR_CODE, BIT(16) } },
		{ LONG,
		  "event with an impossible instruction length",
		  { EVENT, SOFT } },
		{ LONG,
		  "event with an impossible instruction length",
		  { EVENT, SOFT, VMCS_ENTRY_INSN_LEN, 16 } },
		{ LONG,
		  "event with an impossible instruction length",
		  { EVENT, 0x80000480 } },
		{ LONG,
		  "event with an impossible instruction length",
		  { EVENT, 0x80000501 } },
		{ LONG,
		  "exception with a vector above 31",
		  { EVENT, 0x800003ff } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_controls(&rows[i]);
}

static void host_is_checked(void **state)
{
	static const struct row rows[] = {
		{ LONG,
		  "host's CR0 lacks or has a bit against VMX",
		  { VMCS_HOST_CR0, CR0_PG } },
		{ LONG,
		  "host's CR0 lacks or has a bit against VMX",
		  { VMCS_HOST_CR0, BIT(32) } },
		{ LONG,
		  "host's CR4 lacks or has a bit against VMX",
		  { VMCS_HOST_CR4, CR4_VMXE } },
		{ LONG,
		  "host's CR4 lacks or has a bit against VMX",
		  { VMCS_HOST_CR4, CR4_UMIP } },
		{ LONG,
		  "host's CR4.CET without CR0.WP",
		  { VMCS_HOST_CR4, CR4_CET, VMCS_HOST_CR0, CR0_WP } },
		{ LONG,
		  "host's CR3 is wider than a physical address",
		  { VMCS_HOST_CR3, BIT(52) } },
		{ LONG,
		  "host's SYSENTER_ESP is not canonical",
		  { VMCS_HOST_SYSENTER_ESP, BIT(50) } },
		{ LONG,
		  "host's SYSENTER_EIP is not canonical",
		  { VMCS_HOST_SYSENTER_EIP, BIT(50) } },
		{ LONG,
		  "host's PAT has a reserved type",
		  { VMCS_HOST_PAT, 4 } },
		{ LONG,
		  "host's EFER has reserved bits set",
		  { VMCS_HOST_EFER, EFER_SVME } },
		{ LONG,
		  "host's EFER lacks LMA or LME",
		  { VMCS_HOST_EFER, EFER_LMA } },
		{ LONG,
		  "host's CS has RPL or TI",
		  { VMCS_HOST_CS_SELECTOR, 1 } },
		{ LONG,
		  "host's SS has RPL or TI",
		  { VMCS_HOST_SS_SELECTOR, 2 } },
		{ LONG,
		  "host's DS has RPL or TI",
		  { VMCS_HOST_DS_SELECTOR, 4 } },
		{ LONG,
		  "host's ES has RPL or TI",
		  { VMCS_HOST_ES_SELECTOR, 4 } },
		{ LONG,
		  "host's FS has RPL or TI",
		  { VMCS_HOST_FS_SELECTOR, 4 } },
		{ LONG,
		  "host's GS has RPL or TI",
		  { VMCS_HOST_GS_SELECTOR, 4 } },
		{ LONG,
		  "host's TR has RPL or TI",
		  { VMCS_HOST_TR_SELECTOR, 4 } },
		{ LONG, "host's CS is null", { VMCS_HOST_CS_SELECTOR, 0x18 } },
		{ LONG, "host's TR is null", { VMCS_HOST_TR_SELECTOR, 0x18 } },
		{ LONG,
		  "host's FS.base is not canonical",
		  { VMCS_HOST_FS_BASE, BIT(47) } },
		{ LONG,
		  "host's GS.base is not canonical",
		  { VMCS_HOST_GS_BASE, BIT(47) } },
		{ LONG,
		  "host's TR.base is not canonical",
		  { VMCS_HOST_TR_BASE, BIT(47) } },
		{ LONG,
		  "host's GDTR.base is not canonical",
		  { VMCS_HOST_GDTR_BASE, BIT(47) } },
		{ LONG,
		  "host's IDTR.base is not canonical",
		  { VMCS_HOST_IDTR_BASE, BIT(47) } },
		{ LONG,
		  "exit controls do not go to a 64-bit host",
		  { VMCS_EXIT_CONTROLS, VMCS_EXIT_HOST_64 } },
		{ LONG, "host's CR4 lacks PAE", { VMCS_HOST_CR4, CR4_PAE } },
		{ LONG,
		  "host's RIP is not canonical",
		  { VMCS_HOST_RIP, BIT(63) } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_controls(&rows[i]);
}

/* The last test, because it looks at what the others saw. */
static void every_rule_was_broken(void **state)
{
	(void)state;
	expect_seen(&vmx_check_vmx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_names),
		cmocka_unit_test(controls_are_checked),
		cmocka_unit_test(host_is_checked),
		cmocka_unit_test(oddities_pass),
		cmocka_unit_test(errors_belong_to_vectors),
		cmocka_unit_test(bits_are_exact),
		cmocka_unit_test(every_rule_was_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
