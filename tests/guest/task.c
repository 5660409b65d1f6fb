/* The tables of the tasks. Those of the CPU are task.asm's, too. */
#include "tests/guest/task.h"

struct task_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

void task_run(void (*function)(void)); /* task.asm */

uint32_t task_directories[2][1024] __attribute__((aligned(4096)));
struct task_pointer task_gdt_pointer, task_idt_pointer;
volatile uint32_t task_seen[SEEN_WORDS], task_gate_seen[GATE_STACK + 1];
uint32_t task_returns, task_noted, task_window, task_fix_at, task_fix, task_eoi;

uint64_t task_descriptors[T_TABLE / 8 + 1], task_gates[VECTORS], task_table[2];
uint32_t task_states[TASKS][26];
uint16_t task_small_state[22];
uint32_t task_stacks[TASKS + 1][256] __attribute__((aligned(16)));
static volatile uint32_t marker;

uint32_t task_address(const volatile void *at)
{
	return (uint32_t)(uint64_t)at;
}

uint64_t task_descriptor(const void *base, uint32_t limit, uint64_t attributes)
{
	uint64_t at = task_address(base);

	return (limit & 0xffff) | (at & 0xffffff) << 16 |
	       (attributes & 0xff) << 40 | (limit >> 16 & 0xfUL) << 48 |
	       (attributes >> 8) << 52 | (at & 0xff000000) << 32;
}

uint8_t task_type(uint32_t selector)
{
	return task_descriptors[selector / 8] >> 40 & 0xff;
}

uint64_t task_gate_to(uint64_t selector)
{
	return selector << 16 | (TASK_GATE | 0x60) << 40;
}

static void set_task(uint32_t number, const char *code)
{
	static const uint16_t segments[] = { T_DATA, T_CODE, T_DATA,
					     T_DATA, 0,	     0 };
	uint32_t *state = task_states[number];

	memset(state, 0, sizeof(task_states[number]));
	state[1] =
		task_address(task_stacks[TASKS]) + sizeof(task_stacks[TASKS]);
	state[2] = T_DATA;
	state[CR3_WORD] = task_address(task_directories[number == OTHER]);
	state[RIP_WORD] = task_address(code);
	state[FLAGS_WORD] = 2;
	for (uint32_t i = 0; i < 8; i++)
		state[GPR_WORD + i] = 0xabcd0000 + i;
	state[GPR_WORD + 4] =
		task_address(task_stacks[number]) + sizeof(task_stacks[number]);
	for (uint32_t i = 0; i < 6; i++)
		state[SEG_WORD + i] = segments[i];
	state[TRAP_WORD] = 0x680000; /* no I/O permission map */
}

static void set_small_task(void)
{
	memset(task_small_state, 0, sizeof(task_small_state));
	task_small_state[8] = 2;
	for (uint32_t i = 0; i < 8; i++)
		task_small_state[9 + i] = (uint16_t)(0x1230 + i);
	task_small_state[9 + 4] = sizeof(task_stacks[TASKS]);
	task_small_state[17] = T_DATA;
	task_small_state[18] = T_CODE_16;
	task_small_state[19] = T_STACK_16;
	task_small_state[20] = T_DATA;
}

static void set_gdt(void)
{
	static const uint8_t selectors[TASKS] = { T_MAIN, T_OTHER, T_GATE,
						  T_USER };

	task_descriptors[T_CODE / 8] = task_descriptor(NULL, 0xfffff, 0xc9b);
	task_descriptors[T_DATA / 8] = task_descriptor(NULL, 0xfffff, 0xc93);
	for (uint32_t i = 0; i < TASKS; i++)
		task_descriptors[selectors[i] / 8] =
			task_descriptor(task_states[i], 0x67, TSS_32);
	task_descriptors[T_SMALL / 8] =
		task_descriptor(task_small_state, 0x2b, 0x81);
	task_descriptors[T_CALL / 8] = task_gate_to(T_OTHER);
	task_descriptors[T_USER_CODE / 8] =
		task_descriptor(NULL, 0xfffff, 0xcfa);
	task_descriptors[T_USER_DATA / 8] =
		task_descriptor(NULL, 0xfffff, 0xcf2);
	task_descriptors[T_CODE_16 / 8] =
		task_descriptor(task_small_code, 0xffff, 0x9a);
	task_descriptors[T_STACK_16 / 8] =
		task_descriptor(task_stacks[TASKS], 0xffff, 0x92);
	task_descriptors[T_TABLE / 8] = task_descriptor(task_table, 15, 0x82);
	task_gdt_pointer.limit = sizeof(task_descriptors) - 1;
	task_gdt_pointer.base = (uint64_t)task_descriptors;
}

static void set_idt(void)
{
	uint64_t at = task_address(task_leave_virtual);

	memset(task_gates, 0, sizeof(task_gates));
	task_gates[VECTOR_DF] = task_gate_to(T_GATE);
	task_gates[VECTOR_TS] = task_gate_to(T_GATE);
	task_gates[VECTOR_GP] = task_gate_to(T_GATE);
	task_gates[0x40] = task_gate_to(T_GATE);
	task_gates[0x41] = (at & 0xffff) | T_CODE << 16 | INT_GATE << 40 |
			   (at & 0xffff0000) << 32;
	task_gates[IPI] = task_gate_to(T_GATE);
	task_idt_pointer.limit = sizeof(task_gates) - 1;
	task_idt_pointer.base = (uint64_t)task_gates;
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
	*(volatile uint32_t *)(LARGE + task_address(&marker)) = 0xbad;
	task_window = (uint32_t)WINDOW + task_address(&marker);
}

void task_set_up(void)
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
	task_gate_seen[GATE_STACK] = task_states[GATE][GPR_WORD + 4];
	task_returns = 1;
	task_noted = task_fix_at = task_fix = task_eoi = 0;
}

void task_start(void (*function)(void))
{
	task_run(function);
	trap_init_cpu(0);
}
