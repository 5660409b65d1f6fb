/*
 * 32-bit tasks for case_task.c: their tables and states, and what they note.
 *
 *	task.asm    into 32-bit protected mode and back, the tasks' code
 *	task.c	    the tables, as each case begins with them
 */
#ifndef TESTS_GUEST_TASK_H
#define TESTS_GUEST_TASK_H

#include "tests/guest/guest.h"

enum { MAIN, OTHER, GATE, USER, TASKS };

/* The GDT: task.asm knows it too. */
#define T_CODE	    0x08
#define T_DATA	    0x10
#define T_MAIN	    0x18
#define T_OTHER	    0x20
#define T_GATE	    0x28
#define T_SMALL	    0x30
#define T_USER	    0x38
#define T_CALL	    0x40
#define T_USER_CODE 0x4b
#define T_USER_DATA 0x53
#define T_CODE_16   0x58
#define T_STACK_16  0x60
#define T_TABLE	    0x68
#define T_BEYOND    0xfff8

#define TSS_32	  0x0089UL
#define TSS_BUSY  0x0002UL
#define TASK_GATE 0x85UL
#define INT_GATE  0xeeUL /* DPL 3 */

#define V86	0x9000UL /* code, data and stack in virtual-8086 mode */
#define WINDOW	0x40000000UL
#define LARGE	(4UL << 20) /* a page of the tasks */
#define VECTORS 0x60
#define IPI	0x50

#define CR3_WORD   7
#define RIP_WORD   8
#define FLAGS_WORD 9
#define GPR_WORD   10
#define SEG_WORD   18
#define LDT_WORD   24
#define TRAP_WORD  25

/* What the other task and its kin see: by offset / 4, in task.asm. */
enum {
	SEEN_COUNT,
	SEEN_EAX,
	SEEN_ECX,
	SEEN_FLAGS,
	SEEN_TR,
	SEEN_LDTR,
	SEEN_CR0,
	SEEN_WINDOW,
	SEEN_ESP,
	SEEN_USER_CS,
	SEEN_USER_SS,
	SEEN_VIRTUAL_FLAGS,
	SEEN_SMALL_COUNT,
	SEEN_SMALL_EAX,
	SEEN_SMALL_SP,
	SEEN_SMALL_FLAGS,
	SEEN_WORDS
};

enum { GATE_COUNT, GATE_ERROR, GATE_ESP, GATE_FLAGS, GATE_OLD, GATE_STACK };

extern volatile uint32_t task_seen[SEEN_WORDS], task_gate_seen[GATE_STACK + 1];
/* How the other task goes back: by JMP (0) or IRET. What the main returned. */
extern uint32_t task_returns, task_noted;
/* What the handler behind the gates does: puts task_fix at task_fix_at, EOI. */
extern uint32_t task_fix_at, task_fix, task_eoi;

extern uint64_t task_descriptors[T_TABLE / 8 + 1], task_gates[VECTORS];
extern uint64_t task_table[2]; /* the LDT */
extern uint32_t task_states[TASKS][26];
extern uint16_t task_small_state[22];
extern uint32_t task_stacks[TASKS + 1][256]; /* the last: 16-bit, and ESP0 */

/* Everything as it is at first. */
void task_set_up(void);
/* Run one of the mains of task.asm in the main task. */
void task_start(void (*function)(void));

uint32_t task_address(const volatile void *at);
/* @attributes: rights, and flags in bits 11:8. */
uint64_t task_descriptor(const void *base, uint32_t limit, uint64_t attributes);
uint64_t task_gate_to(uint64_t selector);
/* Rights of the descriptor of @selector. */
uint8_t task_type(uint32_t selector);

/* ---- task.asm ---- */

void task_jump(void), task_call(void), task_call_gate(void), task_int(void);
void task_protection(void), task_double(void), task_interrupt(void);
void task_small(void), task_user(void);
extern const char task_other[], task_gate[], task_user_code[];
extern const char task_virtual[], task_virtual_end[], task_leave_virtual[];
extern const char task_small_code[], task_behind_call[], task_behind_int[];
extern const char task_fault[], task_behind_fault[], task_double_fault[];
extern const char task_behind_double[];

#endif
