/*
 * One guest instruction, taken apart: prefixes, operation, operands, length.
 * Nothing is fetched, checked or executed here. [pure]
 * SDM 2 chapter 2 "Instruction Format", appendix A "Opcode Map".
 */
#ifndef KERNEL_INSN_H
#define KERNEL_INSN_H

#include "kernel/vmexit.h"

/* The order of the first eight, of the shifts and of the bit tests is that of
 * bits 5:3 of their opcode or ModRM byte. */
enum insn_op {
	INSN_NONE,    /* no such row: not known */
	INSN_INVALID, /* #UD */
	INSN_OTHER,   /* known in length, not executed here */
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_ROL,
	INSN_ROR,
	INSN_RCL,
	INSN_RCR,
	INSN_SHL,
	INSN_SHR,
	INSN_SAL,
	INSN_SAR,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_TEST,
	INSN_NOT,
	INSN_NEG,
	INSN_INC,
	INSN_DEC,
	INSN_SHLD,
	INSN_SHRD,
	INSN_XADD,
	INSN_XCHG,
	INSN_CMPXCHG,
	INSN_CMPXCHG_PAIR, /* CMPXCHG8B, CMPXCHG16B */
	INSN_MOV,
	INSN_MOVZX,
	INSN_MOVSX,
	INSN_MOVBE,
	INSN_CMOV,
	INSN_SET,
	INSN_BSF,
	INSN_BSR,
	INSN_IMUL,     /* two or three operands */
	INSN_MUL_WIDE, /* into rDX:rAX */
	INSN_IMUL_WIDE,
	INSN_DIV,
	INSN_IDIV,
	INSN_PUSH,
	INSN_POP,
	INSN_CALL,
	INSN_JMP,
	INSN_MOVS,
	INSN_CMPS,
	INSN_STOS,
	INSN_LODS,
	INSN_SCAS,
	INSN_INS,
	INSN_OUTS,
	INSN_XMM_MOV,
	INSN_XMM_MOV_ALIGNED,
	INSN_NOP,
	INSN_MOV_CR,
};

enum insn_kind {
	INSN_KIND_NONE,
	INSN_KIND_GPR,
	INSN_KIND_MEMORY,
	INSN_KIND_IMMEDIATE,
	INSN_KIND_XMM,
	INSN_KIND_SEGMENT,
	INSN_KIND_CONTROL,
	INSN_KIND_DEBUG,
};

#define INSN_GPR_HIGH BIT(4) /* AH, CH, DH, BH: of the GPR in the low bits */
#define INSN_NO_GPR   0xff

struct insn_operand {
	uint8_t kind; /* enum insn_kind */
	uint8_t number;
	uint8_t size; /* bytes */
};

/* segment:[base + index << scale + displacement], cut to the address size. */
struct insn_address {
	uint8_t segment; /* enum segment_name */
	uint8_t base;	 /* GPR, or INSN_NO_GPR */
	uint8_t index;	 /* likewise */
	uint8_t scale;	 /* a shift */
	bool is_rip_relative;
	uint64_t displacement;
};

#define INSN_REPEAT_NOT_EQUAL 1 /* F2 */
#define INSN_REPEAT	      2 /* F3 */

struct insn {
	uint8_t op; /* enum insn_op */
	uint8_t length;
	uint8_t opcode; /* last byte of it: the condition of CMOV, SET */
	uint8_t operand_size;
	uint8_t address_size; /* 2, 4, 8 */
	uint8_t repeat;	      /* 0 or INSN_REPEAT* */
	bool is_locked;
	bool is_plain_move; /* MOV between memory, not in FS or GS, and a
			       general register or an immediate */
	struct insn_operand dst, src;
	bool has_immediate; /* as a third operand, or as src */
	struct insn_address address;
	uint64_t immediate; /* sign- or zero-extended as the CPU does */
};

enum insn_result {
	INSN_OK,
	INSN_SHORT,    /* goes on behind the bytes given */
	INSN_TOO_LONG, /* over 15 bytes: #GP */
	INSN_BAD,      /* #UD */
	INSN_UNKNOWN,
};

/*
 * Take apart the instruction that begins at @bytes, of which @count (at most
 * INSN_BYTES_MAX) can be read. @code_size: 2, 4 or 8, of the code segment.
 */
enum insn_result insn_decode(struct insn *insn, const uint8_t *bytes,
			     uint8_t count, uint8_t code_size);

#endif
