/* Instructions that test_emulate_native.c compares with the CPU's. */
#ifndef EMULATE_ROWS_H
#define EMULATE_ROWS_H

#include "kernel/emulate_context.h"

#define NO_AF  RFLAGS_AF
#define NO_OF  RFLAGS_OF
#define ONLY_C (RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF) /* BT */
#define NO_MUL (RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF)
#define ONLY_Z (RFLAGS_ARITHMETIC & ~RFLAGS_ZF)

/* Properties of rows. */
#define V	 BIT(0) /* 2, 4 or 8 bytes; else one size */
#define Z	 BIT(1) /* immediate of 2 or 4 bytes */
#define B	 BIT(2) /* immediate of 1 byte */
#define NO_REG	 BIT(3) /* memory only */
#define LOCK	 BIT(4) /* may be locked */
#define COUNT	 BIT(5) /* a shift: flags depend on the count */
#define BITS_	 BIT(6) /* a bit offset in the register */
#define STRING	 BIT(7) /* no ModRM */
#define STACK	 BIT(8) /* 8 or 2 bytes by rSP */
#define DIVIDE	 BIT(9)
#define EQUAL	 BIT(10) /* compares memory with rAX, rDX:rAX */
#define JUMP	 BIT(11)
#define W	 BIT(12) /* 4 or 8 bytes: REX.W */
#define MOFFS	 BIT(13)
#define NO_MODRM BIT(14)
#define MOVBE	 BIT(15)
#define FULL	 BIT(16) /* immediate of the operand's size */

#define ANY 8 /* for bits 5:3 of ModRM: any register */

struct row {
	const char *name;
	uint8_t prefix; /* mandatory, or 0 */
	uint8_t opcode[4];
	uint8_t opcode_size;
	uint8_t reg;
	uint32_t flags;
	uint64_t undefined;
};

#define ALU(name, base, number, undefined, lock)                                  \
	{ name " rm8, r8", 0, { base }, 1, ANY, lock, undefined },                \
		{ name " rm, r", 0, { base + 1 }, 1, ANY, V | lock, undefined },  \
		{ name " r8, rm8", 0, { base + 2 }, 1, ANY, 0, undefined },       \
		{ name " r, rm", 0, { base + 3 }, 1, ANY, V, undefined },         \
		{ name " rm8, i8", 0, { 0x80 }, 1, number, B | lock, undefined }, \
		{ name " rm, iz", 0,	    { 0x81 }, 1, number,                  \
		  V | Z | lock,	  undefined },                                    \
	{                                                                         \
		name " rm, i8", 0, { 0x83 }, 1, number, V | B | lock,             \
			undefined                                                 \
	}

#define SHIFT(name, number, undefined)                                         \
	{ name " rm8, i8", 0, { 0xc0 }, 1, number, B | COUNT, undefined },     \
		{ name " rm, i8", 0,	    { 0xc1 }, 1, number,               \
		  V | B | COUNT,  undefined },                                 \
		{ name " rm8, 1", 0, { 0xd0 }, 1, number, 0, undefined },      \
		{ name " rm, 1", 0, { 0xd1 }, 1, number, V, undefined },       \
		{ name " rm8, cl", 0, { 0xd2 }, 1, number, COUNT, undefined }, \
	{                                                                      \
		name " rm, cl", 0, { 0xd3 }, 1, number, V | COUNT, undefined   \
	}

static const struct row rows[] = {
	ALU("add", 0x00, 0, 0, LOCK),
	ALU("or", 0x08, 1, NO_AF, LOCK),
	ALU("adc", 0x10, 2, 0, LOCK),
	ALU("sbb", 0x18, 3, 0, LOCK),
	ALU("and", 0x20, 4, NO_AF, LOCK),
	ALU("sub", 0x28, 5, 0, LOCK),
	ALU("xor", 0x30, 6, NO_AF, LOCK),
	ALU("cmp", 0x38, 7, 0, 0),
	SHIFT("rol", 0, 0),
	SHIFT("ror", 1, 0),
	SHIFT("rcl", 2, 0),
	SHIFT("rcr", 3, 0),
	SHIFT("shl", 4, NO_AF),
	SHIFT("shr", 5, NO_AF),
	SHIFT("sal", 6, NO_AF),
	SHIFT("sar", 7, NO_AF),
	{ "test rm8, r8", 0, { 0x84 }, 1, ANY, 0, NO_AF },
	{ "test rm, r", 0, { 0x85 }, 1, ANY, V, NO_AF },
	{ "test rm8, i8", 0, { 0xf6 }, 1, 0, B, NO_AF },
	{ "test rm, iz", 0, { 0xf7 }, 1, 1, V | Z, NO_AF },
	{ "test al, i8", 0, { 0xa8 }, 1, 0, NO_MODRM | B, NO_AF },
	{ "test a, iz", 0, { 0xa9 }, 1, 0, NO_MODRM | V | Z, NO_AF },
	{ "xchg rm8, r8", 0, { 0x86 }, 1, ANY, LOCK, 0 },
	{ "xchg rm, r", 0, { 0x87 }, 1, ANY, V | LOCK, 0 },
	{ "xchg r, a", 0, { 0x93 }, 1, 0, NO_MODRM | V, 0 },
	{ "mov rm8, r8", 0, { 0x88 }, 1, ANY, 0, 0 },
	{ "mov rm, r", 0, { 0x89 }, 1, ANY, V, 0 },
	{ "mov r8, rm8", 0, { 0x8a }, 1, ANY, 0, 0 },
	{ "mov r, rm", 0, { 0x8b }, 1, ANY, V, 0 },
	{ "mov rm8, i8", 0, { 0xc6 }, 1, 0, B, 0 },
	{ "mov rm, iz", 0, { 0xc7 }, 1, 0, V | Z, 0 },
	{ "mov r8, i8", 0, { 0xb4 }, 1, 0, NO_MODRM | B, 0 },
	{ "mov r, i", 0, { 0xbd }, 1, 0, NO_MODRM | V | FULL, 0 },
	{ "mov al, moffs", 0, { 0xa0 }, 1, 0, MOFFS, 0 },
	{ "mov a, moffs", 0, { 0xa1 }, 1, 0, MOFFS | V, 0 },
	{ "mov moffs, al", 0, { 0xa2 }, 1, 0, MOFFS, 0 },
	{ "mov moffs, a", 0, { 0xa3 }, 1, 0, MOFFS | V, 0 },
	{ "movzx r, rm8", 0, { 0x0f, 0xb6 }, 2, ANY, V, 0 },
	{ "movzx r, rm16", 0, { 0x0f, 0xb7 }, 2, ANY, V, 0 },
	{ "movsx r, rm8", 0, { 0x0f, 0xbe }, 2, ANY, V, 0 },
	{ "movsx r, rm16", 0, { 0x0f, 0xbf }, 2, ANY, V, 0 },
	{ "movsxd r, rm32", 0, { 0x63 }, 1, ANY, V, 0 },
	{ "movbe r, m",
	  0,
	  { 0x0f, 0x38, 0xf0 },
	  3,
	  ANY,
	  V | NO_REG | MOVBE,
	  0 },
	{ "movbe m, r",
	  0,
	  { 0x0f, 0x38, 0xf1 },
	  3,
	  ANY,
	  V | NO_REG | MOVBE,
	  0 },
	{ "movnti m, r", 0, { 0x0f, 0xc3 }, 2, ANY, W | NO_REG, 0 },
	{ "not rm8", 0, { 0xf6 }, 1, 2, LOCK, 0 },
	{ "not rm", 0, { 0xf7 }, 1, 2, V | LOCK, 0 },
	{ "neg rm8", 0, { 0xf6 }, 1, 3, LOCK, 0 },
	{ "neg rm", 0, { 0xf7 }, 1, 3, V | LOCK, 0 },
	{ "inc rm8", 0, { 0xfe }, 1, 0, LOCK, 0 },
	{ "inc rm", 0, { 0xff }, 1, 0, V | LOCK, 0 },
	{ "dec rm8", 0, { 0xfe }, 1, 1, LOCK, 0 },
	{ "dec rm", 0, { 0xff }, 1, 1, V | LOCK, 0 },
	{ "mul rm8", 0, { 0xf6 }, 1, 4, 0, NO_MUL },
	{ "mul rm", 0, { 0xf7 }, 1, 4, V, NO_MUL },
	{ "imul rm8", 0, { 0xf6 }, 1, 5, 0, NO_MUL },
	{ "imul rm", 0, { 0xf7 }, 1, 5, V, NO_MUL },
	{ "imul r, rm", 0, { 0x0f, 0xaf }, 2, ANY, V, NO_MUL },
	{ "imul r, rm, iz", 0, { 0x69 }, 1, ANY, V | Z, NO_MUL },
	{ "imul r, rm, i8", 0, { 0x6b }, 1, ANY, V | B, NO_MUL },
	{ "div rm8", 0, { 0xf6 }, 1, 6, DIVIDE, RFLAGS_ARITHMETIC },
	{ "div rm", 0, { 0xf7 }, 1, 6, V | DIVIDE, RFLAGS_ARITHMETIC },
	{ "idiv rm8", 0, { 0xf6 }, 1, 7, DIVIDE, RFLAGS_ARITHMETIC },
	{ "idiv rm", 0, { 0xf7 }, 1, 7, V | DIVIDE, RFLAGS_ARITHMETIC },
	{ "shld rm, r, i8", 0, { 0x0f, 0xa4 }, 2, ANY, V | B | COUNT, NO_AF },
	{ "shld rm, r, cl", 0, { 0x0f, 0xa5 }, 2, ANY, V | COUNT, NO_AF },
	{ "shrd rm, r, i8", 0, { 0x0f, 0xac }, 2, ANY, V | B | COUNT, NO_AF },
	{ "shrd rm, r, cl", 0, { 0x0f, 0xad }, 2, ANY, V | COUNT, NO_AF },
	{ "bt rm, r", 0, { 0x0f, 0xa3 }, 2, GPR_RAX, V | BITS_, ONLY_C },
	{ "bts rm, r",
	  0,
	  { 0x0f, 0xab },
	  2,
	  GPR_RAX,
	  V | BITS_ | LOCK,
	  ONLY_C },
	{ "btr rm, r",
	  0,
	  { 0x0f, 0xb3 },
	  2,
	  GPR_RAX,
	  V | BITS_ | LOCK,
	  ONLY_C },
	{ "btc rm, r",
	  0,
	  { 0x0f, 0xbb },
	  2,
	  GPR_RAX,
	  V | BITS_ | LOCK,
	  ONLY_C },
	{ "bt rm, i8", 0, { 0x0f, 0xba }, 2, 4, V | B, ONLY_C },
	{ "bts rm, i8", 0, { 0x0f, 0xba }, 2, 5, V | B | LOCK, ONLY_C },
	{ "btr rm, i8", 0, { 0x0f, 0xba }, 2, 6, V | B | LOCK, ONLY_C },
	{ "btc rm, i8", 0, { 0x0f, 0xba }, 2, 7, V | B | LOCK, ONLY_C },
	{ "bsf r, rm", 0, { 0x0f, 0xbc }, 2, ANY, V, ONLY_Z },
	{ "bsr r, rm", 0, { 0x0f, 0xbd }, 2, ANY, V, ONLY_Z },
	{ "xadd rm8, r8", 0, { 0x0f, 0xc0 }, 2, ANY, LOCK, 0 },
	{ "xadd rm, r", 0, { 0x0f, 0xc1 }, 2, ANY, V | LOCK, 0 },
	/* registers: CPUs differ in the upper half of the destination */
	{ "cmpxchg m8, r8",
	  0,
	  { 0x0f, 0xb0 },
	  2,
	  ANY,
	  LOCK | EQUAL | NO_REG,
	  0 },
	{ "cmpxchg m, r",
	  0,
	  { 0x0f, 0xb1 },
	  2,
	  ANY,
	  V | LOCK | EQUAL | NO_REG,
	  0 },
	{ "cmpxchg8b m",
	  0,
	  { 0x0f, 0xc7 },
	  2,
	  1,
	  W | LOCK | NO_REG | EQUAL,
	  0 },
	{ "cmovo r, rm", 0, { 0x0f, 0x40 }, 2, ANY, V, 0 },
	{ "cmovnc r, rm", 0, { 0x0f, 0x43 }, 2, ANY, V, 0 },
	{ "cmovz r, rm", 0, { 0x0f, 0x44 }, 2, ANY, V, 0 },
	{ "cmovna r, rm", 0, { 0x0f, 0x46 }, 2, ANY, V, 0 },
	{ "cmovns r, rm", 0, { 0x0f, 0x49 }, 2, ANY, V, 0 },
	{ "cmovp r, rm", 0, { 0x0f, 0x4a }, 2, ANY, V, 0 },
	{ "cmovl r, rm", 0, { 0x0f, 0x4c }, 2, ANY, V, 0 },
	{ "cmovg r, rm", 0, { 0x0f, 0x4f }, 2, ANY, V, 0 },
	{ "setno rm", 0, { 0x0f, 0x91 }, 2, ANY, 0, 0 },
	{ "setc rm", 0, { 0x0f, 0x92 }, 2, ANY, 0, 0 },
	{ "setnz rm", 0, { 0x0f, 0x95 }, 2, ANY, 0, 0 },
	{ "seta rm", 0, { 0x0f, 0x97 }, 2, ANY, 0, 0 },
	{ "sets rm", 0, { 0x0f, 0x98 }, 2, ANY, 0, 0 },
	{ "setnp rm", 0, { 0x0f, 0x9b }, 2, ANY, 0, 0 },
	{ "setge rm", 0, { 0x0f, 0x9d }, 2, ANY, 0, 0 },
	{ "setle rm", 0, { 0x0f, 0x9e }, 2, ANY, 0, 0 },
	{ "push rm", 0, { 0xff }, 1, 6, STACK, 0 },
	{ "pop rm", 0, { 0x8f }, 1, 0, STACK, 0 },
	{ "push r", 0, { 0x56 }, 1, 0, STACK | NO_MODRM, 0 },
	{ "pop r", 0, { 0x5b }, 1, 0, STACK | NO_MODRM, 0 },
	{ "push iz", 0, { 0x68 }, 1, 0, STACK | NO_MODRM | Z, 0 },
	{ "push i8", 0, { 0x6a }, 1, 0, STACK | NO_MODRM | B, 0 },
	{ "call rm", 0, { 0xff }, 1, 2, JUMP | NO_REG, 0 },
	{ "jmp rm", 0, { 0xff }, 1, 4, JUMP | NO_REG, 0 },
	{ "movsb", 0, { 0xa4 }, 1, 0, STRING, 0 },
	{ "movs", 0, { 0xa5 }, 1, 0, STRING | V, 0 },
	{ "cmpsb", 0, { 0xa6 }, 1, 0, STRING, 0 },
	{ "cmps", 0, { 0xa7 }, 1, 0, STRING | V, 0 },
	{ "stosb", 0, { 0xaa }, 1, 0, STRING, 0 },
	{ "stos", 0, { 0xab }, 1, 0, STRING | V, 0 },
	{ "lodsb", 0, { 0xac }, 1, 0, STRING, 0 },
	{ "lods", 0, { 0xad }, 1, 0, STRING | V, 0 },
	{ "scasb", 0, { 0xae }, 1, 0, STRING, 0 },
	{ "scas", 0, { 0xaf }, 1, 0, STRING | V, 0 },
	{ "movups x, xm", 0, { 0x0f, 0x10 }, 2, ANY, 0, 0 },
	{ "movups xm, x", 0, { 0x0f, 0x11 }, 2, ANY, 0, 0 },
	{ "movupd x, xm", 0x66, { 0x0f, 0x10 }, 2, ANY, 0, 0 },
	{ "movss x, m", 0xf3, { 0x0f, 0x10 }, 2, ANY, NO_REG, 0 },
	{ "movss m, x", 0xf3, { 0x0f, 0x11 }, 2, ANY, NO_REG, 0 },
	{ "movsd x, m", 0xf2, { 0x0f, 0x10 }, 2, ANY, NO_REG, 0 },
	{ "movsd m, x", 0xf2, { 0x0f, 0x11 }, 2, ANY, NO_REG, 0 },
	{ "movaps x, xm", 0, { 0x0f, 0x28 }, 2, ANY, 0, 0 },
	{ "movaps xm, x", 0, { 0x0f, 0x29 }, 2, ANY, 0, 0 },
	{ "movapd xm, x", 0x66, { 0x0f, 0x29 }, 2, ANY, 0, 0 },
	{ "movntps m, x", 0, { 0x0f, 0x2b }, 2, ANY, NO_REG, 0 },
	{ "movd x, rm", 0x66, { 0x0f, 0x6e }, 2, ANY, W, 0 },
	{ "movd rm, x", 0x66, { 0x0f, 0x7e }, 2, ANY, W, 0 },
	{ "movq x, xm", 0xf3, { 0x0f, 0x7e }, 2, ANY, 0, 0 },
	{ "movq xm, x", 0x66, { 0x0f, 0xd6 }, 2, ANY, 0, 0 },
	{ "movdqa x, xm", 0x66, { 0x0f, 0x6f }, 2, ANY, 0, 0 },
	{ "movdqa xm, x", 0x66, { 0x0f, 0x7f }, 2, ANY, 0, 0 },
	{ "movdqu x, xm", 0xf3, { 0x0f, 0x6f }, 2, ANY, 0, 0 },
	{ "movdqu xm, x", 0xf3, { 0x0f, 0x7f }, 2, ANY, 0, 0 },
	{ "movntdq m, x", 0x66, { 0x0f, 0xe7 }, 2, ANY, NO_REG, 0 },
	{ "movntdqa x, m", 0x66, { 0x0f, 0x38, 0x2a }, 3, ANY, NO_REG, 0 },
	{ "nop rm", 0, { 0x0f, 0x1f }, 2, 0, V, 0 },
	{ "prefetcht0 m", 0, { 0x0f, 0x18 }, 2, 1, NO_REG, 0 },
	{ "prefetchw m", 0, { 0x0f, 0x0d }, 2, 1, NO_REG, 0 },
	{ "clflush m", 0, { 0x0f, 0xae }, 2, 7, NO_REG, 0 },
};

#endif
