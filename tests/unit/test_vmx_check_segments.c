/* As test_vmx_check.c, of segment registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "vmx_check_vmcs.h"

static void segments_are_checked(void **state)
{
	static const struct row rows[] = {
		{ PROTECTED, "TR.selector has TI set", { TR_SELECTOR, 4 } },
		{ PROTECTED, "LDTR.selector has TI set", { LDTR_SELECTOR, 4 } },
		{ RESTRICTED,
		  "SS.selector has another RPL than CS's",
		  { SS_SELECTOR, 1 } },
		{ LONG,
		  "TR.base is not canonical",
		  { VMCS_GUEST_TR_BASE, BIT(47) } },
		{ LONG,
		  "FS.base is not canonical",
		  { VMCS_GUEST_FS_BASE, BIT(47) } },
		{ LONG,
		  "GS.base is not canonical",
		  { VMCS_GUEST_GS_BASE, BIT(47) } },
		{ LONG,
		  "LDTR.base is not canonical",
		  { VMCS_GUEST_LDTR_BASE, BIT(47) } },
		{ LONG,
		  "CS.base has bits 63:32 set",
		  { CS_BASE, BIT(32), CS_RIGHTS, VMCS_RIGHTS_UNUSABLE } },
		{ LONG, "SS.base has bits 63:32 set", { SS_BASE, BIT(32) } },
		{ LONG, "DS.base has bits 63:32 set", { DS_BASE, BIT(32) } },
		{ LONG,
		  "ES.base has bits 63:32 set",
		  { VMCS_GUEST_ES_BASE, BIT(32) } },
		{ PROTECTED,
		  "CS.type is not of accessed code",
		  { CS_RIGHTS, 1 } },
		{ PROTECTED,
		  "CS.type is not of accessed code",
		  { CS_RIGHTS, 0xc } },
		{ RESTRICTED,
		  "CS.type is not of accessed code",
		  { CS_RIGHTS, 8 } },
		{ PROTECTED,
		  "SS.type is not of accessed, writable data",
		  { SS_RIGHTS, 2 } },
		{ PROTECTED,
		  "SS.type is not of accessed, writable data",
		  { SS_RIGHTS, 8 } },
		{ REAL,
		  "CS.DPL is not 0 with a type of data",
		  { CS_RIGHTS, DPL3 } },
		{ PROTECTED, "CS.DPL is not SS.DPL", { CS_RIGHTS, DPL3 } },
		{ PROTECTED, "CS.DPL is not SS.DPL", { SS_RIGHTS, DPL3 } },
		{ PROTECTED,
		  "CS.DPL is above SS.DPL",
		  { CS_RIGHTS, DPL3 | 4 } },
		{ RESTRICTED,
		  "SS.DPL is not its selector's RPL",
		  { CS_RIGHTS, DPL3, SS_RIGHTS, DPL3 } },
		{ REAL,
		  "SS.DPL is not 0 without CR0.PE or with CS.type of data",
		  { CS_RIGHTS, 8 | DPL3, SS_RIGHTS, DPL3 } },
		{ PROTECTED,
		  "SS.DPL is not 0 without CR0.PE or with CS.type of data",
		  { CS_RIGHTS, 8, SS_RIGHTS, DPL3 | VMCS_RIGHTS_UNUSABLE } },
		{ RESTRICTED,
		  "DS.DPL is below its selector's RPL",
		  { DS_RIGHTS, 8, DS_SELECTOR, 1 } },
		{ RESTRICTED,
		  "DS.DPL is below its selector's RPL",
		  { DS_RIGHTS, 4, DS_SELECTOR, 1 } },
		{ LONG,
		  "CS.D with CS.L in IA-32e mode",
		  { CS_RIGHTS, VMCS_RIGHTS_DB } },
		{ LONG, "TR.type is not of a busy TSS", { TR_RIGHTS, 8 } },
		{ PROTECTED, "TR.type is not of a busy TSS", { TR_RIGHTS, 2 } },
		{ VM86, "LDTR.type is not of an LDT", { LDTR_RIGHTS, 1 } },
		{ VM86, "TR.S is set", { TR_RIGHTS, SEGMENT_S } },
		{ LONG, "LDTR.S is set", { LDTR_RIGHTS, SEGMENT_S } },
		{ VM86, "TR.P is clear", { TR_RIGHTS, SEGMENT_P } },
		{ VM86, "LDTR.P is clear", { LDTR_RIGHTS, SEGMENT_P } },
		{ VM86,
		  "TR rights have reserved bits set",
		  { TR_RIGHTS, BIT(8) } },
		{ LONG,
		  "LDTR rights have reserved bits set",
		  { LDTR_RIGHTS, BIT(17) } },
		{ LONG,
		  "TR.limit has bits of 11:0 clear with G set",
		  { TR_RIGHTS, VMCS_RIGHTS_G } },
		{ LONG,
		  "LDTR.limit has bits of 11:0 clear with G set",
		  { LDTR_RIGHTS, VMCS_RIGHTS_G, LDTR_LIMIT, 1 } },
		{ LONG,
		  "TR.limit has bits of 31:20 set with G clear",
		  { TR_LIMIT, BIT(20) } },
		{ LONG,
		  "LDTR.limit has bits of 31:20 set with G clear",
		  { LDTR_LIMIT, BIT(31) } },
		{ LONG, "TR is unusable", { TR_RIGHTS, VMCS_RIGHTS_UNUSABLE } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		break_guest(&rows[i]);
}

/* @row is that of ES. Nobody looks at an unusable register other than CS, but
 * for those of virtual-8086 mode. */
static void break_segment(const struct row *row, uint32_t name)
{
	static const char names[][3] = { "ES", "CS", "SS", "DS", "FS", "GS" };
	char text[64];

	snprintf(text, sizeof(text), "%s%s", names[name], row->text);
	make_sound(row->mode);
	flip(row->flips[0] + name * VMCS_FIELD_STEP, row->flips[1]);
	expect(vmx_check_guest_state(&limits), text);
	flip(ES_RIGHTS + name * VMCS_FIELD_STEP, VMCS_RIGHTS_UNUSABLE);
	if (row->mode != VM86 && name != SEGMENT_CS)
		assert_null(vmx_check_guest_state(&limits));
}

static void segments_are_alike(void **state)
{
	static const struct row rows[] = {
		{ VM86,
		  ".base is not selector << 4 with RFLAGS.VM",
		  { ES_BASE, 1 } },
		{ VM86,
		  ".limit is not 0xffff with RFLAGS.VM",
		  { ES_LIMIT, 1 } },
		{ VM86,
		  " rights are not 0xf3 with RFLAGS.VM",
		  { ES_RIGHTS, VMCS_RIGHTS_UNUSABLE } },
		{ LONG, ".S is clear", { ES_RIGHTS, SEGMENT_S } },
		{ REAL, ".P is clear", { ES_RIGHTS, SEGMENT_P } },
		{ LONG,
		  " rights have reserved bits set",
		  { ES_RIGHTS, BIT(11) } },
		{ REAL,
		  " rights have reserved bits set",
		  { ES_RIGHTS, BIT(31) } },
		{ PROTECTED,
		  ".limit has bits of 11:0 clear with G set",
		  { ES_LIMIT, 1 } },
		{ REAL,
		  ".limit has bits of 31:20 set with G clear",
		  { ES_LIMIT, BIT(20) } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint32_t name = 0; name <= SEGMENT_GS; name++)
			break_segment(&rows[i], name);
	}
}

static void data_segments_are_alike(void **state)
{
	static const struct row rows[] = {
		{ PROTECTED, ".type is not accessed", { ES_RIGHTS, 1 } },
		{ LONG,
		  ".type is of code that cannot be read",
		  { ES_RIGHTS, 8 | 2 } },
		{ RESTRICTED,
		  ".DPL is below its selector's RPL",
		  { ES_SELECTOR, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		break_segment(&rows[i], SEGMENT_ES);
		for (uint32_t name = SEGMENT_DS; name <= SEGMENT_GS; name++)
			break_segment(&rows[i], name);
	}
}

/* The last test, because it looks at what the others saw. */
static void every_rule_was_broken(void **state)
{
	(void)state;
	expect_seen(&vmx_check_segments);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_checked),
		cmocka_unit_test(segments_are_alike),
		cmocka_unit_test(data_segments_are_alike),
		cmocka_unit_test(every_rule_was_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
