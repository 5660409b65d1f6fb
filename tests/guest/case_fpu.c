/* FPU, SSE and AVX registers belong to their CPU, whoever else runs. */
#include "tests/guest/guest.h"

struct registers {
	uint8_t ymm[16][32];
} __attribute__((aligned(64)));

static struct registers wanted[CPUS_MAX], found[CPUS_MAX];
static uint8_t area[4096] __attribute__((aligned(64)));

/* clang-format off */
#define EACH(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) \
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
/* clang-format on */
#define LOAD_YMM(n)  "vmovdqa 32*" #n "(%0), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqa %%ymm" #n ", 32*" #n "(%0)\n"
#define LOAD_XMM(n)  "movdqa 32*" #n "(%0), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqa %%xmm" #n ", 32*" #n "(%0)\n"

static bool has_avx(void)
{
	return (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) &&
	       (cpuid(1, 0).ecx & BIT(28));
}

static void enable_avx(void)
{
	write_cr4(read_cr4() | CR4_OSXSAVE);
	asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
}

static void keep_sse(void *argument)
{
	struct registers *mine = &wanted[cpu_number()];
	struct registers *now = &found[cpu_number()];
	uint64_t value = 0x1234567 * (cpu_number() + 1UL), read;
	uint32_t mxcsr = 0x1f80 | cpu_number() << 13, mxcsr_now;

	(void)argument;
	memset(mine, (int)(0x11 * (cpu_number() + 1)), sizeof(*mine));
	memset(now, (int)(0x11 * (cpu_number() + 1)), sizeof(*now));
	for (int i = 0; i < 300; i++) {
		asm volatile(EACH(LOAD_XMM) : : "r"(mine) : "memory");
		asm volatile("fninit; fildll %0; ldmxcsr %1"
			     :
			     : "m"(value), "m"(mxcsr));
		delay_us(300);
		asm volatile(EACH(STORE_XMM) : : "r"(now) : "memory");
		asm volatile("fistpll %0; stmxcsr %1"
			     : "=m"(read), "=m"(mxcsr_now));
		CHECK(!memcmp(mine, now, sizeof(*mine)));
		CHECK_EQ(read, value);
		CHECK_EQ(mxcsr_now, mxcsr);
	}
}

static void keep_avx(void *argument)
{
	struct registers *mine = &wanted[cpu_number()];
	struct registers *now = &found[cpu_number()];

	(void)argument;
	enable_avx();
	for (uint32_t i = 0; i < sizeof(*mine); i++)
		((uint8_t *)mine)[i] = (uint8_t)(i * 3 + cpu_number() * 77);
	for (int i = 0; i < 300; i++) {
		asm volatile(EACH(LOAD_YMM) : : "r"(mine) : "memory");
		delay_us(300);
		asm volatile(EACH(STORE_YMM) : : "r"(now) : "memory");
		CHECK(!memcmp(mine, now, sizeof(*mine)));
	}
}

static void on_all(void (*function)(void *argument))
{
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, function, NULL);
	function(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
}

void case_fpu_sse_kept(void)
{
	on_all(keep_sse);
}

void case_fpu_avx_kept(void)
{
	if (has_avx())
		on_all(keep_avx);
}

void case_fpu_xsave(void)
{
	if (!has_avx())
		return;
	enable_avx();
	memset(&wanted[0], 0x3c, sizeof(wanted[0]));
	memset(&wanted[1], 0xc3, sizeof(wanted[1]));
	asm volatile(EACH(LOAD_YMM) : : "r"(&wanted[0]) : "memory");
	asm volatile("xsave %0" : "+m"(area) : "a"(7), "d"(0) : "memory");
	asm volatile(EACH(LOAD_YMM) : : "r"(&wanted[1]) : "memory");
	asm volatile("xrstor %0" : : "m"(area), "a"(7), "d"(0) : "memory");
	asm volatile(EACH(STORE_YMM) : : "r"(&found[0]) : "memory");
	CHECK(!memcmp(&wanted[0], &found[0], sizeof(found[0])));
	/* a bit of XSTATE_BV that XCR0 does not have: #GP */
	area[512] |= 7;
	area[519] |= 0x40;
	trap_clear();
	asm volatile(TRY("xrstor %0") : : "m"(area), "a"(7), "d"(0) : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_GP);
}

void case_fpu_fxsave(void)
{
	memset(&wanted[0], 0x77, sizeof(wanted[0]));
	memset(&wanted[1], 0, sizeof(wanted[1]));
	memset(&found[0], 0x77, sizeof(found[0]));
	asm volatile(EACH(LOAD_XMM) : : "r"(&wanted[0]) : "memory");
	asm volatile("fxsave64 %0" : "+m"(area) : : "memory");
	asm volatile(EACH(LOAD_XMM) : : "r"(&wanted[1]) : "memory");
	asm volatile("fxrstor64 %0" : : "m"(area) : "memory");
	asm volatile(EACH(STORE_XMM) : : "r"(&found[0]) : "memory");
	CHECK(!memcmp(&wanted[0], &found[0], sizeof(found[0])));
}
