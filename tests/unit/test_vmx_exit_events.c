/* Exits by exceptions and task switches, those that cut a delivery short, and what
 * they do to blocked NMIs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmx_guest.h"

#define EXCEPTION     0
#define TASK_SWITCH   9
#define EPT_VIOLATION 48

#define UNBLOCK	  BIT(12)
#define NMI	  BIT(3)
#define VECTORING 0x8000030e /* some exception was on its way */

#define RIP    0x1000UL
#define LENGTH 5
#define CODE   0x5a5a0008UL

/* What the CPU filled in for the exit. */
struct exit_info {
	uint32_t reason;
	uint64_t qualification, event, vectoring;
};

static void exit_with(const struct exit_info *info)
{
	fake_vmcs[VMCS_EXIT_QUALIFICATION] = info->qualification;
	fake_vmcs[VMCS_EXIT_EVENT] = info->event;
	fake_vmcs[VMCS_VECTORING_EVENT] = info->vectoring;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = LENGTH;
	cpu->regs.rip = RIP;
	cpu->event = (struct event){ 0 };
	vmx_decode_exit(cpu, info->reason);
}

static void decodes_exceptions(void **state)
{
	static const struct {
		uint64_t event;
		uint8_t reason, vector;
		bool has_error;
	} rows[] = {
		{ 0x80000306, EXIT_EXCEPTION, 6, false },
		{ 0x80000b11, EXIT_EXCEPTION, 17, true },
		{ 0x80000b0d, EXIT_EXCEPTION, 13, true },
		{ 0x80000301, EXIT_EXCEPTION, 1, false },
		{ 0x80000603, EXIT_EXCEPTION, 3, false }, /* INT3 */
		{ 0x80001306, EXIT_EXCEPTION, 6, false }, /* of IRET */
		{ 0x80000202, EXIT_NMI, 0, false },
	};

	(void)state;
	fake_vmcs[0x4406] = CODE;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exit_info info = { EXCEPTION, 0, rows[i].event,
						0 };

		memset(&cpu->exit, 0, sizeof(cpu->exit));
		exit_with(&info);
		expect_row(i, "reason", cpu->exit.reason, rows[i].reason);
		expect_row(i, "vector", cpu->exit.exception.vector,
			   rows[i].vector);
		expect_row(i, "has code", cpu->exit.exception.has_error,
			   rows[i].has_error);
		expect_row(i, "code", cpu->exit.exception.error_code,
			   rows[i].has_error ? CODE : 0);
		expect_row(i, "RIP", cpu->regs.rip, RIP);
		expect_row(i, "length", cpu->exit.insn_len, 0);
		expect_row(i, "event", cpu->event.kind, EVENT_NONE);
	}
}

/* The machine's NMI says nothing of the guest's. */
static void an_nmi_changes_nothing(void **state)
{
	const struct exit_info info = { EXCEPTION, 0xf, 0x80001202, 0 };

	(void)state;
	vmx.live[VMX_LIVE_DR6] = DR6_RESET;
	exit_with(&info);
	assert_int_equal(cpu->exit.reason, EXIT_NMI);
	assert_int_equal(vmx.live[VMX_LIVE_DR6], DR6_RESET);
	assert_int_equal(vmx.blocking, 0);
	assert_int_equal(vmx.nmi_block, 0);
}

/* SDM 3B 18.2.3 "Debug Status Register (DR6)": breakpoints are those of the last
 * #DB, the other causes stay. */
static void merges_dr6(void **state)
{
	static const struct {
		uint64_t event, info, before, after;
	} rows[] = {
		{ 0x80000301, BIT(14), DR6_RESET, DR6_RESET | BIT(14) },
		{ 0x80000301, 5, DR6_RESET | 2, DR6_RESET | 5 },
		{ 0x80000301, BIT(13), DR6_RESET | BIT(14),
		  DR6_RESET | BIT(13) | BIT(14) },
		{ 0x80000301, 0x400f, DR6_RESET | BIT(15),
		  DR6_RESET | BIT(15) | 0x400f },
		/* no causes as DR6 has them */
		{ 0x80000301, BIT(11) | BIT(12) | BIT(16), 0xfffe07f0,
		  0xfffe07f0 },
		{ 0x80000501, 0, DR6_RESET | BIT(14) | 1, DR6_RESET | BIT(14) },
		{ 0x80000306, 0x600f, DR6_RESET | 2, DR6_RESET | 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exit_info info = { EXCEPTION, rows[i].info,
						rows[i].event, 0 };

		vmx.live[VMX_LIVE_DR6] = rows[i].before;
		exit_with(&info);
		expect_row(i, "DR6", vmx.live[VMX_LIVE_DR6], rows[i].after);
	}
}

/* A trap: what goes in is a #DB behind it. In code that is not 64-bit RIP is not
 * wider than 32 bits. */
static void int1_is_done(void **state)
{
	static const struct {
		uint64_t event, code, efer, rip, after;
	} rows[] = {
		{ 0x80000501, 0xc09b, 0, RIP, RIP + 1 },
		{ 0x80000301, 0xc09b, 0, RIP, RIP },
		{ 0x80000501, 0xc09b, 0, 0xffffffff, 0 },
		{ 0x80000501, 0xc09b, EFER_LMA, 0xffffffff, 0 },
		{ 0x80000501, 0xa09b, EFER_LMA, 0xffffffff, 0x100000000 },
	};

	(void)state;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 1;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_vmcs[VMCS_EXIT_EVENT] = rows[i].event;
		fake_vmcs[VMCS_GUEST_CS_RIGHTS] = rows[i].code;
		fake_vmcs[VMCS_GUEST_EFER] = rows[i].efer;
		cpu->regs.rip = rows[i].rip;
		vmx_decode_exit(cpu, EXCEPTION);
		expect_row(i, "RIP", cpu->regs.rip, rows[i].after);
		expect_row(i, "length", cpu->exit.insn_len, 0);
	}
}

/* SDM 3C 28.2.3 "Information About NMI Unblocking Due to IRET" */
static void an_iret_that_failed_blocks_nmis_again(void **state)
{
	static const struct {
		struct exit_info info;
		uint32_t block;
	} rows[] = {
		{ { EXCEPTION, 0, 0x80000b0d | UNBLOCK, 0 }, NMI },
		{ { EXCEPTION, 0, 0x80000306 | UNBLOCK, 0 }, NMI },
		{ { EXCEPTION, 0, 0x80000301 | UNBLOCK, 0 }, NMI },
		{ { EXCEPTION, 0, 0x80000b0d, 0 }, 0 },
		/* the bit is not defined for */
		{ { EXCEPTION, 0, 0x80000b08 | UNBLOCK, 0 }, 0 },
		{ { EXCEPTION, 0, 0x80000b0d | UNBLOCK, VECTORING }, 0 },
		{ { EPT_VIOLATION, 0x181 | UNBLOCK, 0, 0 }, NMI },
		{ { EPT_VIOLATION, 0x81 | UNBLOCK, 0, 0 }, NMI },
		{ { EPT_VIOLATION, 0x181, 0, 0 }, 0 },
		{ { EPT_VIOLATION, 0x181 | UNBLOCK, 0, VECTORING }, 0 },
		/* and not of what is not valid */
		{ { EPT_VIOLATION, 0x181 | UNBLOCK, 0, 0x30e }, NMI },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmx.blocking = BIT(0);
		vmx.nmi_block = 0;
		exit_with(&rows[i].info);
		expect_row(i, "block", vmx.blocking, BIT(0) | rows[i].block);
		expect_row(i, "note", vmx.nmi_block, rows[i].block);
	}
}

/* What the guest executes again is dropped, the rest is delivered again. */
static void keeps_interrupted_events(void **state)
{
	static const struct {
		uint64_t vectoring;
		uint8_t kind, vector;
		bool has_error;
		uint32_t block;
	} rows[] = {
		{ 0x80000030, EVENT_INTERRUPT, 0x30, false, NMI },
		{ 0x80000202, EVENT_NMI, 2, false, 0 },
		{ 0x80000b0e, EVENT_EXCEPTION, 14, true, NMI },
		{ 0x80000306, EVENT_EXCEPTION, 6, false, NMI },
		/* bit 12 is not defined */
		{ 0x80001030, EVENT_INTERRUPT, 0x30, false, NMI },
		{ 0x80000480, EVENT_NONE, 0, false, NMI }, /* INT 0x80 */
		{ 0x80000501, EVENT_NONE, 0, false, NMI }, /* INT1 */
		{ 0x80000603, EVENT_NONE, 0, false, NMI }, /* INT3 */
		{ 0x80000604, EVENT_NONE, 0, false, NMI }, /* INTO */
		{ 0x80000130, EVENT_NONE, 0, false, NMI }, /* reserved */
		{ 0x80000700, EVENT_NONE, 0, false, NMI },
		{ 0x00000030, EVENT_NONE, 0, false, NMI }, /* not valid */
		{ 0x00000202, EVENT_NONE, 0, false, NMI },
	};

	(void)state;
	fake_vmcs[0x440a] = CODE;
	vmx.live[VMX_LIVE_CR2] = 0xdead000;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exit_info info = { EPT_VIOLATION, 0x181, 0,
						rows[i].vectoring };
		bool is_some = rows[i].kind != EVENT_NONE;

		vmx.blocking = NMI;
		exit_with(&info);
		expect_row(i, "kind", cpu->event.kind, rows[i].kind);
		expect_row(i, "vector", cpu->event.vector, rows[i].vector);
		expect_row(i, "has code", cpu->event.has_error,
			   rows[i].has_error);
		expect_row(i, "code", cpu->event.error_code,
			   rows[i].has_error ? CODE : 0);
		expect_row(i, "CR2", cpu->event.address,
			   is_some ? 0xdead000 : 0);
		expect_row(i, "block", vmx.blocking, rows[i].block);
	}
}

/* SDM 3C 28.2.1 table "Exit Qualification for Task Switches". Bits 31:30: who
 * did it. An NMI's task runs with NMIs blocked. */
static void decodes_task_switches(void **state)
{
	static const struct {
		uint64_t info, vectoring;
		uint8_t source;
		bool has_error;
		uint8_t length, kind;
		uint32_t block;
	} rows[] = {
		{ 0x00000028, 0, 0, false, LENGTH, EVENT_NONE, 0 }, /* CALL */
		{ 0x40000028, 0, 1, false, LENGTH, EVENT_NONE, 0 }, /* IRET */
		{ 0x80000028, 0, 2, false, LENGTH, EVENT_NONE, 0 }, /* JMP */
		{ 0xc0000028, 0x80000480, 3, false, LENGTH, EVENT_NONE, 0 },
		{ 0xc0000028, 0x80000501, 3, false, LENGTH, EVENT_NONE, 0 },
		{ 0xc0000028, 0x80000603, 3, false, LENGTH, EVENT_NONE, 0 },
		{ 0xc0000028, 0x80000030, 3, false, 0, EVENT_INTERRUPT, 0 },
		{ 0xc0000028, 0x80000202, 3, false, 0, EVENT_NMI, NMI },
		{ 0xc0000028, 0x80000301, 3, false, 0, EVENT_EXCEPTION, 0 },
		{ 0xc0000028, 0x80000b0d, 3, true, 0, EVENT_EXCEPTION, 0 },
		/* left over from another exit */
		{ 0xc0000028, 0x00000b0d, 3, false, 0, EVENT_NONE, 0 },
		{ 0xc0000028, 0x00000480, 3, false, 0, EVENT_NONE, 0 },
		{ 0xc0000028, 0x00000202, 3, false, 0, EVENT_NONE, 0 },
		{ 0x00000028, 0x00000b0d, 0, false, LENGTH, EVENT_NONE, 0 },
		/* no CPU does so; CALL pushes no code */
		{ 0x00000028, 0x80000b0d, 0, false, LENGTH, EVENT_EXCEPTION,
		  0 },
	};

	(void)state;
	fake_vmcs[0x440a] = CODE;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct exit_info info = { TASK_SWITCH, rows[i].info, 0,
						rows[i].vectoring };

		vmx.blocking = vmx.nmi_block = 0;
		exit_with(&info);
		expect_row(i, "reason", cpu->exit.reason, EXIT_TASK_SWITCH);
		expect_row(i, "selector", cpu->exit.task.selector, 0x28);
		expect_row(i, "source", cpu->exit.task.source, rows[i].source);
		expect_row(i, "has code", cpu->exit.task.has_error,
			   rows[i].has_error);
		expect_row(i, "code", cpu->exit.task.error_code,
			   rows[i].has_error ? CODE : 0);
		expect_row(i, "length", cpu->exit.insn_len, rows[i].length);
		expect_row(i, "event", cpu->event.kind, rows[i].kind);
		expect_row(i, "block", vmx.blocking, rows[i].block);
		expect_row(i, "note", vmx.nmi_block, rows[i].block);
	}
}

/* Tried once more, an NMI goes in as any other. */
static void an_nmi_can_be_injected_again(void **state)
{
	const struct exit_info info = { TASK_SWITCH, 0xc0000028, 0,
					0x80000202 };

	(void)state;
	exit_with(&info);
	assert_true(vmx_is_nmi_blocked(cpu));
	vmx_inject(cpu, &cpu->event);
	vmx_write_blocking(cpu);
	assert_int_equal(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], 0);
	assert_int_equal(vmx.nmi_block, NMI);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(decodes_exceptions, setup),
		cmocka_unit_test_setup(an_nmi_changes_nothing, setup),
		cmocka_unit_test_setup(merges_dr6, setup),
		cmocka_unit_test_setup(int1_is_done, setup),
		cmocka_unit_test_setup(an_iret_that_failed_blocks_nmis_again,
				       setup),
		cmocka_unit_test_setup(keeps_interrupted_events, setup),
		cmocka_unit_test_setup(decodes_task_switches, setup),
		cmocka_unit_test_setup(an_nmi_can_be_injected_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
