/* Task switches that page-fault, that fault while an event is delivered by them,
 * and that race. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "task_machine.h"

/* ---- page faults ---- */

/* Pages of 4 KiB, one to one, by the tables at 0xb000: for the old and, by its
 * directory, for the new task. */
static void turn_paging_on(void)
{
	put32(0x2000, 0xb067);
	put32(0x3000, 0xc067);
	for (uint32_t i = 0; i < 16; i++) {
		put32(0xb000 + 4 * i, i << 12 | 0x67);
		put32(0xc000 + 4 * i, i << 12 | 0x67);
	}
	backend->state.cr3 = 0x2000;
	backend->state.cr0 |= CR0_PG | CR0_WP;
}

static void set_page(uint32_t table, uint32_t page, uint32_t bits)
{
	put32(table + 4 * (page >> 12), page | bits);
}

static void assert_page_fault(uint64_t address, uint32_t error_code)
{
	assert_int_equal(cpu->event.address, address);
	assert_fault(VECTOR_PF, error_code);
}

static void page_faults_in_old(void **unused)
{
	static const struct {
		uint32_t page, bits, address, error_code;
		uint8_t source;
	} rows[] = {
		{ OLD_TSS, 0, OLD_TSS + 0x20, 2, FROM_JUMP },
		{ OLD_TSS, 0x65, OLD_TSS + 0x20, 3, FROM_JUMP },
		{ NEW_TSS, 0, NEW_TSS, 0, FROM_JUMP },
		{ NEW_TSS, 0, NEW_TSS, 2, FROM_CALL },
		{ NEW_TSS, 0x65, NEW_TSS, 3, FROM_GATE }, /* the link */
		{ GDT, 0, GDT + NEW, 0, FROM_CALL },
		{ GDT, 0x65, GDT + NEW + 5, 3, FROM_CALL }, /* busy bit */
	};

	(void)unused;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		turn_paging_on();
		set_page(0xb000, rows[i].page, rows[i].bits);
		look();
		switch_from(rows[i].source, NEW);
		assert_page_fault(rows[i].address, rows[i].error_code);
		assert_unchanged();
	}
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, TSS_32 | BUSY));
	set_page(0xb000, GDT, 0x65);
	look();
	switch_from(FROM_IRET, NEW);
	assert_page_fault(GDT + OLD + 5, 3);
	assert_unchanged();
	set_page(0xb000, GDT, 0x67);
	set_page(0xb000, NEW_TSS, 0x65); /* is only read */
	switch_from(FROM_IRET, NEW);
	assert_no_event();
}

static void page_faults_in_new(void **unused)
{
	(void)unused;
	turn_paging_on();
	set_page(0xc000, GDT, 0);
	switch_from(FROM_CALL, NEW);
	assert_page_fault(GDT + CODE, 0);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	assert_int_equal(backend->state.cr3, 0x3000);
	/* descriptors that cannot be marked */
	machine_setup(NULL);
	turn_paging_on();
	put_descriptor(GDT, DATA, descriptor(0, 0xfffff, 0xc92));
	set_page(0xc000, GDT, 0x65);
	switch_from(FROM_CALL, NEW);
	assert_page_fault(GDT + DATA + 5, 3);
	/* the stack, with the new task's rights */
	machine_setup(NULL);
	turn_paging_on();
	set_page(0xc000, STACK & ~0xfffU, 0x63);
	set_page(0xc000, (STACK & ~0xfffU) - 0x1000, 0x63);
	deliver(protection, NEW);
	assert_no_event();
	machine_setup(NULL);
	turn_paging_on();
	set_page(0xc000, (STACK & ~0xfffU) - 0x1000, 0x63);
	put_selector(SEGMENT_CS, USER_CODE);
	put_selector(SEGMENT_SS, USER_DATA);
	put_selector(SEGMENT_DS, 0);
	put_selector(SEGMENT_ES, 0);
	deliver((struct event){ .kind = EVENT_EXCEPTION,
				.vector = VECTOR_AC,
				.has_error = true },
		NEW);
	assert_page_fault(STACK - 4, 7);
}

static void bad_pdptes(void **unused)
{
	(void)unused;
	for (uint32_t i = 0; i < 4; i++) {
		put32(0x2000 + 8 * i, 0xb001);
		put32(0x3000 + 8 * i, 0xb003); /* bit 1 is reserved */
	}
	put32(0xb000, 0xe7);
	backend->state.cr3 = 0x2000;
	backend->state.cr4 = CR4_PAE;
	backend->state.cr0 |= CR0_PG;
	switch_from(FROM_CALL, NEW);
	assert_fault(VECTOR_GP, 0);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	assert_int_equal(backend->state.cr3, 0x2000);
}

/* ---- one on top of another ---- */

static void double_faults(void **unused)
{
	(void)unused;
	deliver(protection, BEYOND);
	assert_fault(VECTOR_DF, 0);
	assert_int_equal(cpu->regs.rip, RIP);
	put_selector(SEGMENT_DS, BEYOND);
	deliver(protection, NEW);
	assert_fault(VECTOR_DF, 0);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	assert_int_equal(fake_end, VM_END_NONE);
	machine_setup(NULL);
	deliver((struct event){ .kind = EVENT_EXCEPTION,
				.vector = VECTOR_DF,
				.has_error = true },
		BEYOND);
	assert_int_equal(fake_end, VM_END_TRIPLE_FAULT);
	assert_int_equal(cpu->event.kind, EVENT_NONE);
}

/* Not delivered once more: it would come here again, for ever. */
static void first_event_is_dropped(void **unused)
{
	(void)unused;
	turn_paging_on();
	set_page(0xb000, NEW_TSS, 0);
	deliver(interrupt, NEW);
	assert_page_fault(NEW_TSS, 2);
	deliver(protection, NEW); /* contributory, then page fault */
	assert_page_fault(NEW_TSS, 2);
	deliver(undefined, NEW);
	assert_page_fault(NEW_TSS, 2);
}

/*
 * The descriptor changes between check and commit. Another CPU would have to do
 * that; here the type of the TSS is a page table's entry too, and the walk to the
 * old TSS marks that as accessed.
 */
static void descriptor_that_changes(void **unused)
{
	struct event event = interrupt;

	(void)unused;
	put32(0x8000, 0xe7);
	put32(0x8004, TSS_32); /* 4 MiB page, read-only */
	backend->state.cr3 = 0x8000;
	backend->state.cr4 = CR4_PSE;
	backend->state.cr0 |= CR0_PG;
	backend->state.gdtr.base = 0x8004 - 5 - NEW;
	put16(0x7fff, 0xe7ff);
	backend->state.segments[SEGMENT_TR].base = 0x400000 + OLD_TSS;
	for (unsigned int i = 0; i < 2; i++) {
		put32(0x8004, TSS_32);
		if (i)
			deliver(event, NEW);
		else
			switch_from(FROM_CALL, NEW);
		assert_int_equal(get32(0x8004), TSS_32 | 0x60);
		assert_int_equal(cpu->event.kind,
				 i ? EVENT_INTERRUPT : EVENT_NONE);
		assert_int_equal(cpu->regs.rip, RIP);
		assert_int_equal(get32(OLD_TSS + 0x20), 0);
		assert_int_equal(backend->write_state_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(page_faults_in_old),
		MACHINE_TEST(page_faults_in_new),
		MACHINE_TEST(bad_pdptes),
		MACHINE_TEST(double_faults),
		MACHINE_TEST(first_event_is_dropped),
		MACHINE_TEST(descriptor_that_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
