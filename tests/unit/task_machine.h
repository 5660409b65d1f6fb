/*
 * A guest in 32-bit protected mode with two tasks, and a 16-bit one beside each:
 * for tests of task switches. Include it once in a program, after cmocka.h.
 */
#ifndef TASK_MACHINE_H
#define TASK_MACHINE_H

#include "cpu_fixture.h"
#include "kernel/task_switch.h"

/* The GDT. */
#define GDT	  0x1000UL
#define GDT_LIMIT 0x7fU
#define CODE	  0x08
#define DATA	  0x10
#define OLD	  0x18 /* busy, at OLD_TSS: the vCPU is in it */
#define NEW	  0x20 /* at NEW_TSS */
#define TABLE	  0x28 /* LDT */
#define USER_CODE 0x33
#define USER_DATA 0x3b
#define OLD_16	  0x40 /* at OLD_TSS */
#define NEW_16	  0x48 /* at NEW_TSS */
#define SPARE	  0x50
#define BEYOND	  0x80

#define OLD_TSS 0x4000UL
#define NEW_TSS 0x5000UL
#define LDT	0x7000UL
#define STACK	0x9000U

/* Rights, and flags in bits 11:8. */
#define CODE_32 0xc9b
#define DATA_32 0xc93
#define TSS_32	0x089
#define TSS_16	0x081
#define BUSY	0x002

enum { FROM_CALL, FROM_IRET, FROM_JUMP, FROM_GATE };

#define RIP	 0x1234U
#define INSN_LEN 7

static inline void put32(uint64_t at, uint32_t value)
{
	assert_int_equal(guest_write(&fake_vm.memory, (gpa_t){ at }, &value,
				     sizeof(value)),
			 0);
}

static inline void put16(uint64_t at, uint16_t value)
{
	assert_int_equal(guest_write(&fake_vm.memory, (gpa_t){ at }, &value,
				     sizeof(value)),
			 0);
}

static inline uint32_t get32(uint64_t at)
{
	uint32_t value;

	assert_int_equal(guest_read(&fake_vm.memory, (gpa_t){ at }, &value,
				    sizeof(value)),
			 0);
	return value;
}

static inline uint16_t get16(uint64_t at)
{
	return (uint16_t)get32(at);
}

static inline uint64_t descriptor(uint64_t base, uint32_t limit,
				  uint64_t attributes)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 |
	       (attributes & 0xff) << 40 | (limit >> 16 & 0xfULL) << 48 |
	       (attributes >> 8 & 0xf) << 52 | (base >> 24 & 0xff) << 56;
}

static inline void put_descriptor(uint64_t table, unsigned int selector,
				  uint64_t value)
{
	assert_int_equal(guest_write(&fake_vm.memory,
				     (gpa_t){ table + (selector & 0xfff8) },
				     &value, sizeof(value)),
			 0);
}

/* Type, DPL and P of a descriptor of the GDT. */
static inline uint8_t rights(unsigned int selector)
{
	return (uint8_t)(get32(GDT + (selector & 0xfff8) + 4) >> 8);
}

static inline void put_gdt(void)
{
	put_descriptor(GDT, CODE, descriptor(0, 0xfffff, CODE_32));
	put_descriptor(GDT, DATA, descriptor(0, 0xfffff, DATA_32));
	put_descriptor(GDT, OLD, descriptor(OLD_TSS, 0x67, TSS_32 | BUSY));
	put_descriptor(GDT, NEW, descriptor(NEW_TSS, 0x67, TSS_32));
	put_descriptor(GDT, TABLE, descriptor(LDT, 0xf, 0x82));
	put_descriptor(GDT, USER_CODE, descriptor(0, 0xfffff, CODE_32 | 0x60));
	put_descriptor(GDT, USER_DATA, descriptor(0, 0xfffff, DATA_32 | 0x60));
	put_descriptor(GDT, OLD_16, descriptor(OLD_TSS, 0x2b, TSS_16 | BUSY));
	put_descriptor(GDT, NEW_16, descriptor(NEW_TSS, 0x2b, TSS_16));
}

#define NEW_RIP	   0x8765U
#define NEW_RFLAGS 0x203U /* IF, CF */

/* Registers are 0xa000 and their number; ESP is STACK. */
static inline void put_new_tss(void)
{
	static const uint16_t segments[] = { DATA, CODE, DATA, DATA, 0, 3 };

	put32(NEW_TSS, 0xdeadbeef);
	put32(NEW_TSS + 0x1c, 0x3000);
	put32(NEW_TSS + 0x20, NEW_RIP);
	put32(NEW_TSS + 0x24, NEW_RFLAGS | 0x8028); /* and reserved bits */
	for (unsigned int i = 0; i < 8; i++)
		put32(NEW_TSS + 0x28 + 4 * i, 0xa000 + i);
	put32(NEW_TSS + 0x28 + 4 * GPR_RSP, STACK);
	for (unsigned int i = 0; i < 6; i++)
		put32(NEW_TSS + 0x48 + 4 * i, 0x77770000U | segments[i]);
	put32(NEW_TSS + 0x60, 0);
	put32(NEW_TSS + 0x64, 0);
}

static inline void put_new_tss_16(void)
{
	static const uint16_t segments[] = { DATA, CODE, DATA, DATA };

	put16(NEW_TSS + 0x0e, NEW_RIP);
	put16(NEW_TSS + 0x10, NEW_RFLAGS);
	for (unsigned int i = 0; i < 8; i++)
		put16(NEW_TSS + 0x12 + 2 * i, (uint16_t)(0xa000 + i));
	put16(NEW_TSS + 0x12 + 2 * GPR_RSP, STACK);
	for (unsigned int i = 0; i < 4; i++)
		put16(NEW_TSS + 0x22 + 2 * i, segments[i]);
	put16(NEW_TSS + 0x2a, 0);
}

static inline void put_selector(enum segment_name name, uint16_t selector)
{
	put32(NEW_TSS + 0x48 + 4 * (unsigned int)name, selector);
}

static inline void use_old_16(void)
{
	backend->state.segments[SEGMENT_TR].selector = OLD_16;
	backend->state.segments[SEGMENT_TR].attributes = TSS_16 | BUSY;
	backend->state.segments[SEGMENT_TR].limit = 0x2b;
}

/* The vCPU in the old task, at CPL 3; selectors 0x1001 to 0x1006. */
static inline int machine_setup(void **unused)
{
	struct vcpu_state *state = &backend->state;

	(void)unused;
	cpu_start(FAKE_CPU_INTEL, 1);
	put_gdt();
	put_new_tss();
	fake_ops_protected_mode(cpu, 3);
	for (unsigned int i = 0; i <= SEGMENT_GS; i++)
		state->segments[i].selector = (uint16_t)(0x1001 + i);
	state->segments[SEGMENT_TR] =
		(struct segment){ .selector = OLD,
				  .attributes = TSS_32 | BUSY,
				  .limit = 0x67,
				  .base = OLD_TSS };
	state->gdtr = (struct table_register){ GDT, GDT_LIMIT };
	state->dr6 = DR6_RESET;
	state->dr7 = DR7_RESET | 0x3ff; /* L0 to L3, G0 to G3, LE, GE */
	cpu->regs.rip = RIP;
	cpu->regs.rflags = RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF;
	for (unsigned int i = 0; i < 8; i++)
		cpu->regs.gpr[i] = 0xb0c00000U + i;
	cpu->is_shadowed = true;
	return 0;
}

#define MACHINE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, teardown)

/* The exit. */
static inline void switch_from(uint8_t source, uint16_t selector)
{
	cpu->exit = (struct vmexit){ .reason = EXIT_TASK_SWITCH,
				     .insn_len = INSN_LEN };
	cpu->exit.task.source = source;
	cpu->exit.task.selector = selector;
	exit_task_switch(cpu);
}

/* The exit of an exception, or what @event is, through a task gate. */
static inline void deliver(struct event event, uint16_t selector)
{
	cpu->event = event;
	cpu->exit = (struct vmexit){ .reason = EXIT_TASK_SWITCH };
	cpu->exit.task.source = FROM_GATE;
	cpu->exit.task.selector = selector;
	cpu->exit.task.has_error = event.has_error;
	cpu->exit.task.error_code = event.error_code;
	exit_task_switch(cpu);
}

static const struct event interrupt = { .kind = EVENT_INTERRUPT,
					.vector = 0x40 };
static const struct event protection = { .kind = EVENT_EXCEPTION,
					 .vector = VECTOR_GP,
					 .has_error = true,
					 .error_code = 0xabcd };
static const struct event undefined = { .kind = EVENT_EXCEPTION,
					.vector = VECTOR_UD };

/* An exception is on its way in; forgets it. */
static inline void assert_fault(uint8_t vector, uint32_t error_code)
{
	assert_int_equal(cpu->event.kind, EVENT_EXCEPTION);
	assert_int_equal(cpu->event.vector, vector);
	assert_true(cpu->event.has_error);
	assert_int_equal(cpu->event.error_code, error_code);
	cpu->event.kind = EVENT_NONE;
}

/* Nothing is. */
static inline void assert_no_event(void)
{
	assert_int_equal(cpu->event.kind, EVENT_NONE);
	assert_int_equal(fake_end, VM_END_NONE);
}

/* ---- what a refused switch must not change ---- */

#define MEMORY 0x10000UL

static uint8_t memory_before[MEMORY], memory_after[MEMORY];
static struct vcpu_state state_before;
static struct vcpu_regs regs_before;

static inline void look(void)
{
	guest_read(&fake_vm.memory, (gpa_t){ 0 }, memory_before, MEMORY);
	state_before = backend->state;
	regs_before = cpu->regs;
}

static inline void assert_unchanged(void)
{
	guest_read(&fake_vm.memory, (gpa_t){ 0 }, memory_after, MEMORY);
	assert_memory_equal(memory_before, memory_after, MEMORY);
	assert_memory_equal(&state_before, &backend->state,
			    sizeof(state_before));
	assert_memory_equal(&regs_before, &cpu->regs, sizeof(regs_before));
	assert_true(cpu->is_shadowed);
	assert_int_equal(backend->write_state_count, 0);
}

#endif
