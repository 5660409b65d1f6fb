/* Debug exceptions. SDM 3B 17.2 "Debug Registers", 17.3 "Debug Exceptions". */
#include "tests/guest/guest.h"

#define STEPS_MAX 32
#define DR6_B0	  BIT(0)
#define DR6_B1	  BIT(1)
#define DR6_BD	  BIT(13)
#define DR7_GD	  BIT(13)

static uint64_t rips[STEPS_MAX], states[STEPS_MAX];
static volatile uint32_t step_count;

static void note_step(struct trap_frame *frame)
{
	if (step_count < STEPS_MAX) {
		rips[step_count] = frame->rip;
		states[step_count] = read_dr6();
	}
	step_count++;
	write_dr6(DR6_RESET);
}

static void start(void)
{
	step_count = 0;
	write_dr6(DR6_RESET);
	trap_set_handler(VECTOR_DB, note_step);
}

static void check_step(uint32_t number, const char *label, uint64_t rip)
{
	if (rips[number] != rip)
		print("step %u, behind %s", number, label);
	CHECK_EQ(rips[number], rip);
	CHECK_EQ(states[number] & (DR6_BS | 0xf), DR6_BS);
}

#define STEP_ON	 "pushfq; orl $0x100, (%%rsp); popfq\n"
#define STEP_OFF "pushfq; andl $~0x100, (%%rsp); popfq\n"

extern char step_nop[], step_mov[], step_end[];

void case_debug_step(void)
{
	start();
	asm volatile(STEP_ON "nop\n"
			     ".global step_nop, step_mov\n"
			     "step_nop: mov $1, %%eax\n"
			     "step_mov:\n" STEP_OFF
		     :
		     :
		     : "rax", "memory", "cc");
	check_step(0, "nop", (uint64_t)step_nop);
	check_step(1, "mov", (uint64_t)step_mov);
	CHECK_EQ(step_count, 5); /* PUSHF, AND and POPF are stepped, too */
}

extern char exit_cpuid[], exit_out[], exit_rdmsr[], exit_mmio[], exit_wrmsr[];

/* Over what the hypervisor executes for the guest. */
void case_debug_step_exits(void)
{
	start();
	asm volatile(STEP_ON "cpuid\n"
			     ".global exit_cpuid, exit_out, exit_rdmsr\n"
			     ".global exit_mmio, exit_wrmsr\n"
			     "exit_cpuid: out %%al, $0x80\n"
			     "exit_out: mov $0x10, %%ecx\n"
			     "rdmsr\n"
			     "exit_rdmsr: mov (%%rdi), %%edx\n"
			     "exit_mmio: mov $0xc0000081, %%ecx\n"
			     "wrmsr\n"
			     "exit_wrmsr:\n" STEP_OFF
		     :
		     : "a"(0), "c"(0), "D"(LAPIC_BASE + LAPIC_VERSION)
		     : "rbx", "rdx", "memory", "cc");
	check_step(0, "cpuid", (uint64_t)exit_cpuid);
	check_step(1, "out", (uint64_t)exit_out);
	check_step(3, "rdmsr", (uint64_t)exit_rdmsr);
	check_step(4, "mmio", (uint64_t)exit_mmio);
	check_step(6, "wrmsr", (uint64_t)exit_wrmsr);
	CHECK_EQ(step_count, 10);
}

static void go_on(struct trap_frame *frame)
{
	note_step(frame);
	frame->rflags |= RFLAGS_RF;
}

extern char execute_at[];

void case_debug_execute(void)
{
	start();
	trap_set_handler(VECTOR_DB, go_on);
	write_dr0((uint64_t)execute_at);
	write_dr7(DR7_RESET | BIT(0));
	asm volatile(".global execute_at\n"
		     "execute_at: mov $7, %%eax"
		     :
		     :
		     : "rax", "memory");
	CHECK_EQ(step_count, 1);
	CHECK_EQ(rips[0], execute_at); /* before it */
	CHECK_EQ(states[0] & 0xf, DR6_B0);
	write_dr7(DR7_RESET);
}

static volatile uint64_t watched;

void case_debug_data(void)
{
	start();
	write_dr1((uint64_t)&watched);
	/* DR1: local, 4 bytes, writes */
	write_dr7(DR7_RESET | BIT(2) | 1UL << 20 | 3UL << 22);
	(void)watched;
	CHECK_EQ(step_count, 0);
	watched = 1;
	CHECK_EQ(step_count, 1);
	CHECK_EQ(states[0] & 0xf, DR6_B1);
	write_dr7(DR7_RESET);
	watched = 2;
	CHECK_EQ(step_count, 1);
}

void case_debug_registers(void)
{
	trap_clear();
	asm volatile(TRY("mov %0, %%dr7") : : "r"(BIT(32)));
	CHECK_EQ(trap_taken().vector, VECTOR_GP);
	write_cr4(read_cr4() | CR4_DE);
	trap_clear();
	asm volatile(TRY("mov %%db4, %%rax") : : : "rax");
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
	write_cr4(read_cr4() & ~CR4_DE);
	trap_clear();
	asm volatile(TRY("mov %%db4, %%rax") : : : "rax");
	CHECK_EQ(trap_taken().vector, TRAP_NONE);
}

/* They are this CPU's while others use theirs. */
void case_debug_registers_kept(void)
{
	write_dr0(0x1111);
	write_dr1(0x2222);
	write_dr2(0x3333);
	write_dr3(0x4444);
	count_vector(0x40);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);
	lapic_write(LAPIC_LVT_TIMER, 0x40);
	for (int i = 0; i < 200; i++) {
		lapic_write(LAPIC_TIMER_COUNT, 100000);
		sti_hlt_cli();
		CHECK_EQ(read_dr0(), 0x1111);
		CHECK_EQ(read_dr1(), 0x2222);
		CHECK_EQ(read_dr2(), 0x3333);
		CHECK_EQ(read_dr3(), 0x4444);
	}
}

/* DR7.GD: touching a debug register is #DB, and the handler finds GD clear.
 * NOT_TCG: it has no GD. */
static void on_detect(struct trap_frame *frame)
{
	rips[0] = frame->rip;
	CHECK_EQ(read_dr7() & DR7_GD, 0);
	states[0] = read_dr6();
	step_count++;
}

extern char detect_at[];

void case_debug_detect(void)
{
	start();
	trap_set_handler(VECTOR_DB, on_detect);
	write_dr7(DR7_RESET | DR7_GD);
	asm volatile(".global detect_at\n"
		     "detect_at: mov %%dr0, %%rax"
		     :
		     :
		     : "rax", "memory");
	CHECK_EQ(step_count, 1);
	CHECK_EQ(rips[0], detect_at);
	CHECK_EQ(states[0] & DR6_BD, DR6_BD);
}
