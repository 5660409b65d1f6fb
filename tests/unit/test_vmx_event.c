/* Injection into the VMCS, windows, and what blocks events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmx_guest.h"

#define UNTOUCHED 0x5a5a5a5aUL
#define STI	  BIT(0)
#define MOV_SS	  BIT(1)
#define NMI	  BIT(3)

static void injects(void **state)
{
	static const struct {
		struct event event;
		uint64_t info, error;
	} rows[] = {
		{ { .kind = EVENT_INTERRUPT, .vector = 0x31 },
		  0x80000031,
		  UNTOUCHED },
		{ { .kind = EVENT_INTERRUPT, .vector = 0xff },
		  0x800000ff,
		  UNTOUCHED },
		{ { .kind = EVENT_NMI, .vector = 2 }, 0x80000202, UNTOUCHED },
		{ { .kind = EVENT_EXCEPTION, .vector = 6 },
		  0x80000306,
		  UNTOUCHED },
		{ { .kind = EVENT_EXCEPTION,
		    .vector = 13,
		    .has_error = true,
		    .error_code = 0xfff8 },
		  0x80000b0d,
		  0xfff8 },
		{ { .kind = EVENT_EXCEPTION, .vector = 8, .has_error = true },
		  0x80000b08,
		  0 },
		/* in real mode; the code is of no account */
		{ { .kind = EVENT_EXCEPTION, .vector = 13, .error_code = 8 },
		  0x8000030d,
		  UNTOUCHED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_vmcs[VMCS_ENTRY_ERROR_CODE] = UNTOUCHED;
		vmx_inject(cpu, &rows[i].event);
		expect_row(i, "event", fake_vmcs[VMCS_ENTRY_EVENT],
			   rows[i].info);
		expect_row(i, "code", fake_vmcs[VMCS_ENTRY_ERROR_CODE],
			   rows[i].error);
	}
}

/* Registers that an exception's delivery changes before its handler runs, */
static void injection_changes_registers(void **state)
{
	static const struct {
		uint8_t kind, vector;
		uint64_t cr2, dr7;
	} rows[] = {
		{ EVENT_EXCEPTION, 14, 0xdead000, DR7_GD | 0x402 },
		{ EVENT_EXCEPTION, 13, UNTOUCHED, DR7_GD | 0x402 },
		{ EVENT_EXCEPTION, 1, UNTOUCHED, 0x402 },
		{ EVENT_INTERRUPT, 14, UNTOUCHED, DR7_GD | 0x402 },
		{ EVENT_INTERRUPT, 1, UNTOUCHED, DR7_GD | 0x402 },
		{ EVENT_NMI, 2, UNTOUCHED, DR7_GD | 0x402 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct event event = { .kind = rows[i].kind,
					     .vector = rows[i].vector,
					     .address = 0xdead000 };

		vmx.live[VMX_LIVE_CR2] = UNTOUCHED;
		fake_vmcs[VMCS_GUEST_DR7] = DR7_GD | 0x402;
		vmx_inject(cpu, &event);
		expect_row(i, "CR2", vmx.live[VMX_LIVE_CR2], rows[i].cr2);
		expect_row(i, "DR7", fake_vmcs[VMCS_GUEST_DR7], rows[i].dr7);
	}
}

/* and only an NMI blocks NMIs. The entry does it; a block that is there already is
 * refused. */
static void only_an_nmi_blocks(void **state)
{
	static const uint8_t kinds[] = { EVENT_INTERRUPT, EVENT_EXCEPTION,
					 EVENT_NMI };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct event event = { .kind = kinds[i], .vector = 2 };
		bool is_nmi = kinds[i] == EVENT_NMI;

		vmx.nmi_block = 0;
		vmx.blocking = NMI | MOV_SS;
		vmx_inject(cpu, &event);
		expect_row(i, "note", vmx.nmi_block, is_nmi ? NMI : 0);
		expect_row(i, "block", vmx.blocking,
			   is_nmi ? MOV_SS : NMI | MOV_SS);
	}
}

static void opens_windows(void **state)
{
	static const struct {
		uint32_t windows;
		bool is_shadowed;
		uint32_t blocking;
		uint64_t bits;
	} rows[] = {
		{ 0, false, 0, 0 },
		{ WINDOW_INTERRUPT, false, 0, BIT(2) },
		{ WINDOW_INTERRUPT, true, STI, BIT(2) },
		{ WINDOW_NMI, false, 0, BIT(22) },
		{ WINDOW_NMI, false, NMI, BIT(22) },
		{ WINDOW_NMI, true, STI, BIT(2) },
		{ WINDOW_NMI, true, STI | NMI, BIT(2) },
		{ WINDOW_NMI, true, MOV_SS, BIT(22) },
		/* the instruction has been executed in software */
		{ WINDOW_NMI, false, STI, BIT(22) },
		{ WINDOW_TPR, false, 0, BIT(19) },
		{ WINDOW_INTERRUPT | WINDOW_NMI | WINDOW_TPR, false, 0,
		  BIT(2) | BIT(22) | BIT(19) },
		{ WINDOW_INTERRUPT | WINDOW_NMI | WINDOW_TPR, true, STI,
		  BIT(2) | BIT(19) },
	};

	(void)state;
	vmx.controls.processor = (uint32_t)(BIT(7) | BIT(20) | BIT(31));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cpu->is_shadowed = rows[i].is_shadowed;
		vmx.blocking = rows[i].blocking;
		vmx_set_windows(cpu, rows[i].windows);
		expect_row(i, "controls", fake_vmcs[VMCS_PROC_CONTROLS],
			   BIT(7) | BIT(20) | BIT(31) | rows[i].bits);
	}
}

/* CPUs without a TPR shadow always exit for CR8. */
static void closing_a_window_keeps_the_controls(void **state)
{
	(void)state;
	vmx.controls.processor = BIT(19);
	vmx_set_windows(cpu, WINDOW_TPR | WINDOW_INTERRUPT);
	vmx_set_windows(cpu, 0);
	assert_int_equal(fake_vmcs[VMCS_PROC_CONTROLS], BIT(19));
}

static void tells_whether_nmis_are_blocked(void **state)
{
	(void)state;
	assert_false(vmx_is_nmi_blocked(cpu));
	vmx.blocking = STI | MOV_SS;
	assert_false(vmx_is_nmi_blocked(cpu));
	vmx.blocking = NMI;
	assert_true(vmx_is_nmi_blocked(cpu));
}

/* Who steps is owed a #DB behind the shadow, others are not to have one. */
static void writes_blocking(void **state)
{
	static const struct {
		uint32_t before, blocking;
		uint64_t rflags, pending, expected;
	} rows[] = {
		{ 0, 0, 0, UNTOUCHED, UNTOUCHED },
		{ 0, NMI, RFLAGS_TF, UNTOUCHED, UNTOUCHED },
		{ NMI, 0, RFLAGS_TF, UNTOUCHED, UNTOUCHED },
		{ STI, STI, 0, 0, 0 },
		{ STI, STI, RFLAGS_TF, 0, BIT(14) },
		{ MOV_SS, MOV_SS, RFLAGS_TF, 0, BIT(14) },
		{ MOV_SS, MOV_SS, RFLAGS_TF, BIT(12) | 3,
		  BIT(14) | BIT(12) | 3 },
		{ MOV_SS, MOV_SS, 0, BIT(12) | 3, BIT(12) | 3 },
		{ 0, STI, RFLAGS_TF, 0, BIT(14) },
		/* executed in software, which has raised it */
		{ STI, 0, RFLAGS_TF, BIT(14), 0 },
		{ MOV_SS, NMI, RFLAGS_TF, BIT(14), 0 },
		/* breakpoints that MOV SS met stay owed */
		{ MOV_SS, 0, RFLAGS_TF, BIT(14) | BIT(12) | 3, BIT(12) | 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		vmx.interruptibility = rows[i].before;
		vmx.blocking = rows[i].blocking;
		cpu->regs.rflags = rows[i].rflags | RFLAGS_IF;
		fake_vmcs[VMCS_GUEST_PENDING_DEBUG] = rows[i].pending;
		vmx_write_blocking(cpu);
		expect_row(i, "pending", fake_vmcs[VMCS_GUEST_PENDING_DEBUG],
			   rows[i].expected);
		expect_row(i, "state", fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY],
			   rows[i].blocking);
		expect_row(i, "copy", vmx.interruptibility, rows[i].blocking);
	}
}

static void reset_forgets_events(void **state)
{
	static const enum vmcs_field zeros[] = { VMCS_GUEST_INTERRUPTIBILITY,
						 VMCS_GUEST_PENDING_DEBUG,
						 VMCS_GUEST_ACTIVITY,
						 VMCS_ENTRY_EVENT };
	const struct event nmi = { .kind = EVENT_NMI, .vector = 2 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		fake_vmcs[zeros[i]] = UNTOUCHED;
	vmx_inject(cpu, &nmi);
	vmx_set_windows(cpu, WINDOW_NMI | WINDOW_INTERRUPT);
	vmx.controls.processor = BIT(7);
	vmx.blocking = vmx.interruptibility = NMI | STI;
	vmx_reset_events(cpu);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		expect_row(i, "field", fake_vmcs[zeros[i]], 0);
	assert_int_equal(vmx.nmi_block, 0);
	assert_int_equal(vmx.interruptibility, 0);
	assert_int_equal(vmx.blocking, 0);
	assert_int_equal(fake_vmcs[VMCS_PROC_CONTROLS], BIT(7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATION(injects),
		OPERATION(injection_changes_registers),
		OPERATION(only_an_nmi_blocks),
		OPERATION(opens_windows),
		OPERATION(closing_a_window_keeps_the_controls),
		cmocka_unit_test_setup(tells_whether_nmis_are_blocked, setup),
		cmocka_unit_test_setup(writes_blocking, setup),
		OPERATION(reset_forgets_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
