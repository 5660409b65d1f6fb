/* Task switches that come to their end: each source, both kinds of TSS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "task_machine.h"

static void assert_saved(uint32_t rip, uint32_t rflags)
{
	assert_int_equal(get32(OLD_TSS + 0x20), rip);
	assert_int_equal(get32(OLD_TSS + 0x24), rflags);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(get32(OLD_TSS + 0x28 + 4 * i), 0xb0c00000 + i);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(get16(OLD_TSS + 0x48 + 4 * i), 0x1001 + i);
	/* not written */
	assert_int_equal(get32(OLD_TSS + 0x1c), 0);
	assert_int_equal(get32(OLD_TSS + 0x60), 0);
}

static void assert_flat(enum segment_name name, uint16_t selector,
			uint16_t attributes)
{
	const struct segment *segment = &backend->state.segments[name];

	assert_int_equal(segment->selector, selector);
	assert_int_equal(segment->attributes, attributes);
	assert_int_equal(segment->limit, UINT32_MAX);
	assert_int_equal(segment->base, 0);
}

static void assert_in_new_task(uint64_t rflags)
{
	const struct vcpu_state *state = &backend->state;

	assert_no_event();
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	assert_int_equal(cpu->regs.rflags, rflags);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(cpu->regs.gpr[i],
				 i == GPR_RSP ? STACK : 0xa000 + i);
	assert_flat(SEGMENT_ES, DATA, DATA_32);
	assert_flat(SEGMENT_CS, CODE, CODE_32);
	assert_flat(SEGMENT_SS, DATA, DATA_32);
	assert_flat(SEGMENT_DS, DATA, DATA_32);
	assert_int_equal(state->segments[SEGMENT_FS].selector, 0);
	assert_int_equal(state->segments[SEGMENT_FS].attributes, 0);
	assert_int_equal(state->segments[SEGMENT_GS].selector, 3);
	assert_int_equal(state->segments[SEGMENT_LDTR].attributes, 0);
	assert_int_equal(state->segments[SEGMENT_TR].selector, NEW);
	assert_int_equal(state->segments[SEGMENT_TR].attributes, TSS_32 | BUSY);
	assert_int_equal(state->segments[SEGMENT_TR].base, NEW_TSS);
	assert_int_equal(state->segments[SEGMENT_TR].limit, 0x67);
	assert_int_equal(state->cpl, 0);
	assert_int_equal(state->cr0, CR0_PE | CR0_ET | CR0_TS);
	assert_int_equal(state->cr3, 0); /* no paging */
	assert_int_equal(state->dr6, DR6_RESET);
	assert_int_equal(state->dr7, DR7_RESET | 0x2aa);
	assert_false(cpu->is_shadowed);
}

static void call(void **unused)
{
	(void)unused;
	switch_from(FROM_CALL, NEW);
	assert_saved(RIP + INSN_LEN, RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	assert_in_new_task(NEW_RFLAGS | RFLAGS_NT);
	assert_int_equal(rights(OLD), TSS_32 | BUSY);
	assert_int_equal(rights(NEW), TSS_32 | BUSY);
	assert_int_equal(get32(NEW_TSS), 0xdead0000 | OLD);
}

static void jump(void **unused)
{
	(void)unused;
	switch_from(FROM_JUMP, NEW);
	assert_saved(RIP + INSN_LEN, RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	assert_in_new_task(NEW_RFLAGS);
	assert_int_equal(rights(OLD), TSS_32);
	assert_int_equal(rights(NEW), TSS_32 | BUSY);
	assert_int_equal(get32(NEW_TSS), 0xdeadbeef);
	/* NT is not cleared either */
	machine_setup(NULL);
	put32(NEW_TSS + 0x24, (uint32_t)(NEW_RFLAGS | RFLAGS_NT));
	switch_from(FROM_JUMP, NEW);
	assert_in_new_task(NEW_RFLAGS | RFLAGS_NT);
}

static void iret(void **unused)
{
	(void)unused;
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, TSS_32 | BUSY));
	switch_from(FROM_IRET, NEW);
	assert_saved(RIP + INSN_LEN, RFLAGS_FIXED | RFLAGS_ZF);
	assert_in_new_task(NEW_RFLAGS);
	assert_int_equal(rights(OLD), TSS_32);
	assert_int_equal(rights(NEW), TSS_32 | BUSY);
	assert_int_equal(get32(NEW_TSS), 0xdeadbeef);
}

static void gate_by_software(void **unused)
{
	(void)unused;
	switch_from(FROM_GATE, NEW);
	assert_saved(RIP + INSN_LEN, RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	assert_in_new_task(NEW_RFLAGS | RFLAGS_NT);
	assert_int_equal(rights(OLD), TSS_32 | BUSY);
	assert_int_equal(get16(NEW_TSS), OLD);
}

static void gate_by_interrupt(void **unused)
{
	(void)unused;
	deliver(interrupt, NEW);
	assert_saved(RIP, RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	assert_in_new_task(NEW_RFLAGS | RFLAGS_NT);
}

/* The selector's RPL is of no account. */
static void gate_by_exception(void **unused)
{
	(void)unused;
	deliver(protection, NEW | 3);
	assert_no_event();
	assert_saved(RIP, RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	assert_int_equal(cpu->regs.gpr[GPR_RSP], STACK - 4);
	assert_int_equal(get32(STACK - 4), 0xabcd);
	assert_int_equal(backend->state.segments[SEGMENT_TR].selector, NEW | 3);
}

/* Of 16 bits, and the upper half of ESP stays. */
static void error_code_on_small_stack(void **unused)
{
	(void)unused;
	put_descriptor(GDT, DATA, descriptor(0, 0xffff, 0x93));
	put32(NEW_TSS + 0x28 + 4 * GPR_RSP, 0x50000 | STACK);
	deliver(protection, NEW);
	assert_no_event();
	assert_int_equal(cpu->regs.gpr[GPR_RSP], 0x50000 | (STACK - 4));
	assert_int_equal(get32(STACK - 4), 0xabcd);
}

static void to_16_bits(void **unused)
{
	(void)unused;
	put_new_tss_16();
	put_descriptor(GDT, SPARE, descriptor(0, 0xffff, 0x93));
	put16(NEW_TSS + 0x22 + 2 * SEGMENT_SS, SPARE);
	put32(STACK - 4, 0x11111111);
	deliver(protection, NEW_16);
	assert_no_event();
	assert_saved(RIP, RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	assert_int_equal(rights(NEW_16), TSS_16 | BUSY);
	assert_int_equal(get16(NEW_TSS), OLD);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	assert_int_equal(cpu->regs.rflags, NEW_RFLAGS | RFLAGS_NT);
	assert_int_equal(cpu->regs.gpr[GPR_RDI], 0xffffa007);
	assert_int_equal(get32(STACK - 4), 0xabcd1111);
	assert_int_equal(cpu->regs.gpr[GPR_RSP], 0xffff0000U + STACK - 2);
	assert_flat(SEGMENT_CS, CODE, CODE_32);
	assert_flat(SEGMENT_DS, DATA, DATA_32);
	assert_int_equal(backend->state.segments[SEGMENT_GS].selector, 0);
}

static void from_16_bits(void **unused)
{
	(void)unused;
	use_old_16();
	put16(OLD_TSS + 0x2a, 0x5555);
	switch_from(FROM_JUMP, NEW);
	assert_in_new_task(NEW_RFLAGS);
	assert_int_equal(rights(OLD_16), TSS_16);
	assert_int_equal(get16(OLD_TSS + 0x0e), RIP + INSN_LEN);
	assert_int_equal(get16(OLD_TSS + 0x10),
			 RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(get16(OLD_TSS + 0x12 + 2 * i), i);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(get16(OLD_TSS + 0x22 + 2 * i), 0x1001 + i);
	assert_int_equal(get16(OLD_TSS + 0x2a), 0x5555);
}

static void to_user_with_ldt(void **unused)
{
	(void)unused;
	put_descriptor(LDT, 0, descriptor(0x10000, 0xfff, 0x4fa));
	put_descriptor(LDT, 8, descriptor(0x20000, 0xfff, 0x4f2));
	put32(NEW_TSS + 0x60, TABLE);
	put_selector(SEGMENT_CS, 7);
	put_selector(SEGMENT_SS, 15);
	put_selector(SEGMENT_DS, USER_DATA);
	put_selector(SEGMENT_ES, USER_CODE);
	put32(NEW_TSS + 0x20, 0xfff);
	put32(NEW_TSS + 0x28 + 4 * GPR_RSP, 0x100);
	deliver(protection, NEW);
	assert_no_event();
	assert_int_equal(backend->state.cpl, 3);
	assert_int_equal(backend->state.segments[SEGMENT_LDTR].base, LDT);
	assert_int_equal(backend->state.segments[SEGMENT_LDTR].limit, 0xf);
	assert_int_equal(backend->state.segments[SEGMENT_CS].selector, 7);
	assert_int_equal(backend->state.segments[SEGMENT_CS].base, 0x10000);
	assert_int_equal(backend->state.segments[SEGMENT_CS].limit, 0xfff);
	/* marked as accessed, in memory too */
	assert_int_equal(backend->state.segments[SEGMENT_CS].attributes, 0x4fb);
	assert_int_equal(get32(LDT + 4) >> 8 & 0xff, 0xfb);
	assert_int_equal(get32(LDT + 12) >> 8 & 0xff, 0xf3);
	assert_int_equal(get32(0x200fc), 0xabcd);
	assert_flat(SEGMENT_ES, USER_CODE, CODE_32 | 0x60);
}

static void conforming_code(void **unused)
{
	(void)unused;
	put_descriptor(GDT, SPARE, descriptor(0, 0xfffff, 0xc9f));
	put_selector(SEGMENT_CS, SPARE | 3);
	put_selector(SEGMENT_SS, USER_DATA);
	put_selector(SEGMENT_DS, SPARE | 3);
	put_selector(SEGMENT_ES, 0);
	switch_from(FROM_CALL, NEW);
	assert_no_event();
	assert_int_equal(backend->state.cpl, 3);
	assert_flat(SEGMENT_CS, SPARE | 3, 0xc9f);
	assert_flat(SEGMENT_DS, SPARE | 3, 0xc9f);
}

static void virtual_8086(void **unused)
{
	(void)unused;
	put32(NEW_TSS + 0x24, (uint32_t)(NEW_RFLAGS | RFLAGS_VM));
	put32(NEW_TSS + 0x60, TABLE);
	for (unsigned int i = 0; i <= SEGMENT_GS; i++)
		put_selector(i, (uint16_t)(0x100 + i));
	deliver(protection, NEW);
	assert_no_event();
	assert_int_equal(backend->state.cpl, 3);
	assert_int_equal(cpu->regs.rflags, NEW_RFLAGS | RFLAGS_VM | RFLAGS_NT);
	for (unsigned int i = 0; i <= SEGMENT_GS; i++) {
		const struct segment *segment = &backend->state.segments[i];

		assert_int_equal(segment->selector, 0x100 + i);
		assert_int_equal(segment->base, 0x1000 + 16 * i);
		assert_int_equal(segment->limit, 0xffff);
		assert_int_equal(segment->attributes, 0xf3);
	}
	assert_int_equal(backend->state.segments[SEGMENT_LDTR].base, LDT);
	assert_int_equal(get32(0x1020 + STACK - 4), 0xabcd);
}

/* In its first word's bit 0, and nowhere else; a 16-bit TSS has none. */
static void trap_bit(void **unused)
{
	(void)unused;
	put32(NEW_TSS + 0x64, 0x0001fffe);
	switch_from(FROM_CALL, NEW);
	assert_in_new_task(NEW_RFLAGS | RFLAGS_NT);
	machine_setup(NULL);
	put32(NEW_TSS + 0x64, 1);
	deliver(undefined, NEW);
	assert_int_equal(cpu->event.kind, EVENT_EXCEPTION);
	assert_int_equal(cpu->event.vector, VECTOR_DB);
	assert_false(cpu->event.has_error);
	assert_int_equal(backend->state.dr6, DR6_RESET | DR6_BT);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	machine_setup(NULL);
	put_new_tss_16();
	put32(NEW_TSS + 0x64, 1);
	switch_from(FROM_CALL, NEW_16);
	assert_no_event();
}

/* Identity-mapped by two page directories of 4 MiB pages. */
static void turn_paging_on(void)
{
	put32(0x2000, 0xe7);
	put32(0x3000, 0xe7);
	backend->state.cr3 = 0x2000;
	backend->state.cr4 = CR4_PSE;
	backend->state.cr0 |= CR0_PG;
}

static void page_tables(void **unused)
{
	(void)unused;
	turn_paging_on();
	switch_from(FROM_CALL, NEW);
	assert_no_event();
	assert_int_equal(backend->state.cr3, 0x3000);
	assert_int_equal(backend->flush_count, 1);
	/* those of before: nothing to load */
	machine_setup(NULL);
	turn_paging_on();
	put32(NEW_TSS + 0x1c, 0x2000);
	switch_from(FROM_CALL, NEW);
	assert_int_equal(backend->flush_count, 0);
	/* 16-bit tasks keep them */
	machine_setup(NULL);
	turn_paging_on();
	put_new_tss_16();
	switch_from(FROM_CALL, NEW_16);
	assert_no_event();
	assert_int_equal(backend->state.cr3, 0x2000);
}

/* Tasks that lie in two pages, of which the second is elsewhere. */
static void tss_in_two_pages(void **unused)
{
	static const uint64_t edge = 0xa000;
	uint8_t bytes[0x68];

	(void)unused;
	turn_paging_on();
	put32(0x2000, 0xb007); /* a table: 0xa000 is at 0xd000 */
	for (uint32_t i = 0; i < 1024; i++)
		put32(0xb000 + 4 * i, i << 12 | 7);
	put32(0xb000 + 4 * 10, 0xd007);
	guest_read(&fake_vm.memory, (gpa_t){ NEW_TSS }, bytes, sizeof(bytes));
	guest_write(&fake_vm.memory, (gpa_t){ edge - 0x25 }, bytes, 0x25);
	guest_write(&fake_vm.memory, (gpa_t){ 0xd000 }, bytes + 0x25,
		    sizeof(bytes) - 0x25);
	put32(0xd001, 0xa001); /* ECX */
	put_descriptor(GDT, NEW, descriptor(edge - 0x25, 0x67, TSS_32));
	switch_from(FROM_CALL, NEW);
	assert_no_event();
	assert_int_equal(cpu->regs.rflags & 0xff, NEW_RFLAGS & 0xff);
	assert_int_equal(cpu->regs.gpr[GPR_RDI], 0xa007);
	assert_int_equal(get16(edge - 0x25), OLD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(call),
		MACHINE_TEST(jump),
		MACHINE_TEST(iret),
		MACHINE_TEST(gate_by_software),
		MACHINE_TEST(gate_by_interrupt),
		MACHINE_TEST(gate_by_exception),
		MACHINE_TEST(error_code_on_small_stack),
		MACHINE_TEST(to_16_bits),
		MACHINE_TEST(from_16_bits),
		MACHINE_TEST(to_user_with_ldt),
		MACHINE_TEST(conforming_code),
		MACHINE_TEST(virtual_8086),
		MACHINE_TEST(trap_bit),
		MACHINE_TEST(page_tables),
		MACHINE_TEST(tss_in_two_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
