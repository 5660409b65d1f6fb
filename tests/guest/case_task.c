/* Tasks in 32-bit protected mode with paging. SDM 3A chapter 8 "Task
 * Management". */
#include "tests/guest/guest.h"

enum { MAIN, OTHER, GATE, USER, TASKS };

/* The GDT of the tasks: task.asm knows it too. */
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

struct task_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

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

uint32_t task_directories[2][1024] __attribute__((aligned(4096)));
struct task_pointer task_gdt_pointer, task_idt_pointer;
volatile uint32_t task_seen[SEEN_WORDS], task_gate_seen[GATE_STACK + 1];
uint32_t task_returns, task_noted, task_window, task_fix_at, task_fix, task_eoi;

static uint64_t descriptors[T_TABLE / 8 + 1], gates[VECTORS], table[2];
static uint32_t states[TASKS][26];
static uint16_t small_state[22];
static uint32_t task_stacks[TASKS + 1][256] __attribute__((aligned(16)));
static volatile uint32_t marker;

void task_run(void (*function)(void));
void task_jump(void), task_call(void), task_call_gate(void), task_int(void);
void task_protection(void), task_double(void), task_interrupt(void);
void task_small(void), task_user(void);
extern const char task_other[], task_gate[], task_user_code[];
extern const char task_virtual[], task_virtual_end[], task_leave_virtual[];
extern const char task_small_code[], task_behind_call[], task_behind_int[];
extern const char task_fault[], task_behind_fault[], task_double_fault[];
extern const char task_behind_double[];

static uint32_t address(const volatile void *at)
{
	return (uint32_t)(uint64_t)at;
}

/* @attributes: rights, and flags in bits 11:8. */
static uint64_t descriptor(const void *base, uint32_t limit,
			   uint64_t attributes)
{
	uint64_t at = address(base);

	return (limit & 0xffff) | (at & 0xffffff) << 16 |
	       (attributes & 0xff) << 40 | (limit >> 16 & 0xfUL) << 48 |
	       (attributes >> 8) << 52 | (at & 0xff000000) << 32;
}

static uint8_t type_of(uint32_t selector)
{
	return descriptors[selector / 8] >> 40 & 0xff;
}

static uint64_t task_gate_to(uint64_t selector)
{
	return selector << 16 | (TASK_GATE | 0x60) << 40;
}

static void set_task(uint32_t number, const char *code)
{
	static const uint16_t segments[] = { T_DATA, T_CODE, T_DATA,
					     T_DATA, 0,	     0 };
	uint32_t *state = states[number];

	memset(state, 0, sizeof(states[number]));
	state[1] = address(task_stacks[TASKS]) + sizeof(task_stacks[TASKS]);
	state[2] = T_DATA;
	state[CR3_WORD] = address(task_directories[number == OTHER]);
	state[RIP_WORD] = address(code);
	state[FLAGS_WORD] = 2;
	for (uint32_t i = 0; i < 8; i++)
		state[GPR_WORD + i] = 0xabcd0000 + i;
	state[GPR_WORD + 4] =
		address(task_stacks[number]) + sizeof(task_stacks[number]);
	for (uint32_t i = 0; i < 6; i++)
		state[SEG_WORD + i] = segments[i];
	state[TRAP_WORD] = 0x680000; /* no I/O permission map */
}

static void set_small_task(void)
{
	memset(small_state, 0, sizeof(small_state));
	small_state[8] = 2;
	for (uint32_t i = 0; i < 8; i++)
		small_state[9 + i] = (uint16_t)(0x1230 + i);
	small_state[9 + 4] = sizeof(task_stacks[TASKS]);
	small_state[17] = T_DATA;
	small_state[18] = T_CODE_16;
	small_state[19] = T_STACK_16;
	small_state[20] = T_DATA;
}

static void set_gdt(void)
{
	static const uint8_t selectors[TASKS] = { T_MAIN, T_OTHER, T_GATE,
						  T_USER };

	descriptors[T_CODE / 8] = descriptor(NULL, 0xfffff, 0xc9b);
	descriptors[T_DATA / 8] = descriptor(NULL, 0xfffff, 0xc93);
	for (uint32_t i = 0; i < TASKS; i++)
		descriptors[selectors[i] / 8] =
			descriptor(states[i], 0x67, TSS_32);
	descriptors[T_SMALL / 8] = descriptor(small_state, 0x2b, 0x81);
	descriptors[T_CALL / 8] = task_gate_to(T_OTHER);
	descriptors[T_USER_CODE / 8] = descriptor(NULL, 0xfffff, 0xcfa);
	descriptors[T_USER_DATA / 8] = descriptor(NULL, 0xfffff, 0xcf2);
	descriptors[T_CODE_16 / 8] = descriptor(task_small_code, 0xffff, 0x9a);
	descriptors[T_STACK_16 / 8] =
		descriptor(task_stacks[TASKS], 0xffff, 0x92);
	descriptors[T_TABLE / 8] = descriptor(table, 15, 0x82);
	task_gdt_pointer.limit = sizeof(descriptors) - 1;
	task_gdt_pointer.base = (uint64_t)descriptors;
}

static void set_idt(void)
{
	uint64_t at = address(task_leave_virtual);

	memset(gates, 0, sizeof(gates));
	gates[VECTOR_DF] = task_gate_to(T_GATE);
	gates[VECTOR_TS] = task_gate_to(T_GATE);
	gates[VECTOR_GP] = task_gate_to(T_GATE);
	gates[0x40] = task_gate_to(T_GATE);
	gates[0x41] = (at & 0xffff) | T_CODE << 16 | INT_GATE << 40 |
		      (at & 0xffff0000) << 32;
	gates[IPI] = task_gate_to(T_GATE);
	task_idt_pointer.limit = sizeof(gates) - 1;
	task_idt_pointer.base = (uint64_t)gates;
}

/* One to one; but the window shows the first page to the other task, and the
 * second to the rest. */
static void set_directories(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		task_directories[0][i] = task_directories[1][i] =
			i << 22 | 0xe7;
	task_directories[0][WINDOW / LARGE] = LARGE | 0xe7;
	task_directories[1][WINDOW / LARGE] = 0xe7;
	marker = 0x600d;
	*(volatile uint32_t *)(LARGE + address(&marker)) = 0xbad;
	task_window = (uint32_t)WINDOW + address(&marker);
}

static void set_up(void)
{
	set_task(MAIN, NULL);
	set_task(OTHER, task_other);
	set_task(GATE, task_gate);
	set_task(USER, task_user_code);
	set_small_task();
	set_gdt();
	set_idt();
	set_directories();
	memset((void *)task_seen, 0, sizeof(task_seen));
	memset((void *)task_gate_seen, 0, sizeof(task_gate_seen));
	task_gate_seen[GATE_STACK] = states[GATE][GPR_WORD + 4];
	task_returns = 1;
	task_noted = task_fix_at = task_fix = task_eoi = 0;
}

static void run(void (*function)(void))
{
	task_run(function);
	trap_init_cpu(0);
}

/* Both bits, behind each other: JMP frees the one that it leaves. */
void case_task_jump(void)
{
	set_up();
	task_returns = 0;
	write_dr0(0x1000);
	write_dr7(DR7_RESET | 0x309); /* L0, G1, LE, GE */
	for (uint32_t i = 1; i < 4; i++) {
		run(task_jump);
		CHECK_EQ(task_seen[SEEN_COUNT], i);
		CHECK_EQ(task_seen[SEEN_TR], T_OTHER);
		CHECK(!(task_seen[SEEN_FLAGS] & RFLAGS_NT));
		CHECK(task_seen[SEEN_CR0] & CR0_TS);
		CHECK_EQ(type_of(T_OTHER), TSS_32);
		CHECK_EQ(type_of(T_MAIN), TSS_32 | TSS_BUSY);
		CHECK_EQ(states[OTHER][0], 0);
		descriptors[T_MAIN / 8] &= ~(TSS_BUSY << 40);
	}
	CHECK_EQ(read_dr7() & 0xff, 8);
	write_dr7(DR7_RESET);
	CHECK_EQ(states[OTHER][GPR_WORD + 3], UINT32_MAX);
	CHECK_EQ(states[OTHER][SEG_WORD + 1], T_CODE);
}

void case_task_call(void)
{
	set_up();
	run(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_EAX], 0xabcd0000);
	CHECK_EQ(task_seen[SEEN_ECX], 0xabcd0001);
	CHECK_EQ(task_seen[SEEN_WINDOW], 0x600d);
	CHECK(task_seen[SEEN_FLAGS] & RFLAGS_NT);
	CHECK(!(task_seen[SEEN_FLAGS] & RFLAGS_DF));
	CHECK_EQ(states[OTHER][0], T_MAIN);
	CHECK_EQ(states[MAIN][RIP_WORD], address(task_behind_call));
	CHECK(states[MAIN][FLAGS_WORD] & RFLAGS_DF);
	CHECK_EQ(states[MAIN][GPR_WORD + 7], 0x66666666);
	CHECK_EQ(type_of(T_OTHER), TSS_32);
	CHECK_EQ(type_of(T_MAIN), TSS_32 | TSS_BUSY);
	CHECK(!(states[OTHER][FLAGS_WORD] & RFLAGS_NT));
	/* once more: it goes on behind its IRET */
	descriptors[T_MAIN / 8] &= ~(TSS_BUSY << 40);
	run(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_seen[SEEN_COUNT], 2);
	CHECK_EQ(task_seen[SEEN_ECX], 0xabcd0001);
}

/* By INT n, and from CPL 3 through a gate to a TSS of DPL 0. */
void case_task_gate(void)
{
	set_up();
	run(task_int);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK(task_gate_seen[GATE_FLAGS] & RFLAGS_NT);
	CHECK_EQ(task_gate_seen[GATE_ESP], task_gate_seen[GATE_STACK]);
	CHECK_EQ(states[MAIN][RIP_WORD], address(task_behind_int));
	CHECK_EQ(states[GATE][0], T_MAIN);
	set_up();
	run(task_call_gate);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_TR], T_OTHER);
	set_up();
	states[USER][SEG_WORD + 0] = T_USER_DATA;
	states[USER][SEG_WORD + 1] = T_USER_CODE;
	states[USER][SEG_WORD + 2] = T_USER_DATA;
	states[USER][SEG_WORD + 3] = T_USER_DATA;
	run(task_user);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_USER_CS], T_USER_CODE);
	CHECK_EQ(task_seen[SEEN_USER_SS], T_USER_DATA);
	CHECK_EQ(states[GATE][0], T_USER);
}

/* Faults: EIP is that of the instruction until the handler moves it. */
void case_task_fault(void)
{
	set_up();
	task_fix_at = address(&states[MAIN][RIP_WORD]);
	task_fix = address(task_behind_fault);
	run(task_protection);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_ERROR] & 0xffff, T_BEYOND);
	CHECK_EQ(task_gate_seen[GATE_OLD], address(task_fault));
	/* #UD without a gate, and #NP without one, is #DF */
	set_up();
	gates[VECTOR_UD] = (INT_GATE & 0x7f) << 40;
	task_fix_at = address(&states[MAIN][RIP_WORD]);
	task_fix = address(task_behind_double);
	run(task_double);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_ERROR] & 0xffff, 0);
	CHECK_EQ(task_gate_seen[GATE_OLD], address(task_double_fault));
}

/* The new task cannot have its DS: #TS there, and once DS is good it goes on.
 * NOT_TCG: there EIP is the old task's, and no segment is marked as accessed. */
void case_task_bad_segment(void)
{
	set_up();
	states[OTHER][SEG_WORD + 3] = T_BEYOND;
	states[OTHER][LDT_WORD] = T_TABLE;
	table[1] = descriptor(NULL, 0xfffff, 0xc92);
	task_fix_at = address(&states[OTHER][SEG_WORD + 3]);
	task_fix = 0xc;
	run(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_ERROR] & 0xffff, T_BEYOND);
	CHECK_EQ(task_gate_seen[GATE_OLD] & 0xffff, T_BEYOND);
	CHECK_EQ(states[GATE][0], T_OTHER);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_ECX], 0xabcd0001);
	CHECK_EQ(table[1] >> 40 & 0xff, 0x93);
}

void case_task_interrupt(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		set_up();
		task_eoi = 1;
		lapic_send(0, ICR_SELF | ICR_ASSERT | IPI);
		run(task_interrupt);
		CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
		CHECK(!(task_gate_seen[GATE_FLAGS] & RFLAGS_IF));
		CHECK(states[MAIN][FLAGS_WORD] & RFLAGS_IF);
		CHECK(!lapic_has(LAPIC_ISR, IPI));
		CHECK(!lapic_has(LAPIC_IRR, IPI));
	}
}

void case_task_ldt(void)
{
	set_up();
	table[1] = descriptor(NULL, 0xfffff, 0xc92);
	states[OTHER][LDT_WORD] = T_TABLE;
	states[OTHER][SEG_WORD + 3] = 0xc;
	run(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_seen[SEEN_LDTR], T_TABLE);
	CHECK_EQ(states[OTHER][SEG_WORD + 3], 0xc);
}

void case_task_16_bit(void)
{
	set_up();
	for (uint32_t i = 1; i < 3; i++) {
		run(task_small);
		CHECK_EQ(task_seen[SEEN_SMALL_COUNT], i);
		CHECK_EQ(task_seen[SEEN_SMALL_EAX] & 0xffff, 0x1230);
		CHECK_EQ(task_seen[SEEN_SMALL_SP], sizeof(task_stacks[TASKS]));
		CHECK(task_seen[SEEN_SMALL_FLAGS] & RFLAGS_NT);
		CHECK_EQ(small_state[0], T_MAIN);
		CHECK_EQ(type_of(T_SMALL), 0x81);
		descriptors[T_MAIN / 8] &= ~(TSS_BUSY << 40);
	}
	CHECK_EQ(small_state[9 + 1], 0x1231);
	CHECK_EQ(small_state[18], T_CODE_16);
}

/* A task in virtual-8086 mode; a task gate and an interrupt gate out of it. */
void case_task_virtual_8086(void)
{
	volatile uint16_t *noted = (volatile uint16_t *)(V86 + 0x100);

	set_up();
	memcpy((void *)V86, task_virtual,
	       (unsigned long)(task_virtual_end - task_virtual));
	states[OTHER][RIP_WORD] = 0;
	states[OTHER][FLAGS_WORD] = RFLAGS_VM | 3 << 12 | 2;
	states[OTHER][GPR_WORD + 4] = 0x800;
	for (uint32_t i = 0; i < 6; i++)
		states[OTHER][SEG_WORD + i] = V86 >> 4;
	run(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(noted[0], V86 >> 4);
	CHECK_EQ(noted[1], V86 >> 4);
	CHECK_EQ(noted[2], 0x800);
	CHECK_EQ(noted[3], V86 >> 4);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(states[GATE][0], T_OTHER);
	CHECK(task_seen[SEEN_VIRTUAL_FLAGS] & RFLAGS_VM);
}

/* NOT_TCG: CALL saves stale arithmetic flags there, the error code is 2 bytes, and
 * the T bit is nothing. */
void case_task_trap(void)
{
	set_up();
	task_fix_at = address(&states[MAIN][RIP_WORD]);
	task_fix = address(task_behind_fault);
	run(task_protection);
	CHECK_EQ(task_gate_seen[GATE_ERROR], T_BEYOND);
	CHECK_EQ(task_gate_seen[GATE_ESP], task_gate_seen[GATE_STACK] - 4);
	set_up();
	gates[VECTOR_DB] = task_gate_to(T_GATE);
	task_fix_at = address(&states[OTHER][TRAP_WORD]);
	task_fix = states[OTHER][TRAP_WORD];
	states[OTHER][TRAP_WORD] |= 1;
	write_dr6(DR6_RESET);
	run(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(read_dr6() & BIT(15), BIT(15));
	CHECK_EQ(states[GATE][0], T_OTHER);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK(states[MAIN][FLAGS_WORD] & RFLAGS_CF);
	CHECK(!(task_seen[SEEN_FLAGS] & RFLAGS_CF));
}
