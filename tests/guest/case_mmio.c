/* The instruction emulator: what an instruction does to device memory (64 KiB of
 * the test device, which behave like RAM) is what the CPU does to RAM. */
#include "tests/guest/guest.h"

#define DEVICE 0xff000000UL
#define SIZE   64
#define ARITHMETIC \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* RDI: the operand. RSI: RAM. What the instruction leaves in them is compared
 * too, as differences. */
struct registers {
	uint64_t a, b, c, d, flags;
	uint64_t moved_di, moved_si;
};

struct operation {
	const char *name;
	void (*run)(uint64_t at, struct registers *registers, uint8_t *ram);
	uint64_t flags; /* those that are defined */
};

/* One table row each: X(name, text, flags). */
#define OPERATIONS(X)                                                        \
	X(mov8_out, "movb %%al, 3(%%rdi)", 0)                                \
	X(mov16_out, "movw %%ax, 3(%%rdi)", 0)                               \
	X(mov32_out, "movl %%eax, 4(%%rdi)", 0)                              \
	X(mov64_out, "movq %%rax, 8(%%rdi)", 0)                              \
	X(mov8h_out, "movb %%ah, 5(%%rdi)", 0)                               \
	X(mov8_in, "movb 3(%%rdi), %%bl", 0)                                 \
	X(mov8h_in, "movb 3(%%rdi), %%bh", 0)                                \
	X(mov16_in, "movw 3(%%rdi), %%bx", 0)                                \
	X(mov32_in, "movl 4(%%rdi), %%ebx", 0)                               \
	X(mov64_in, "movq 8(%%rdi), %%rbx", 0)                               \
	X(mov8_imm, "movb $0x5a, (%%rdi)", 0)                                \
	X(mov16_imm, "movw $0x1234, (%%rdi)", 0)                             \
	X(mov32_imm, "movl $0x12345678, (%%rdi)", 0)                         \
	X(mov64_imm, "movq $-2, (%%rdi)", 0)                                 \
	X(mov_index, "movl %%eax, 1(%%rdi, %%rcx, 4)", 0)                    \
	X(movzx8, "movzbl 2(%%rdi), %%ebx", 0)                               \
	X(movzx8_64, "movzbq 2(%%rdi), %%rbx", 0)                            \
	X(movzx16, "movzwl 2(%%rdi), %%ebx", 0)                              \
	X(movsx8, "movsbq 7(%%rdi), %%rbx", 0)                               \
	X(movsx16, "movswq 6(%%rdi), %%rbx", 0)                              \
	X(movsxd, "movslq 4(%%rdi), %%rbx", 0)                               \
	X(add_out, "addl %%eax, 4(%%rdi)", ARITHMETIC)                       \
	X(add_in, "addq (%%rdi), %%rbx", ARITHMETIC)                         \
	X(adc, "stc; adcb %%al, 1(%%rdi)", ARITHMETIC)                       \
	X(sbb, "stc; sbbw %%ax, 2(%%rdi)", ARITHMETIC)                       \
	X(sub, "subq %%rax, (%%rdi)", ARITHMETIC)                            \
	X(sub_imm, "subl $77, (%%rdi)", ARITHMETIC)                          \
	X(and_out, "andl %%eax, (%%rdi)", ARITHMETIC & ~RFLAGS_AF)           \
	X(or_imm, "orb $0x81, 3(%%rdi)", ARITHMETIC & ~RFLAGS_AF)            \
	X(or_imm8, "orl $-16, 4(%%rdi)", ARITHMETIC & ~RFLAGS_AF)            \
	X(xor_out, "xorq %%rax, 8(%%rdi)", ARITHMETIC & ~RFLAGS_AF)          \
	X(cmp, "cmpl %%eax, 4(%%rdi)", ARITHMETIC)                           \
	X(cmp_imm, "cmpb $5, 4(%%rdi)", ARITHMETIC)                          \
	X(test, "testl %%eax, 4(%%rdi)", ARITHMETIC & ~RFLAGS_AF)            \
	X(test_imm, "testb $0x40, 4(%%rdi)", ARITHMETIC & ~RFLAGS_AF)        \
	X(inc, "incl (%%rdi)", ARITHMETIC)                                   \
	X(dec, "decb 7(%%rdi)", ARITHMETIC)                                  \
	X(neg, "negq (%%rdi)", ARITHMETIC)                                   \
	X(not, "notw (%%rdi)", ARITHMETIC)                                   \
	X(xchg, "xchgl %%eax, 4(%%rdi)", 0)                                  \
	X(xchg8, "xchgb %%bl, 5(%%rdi)", 0)                                  \
	X(xadd, "lock xaddq %%rax, (%%rdi)", ARITHMETIC)                     \
	X(cmpxchg_no, "lock cmpxchgl %%ebx, (%%rdi)", ARITHMETIC)            \
	X(cmpxchg_yes, "movl (%%rdi), %%eax; lock cmpxchgl %%ebx, (%%rdi)",  \
	  ARITHMETIC)                                                        \
	X(cmpxchg8b, "lock cmpxchg8b (%%rdi)", RFLAGS_ZF)                    \
	X(lock_add, "lock addl $3, 12(%%rdi)", ARITHMETIC)                   \
	X(bt, "btl $5, (%%rdi)", RFLAGS_CF)                                  \
	X(bts, "lock btsl $9, (%%rdi)", RFLAGS_CF)                           \
	X(btr, "btrq $33, (%%rdi)", RFLAGS_CF)                               \
	X(btc, "btcl %%ecx, 4(%%rdi)", RFLAGS_CF)                            \
	X(bts_far, "movl $100, %%ecx; btsl %%ecx, (%%rdi)", RFLAGS_CF)       \
	X(shl, "shll $3, (%%rdi)", RFLAGS_CF | RFLAGS_ZF | RFLAGS_SF)        \
	X(push, "pushq (%%rdi); popq %%rbx", 0)                              \
	X(pop, "pushq %%rax; popq (%%rdi)", 0)                               \
	X(setcc, "cmpl %%eax, %%eax; sete 2(%%rdi)", 0)                      \
	X(cmov, "cmpl %%eax, %%eax; cmovel 4(%%rdi), %%ebx", 0)              \
	X(movsb_out, "xchg %%rsi, %%rdi; xchg %%rsi, %%rdi; movsb", 0)       \
	X(rep_movsb_out, "movl $13, %%ecx; rep movsb", 0)                    \
	X(rep_movsd_out, "movl $5, %%ecx; rep movsl", 0)                     \
	X(rep_movsq_in,                                                      \
	  "xchg %%rsi, %%rdi; movl $3, %%ecx; rep movsq; "                   \
	  "xchg %%rsi, %%rdi",                                               \
	  0)                                                                 \
	X(rep_stosb, "movl $11, %%ecx; rep stosb", 0)                        \
	X(rep_stosq, "movl $4, %%ecx; rep stosq", 0)                         \
	X(std_stosw, "std; addq $20, %%rdi; movl $4, %%ecx; rep stosw; cld", \
	  0)                                                                 \
	X(lods, "xchg %%rsi, %%rdi; lodsl; xchg %%rsi, %%rdi", 0)            \
	X(scas, "movl $9, %%ecx; repne scasb", ARITHMETIC)                   \
	X(cmps, "movl $9, %%ecx; repe cmpsb", ARITHMETIC)                    \
	X(movdqu_out, "movdqu (%%rsi), %%xmm1; movdqu %%xmm1, 3(%%rdi)", 0)  \
	X(movaps, "movaps 16(%%rdi), %%xmm1; movaps %%xmm1, (%%rdi)", 0)     \
	X(movq_xmm, "movq 8(%%rdi), %%xmm2; movq %%xmm2, 24(%%rdi)", 0)      \
	X(movd_xmm, "movd %%eax, %%xmm2; movd %%xmm2, 4(%%rdi)", 0)          \
	X(movnti, "movnti %%eax, 4(%%rdi)", 0)

#define FUNCTION(name, text, mask)                                             \
	static void op_##name(uint64_t at, struct registers *r, uint8_t *ram)  \
	{                                                                      \
		uint64_t di = at, si = (uint64_t)ram;                          \
                                                                               \
		asm volatile("pushq %4; popfq; " text "; pushfq; popq %4"      \
			     : "+a"(r->a), "+b"(r->b), "+c"(r->c), "+d"(r->d), \
			       "+r"(r->flags), "+D"(di), "+S"(si)              \
			     :                                                 \
			     : "memory", "cc");                                \
		r->moved_di = di - at;                                         \
		r->moved_si = si - (uint64_t)ram;                              \
	}
OPERATIONS(FUNCTION)

static const struct operation operations[] = {
#define ROW(name, text, mask) { #name, op_##name, mask },
	OPERATIONS(ROW)
#undef ROW
};

static uint8_t twin[SIZE] __attribute__((aligned(64)));
static uint8_t ram[2][SIZE] __attribute__((aligned(64)));

static void fill(uint8_t *to, uint32_t seed)
{
	for (uint32_t i = 0; i < SIZE; i++) {
		seed = seed * 1103515245 + 12345;
		to[i] = (uint8_t)(seed >> 16);
	}
}

static void check(const struct operation *operation, uint64_t device,
		  uint32_t seed)
{
	struct registers start = {
		0x8765432187654321 + seed, 0x1122334455667788, 3, 0x99, 2, 0, 0
	};
	struct registers here = start, there = start;

	fill(twin, seed);
	fill(ram[0], seed + 1);
	fill(ram[1], seed + 1);
	memcpy((void *)device, twin, SIZE);
	operation->run((uint64_t)twin, &here, ram[0]);
	operation->run(device, &there, ram[1]);
	here.flags &= operation->flags;
	there.flags &= operation->flags;
	if (memcmp(&here, &there, sizeof(here)) ||
	    memcmp(twin, (void *)device, SIZE) ||
	    memcmp(ram[0], ram[1], SIZE)) {
		print("%s: a %lx %lx b %lx %lx c %lx %lx flags %lx %lx",
		      operation->name, here.a, there.a, here.b, there.b, here.c,
		      there.c, here.flags, there.flags);
		CHECK(false);
	}
}

static void check_all(uint64_t device)
{
	for (uint32_t i = 0; i < sizeof(operations) / sizeof(operations[0]);
	     i++) {
		for (uint32_t seed = 1; seed < 9; seed++)
			check(&operations[i], device, seed);
	}
}

void case_mmio_operations(void)
{
	check_all(DEVICE + 64);
}

/* The bytes stand in two pages. */
void case_mmio_crossing(void)
{
	uint64_t value = 0x1122334455667788, got;

	for (uint64_t at = DEVICE + 4096 - 7; at < DEVICE + 4096; at++) {
		*(volatile uint64_t *)at = value;
		got = *(volatile uint64_t *)at;
		CHECK_EQ(got, value);
		*(volatile uint32_t *)at = 0xaabbccdd;
		CHECK_EQ(*(volatile uint32_t *)at, 0xaabbccdd);
		value += 0x0101010101010101;
	}
}

/* The page behind is not mapped: #PF there, and nothing written before. */
void case_mmio_crossing_fault(void)
{
	static uint64_t table[512] __attribute__((aligned(4096)));
	uint64_t window = 5UL << 30, at = window + 4092;

	table[0] = DEVICE | 7;
	page_directories[5 * 512] = (uint64_t)table | 7;
	invlpg((void *)window);
	*(volatile uint32_t *)at = 0x600d600d;
	trap_clear();
	asm volatile(TRY("movq %1, (%0)") : : "r"(at), "r"(0UL) : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, BIT(1));
	CHECK_EQ(trap_taken().cr2, window + 4096);
	CHECK_EQ(*(volatile uint32_t *)at, 0x600d600d);
}

/* One operand in the device, the other at an address without a page. */
void case_mmio_string_fault(void)
{
	uint64_t si = 0x700000000, di = DEVICE, c = 4;

	trap_clear();
	asm volatile(TRY("rep movsb")
		     : "+S"(si), "+D"(di), "+c"(c)
		     :
		     : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().cr2, 0x700000000);
	CHECK_EQ(c, 4);
	CHECK_EQ(di, DEVICE);
}

/* More than the device has: the rest goes where nobody is, or to the end. */
void case_mmio_long_copy(void)
{
	static uint8_t buffer[16384];

	for (uint32_t i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)(i * 7);
	memcpy((void *)(DEVICE + 100), buffer, sizeof(buffer));
	for (uint32_t i = 0; i < sizeof(buffer); i += 37)
		CHECK_EQ(mmio8(DEVICE + 100 + i), (uint8_t)(i * 7));
	memset(buffer, 0, sizeof(buffer));
	memcpy(buffer, (void *)(DEVICE + 100), sizeof(buffer));
	for (uint32_t i = 0; i < sizeof(buffer); i++)
		CHECK_EQ(buffer[i], (uint8_t)(i * 7));
}

/* Relative to RIP, with FS, and with 32-bit addresses. */
void case_mmio_addressing(void)
{
	uint32_t value = 0;

	mmio_put32(DEVICE + 0x40, 0x12345678);
	wrmsr(MSR_FS_BASE, DEVICE);
	asm volatile("movl %%fs:0x40, %0" : "=r"(value));
	CHECK_EQ(value, 0x12345678);
	asm volatile("movl (%k1), %0"
		     : "=r"(value)
		     : "r"(DEVICE + 0x40 + BIT(35)));
	CHECK_EQ(value, 0x12345678);
}

/* ---- ports: 0xe0 to 0xe3 and 0xe8 are one latch ---- */

void case_port_latch(void)
{
	out32(0xe0, 0x12345678);
	CHECK_EQ(in32(0xe0), 0x12345678);
	CHECK_EQ(in8(0xe0), 0x78);
	CHECK_EQ(in8(0xe3), 0x12);
	CHECK_EQ(in16(0xe2), 0x1234);
	out8(0xe1, 0xff);
	CHECK_EQ(in32(0xe0), 0x1234ff78);
	out16(0xe2, 0xabcd);
	CHECK_EQ(in32(0xe8), 0xabcdff78);
	CHECK_EQ(in8(0xe9), 0xff);
}

void case_port_registers(void)
{
	uint64_t a = ~0UL;

	out32(0xe0, 0);
	asm volatile("inb $0xe0, %%al" : "+a"(a));
	CHECK_EQ(a, 0xffffffffffffff00);
	a = ~0UL;
	asm volatile("inw $0xe0, %%ax" : "+a"(a));
	CHECK_EQ(a, 0xffffffffffff0000);
	a = ~0UL;
	asm volatile("inl $0xe0, %%eax" : "+a"(a));
	CHECK_EQ(a, 0); /* the upper half is cleared */
	a = ~0UL;
	asm volatile("inl %%dx, %%eax" : "+a"(a) : "d"(0xabcd00e0));
	CHECK_EQ(a, 0);
}

void case_port_nobody(void)
{
	CHECK_EQ(in8(0xd00), 0xff);
	CHECK_EQ(in16(0xd00), 0xffff);
	CHECK_EQ(in32(0xd00), 0xffffffff);
	out32(0xd00, 0);
}

void case_port_string(void)
{
	static const uint32_t words[4] = { 1, 2, 3, 0x44332211 };
	static const uint8_t bytes[5] = { 9, 8, 7, 6, 5 };
	uint32_t got[4] = { 0 };
	uint64_t si = (uint64_t)words, di = (uint64_t)got, c = 4;

	asm volatile("rep outsl" : "+S"(si), "+c"(c) : "d"(0xe0) : "memory");
	CHECK_EQ(c, 0);
	CHECK_EQ(si - (uint64_t)words, 16);
	CHECK_EQ(in32(0xe0), 0x44332211);
	c = 4;
	asm volatile("rep insl" : "+D"(di), "+c"(c) : "d"(0xe0) : "memory");
	CHECK_EQ(di - (uint64_t)got, 16);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(got[i], 0x44332211);
	si = (uint64_t)bytes + 4;
	c = 5;
	asm volatile("std; rep outsb; cld"
		     : "+S"(si), "+c"(c)
		     : "d"(0xe2)
		     : "memory");
	CHECK_EQ(si, (uint64_t)bytes - 1);
	CHECK_EQ(in8(0xe2), 9);
	di = (uint64_t)got;
	asm volatile("insw" : "+D"(di) : "d"(0xe0) : "memory");
	CHECK_EQ(di - (uint64_t)got, 2);
	CHECK_EQ(got[0] & 0xffff, 0x2211);
	c = 0;
	si = 0x700000000;
	asm volatile("rep outsb" : "+S"(si), "+c"(c) : "d"(0xe0) : "memory");
	CHECK_EQ(si, 0x700000000);
}

void case_port_string_fault(void)
{
	uint64_t di = 0x700000000, c = 3;

	trap_clear();
	asm volatile(TRY("rep insb")
		     : "+D"(di), "+c"(c)
		     : "d"(0xe0)
		     : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, BIT(1));
	CHECK_EQ(c, 3);
	CHECK_EQ(di, 0x700000000);
}

/* To and from device memory. */
void case_port_string_device(void)
{
	uint64_t si = DEVICE, di = DEVICE + 4;

	mmio_put32(DEVICE, 0xcafe1234);
	asm volatile("outsl" : "+S"(si) : "d"(0xe0) : "memory");
	CHECK_EQ(in32(0xe0), 0xcafe1234);
	asm volatile("insl" : "+D"(di) : "d"(0xe0) : "memory");
	CHECK_EQ(mmio32(DEVICE + 4), 0xcafe1234);
}
