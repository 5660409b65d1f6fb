/* Task switches that fault: in the old task without any effect, or in the new
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "task_machine.h"

static void assert_refused(uint8_t source, uint16_t selector, uint8_t vector,
			   uint32_t error_code)
{
	look();
	switch_from(source, selector);
	assert_fault(vector, error_code);
	assert_unchanged();
}

/* The same of all sources that take a task that is not busy. */
static void assert_all_refused(uint16_t selector, uint8_t vector,
			       uint32_t error_code)
{
	assert_refused(FROM_CALL, selector, vector, error_code);
	assert_refused(FROM_JUMP, selector, vector, error_code);
	assert_refused(FROM_GATE, selector, vector, error_code);
	look();
	deliver(interrupt, selector);
	assert_fault(vector, error_code | 1);
	assert_unchanged();
	look();
	deliver(undefined, selector);
	assert_fault(vector, error_code | 1);
	assert_unchanged();
}

static void selectors_of_no_task(void **unused)
{
	(void)unused;
	assert_all_refused(0, VECTOR_GP, 0);
	assert_all_refused(3, VECTOR_GP, 0);
	assert_all_refused(NEW | 4, VECTOR_GP, NEW | 4);
	assert_all_refused(BEYOND | 1, VECTOR_GP, BEYOND);
	assert_all_refused(0xfffb, VECTOR_GP, 0xfff8);
	assert_all_refused(CODE, VECTOR_GP, CODE);
	assert_all_refused(TABLE, VECTOR_GP, TABLE);
	backend->state.gdtr.limit = NEW + 6;
	assert_all_refused(NEW, VECTOR_GP, NEW);
}

static void selectors_of_no_task_for_iret(void **unused)
{
	(void)unused;
	assert_refused(FROM_IRET, 0, VECTOR_TS, 0);
	assert_refused(FROM_IRET, NEW | 4, VECTOR_TS, NEW | 4);
	assert_refused(FROM_IRET, BEYOND, VECTOR_TS, BEYOND);
	assert_refused(FROM_IRET, CODE, VECTOR_TS, CODE);
	assert_refused(FROM_IRET, NEW, VECTOR_TS, NEW); /* not busy */
}

static void busy_tasks(void **unused)
{
	(void)unused;
	assert_all_refused(OLD, VECTOR_GP, OLD);
	assert_all_refused(OLD_16, VECTOR_GP, OLD_16);
}

static void absent_tasks(void **unused)
{
	(void)unused;
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, 0x09));
	put_descriptor(GDT, NEW_16, descriptor(NEW_TSS, 0x2b, 0x01));
	assert_all_refused(NEW, VECTOR_NP, NEW);
	assert_all_refused(NEW_16, VECTOR_NP, NEW_16);
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, 0x0b));
	assert_refused(FROM_IRET, NEW, VECTOR_NP, NEW);
	/* what it is comes first */
	assert_all_refused(NEW, VECTOR_GP, NEW);
}

static void short_tasks(void **unused)
{
	(void)unused;
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x66, TSS_32));
	put_descriptor(GDT, NEW_16, descriptor(NEW_TSS, 0x2a, TSS_16));
	assert_all_refused(NEW, VECTOR_TS, NEW);
	assert_all_refused(NEW_16, VECTOR_TS, NEW_16);
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x2b, TSS_32 | BUSY));
	assert_refused(FROM_IRET, NEW, VECTOR_TS, NEW);
}

/* The old task's own TSS has no room, or no descriptor to be freed. */
static void old_task_is_lost(void **unused)
{
	(void)unused;
	backend->state.segments[SEGMENT_TR].limit = 0x5c;
	assert_all_refused(NEW, VECTOR_TS, OLD);
	use_old_16();
	backend->state.segments[SEGMENT_TR].limit = 0x28;
	assert_all_refused(NEW, VECTOR_TS, OLD_16);
	backend->state.segments[SEGMENT_TR].limit = 0x29;
	backend->state.segments[SEGMENT_TR].selector = BEYOND;
	assert_refused(FROM_JUMP, NEW, VECTOR_TS, BEYOND);
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, TSS_32 | BUSY));
	assert_refused(FROM_IRET, NEW, VECTOR_TS, BEYOND);
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, TSS_32));
	switch_from(FROM_CALL, NEW); /* needs none */
	assert_no_event();
}

static void long_and_real_mode(void **unused)
{
	(void)unused;
	backend->state.efer = EFER_LME | EFER_LMA;
	assert_refused(FROM_CALL, NEW, VECTOR_GP, NEW);
	assert_refused(FROM_IRET, NEW, VECTOR_GP, 0);
	backend->state.efer = 0;
	backend->state.cr0 = CR0_ET;
	look();
	switch_from(FROM_JUMP, NEW);
	assert_int_equal(cpu->event.vector, VECTOR_GP);
	assert_unchanged();
}

/* ---- in the new task ---- */

/* It has everything but the segments that came behind the bad one. */
static void assert_faults_in_new(uint8_t vector, uint32_t error_code)
{
	switch_from(FROM_CALL, NEW);
	assert_fault(vector, error_code);
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(backend->state.segments[SEGMENT_TR].selector, NEW);
	assert_int_equal(rights(NEW), TSS_32 | BUSY);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	assert_int_equal(cpu->regs.gpr[GPR_RDI], 0xa007);
	assert_int_equal(backend->state.cr0 & CR0_TS, CR0_TS);
	assert_false(cpu->is_shadowed);
	for (unsigned int i = 0; i <= SEGMENT_GS; i++)
		assert_int_equal(backend->state.segments[i].selector,
				 get16(NEW_TSS + 0x48 + 4 * i));
	machine_setup(NULL);
}

static void bad_in_new(enum segment_name name, uint16_t selector,
		       uint8_t vector)
{
	put_selector(name, selector);
	assert_faults_in_new(vector, selector & 0xfffcU);
}

static void spare_in_new(enum segment_name name, uint64_t attributes,
			 uint16_t rpl, uint8_t vector)
{
	put_descriptor(GDT, SPARE, descriptor(0, 0xfffff, attributes));
	bad_in_new(name, SPARE | rpl, vector);
}

static void bad_code(void **unused)
{
	(void)unused;
	bad_in_new(SEGMENT_CS, 0, VECTOR_TS);
	bad_in_new(SEGMENT_CS, BEYOND, VECTOR_TS);
	bad_in_new(SEGMENT_CS, 0xc, VECTOR_TS); /* no LDT */
	bad_in_new(SEGMENT_CS, DATA, VECTOR_TS);
	bad_in_new(SEGMENT_CS, NEW, VECTOR_TS);
	bad_in_new(SEGMENT_CS, CODE | 1, VECTOR_TS);
	bad_in_new(SEGMENT_CS, USER_CODE & ~3, VECTOR_TS);
	spare_in_new(SEGMENT_CS, 0xcff, 0, VECTOR_TS); /* conforming, DPL 3 */
	spare_in_new(SEGMENT_CS, 0xc1b, 0, VECTOR_NP);
	put32(NEW_TSS + 0x20, 0xffff);
	put_descriptor(GDT, SPARE, descriptor(0, 0xfffe, 0x49b));
	put_selector(SEGMENT_CS, SPARE);
	switch_from(FROM_CALL, NEW);
	assert_fault(VECTOR_GP, 0);
	assert_int_equal(cpu->regs.rip, 0xffff);
}

static void bad_stack(void **unused)
{
	(void)unused;
	bad_in_new(SEGMENT_SS, 0, VECTOR_TS);
	bad_in_new(SEGMENT_SS, BEYOND, VECTOR_TS);
	bad_in_new(SEGMENT_SS, CODE, VECTOR_TS);
	bad_in_new(SEGMENT_SS, TABLE, VECTOR_TS);
	bad_in_new(SEGMENT_SS, DATA | 3, VECTOR_TS);
	bad_in_new(SEGMENT_SS, USER_DATA, VECTOR_TS);
	spare_in_new(SEGMENT_SS, 0xc91, 0, VECTOR_TS); /* read-only */
	spare_in_new(SEGMENT_SS, 0xc13, 0, VECTOR_SS);
}

static void bad_data(void **unused)
{
	static const uint8_t names[] = { SEGMENT_ES, SEGMENT_DS, SEGMENT_FS,
					 SEGMENT_GS };

	(void)unused;
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		bad_in_new(names[i], BEYOND | 2, VECTOR_TS);
		bad_in_new(names[i], NEW, VECTOR_TS);
		bad_in_new(names[i], DATA | 1, VECTOR_TS);
		spare_in_new(names[i], 0xc99, 0, VECTOR_TS); /* not readable */
		spare_in_new(names[i], 0xc13, 0, VECTOR_NP);
		spare_in_new(names[i], 0xc1b, 0, VECTOR_NP);
		/* CPL 3 */
		put_selector(SEGMENT_CS, USER_CODE);
		put_selector(SEGMENT_SS, USER_DATA);
		put_selector(SEGMENT_DS, 0);
		put_selector(SEGMENT_ES, 0);
		bad_in_new(names[i], DATA, VECTOR_TS);
	}
}

static void bad_ldt(void **unused)
{
	static const uint16_t selectors[] = { TABLE | 4, BEYOND, DATA, NEW,
					      SPARE };

	(void)unused;
	for (unsigned int i = 0; i < ARRAY_SIZE(selectors); i++) {
		put_descriptor(GDT, SPARE, descriptor(LDT, 0xf, 0x02));
		put32(NEW_TSS + 0x60, selectors[i]);
		assert_faults_in_new(VECTOR_TS, selectors[i]);
	}
	put32(NEW_TSS + 0x60, TABLE);
	bad_in_new(SEGMENT_DS, 0x14, VECTOR_TS); /* beyond it */
}

/* What is left must be a state that a CPU can enter a guest in. */
static void segments_behind_the_fault(void **unused)
{
	const struct segment *segments = backend->state.segments;

	(void)unused;
	put_selector(SEGMENT_CS, BEYOND | 3);
	switch_from(FROM_CALL, NEW);
	assert_fault(VECTOR_TS, BEYOND);
	assert_int_equal(backend->state.cpl, 3);
	assert_int_equal(segments[SEGMENT_CS].attributes, 0xfb);
	assert_int_equal(segments[SEGMENT_CS].limit, 0);
	assert_int_equal(segments[SEGMENT_SS].attributes, 0x60);
	assert_int_equal(segments[SEGMENT_DS].attributes, 0);
	assert_int_equal(segments[SEGMENT_LDTR].attributes, 0);
}

static void no_room_for_the_error_code(void **unused)
{
	(void)unused;
	put_descriptor(GDT, SPARE, descriptor(0, STACK - 2, 0x493));
	put_selector(SEGMENT_SS, SPARE);
	deliver((struct event){ .kind = EVENT_EXCEPTION,
				.vector = VECTOR_AC,
				.has_error = true },
		NEW);
	assert_fault(VECTOR_SS, 1);
	assert_int_equal(cpu->regs.gpr[GPR_RSP], STACK);
	assert_int_equal(cpu->regs.rip, NEW_RIP);
	/* expand-down: what lies below the limit */
	machine_setup(NULL);
	put_descriptor(GDT, SPARE, descriptor(0, STACK - 4, 0x497));
	put_selector(SEGMENT_SS, SPARE);
	deliver((struct event){ .kind = EVENT_EXCEPTION,
				.vector = VECTOR_AC,
				.has_error = true },
		NEW);
	assert_fault(VECTOR_SS, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(selectors_of_no_task),
		MACHINE_TEST(selectors_of_no_task_for_iret),
		MACHINE_TEST(busy_tasks),
		MACHINE_TEST(absent_tasks),
		MACHINE_TEST(short_tasks),
		MACHINE_TEST(old_task_is_lost),
		MACHINE_TEST(long_and_real_mode),
		MACHINE_TEST(bad_code),
		MACHINE_TEST(bad_stack),
		MACHINE_TEST(bad_data),
		MACHINE_TEST(bad_ldt),
		MACHINE_TEST(segments_behind_the_fault),
		MACHINE_TEST(no_room_for_the_error_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
