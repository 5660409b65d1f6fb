/* Tasks in 32-bit protected mode with paging. SDM 3A chapter 8 "Task
 * Management". */
#include "tests/guest/task.h"

/* Both bits, behind each other: JMP frees the one that it leaves. */
void case_task_jump(void)
{
	task_set_up();
	task_returns = 0;
	write_dr0(0x1000);
	write_dr7(DR7_RESET | 0x309); /* L0, G1, LE, GE */
	for (uint32_t i = 1; i < 4; i++) {
		task_start(task_jump);
		CHECK_EQ(task_seen[SEEN_COUNT], i);
		CHECK_EQ(task_seen[SEEN_TR], T_OTHER);
		CHECK(!(task_seen[SEEN_FLAGS] & RFLAGS_NT));
		CHECK(task_seen[SEEN_CR0] & CR0_TS);
		CHECK_EQ(task_type(T_OTHER), TSS_32);
		CHECK_EQ(task_type(T_MAIN), TSS_32 | TSS_BUSY);
		CHECK_EQ(task_states[OTHER][0], 0);
		task_descriptors[T_MAIN / 8] &= ~(TSS_BUSY << 40);
	}
	CHECK_EQ(read_dr7() & 0xff, 8);
	write_dr7(DR7_RESET);
	CHECK_EQ(task_states[OTHER][GPR_WORD + 3], UINT32_MAX);
	CHECK_EQ(task_states[OTHER][SEG_WORD + 1], T_CODE);
}

void case_task_call(void)
{
	task_set_up();
	task_start(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_EAX], 0xabcd0000);
	CHECK_EQ(task_seen[SEEN_ECX], 0xabcd0001);
	CHECK_EQ(task_seen[SEEN_WINDOW], 0x600d);
	CHECK(task_seen[SEEN_FLAGS] & RFLAGS_NT);
	CHECK(!(task_seen[SEEN_FLAGS] & RFLAGS_DF));
	CHECK_EQ(task_states[OTHER][0], T_MAIN);
	CHECK_EQ(task_states[MAIN][RIP_WORD], task_address(task_behind_call));
	CHECK(task_states[MAIN][FLAGS_WORD] & RFLAGS_DF);
	CHECK_EQ(task_states[MAIN][GPR_WORD + 7], 0x66666666);
	CHECK_EQ(task_type(T_OTHER), TSS_32);
	CHECK_EQ(task_type(T_MAIN), TSS_32 | TSS_BUSY);
	CHECK(!(task_states[OTHER][FLAGS_WORD] & RFLAGS_NT));
	/* once more: it goes on behind its IRET */
	task_descriptors[T_MAIN / 8] &= ~(TSS_BUSY << 40);
	task_start(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_seen[SEEN_COUNT], 2);
	CHECK_EQ(task_seen[SEEN_ECX], 0xabcd0001);
}

/* By INT n, and from CPL 3 through a gate to a TSS of DPL 0. */
void case_task_gate(void)
{
	task_set_up();
	task_start(task_int);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK(task_gate_seen[GATE_FLAGS] & RFLAGS_NT);
	CHECK_EQ(task_gate_seen[GATE_ESP], task_gate_seen[GATE_STACK]);
	CHECK_EQ(task_states[MAIN][RIP_WORD], task_address(task_behind_int));
	CHECK_EQ(task_states[GATE][0], T_MAIN);
	task_set_up();
	task_start(task_call_gate);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_TR], T_OTHER);
	task_set_up();
	task_states[USER][SEG_WORD + 0] = T_USER_DATA;
	task_states[USER][SEG_WORD + 1] = T_USER_CODE;
	task_states[USER][SEG_WORD + 2] = T_USER_DATA;
	task_states[USER][SEG_WORD + 3] = T_USER_DATA;
	task_start(task_user);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_USER_CS], T_USER_CODE);
	CHECK_EQ(task_seen[SEEN_USER_SS], T_USER_DATA);
	CHECK_EQ(task_states[GATE][0], T_USER);
}

/* Faults: EIP is that of the instruction until the handler moves it. */
void case_task_fault(void)
{
	task_set_up();
	task_fix_at = task_address(&task_states[MAIN][RIP_WORD]);
	task_fix = task_address(task_behind_fault);
	task_start(task_protection);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_ERROR] & 0xffff, T_BEYOND);
	CHECK_EQ(task_gate_seen[GATE_OLD], task_address(task_fault));
	/* #UD without a gate, and #NP without one, is #DF */
	task_set_up();
	task_gates[VECTOR_UD] = (INT_GATE & 0x7f) << 40;
	task_fix_at = task_address(&task_states[MAIN][RIP_WORD]);
	task_fix = task_address(task_behind_double);
	task_start(task_double);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_ERROR] & 0xffff, 0);
	CHECK_EQ(task_gate_seen[GATE_OLD], task_address(task_double_fault));
}

/* The new task cannot have its DS: #TS there, and once DS is good it goes on.
 * NOT_TCG: there EIP is the old task's, and no segment is marked as accessed. */
void case_task_bad_segment(void)
{
	task_set_up();
	task_states[OTHER][SEG_WORD + 3] = T_BEYOND;
	task_states[OTHER][LDT_WORD] = T_TABLE;
	task_table[1] = task_descriptor(NULL, 0xfffff, 0xc92);
	task_fix_at = task_address(&task_states[OTHER][SEG_WORD + 3]);
	task_fix = 0xc;
	task_start(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_gate_seen[GATE_ERROR] & 0xffff, T_BEYOND);
	CHECK_EQ(task_gate_seen[GATE_OLD] & 0xffff, T_BEYOND);
	CHECK_EQ(task_states[GATE][0], T_OTHER);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK_EQ(task_seen[SEEN_ECX], 0xabcd0001);
	CHECK_EQ(task_table[1] >> 40 & 0xff, 0x93);
}

void case_task_interrupt(void)
{
	for (uint32_t i = 0; i < 3; i++) {
		task_set_up();
		task_eoi = 1;
		lapic_send(0, ICR_SELF | ICR_ASSERT | IPI);
		task_start(task_interrupt);
		CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
		CHECK(!(task_gate_seen[GATE_FLAGS] & RFLAGS_IF));
		CHECK(task_states[MAIN][FLAGS_WORD] & RFLAGS_IF);
		CHECK(!lapic_has(LAPIC_ISR, IPI));
		CHECK(!lapic_has(LAPIC_IRR, IPI));
	}
}

void case_task_ldt(void)
{
	task_set_up();
	task_table[1] = task_descriptor(NULL, 0xfffff, 0xc92);
	task_states[OTHER][LDT_WORD] = T_TABLE;
	task_states[OTHER][SEG_WORD + 3] = 0xc;
	task_start(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_seen[SEEN_LDTR], T_TABLE);
	CHECK_EQ(task_states[OTHER][SEG_WORD + 3], 0xc);
}

void case_task_16_bit(void)
{
	task_set_up();
	for (uint32_t i = 1; i < 3; i++) {
		task_start(task_small);
		CHECK_EQ(task_seen[SEEN_SMALL_COUNT], i);
		CHECK_EQ(task_seen[SEEN_SMALL_EAX] & 0xffff, 0x1230);
		CHECK_EQ(task_seen[SEEN_SMALL_SP], sizeof(task_stacks[TASKS]));
		CHECK(task_seen[SEEN_SMALL_FLAGS] & RFLAGS_NT);
		CHECK_EQ(task_small_state[0], T_MAIN);
		CHECK_EQ(task_type(T_SMALL), 0x81);
		task_descriptors[T_MAIN / 8] &= ~(TSS_BUSY << 40);
	}
	CHECK_EQ(task_small_state[9 + 1], 0x1231);
	CHECK_EQ(task_small_state[18], T_CODE_16);
}

/* A task in virtual-8086 mode; a task gate and an interrupt gate out of it. */
void case_task_virtual_8086(void)
{
	volatile uint16_t *noted = (volatile uint16_t *)(V86 + 0x100);

	task_set_up();
	memcpy((void *)V86, task_virtual,
	       (unsigned long)(task_virtual_end - task_virtual));
	task_states[OTHER][RIP_WORD] = 0;
	task_states[OTHER][FLAGS_WORD] = RFLAGS_VM | 3 << 12 | 2;
	task_states[OTHER][GPR_WORD + 4] = 0x800;
	for (uint32_t i = 0; i < 6; i++)
		task_states[OTHER][SEG_WORD + i] = V86 >> 4;
	task_start(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(noted[0], V86 >> 4);
	CHECK_EQ(noted[1], V86 >> 4);
	CHECK_EQ(noted[2], 0x800);
	CHECK_EQ(noted[3], V86 >> 4);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(task_states[GATE][0], T_OTHER);
	CHECK(task_seen[SEEN_VIRTUAL_FLAGS] & RFLAGS_VM);
}

/* NOT_TCG: CALL saves stale arithmetic flags there, the error code is 2 bytes, and
 * the T bit is nothing. */
void case_task_trap(void)
{
	task_set_up();
	task_fix_at = task_address(&task_states[MAIN][RIP_WORD]);
	task_fix = task_address(task_behind_fault);
	task_start(task_protection);
	CHECK_EQ(task_gate_seen[GATE_ERROR], T_BEYOND);
	CHECK_EQ(task_gate_seen[GATE_ESP], task_gate_seen[GATE_STACK] - 4);
	task_set_up();
	task_gates[VECTOR_DB] = task_gate_to(T_GATE);
	task_fix_at = task_address(&task_states[OTHER][TRAP_WORD]);
	task_fix = task_states[OTHER][TRAP_WORD];
	task_states[OTHER][TRAP_WORD] |= 1;
	write_dr6(DR6_RESET);
	task_start(task_call);
	CHECK_EQ(task_noted, 0xbad);
	CHECK_EQ(task_gate_seen[GATE_COUNT], 1);
	CHECK_EQ(read_dr6() & BIT(15), BIT(15));
	CHECK_EQ(task_states[GATE][0], T_OTHER);
	CHECK_EQ(task_seen[SEEN_COUNT], 1);
	CHECK(task_states[MAIN][FLAGS_WORD] & RFLAGS_CF);
	CHECK(!(task_seen[SEEN_FLAGS] & RFLAGS_CF));
}
