/* Instructions that exit, or that guests do not have. */
#include "tests/guest/guest.h"

#define EXPECT(text, expected)                                                 \
	do {                                                                   \
		trap_clear();                                                  \
		asm volatile(TRY(text) : : "a"(0), "c"(0), "d"(0) : "memory"); \
		CHECK_EQ(trap_taken().vector, expected);                       \
	} while (0)

void case_insn_wbinvd(void)
{
	EXPECT("wbinvd", TRAP_NONE);
	EXPECT("invd", TRAP_NONE);
}

/* NOT_TCG, see case_cpuid_prefixes. */
void case_insn_prefixes(void)
{
	EXPECT(".byte 0x66, 0x0f, 0x09", TRAP_NONE); /* WBINVD */
	EXPECT(".byte 0x48, 0x0f, 0x08", TRAP_NONE); /* INVD */
}

void case_insn_pause(void)
{
	for (int i = 0; i < 20000; i++)
		pause();
}

void case_insn_rdpmc(void)
{
	EXPECT("rdpmc", VECTOR_GP);
}

void case_insn_monitor(void)
{
	EXPECT("monitor", VECTOR_UD);
	EXPECT("mwait", VECTOR_UD);
}

void case_insn_svm(void)
{
	EXPECT("vmrun", VECTOR_UD);
	EXPECT("vmload", VECTOR_UD);
	EXPECT("vmsave", VECTOR_UD);
	EXPECT("stgi", VECTOR_UD);
	EXPECT("clgi", VECTOR_UD);
	EXPECT("skinit", VECTOR_UD);
	EXPECT("invlpga", VECTOR_UD);
}

void case_insn_vmx(void)
{
	EXPECT("vmxoff", VECTOR_UD);
	EXPECT("vmlaunch", VECTOR_UD);
	EXPECT("vmread %%rax, %%rcx", VECTOR_UD);
}

static void try_in_user(void *argument)
{
	int *vectors = argument;

	trap_clear();
	asm volatile(TRY("wbinvd"));
	vectors[0] = trap_taken().vector;
	trap_clear();
	asm volatile(TRY("invlpg (%%rsp)") : : : "memory");
	vectors[1] = trap_taken().vector;
	trap_clear();
	asm volatile(TRY("in $0xe0, %%al") : : : "rax");
	vectors[2] = trap_taken().vector;
	trap_clear();
	asm volatile(TRY("cli"));
	vectors[3] = trap_taken().vector;
}

void case_insn_user(void)
{
	int vectors[4];

	user_run(try_in_user, vectors);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(vectors[i], VECTOR_GP);
}

void case_insn_tsd(void)
{
	write_cr4(read_cr4() | CR4_TSD);
	EXPECT("rdtsc", TRAP_NONE); /* CPL 0 */
}

/* No single instruction gets lost or is done twice: INC between exits. */
void case_insn_exact(void)
{
	uint64_t count = 0;

	for (int i = 0; i < 1000; i++)
		asm volatile("inc %0\n"
			     "xor %%eax, %%eax\n"
			     "cpuid\n"
			     "inc %0\n"
			     "mov $0x10, %%ecx\n"
			     "rdmsr\n"
			     "inc %0\n"
			     "out %%al, $0x80\n"
			     "inc %0\n"
			     : "+r"(count)
			     :
			     : "rax", "rbx", "rcx", "rdx", "cc");
	CHECK_EQ(count, 4000);
}
