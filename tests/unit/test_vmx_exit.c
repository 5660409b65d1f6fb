/* The VMCS's exit information in neutral words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmx_guest.h"

#define LENGTH 5

static void exit_with(uint32_t reason, uint64_t qualification)
{
	fake_vmcs[VMCS_EXIT_QUALIFICATION] = qualification;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = LENGTH;
	vmx_decode_exit(cpu, reason);
}

/* SDM 3D appendix C "VMX Basic Exit Reasons". What has no row must not come. */
static const struct {
	uint8_t number, reason;
	bool has_length;
} reasons[] = {
	{ 0, EXIT_EXCEPTION, false },
	{ 1, EXIT_INTERRUPT, false },
	{ 2, EXIT_TRIPLE_FAULT, false },
	{ 3, EXIT_INTERRUPT, false },
	{ 4, EXIT_INTERRUPT, false },
	{ 7, EXIT_WINDOW_INTERRUPT, false },
	{ 8, EXIT_WINDOW_NMI, false },
	{ 9, EXIT_TASK_SWITCH, true }, /* of CALL, 0 */
	{ 10, EXIT_CPUID, true },
	{ 11, EXIT_UNDEFINED, true }, /* GETSEC */
	{ 12, EXIT_HLT, true },
	{ 13, EXIT_WBINVD, true }, /* INVD */
	{ 15, EXIT_RDPMC, true },
	{ 18, EXIT_HYPERCALL, true },
	{ 19, EXIT_UNDEFINED, true }, /* VMCLEAR */
	{ 20, EXIT_UNDEFINED, true },
	{ 21, EXIT_UNDEFINED, true },
	{ 22, EXIT_UNDEFINED, true },
	{ 23, EXIT_UNDEFINED, true },
	{ 24, EXIT_UNDEFINED, true },
	{ 25, EXIT_UNDEFINED, true },
	{ 26, EXIT_UNDEFINED, true },
	{ 27, EXIT_UNDEFINED, true }, /* VMXON */
	{ 28, EXIT_CR_WRITE, true },
	{ 30, EXIT_IO, true },
	{ 31, EXIT_MSR_READ, true },
	{ 32, EXIT_MSR_WRITE, true },
	{ 33, EXIT_REFUSED, false },
	{ 34, EXIT_REFUSED, false },
	{ 36, EXIT_UNDEFINED, true }, /* MWAIT */
	{ 39, EXIT_UNDEFINED, true }, /* MONITOR */
	{ 40, EXIT_PAUSE, true },
	{ 45, EXIT_APIC_EOI, false },
	{ 48, EXIT_MEMORY, false },
	{ 50, EXIT_UNDEFINED, true }, /* INVEPT */
	{ 52, EXIT_INTERRUPT, false },
	{ 53, EXIT_UNDEFINED, true }, /* INVVPID */
	{ 54, EXIT_WBINVD, true },
	{ 55, EXIT_XSETBV, true },
	{ 56, EXIT_APIC_WRITE, false },
	{ 59, EXIT_UNDEFINED, true }, /* VMFUNC */
	{ 60, EXIT_UNDEFINED, true }, /* ENCLS */
	{ 76, EXIT_UNDEFINED, true }, /* SEAMCALL */
	{ 77, EXIT_UNDEFINED, true }, /* TDCALL */
};

static void decodes_reasons(void **state)
{
	(void)state;
	for (uint32_t number = 0, row = 0; number <= UINT16_MAX; number++) {
		bool has_row = row < ARRAY_SIZE(reasons) &&
			       reasons[row].number == number;

		cpu->exit.insn_len = 9;
		exit_with(number, 0);
		expect_row(number, "reason", cpu->exit.reason,
			   has_row ? reasons[row].reason : EXIT_UNKNOWN);
		expect_row(number, "length", cpu->exit.insn_len,
			   has_row && reasons[row].has_length ? LENGTH : 0);
		if (!has_row)
			expect_row(number, "code", cpu->exit.code, number);
		row += has_row;
	}
}

/* Bits above the basic reason, as of an entry that failed. */
static void keeps_the_whole_code(void **state)
{
	(void)state;
	exit_with(0x80000021, 0);
	assert_int_equal(cpu->exit.reason, EXIT_REFUSED);
	assert_int_equal(cpu->exit.code, 0x80000021);
	exit_with(0x80000022, 0);
	assert_int_equal(cpu->exit.reason, EXIT_REFUSED);
	assert_int_equal(cpu->exit.code, 0x80000022);
	exit_with(0x08000031, 0); /* of an enclave, EPT misconfiguration */
	assert_int_equal(cpu->exit.reason, EXIT_UNKNOWN);
	assert_int_equal(cpu->exit.code, 0x08000031);
	exit_with(0x0800000a, 0);
	assert_int_equal(cpu->exit.reason, EXIT_CPUID);
}

static void decodes_io(void **state)
{
	static const struct {
		uint64_t info;
		uint16_t port;
		uint8_t size;
		bool is_in, is_string;
	} rows[] = {
		{ 0x03f80000, 0x3f8, 1, false, false },
		{ 0x03f80008, 0x3f8, 1, true, false },
		{ 0x01f00001, 0x1f0, 2, false, false },
		{ 0x0cfc000b, 0xcfc, 4, true, false },
		{ 0x0cf80003, 0xcf8, 4, false, false },
		{ 0x00e00040, 0xe0, 1, false, false }, /* immediate */
		{ 0x01f00010, 0x1f0, 1, false, true }, /* OUTSB */
		{ 0x01f00039, 0x1f0, 2, true, true },  /* REP INSW */
		{ 0xffff0033, 0xffff, 4, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		exit_with(30, rows[i].info);
		expect_row(i, "port", cpu->exit.io.port, rows[i].port);
		expect_row(i, "size", cpu->exit.io.size, rows[i].size);
		expect_row(i, "in", cpu->exit.io.is_in, rows[i].is_in);
		expect_row(i, "string", cpu->exit.io.is_string,
			   rows[i].is_string);
	}
}

static void decodes_apic(void **state)
{
	(void)state;
	exit_with(45, 0xffffff00 | 0xfe);
	assert_int_equal(cpu->exit.apic.vector, 0xfe);
	exit_with(56, 0x13f0);
	assert_int_equal(cpu->exit.apic.offset, 0x3f0);
}

static void decodes_control_registers(void **state)
{
	static const struct {
		uint64_t info;
		uint8_t reason, number, gpr;
		bool is_decoded;
	} rows[] = {
		{ 0x000, EXIT_CR_WRITE, 0, GPR_RAX, true },
		{ 0x703, EXIT_CR_WRITE, 3, GPR_RDI, true },
		{ 0xf04, EXIT_CR_WRITE, 4, GPR_R15, true },
		{ 0x408, EXIT_CR_WRITE, 8, GPR_RSP, true },
		{ 0x318, EXIT_CR_READ, 8, GPR_RBX, true },
		{ 0x813, EXIT_CR_READ, 3, GPR_R8, true },
		{ 0x020, EXIT_CR_WRITE, 0, 0, false },	    /* CLTS */
		{ 0x00010030, EXIT_CR_WRITE, 0, 0, false }, /* LMSW reg */
		{ 0xffff0070, EXIT_CR_WRITE, 0, 0, false }, /* LMSW mem */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		exit_with(28, rows[i].info);
		expect_row(i, "reason", cpu->exit.reason, rows[i].reason);
		expect_row(i, "number", cpu->exit.cr.number, rows[i].number);
		expect_row(i, "register", cpu->exit.cr.gpr, rows[i].gpr);
		expect_row(i, "decoded", cpu->exit.cr.is_decoded,
			   rows[i].is_decoded);
		expect_row(i, "length", cpu->exit.insn_len, LENGTH);
	}
}

static void decodes_memory(void **state)
{
	static const struct {
		uint64_t info;
		uint32_t access;
		bool is_table_walk;
	} rows[] = {
		{ 0x181, ACCESS_READ, false },
		{ 0x182, ACCESS_WRITE, false },
		{ 0x183, ACCESS_WRITE, false }, /* ADD */
		{ 0x184, ACCESS_EXECUTE, false },
		{ 0x1b9, ACCESS_READ, false }, /* may read and execute */
		{ 0x081, ACCESS_READ, true },
		{ 0x082, ACCESS_WRITE, true }, /* accessed or dirty */
		{ 0x084, ACCESS_EXECUTE, true },
		{ 0x001, ACCESS_READ, false }, /* PDPTEs: no linear address */
		{ 0x101, ACCESS_READ, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_vmcs[0x2400] = 0xfee00020f000 + i;
		cpu->exit.memory.byte_count = 3;
		exit_with(48, rows[i].info);
		expect_row(i, "access", cpu->exit.memory.access,
			   rows[i].access);
		expect_row(i, "walk", cpu->exit.memory.is_table_walk,
			   rows[i].is_table_walk);
		expect_row(i, "address", cpu->exit.memory.gpa.value,
			   0xfee00020f000 + i);
		expect_row(i, "bytes", cpu->exit.memory.byte_count, 0);
	}
}

/* The timer goes on where it was; only when it is out is it wound up. */
static void winds_up_the_timer(void **state)
{
	(void)state;
	vmx.run_ticks = 6400;
	fake_vmcs[0x482e] = 17;
	cpu->regs.rflags = RFLAGS_IF;
	for (uint32_t number = 0; number < 64; number++) {
		if (number == 52)
			continue;
		exit_with(number, 0);
		expect_row(number, "timer", fake_vmcs[0x482e], 17);
	}
	exit_with(52, 0);
	assert_int_equal(fake_vmcs[0x482e], 6400);
	cpu->regs.rflags = 0;
	exit_with(52, 0);
	assert_int_equal(fake_vmcs[0x482e], 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(decodes_reasons, setup),
		cmocka_unit_test_setup(keeps_the_whole_code, setup),
		cmocka_unit_test_setup(decodes_io, setup),
		cmocka_unit_test_setup(decodes_apic, setup),
		cmocka_unit_test_setup(decodes_control_registers, setup),
		cmocka_unit_test_setup(decodes_memory, setup),
		cmocka_unit_test_setup(winds_up_the_timer, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
