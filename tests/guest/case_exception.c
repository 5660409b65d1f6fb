/* Exceptions: vector, error code, where. SDM 3A 6.15 "Exception and Interrupt
 * Reference". #TS needs a task switch, which 64-bit kernels do not make. */
#include "tests/guest/guest.h"

#define EXPECT(text, expected)                                        \
	do {                                                          \
		trap_clear();                                         \
		asm volatile(TRY(text) : : : "rax", "rdx", "memory"); \
		CHECK_EQ(trap_taken().vector, (expected));            \
	} while (0)

#define HOLE	 0x700000000UL /* no page table entry */
#define LARGE	 (2UL << 20)
#define AT(n)	 ((volatile uint8_t *)((n)*LARGE))
#define PF_WRITE BIT(1)
#define PF_USER	 BIT(2)
#define PF_FETCH BIT(4)

void case_exception_de(void)
{
	EXPECT("xor %%edx, %%edx; xor %%eax, %%eax; div %%edx", VECTOR_DE);
	EXPECT("xor %%edx, %%edx; mov $0x80, %%ax; mov $-1, %%dl; idiv %%dl",
	       TRAP_NONE);
}

/* A trap: RIP is behind it. */
void case_exception_bp(void)
{
	uint64_t behind;

	trap_clear();
	asm volatile("lea 2f(%%rip), %0\n" TRY("int3") : "=r"(behind));
	CHECK_EQ(trap_taken().vector, VECTOR_BP);
	CHECK_EQ(trap_taken().rip, behind);
}

/* NOT_TCG: #UD there. */
void case_exception_int1(void)
{
	uint64_t behind;

	write_dr6(DR6_RESET);
	trap_clear();
	asm volatile("lea 2f(%%rip), %0\n" TRY(".byte 0xf1") : "=r"(behind));
	CHECK_EQ(trap_taken().vector, VECTOR_DB);
	CHECK_EQ(trap_taken().rip, behind);
	CHECK(!(read_dr6() & DR6_BS));
}

/* Only outside of 64-bit code: in compatibility mode. */
#define IN_32BIT(text)                  \
	"push $0x18\n"                  \
	"lea 3f(%%rip), %%rax\n"        \
	"push %%rax\n"                  \
	"lretq\n"                       \
	".code32\n"                     \
	"3:\n" text "ljmp $0x08, $4f\n" \
	".code64\n"                     \
	"4:\n"

void case_exception_into_bound(void)
{
	static const int32_t bounds[2] = { 1, 5 };

	trap_clear();
	asm volatile(IN_32BIT("mov $0x7f, %%al\n"
			      "add $1, %%al\n" TRY("into"))
		     :
		     :
		     : "rax", "memory", "cc");
	CHECK_EQ(trap_taken().vector, VECTOR_OF);
	trap_clear();
	asm volatile(IN_32BIT("mov $6, %%eax\n" TRY("bound %%eax, (%%edx)"))
		     :
		     : "d"(bounds)
		     : "rax", "memory", "cc");
	CHECK_EQ(trap_taken().vector, 5); /* #BR */
	trap_clear();
	asm volatile(IN_32BIT("mov $5, %%eax\n" TRY("bound %%eax, (%%edx)"))
		     :
		     : "d"(bounds)
		     : "rax", "memory", "cc");
	CHECK_EQ(trap_taken().vector, TRAP_NONE);
}

/* A fault: RIP is at it. */
void case_exception_ud(void)
{
	uint64_t at;

	trap_clear();
	asm volatile("lea 1f(%%rip), %0\n" TRY("ud2") : "=r"(at));
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
	CHECK_EQ(trap_taken().rip, at);
	EXPECT(".byte 0x0f, 0xff, 0xc0", VECTOR_UD);
	EXPECT(".byte 0xf0, 0x90", VECTOR_UD);	     /* LOCK NOP */
	EXPECT(".byte 0x0f, 0x01, 0xc0", VECTOR_UD); /* beside VMCALL */
	EXPECT(".byte 0x06", VECTOR_UD);	     /* PUSH ES */
}

void case_exception_nm(void)
{
	write_cr0(read_cr0() | CR0_TS);
	EXPECT("fninit", 7);
	EXPECT("movaps %%xmm0, %%xmm0", 7);
	asm volatile("clts");
	EXPECT("fninit", TRAP_NONE);
	write_cr0(read_cr0() | CR0_EM);
	EXPECT("fninit", 7);
	EXPECT("movaps %%xmm0, %%xmm0", VECTOR_UD);
	write_cr0(read_cr0() & ~CR0_EM);
}

void case_exception_np_ss(void)
{
	EXPECT("mov $0x40, %%eax; mov %%eax, %%ds", 11);
	CHECK_EQ(trap_taken().error, SELECTOR_NOT_PRESENT);
	EXPECT("mov $0x40, %%eax; mov %%eax, %%ss", 12);
	CHECK_EQ(trap_taken().error, SELECTOR_NOT_PRESENT);
}

void case_exception_gp(void)
{
	EXPECT("mov $0x8000000000000000, %%rax; mov (%%rax), %%al", VECTOR_GP);
	CHECK_EQ(trap_taken().error, 0);
	EXPECT("mov $0xfff8, %%eax; mov %%eax, %%ds", VECTOR_GP);
	CHECK_EQ(trap_taken().error, 0xfff8);
	EXPECT("mov $0x08, %%eax; mov %%eax, %%ss", VECTOR_GP); /* code */
	CHECK_EQ(trap_taken().error, 8);
	EXPECT("mov %%ss, %%eax; mov $0, %%edx; mov %%edx, %%es", TRAP_NONE);
}

void case_exception_pf(void)
{
	EXPECT("mov $0x700000123, %%rax; mov (%%rax), %%al", VECTOR_PF);
	CHECK_EQ(trap_taken().error, 0);
	CHECK_EQ(trap_taken().cr2, HOLE + 0x123);
	EXPECT("mov $0x700000456, %%rax; mov %%al, (%%rax)", VECTOR_PF);
	CHECK_EQ(trap_taken().error, PF_WRITE);
	CHECK_EQ(trap_taken().cr2, HOLE + 0x456);
	page_directories[2] &= ~BIT(1); /* read-only */
	invlpg(AT(2));
	trap_clear();
	asm volatile(TRY("movb $1, (%0)") : : "r"(AT(2)) : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, 1 | PF_WRITE);
	CHECK_EQ(trap_taken().cr2, AT(2));
	page_directories[2] |= BIT(63) | BIT(1); /* not executable */
	invlpg(AT(2));
	trap_set_handler(VECTOR_PF, NULL);
	trap_clear();
	/* the fault is at the target: the fix-up stands there too */
	asm volatile("lea 3f(%%rip), %%rdx\n"
		     "jmp 4f\n"
		     ".pushsection .fixups, \"a\"; .quad %c1, 3f; .popsection\n"
		     "4: jmp *%0\n"
		     "3:\n"
		     :
		     : "r"(AT(2)), "i"(2UL << 21)
		     : "rdx", "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, 1 | PF_FETCH);
}

static void touch_in_user(void *argument)
{
	trap_clear();
	asm volatile(TRY("movb $1, (%0)") : : "r"(argument) : "memory");
}

void case_exception_pf_user(void)
{
	page_directories[2] &= ~BIT(2); /* supervisor's */
	invlpg(AT(2));
	user_run(touch_in_user, (void *)AT(2));
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, 1 | PF_WRITE | PF_USER);
	CHECK_EQ(trap_taken().cr2, AT(2));
}

void case_exception_mf(void)
{
	uint16_t control = 0x37f & ~BIT(2); /* divide by zero */

	asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp" : : "m"(control));
	EXPECT("fwait", 16);
	asm volatile("fnclex; fninit");
}

static void unaligned_in_user(void *argument)
{
	(void)argument;
	trap_clear();
	write_flags(read_flags() | RFLAGS_AC);
	asm volatile(TRY("mov 1(%%rsp), %%eax") : : : "rax", "memory");
	write_flags(read_flags() & ~RFLAGS_AC);
}

/* NOT_TCG: it checks no alignment. */
void case_exception_ac(void)
{
	write_cr0(read_cr0() | CR0_AM);
	user_run(unaligned_in_user, NULL);
	CHECK_EQ(trap_taken().vector, 17);
	CHECK_EQ(trap_taken().error, 0);
}

/* NOT_TCG: it raises none. */
void case_exception_xm(void)
{
	uint32_t mxcsr = 0x1f80 & ~BIT(9), normal = 0x1f80;
	float one = 1, zero = 0;

	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	trap_clear();
	asm volatile("movss %0, %%xmm0\n" TRY("divss %1, %%xmm0")
		     :
		     : "m"(one), "m"(zero));
	CHECK_EQ(trap_taken().vector, 19);
	asm volatile("ldmxcsr %0" : : "m"(normal));
	write_cr4(read_cr4() & ~CR4_OSXMMEXCPT);
	asm volatile("ldmxcsr %0" : : "m"(mxcsr));
	trap_clear();
	asm volatile("movss %0, %%xmm0\n" TRY("divss %1, %%xmm0")
		     :
		     : "m"(one), "m"(zero));
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
}

static void int_in_user(void *argument)
{
	int *results = argument;

	trap_clear();
	asm volatile(TRY("int $0x41"));
	results[0] = trap_taken().vector;
	trap_clear();
	asm volatile(TRY("int3"));
	results[1] = trap_taken().vector;
}

static volatile uint32_t soft_count;

static void count_soft(struct trap_frame *frame)
{
	(void)frame;
	soft_count++;
}

void case_exception_int_n(void)
{
	int results[2];

	trap_set_handler(0x41, count_soft);
	for (uint32_t i = 0; i < 1000; i++)
		asm volatile("int $0x41" : : : "memory");
	CHECK_EQ(soft_count, 1000);
	user_run(int_in_user, results);
	CHECK_EQ(results[0], VECTOR_GP); /* the gate's DPL is 0 */
	CHECK_EQ(results[1], VECTOR_BP);
}

void case_exception_gate(void)
{
	trap_set_gate(0x42, false, 0);
	EXPECT("int $0x42", 11);
}

/* NOT_TCG: it counts entries in sixteens. */
void case_exception_gate_error(void)
{
	trap_set_gate(0x42, false, 0);
	EXPECT("int $0x42", 11);
	CHECK_EQ(trap_taken().error, 0x42 * 8 + 2);
}

void case_exception_many(void)
{
	for (int i = 0; i < 5000; i++) {
		EXPECT("ud2", VECTOR_UD);
		EXPECT("mov $0x700000123, %%rax; mov (%%rax), %%al", VECTOR_PF);
	}
}

static void on_double_fault(struct trap_frame *frame)
{
	CHECK_EQ(frame->error, 0);
	case_pass();
}

/* #NP while #PF is delivered. */
void case_double_fault(void)
{
	trap_set_handler(VECTOR_DF, on_double_fault);
	trap_set_gate(VECTOR_PF, false, 0);
	EXPECT("mov $0x700000123, %%rax; mov (%%rax), %%al", TRAP_NONE);
}

/* The stack is not mapped: #PF while #PF is delivered; #DF has its own. */
void case_double_fault_pages(void)
{
	trap_set_handler(VECTOR_DF, on_double_fault);
	asm volatile("mov %0, %%rsp; push %%rax" : : "r"(HOLE) : "memory");
	__builtin_unreachable();
}

/* The VM starts again, and so does the case: not at once, for the others' sake. */
void case_triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = { 0, 0 };

	delay_us(1000000);
	asm volatile("lidt %0; int3" : : "m"(nothing));
	CHECK(false);
}
