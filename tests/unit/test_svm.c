/* The VMCB's words and ours: exits, injection, NMIs, registers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/cpu/x86_regs.h"
#include "svm/svm_vcpu.h"
#include "vm_machine.h"

static struct vmcb vmcb;
static struct svm_vcpu svm;
static struct vcpu *cpu;

static int setup(void **state)
{
	(void)state;
	fake_vm_reset(1, 0);
	memset(&vmcb, 0, sizeof(vmcb));
	svm = (struct svm_vcpu){ .vmcb = &vmcb };
	cpu = &fake_vcpus[0];
	cpu->backend = &svm;
	vmcb.save.rip = cpu->regs.rip = 0x1000;
	return 0;
}

static void exit_with(uint64_t code, uint64_t info1, uint64_t info2)
{
	vmcb.control.exit_code = code;
	vmcb.control.exit_info1 = info1;
	vmcb.control.exit_info2 = info2;
	svm_decode_exit(cpu);
}

static void decodes_plain_exits(void **state)
{
	static const struct {
		uint64_t code;
		uint8_t reason, length;
	} rows[] = {
		{ 0x60, EXIT_INTERRUPT, 0 },
		{ 0x61, EXIT_NMI, 0 },
		{ 0x64, EXIT_WINDOW_INTERRUPT, 0 },
		{ 0x6f, EXIT_RDPMC, 2 },
		{ 0x72, EXIT_CPUID, 2 },
		{ 0x76, EXIT_WBINVD, 2 },
		{ 0x77, EXIT_PAUSE, 2 },
		{ 0x78, EXIT_HLT, 1 },
		{ 0x7f, EXIT_TRIPLE_FAULT, 0 },
		{ 0x80, EXIT_UNDEFINED, 3 },
		{ 0x81, EXIT_HYPERCALL, 3 },
		{ 0x86, EXIT_UNDEFINED, 3 },
		{ 0x89, EXIT_WBINVD, 2 },
		{ 0x8a, EXIT_UNDEFINED, 3 },
		{ 0x8d, EXIT_XSETBV, 3 },
		{ 0x66, EXIT_UNKNOWN, 0 },
		{ 0xffff, EXIT_UNKNOWN, 0 },
		{ ~0UL, EXIT_REFUSED, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		exit_with(rows[i].code, 0, 0);
		assert_int_equal(cpu->exit.reason, rows[i].reason);
		if (rows[i].length)
			assert_int_equal(cpu->exit.insn_len, rows[i].length);
	}
	exit_with(0x66, 0, 0);
	assert_int_equal(cpu->exit.code, 0x66);
}

static void prefers_the_next_rip_of_the_cpu(void **state)
{
	(void)state;
	vmcb.control.next_rip = 0x1004;
	exit_with(0x72, 0, 0);
	assert_int_equal(cpu->exit.insn_len, 4);
}

static void decodes_msr_and_io(void **state)
{
	(void)state;
	exit_with(0x7c, 0, 0);
	assert_int_equal(cpu->exit.reason, EXIT_MSR_READ);
	exit_with(0x7c, 1, 0);
	assert_int_equal(cpu->exit.reason, EXIT_MSR_WRITE);
	exit_with(0x7b, 0x3f8UL << 16 | 0x11, 0x1002);
	assert_int_equal(cpu->exit.reason, EXIT_IO);
	assert_int_equal(cpu->exit.io.port, 0x3f8);
	assert_int_equal(cpu->exit.io.size, 1);
	assert_true(cpu->exit.io.is_in);
	assert_false(cpu->exit.io.is_string);
	assert_int_equal(cpu->exit.insn_len, 2);
	exit_with(0x7b, 0xcf8UL << 16 | 0x44, 0x1001);
	assert_int_equal(cpu->exit.io.size, 4);
	assert_false(cpu->exit.io.is_in);
	assert_true(cpu->exit.io.is_string);
}

static void decodes_memory(void **state)
{
	(void)state;
	vmcb.control.insn_byte_count = 3;
	memcpy(vmcb.control.insn_bytes, "\x8b\x07\x90", 3);
	exit_with(0x400, BIT(1) | BIT(32), 0xfee00020);
	assert_int_equal(cpu->exit.reason, EXIT_MEMORY);
	assert_int_equal(cpu->exit.memory.gpa.value, 0xfee00020);
	assert_int_equal(cpu->exit.memory.access, ACCESS_WRITE);
	assert_false(cpu->exit.memory.is_table_walk);
	assert_int_equal(cpu->exit.memory.byte_count, 3);
	assert_memory_equal(cpu->exit.memory.bytes, "\x8b\x07\x90", 3);
	vmcb.control.insn_byte_count = 0;
	exit_with(0x400, BIT(4) | BIT(33), 0x5000);
	assert_int_equal(cpu->exit.memory.access, ACCESS_EXECUTE);
	assert_true(cpu->exit.memory.is_table_walk);
	assert_int_equal(cpu->exit.memory.byte_count, 0);
}

static void decodes_control_registers(void **state)
{
	(void)state;
	exit_with(0x18, BIT(63) | 3, 0);
	assert_int_equal(cpu->exit.reason, EXIT_CR_WRITE);
	assert_int_equal(cpu->exit.cr.number, 8);
	assert_true(cpu->exit.cr.is_decoded);
	assert_int_equal(cpu->exit.cr.gpr, 3);
	exit_with(0x04, 0, 0);
	assert_int_equal(cpu->exit.reason, EXIT_CR_READ);
	assert_int_equal(cpu->exit.cr.number, 4);
	assert_false(cpu->exit.cr.is_decoded);
}

/* What an exit cut short is delivered again, but for what the guest executes
 * again. */
static void keeps_interrupted_events(void **state)
{
	static const struct {
		uint64_t info;
		uint8_t kind, vector;
	} rows[] = {
		{ 0x80000030, EVENT_INTERRUPT, 0x30 },
		{ 0x80000202, EVENT_NMI, 2 },
		{ 0x80000b0d | 0x18UL << 32, EVENT_EXCEPTION, 13 },
		{ 0x80000303, EVENT_NONE, 0 }, /* INT3 */
		{ 0x80000480, EVENT_NONE, 0 }, /* INT 0x80 */
		{ 0x00000030, EVENT_NONE, 0 }, /* not valid */
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		cpu->event = (struct event){ 0 };
		vmcb.control.exit_int_info = rows[i].info;
		exit_with(0x400, 0, 0x1000);
		assert_int_equal(cpu->event.kind, rows[i].kind);
		assert_int_equal(cpu->event.vector, rows[i].vector);
	}
	vmcb.control.exit_int_info = 0x80000b0d | 0x18UL << 32;
	exit_with(0x60, 0, 0);
	assert_true(cpu->event.has_error);
	assert_int_equal(cpu->event.error_code, 0x18);
}

static void injects(void **state)
{
	struct event event = { .kind = EVENT_INTERRUPT, .vector = 0x31 };

	(void)state;
	vmcb.control.clean = VMCB_CLEAN_ALL;
	svm_inject(cpu, &event);
	assert_int_equal(vmcb.control.event_inj, 0x80000031);
	event = (struct event){ .kind = EVENT_EXCEPTION,
				.vector = VECTOR_PF,
				.has_error = true,
				.error_code = 6,
				.address = 0xdead000 };
	svm_inject(cpu, &event);
	assert_int_equal(vmcb.control.event_inj, 0x680000b0eUL);
	assert_int_equal(vmcb.save.cr2, 0xdead000);
	assert_false(vmcb.control.clean & VMCB_CLEAN_CR2);
	vmcb.save.dr7 = DR7_GD | 0x400;
	event = (struct event){ .kind = EVENT_EXCEPTION, .vector = VECTOR_DB };
	svm_inject(cpu, &event);
	assert_int_equal(vmcb.save.dr7, 0x400);
	event = (struct event){ .kind = EVENT_NMI, .vector = 2 };
	svm_inject(cpu, &event);
	assert_int_equal(vmcb.control.event_inj, 0x80000202);
}

static void opens_windows(void **state)
{
	(void)state;
	svm_set_windows(cpu, WINDOW_INTERRUPT | WINDOW_TPR);
	assert_true(vmcb.control.v_intr & VMCB_V_IRQ);
	assert_true(vmcb.control.intercept1 & VMCB_VINTR);
	assert_true(vmcb.control.intercept_cr & VMCB_CR_WRITE(8));
	svm_set_windows(cpu, 0);
	assert_false(vmcb.control.v_intr & VMCB_V_IRQ);
	assert_false(vmcb.control.intercept1 & VMCB_VINTR);
	assert_false(vmcb.control.intercept_cr & VMCB_CR_WRITE(8));
}

static void inject_nmi(void)
{
	const struct event event = { .kind = EVENT_NMI, .vector = 2 };

	svm_inject(cpu, &event);
	vmcb.control.event_inj = 0;
}

/* From one NMI to the end of the handler's IRET. */
static void blocks_nmis_until_iret_is_done(void **state)
{
	(void)state;
	inject_nmi();
	assert_true(svm_is_nmi_blocked(cpu));
	assert_true(vmcb.control.intercept1 & VMCB_IRET);
	exit_with(0x74, 0, 0);
	assert_int_equal(cpu->exit.reason, EXIT_WINDOW_NMI);
	assert_true(svm_is_nmi_blocked(cpu));
	assert_false(vmcb.control.intercept1 & VMCB_IRET);
	/* an interrupt of the machine before the IRET */
	exit_with(0x60, 0, 0);
	assert_true(svm_is_nmi_blocked(cpu));
	vmcb.save.rip = 0x2000;
	exit_with(0x60, 0, 0);
	assert_false(svm_is_nmi_blocked(cpu));
}

static void steps_iret_for_a_waiting_nmi(void **state)
{
	(void)state;
	inject_nmi();
	exit_with(0x74, 0, 0);
	svm_set_windows(cpu, WINDOW_NMI);
	assert_true(svm.is_stepping);
	vmcb.save.rip = 0x2000;
	vmcb.save.dr6 = DR6_RESET | DR6_BS;
	exit_with(0x41, 0, 0);
	assert_int_equal(cpu->exit.reason, EXIT_WINDOW_NMI);
	assert_int_equal(vmcb.save.dr6, DR6_RESET);
	assert_false(svm.is_stepping);
	assert_false(svm_is_nmi_blocked(cpu));
	/* the next one is the guest's */
	exit_with(0x41, 0, 0);
	assert_int_equal(cpu->exit.reason, EXIT_EXCEPTION);
}

static void steps_over_a_shadow(void **state)
{
	(void)state;
	cpu->is_shadowed = true;
	vmcb.control.event_inj = 0x80000030;
	svm_set_windows(cpu, WINDOW_NMI);
	assert_false(svm.is_stepping);
	vmcb.control.event_inj = 0;
	svm_set_windows(cpu, WINDOW_NMI);
	assert_true(svm.is_stepping);
	exit_with(0x60, 0, 0);
	assert_true(svm.is_stepping);
	vmcb.save.rip = 0x1001;
	exit_with(0x41, 0, 0);
	assert_int_equal(cpu->exit.reason, EXIT_WINDOW_NMI);
	assert_false(svm.is_stepping);
}

/* The instruction was executed in software, or something goes in instead. */
static void gives_up_a_step(void **state)
{
	(void)state;
	cpu->is_shadowed = true;
	svm_set_windows(cpu, WINDOW_NMI);
	svm_begin_step(cpu);
	assert_int_equal(vmcb.save.rflags, RFLAGS_TF | RFLAGS_RF);
	vmcb.save.rflags = 0;
	vmcb.control.event_inj = 0x80000030;
	svm_begin_step(cpu);
	assert_false(svm.is_stepping);
	assert_int_equal(vmcb.save.rflags, 0);
	vmcb.control.event_inj = 0;
	svm_set_windows(cpu, WINDOW_NMI);
	assert_true(svm.is_stepping);
	cpu->regs.rip++;
	svm_begin_step(cpu);
	assert_false(svm.is_stepping);
	assert_int_equal(vmcb.save.rflags, 0);
}

static void reset_forgets_events(void **state)
{
	(void)state;
	inject_nmi();
	exit_with(0x74, 0, 0);
	svm_set_windows(cpu, WINDOW_NMI | WINDOW_INTERRUPT);
	svm_reset_events(cpu);
	assert_false(svm_is_nmi_blocked(cpu));
	assert_false(svm.is_stepping || svm.is_iret_seen);
	assert_false(vmcb.control.intercept1 & (VMCB_IRET | VMCB_VINTR));
}

static void reads_back_what_is_written(void **state)
{
	struct vcpu_state in, out;
	struct segment segment;

	(void)state;
	memset(&in, 0, sizeof(in));
	memset(&out, 0, sizeof(out));
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		in.segments[i] = (struct segment){ (uint16_t)(8 * i),
						   (uint16_t)(0x93 + i),
						   0xffff + i, 0x10000 * i };
	in.gdtr = (struct table_register){ 0x1234, 0xff };
	in.idtr = (struct table_register){ 0x5678, 0xfff };
	in.cr0 = 1;
	in.cr2 = 2;
	in.cr3 = 3;
	in.cr4 = 4;
	in.efer = EFER_LME | EFER_LMA;
	in.dr6 = 6;
	in.dr7 = 7;
	in.cpl = 3;
	svm_write_state(cpu, &in);
	svm_read_state(cpu, &out);
	assert_memory_equal(&in, &out, sizeof(in));
	assert_true(vmcb.save.efer & EFER_SVME);
	svm_read_segment(cpu, SEGMENT_GS, &segment);
	assert_memory_equal(&segment, &in.segments[SEGMENT_GS],
			    sizeof(segment));
	svm_write_msr(cpu, MSR_EFER, EFER_NXE);
	assert_int_equal(svm_read_msr(cpu, MSR_EFER), EFER_NXE);
	assert_true(vmcb.save.efer & EFER_SVME);
	svm_write_msr(cpu, MSR_LSTAR, 0x77);
	assert_int_equal(vmcb.save.lstar, 0x77);
}

static void tells_the_code_size(void **state)
{
	struct cpu_mode mode;

	(void)state;
	svm_read_mode(cpu, &mode);
	assert_int_equal(mode.code_size, 2);
	vmcb.save.cs.attributes = SEGMENT_DB;
	svm_read_mode(cpu, &mode);
	assert_int_equal(mode.code_size, 4);
	vmcb.save.cs.attributes = SEGMENT_L;
	vmcb.save.efer = EFER_LMA | EFER_SVME;
	svm_read_mode(cpu, &mode);
	assert_int_equal(mode.code_size, 8);
	assert_int_equal(mode.efer, EFER_LMA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(decodes_plain_exits, setup),
		cmocka_unit_test_setup(prefers_the_next_rip_of_the_cpu, setup),
		cmocka_unit_test_setup(decodes_msr_and_io, setup),
		cmocka_unit_test_setup(decodes_memory, setup),
		cmocka_unit_test_setup(decodes_control_registers, setup),
		cmocka_unit_test_setup(keeps_interrupted_events, setup),
		cmocka_unit_test_setup(injects, setup),
		cmocka_unit_test_setup(opens_windows, setup),
		cmocka_unit_test_setup(blocks_nmis_until_iret_is_done, setup),
		cmocka_unit_test_setup(steps_iret_for_a_waiting_nmi, setup),
		cmocka_unit_test_setup(steps_over_a_shadow, setup),
		cmocka_unit_test_setup(gives_up_a_step, setup),
		cmocka_unit_test_setup(reset_forgets_events, setup),
		cmocka_unit_test_setup(reads_back_what_is_written, setup),
		cmocka_unit_test_setup(tells_the_code_size, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
