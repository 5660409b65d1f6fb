/* Writes of CR0, CR3, CR4, CR8 and XCR0, allowed and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/exit_cr.h"

#define CODE  0x1000UL
#define PDPTS 0x2000UL

#define LONG_CR0 (CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG)

/* Refused, and nothing has changed. */
static void assert_refused(uint8_t number, uint64_t value)
{
	const struct vcpu_state before = backend->state;

	if (cr_write(cpu, number, value))
		fail_msg("CR%u = 0x%lx", number, value);
	assert_memory_equal(&before, &backend->state, sizeof(before));
	assert_int_equal(backend->write_state_count, 0);
}

static void cr0_in_64_bit_mode(void **state)
{
	(void)state;
	assert_refused(0, LONG_CR0 & ~CR0_PG); /* in 64-bit code */
	assert_refused(0, LONG_CR0 & ~CR0_PE);
	assert_refused(0, LONG_CR0 | CR0_NW);
	assert_refused(0, LONG_CR0 | BIT(32));
	assert_refused(0, LONG_CR0 | BIT(63));
	assert_true(cr_write(cpu, 0, LONG_CR0 | CR0_TS | BIT(6)));
	assert_int_equal(backend->state.cr0, LONG_CR0 | CR0_TS);
	assert_int_equal(backend->flush_count, 0);
	assert_true(cr_write(cpu, 0, LONG_CR0 & ~(CR0_WP | CR0_ET)));
	assert_int_equal(backend->state.cr0, LONG_CR0 & ~CR0_WP);
	assert_int_equal(backend->flush_count, 1);
	assert_true(cr_write(cpu, 0, LONG_CR0 | CR0_NW | CR0_CD));
}

static void cr0_out_of_long_mode(void **state)
{
	(void)state;
	/* from compatibility mode */
	backend->state.segments[SEGMENT_CS].attributes &= (uint16_t)~SEGMENT_L;
	backend->state.cr4 |= CR4_PCIDE;
	assert_refused(0, LONG_CR0 & ~CR0_PG);
	backend->state.cr4 &= ~CR4_PCIDE;
	assert_true(cr_write(cpu, 0, LONG_CR0 & ~CR0_PG));
	assert_false(backend->state.efer & EFER_LMA);
	assert_true(backend->state.efer & EFER_LME);
	/* and in again */
	backend->write_state_count = 0;
	backend->state.cr4 = 0;
	assert_refused(0, LONG_CR0);
	backend->state.cr4 = CR4_PAE;
	backend->state.segments[SEGMENT_CS].attributes |= SEGMENT_L;
	assert_refused(0, LONG_CR0);
	backend->state.segments[SEGMENT_CS].attributes &= (uint16_t)~SEGMENT_L;
	backend->state.segments[SEGMENT_TR].attributes = 0x83; /* 16-bit */
	assert_refused(0, LONG_CR0);
	backend->state.segments[SEGMENT_TR].attributes = 0x8b;
	assert_true(cr_write(cpu, 0, LONG_CR0));
	assert_true(backend->state.efer & EFER_LMA);
	assert_int_equal(backend->flush_count, 2);
}

static void put_pdpte(unsigned int index, uint64_t value)
{
	guest_write_u64(&fake_vm.memory, (gpa_t){ PDPTS + index * 8 }, value);
}

static void pae_paging_looks_at_pdptes(void **state)
{
	(void)state;
	fake_ops_protected_mode(cpu, 0);
	backend->state.cr4 = CR4_PAE;
	backend->state.cr3 = PDPTS;
	put_pdpte(0, 0x3001);
	put_pdpte(3, 0x7fe); /* not present: no matter */
	assert_true(cr_write(cpu, 0, CR0_PE | CR0_PG));
	assert_false(backend->state.efer & EFER_LMA);
	backend->write_state_count = 0;
	put_pdpte(2, 0x3003);
	assert_refused(3, PDPTS);
	put_pdpte(2, BIT(48) | 1);
	assert_refused(3, PDPTS);
	assert_refused(4, CR4_PAE | CR4_PGE);
	assert_refused(0, CR0_PE | CR0_PG | CR0_CD);
	put_pdpte(2, 0x3001);
	assert_true(cr_write(cpu, 3, PDPTS | 0x18)); /* PWT, PCD */
	assert_true(cr_write(cpu, 4, CR4_PAE | CR4_PGE));
	assert_true(cr_write(cpu, 3, 0xffffffe0)); /* no memory there */
}

static void cr4_by_cpuid(void **state)
{
	(void)state;
	assert_refused(4, CR4_PAE | CR4_VMXE);
	assert_refused(4, CR4_PAE | CR4_SMXE);
	assert_refused(4, CR4_PAE | CR4_CET);
	assert_refused(4, CR4_PAE | CR4_PKS);
	assert_refused(4, CR4_PAE | BIT(15));
	assert_refused(4, CR4_PAE | BIT(63));
	assert_refused(4, 0);		       /* PAE, in long mode */
	assert_refused(4, CR4_PAE | CR4_LA57); /* the same */
	assert_true(cr_write(cpu, 4, CR4_PAE | CR4_OSFXSR));
	assert_int_equal(backend->flush_count, 0);
	assert_true(cr_write(cpu, 4, CR4_PAE | CR4_SMEP));
	assert_int_equal(backend->state.cr4, CR4_PAE | CR4_SMEP);
	assert_int_equal(backend->flush_count, 1);
}

static void pcid_needs_long_mode(void **state)
{
	(void)state;
	backend->state.cr3 = 0x1001;
	assert_refused(4, CR4_PAE | CR4_PCIDE);
	backend->state.cr3 = 0x1000;
	assert_true(cr_write(cpu, 4, CR4_PAE | CR4_PCIDE));
	/* bit 63 asks for no flush and is not kept */
	assert_true(cr_write(cpu, 3, BIT(63) | 0x2001));
	assert_int_equal(backend->state.cr3, 0x2001);
	backend->write_state_count = 0;
	assert_refused(3, BIT(48));
	fake_ops_protected_mode(cpu, 0);
	assert_refused(4, CR4_PCIDE);
}

static void cr8_is_the_task_priority(void **state)
{
	uint64_t value;

	(void)state;
	cpu->tpr = 0x23;
	assert_true(cr_read(cpu, 8, &value));
	assert_int_equal(value, 2);
	assert_true(cr_write(cpu, 8, 15));
	assert_int_equal(cpu->tpr, 0xf0);
	assert_true(cpu->requests & REQUEST_EVENT);
	assert_refused(8, 16);
	assert_refused(8, BIT(63));
	assert_int_equal(cpu->tpr, 0xf0);
}

static void others_do_not_exist(void **state)
{
	uint64_t value;

	(void)state;
	for (uint8_t number = 0; number < 16; number++) {
		bool is_there = number == 0 || number == 2 || number == 3 ||
				number == 4 || number == 8;

		assert_int_equal(cr_read(cpu, number, &value), is_there);
		if (!is_there)
			assert_refused(number, 0);
	}
}

static void set_exit(uint8_t number, uint8_t gpr)
{
	cpu->exit.cr.number = number;
	cpu->exit.cr.is_decoded = true;
	cpu->exit.cr.gpr = gpr;
	cpu->exit.insn_len = 3;
}

static void exits_read_and_write(void **state)
{
	(void)state;
	set_exit(0, GPR_RSI);
	cpu->regs.gpr[GPR_RSI] = LONG_CR0 | CR0_AM;
	exit_cr_write(cpu);
	assert_skipped(cpu);
	assert_int_equal(backend->state.cr0, LONG_CR0 | CR0_AM);
	cpu->regs.gpr[GPR_RSI] = CR0_NW;
	exit_cr_write(cpu);
	assert_raised(cpu, VECTOR_GP);
	set_exit(4, GPR_R15);
	exit_cr_read(cpu);
	assert_skipped(cpu);
	assert_int_equal(cpu->regs.gpr[GPR_R15], CR4_PAE);
	set_exit(7, GPR_R15);
	exit_cr_read(cpu);
	assert_raised(cpu, VECTOR_GP);
}

static void upper_halves_in_32_bit_code(void **state)
{
	(void)state;
	fake_ops_protected_mode(cpu, 0);
	set_exit(0, GPR_RBX);
	cpu->regs.gpr[GPR_RBX] = 0xffffffff00000000 | CR0_PE | CR0_MP;
	exit_cr_write(cpu);
	assert_skipped(cpu);
	assert_int_equal(backend->state.cr0, CR0_PE | CR0_MP | CR0_ET);
}

static void decodes_what_the_cpu_did_not(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xe7 }; /* mov cr4, edi */

	(void)state;
	fake_ops_protected_mode(cpu, 0);
	guest_write(&fake_vm.memory, (gpa_t){ 0 }, code, sizeof(code));
	memset(&cpu->exit, 0, sizeof(cpu->exit));
	cpu->exit.insn_len = 3;
	cpu->regs.gpr[GPR_RDI] = CR4_DE;
	exit_cr_write(cpu);
	assert_skipped(cpu);
	assert_int_equal(backend->state.cr4, CR4_DE);
}

static void xsetbv(uint64_t value)
{
	vcpu_set_edx_eax(cpu, value);
	exit_xsetbv(cpu);
}

static void xcr0_is_checked(void **state)
{
	(void)state;
	xsetbv(7);
	assert_false(cpu->event.has_error);
	assert_raised(cpu, VECTOR_UD); /* OSXSAVE is off */
	backend->state.cr4 |= CR4_OSXSAVE;
	xsetbv(7);
	assert_skipped(cpu);
	assert_int_equal(cpu->xcr0, 7);
	assert_int_equal(backend->xcr0_count, 1);
	xsetbv(5);
	assert_raised(cpu, VECTOR_GP);
	xsetbv(0);
	assert_raised(cpu, VECTOR_GP);
	xsetbv(BIT(8) | 7);
	assert_raised(cpu, VECTOR_GP);
	xsetbv(0x60007); /* this machine has no tiles */
	assert_raised(cpu, VECTOR_GP);
	xsetbv(BIT(63) | 1);
	assert_raised(cpu, VECTOR_GP);
	cpu->regs.gpr[GPR_RCX] = 1;
	xsetbv(7);
	assert_raised(cpu, VECTOR_GP);
	cpu->regs.gpr[GPR_RCX] = BIT(32); /* ECX is 0 */
	xsetbv(3);
	assert_skipped(cpu);
	backend->state.cpl = 3;
	xsetbv(7);
	assert_raised(cpu, VECTOR_GP);
	assert_int_equal(cpu->xcr0, 3);
	assert_int_equal(backend->xcr0_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cr0_in_64_bit_mode),
		TEST(cr0_out_of_long_mode),
		TEST(pae_paging_looks_at_pdptes),
		TEST(cr4_by_cpuid),
		TEST(pcid_needs_long_mode),
		TEST(cr8_is_the_task_priority),
		TEST(others_do_not_exist),
		TEST(exits_read_and_write),
		TEST(upper_halves_in_32_bit_code),
		TEST(decodes_what_the_cpu_did_not),
		TEST(xcr0_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
