/* One-byte opcodes, and the groups that ModRM bits 5:3 select from. */
#include "kernel/insn_table.h"

/* clang-format off */

#define RM  PLACE_RM
#define REG PLACE_REG
#define IMM PLACE_IMMEDIATE
#define M   ROW_MODRM

/* The six forms of ADD … CMP; @lock: ROW_LOCK or 0. */
#define ARITHMETIC(base, op, lock)                                        \
	[(base) + 0] = { op, RM, REG, 1, .flags = M | (lock) },           \
	[(base) + 1] = { op, RM, REG, SIZE_V, .flags = M | (lock) },      \
	[(base) + 2] = { op, REG, RM, 1, .flags = M },                    \
	[(base) + 3] = { op, REG, RM, SIZE_V, .flags = M },               \
	[(base) + 4] = { op, PLACE_A, IMM, 1, 0, IMMEDIATE_Z, 0 },        \
	[(base) + 5] = { op, PLACE_A, IMM, SIZE_V, 0, IMMEDIATE_Z, 0 }

const struct insn_row insn_map_1[256] = {
	ARITHMETIC(0x00, INSN_ADD, ROW_LOCK),
	ARITHMETIC(0x08, INSN_OR, ROW_LOCK),
	ARITHMETIC(0x10, INSN_ADC, ROW_LOCK),
	ARITHMETIC(0x18, INSN_SBB, ROW_LOCK),
	ARITHMETIC(0x20, INSN_AND, ROW_LOCK),
	ARITHMETIC(0x28, INSN_SUB, ROW_LOCK),
	ARITHMETIC(0x30, INSN_XOR, ROW_LOCK),
	ARITHMETIC(0x38, INSN_CMP, 0),

	/* PUSH and POP of segment registers, decimal arithmetic */
	[0x06] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x07] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x0e] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x16] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x17] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x1e] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x1f] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x27] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x2f] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x37] = { INSN_OTHER, .flags = ROW_NOT_64 },
	[0x3f] = { INSN_OTHER, .flags = ROW_NOT_64 },

	[0x40 ... 0x47] = { INSN_INC, PLACE_OPCODE, 0, SIZE_V,
			    .flags = ROW_NOT_64 },
	[0x48 ... 0x4f] = { INSN_DEC, PLACE_OPCODE, 0, SIZE_V,
			    .flags = ROW_NOT_64 },
	[0x50 ... 0x57] = { INSN_PUSH, 0, PLACE_OPCODE, SIZE_STACK, .flags = 0 },
	[0x58 ... 0x5f] = { INSN_POP, PLACE_OPCODE, 0, SIZE_STACK, .flags = 0 },
	[0x60] = { INSN_OTHER, .flags = ROW_NOT_64 }, /* PUSHA */
	[0x61] = { INSN_OTHER, .flags = ROW_NOT_64 }, /* POPA */
	[0x63] = { INSN_MOVSX, REG, RM, SIZE_V, 4, .flags = M | ROW_ONLY_64 },
	[0x68] = { INSN_PUSH, 0, IMM, SIZE_STACK, 0, IMMEDIATE_Z, 0 },
	[0x69] = { INSN_IMUL, REG, RM, SIZE_V, 0, IMMEDIATE_Z, M },
	[0x6a] = { INSN_PUSH, 0, IMM, SIZE_STACK, 0, IMMEDIATE_8S, 0 },
	[0x6b] = { INSN_IMUL, REG, RM, SIZE_V, 0, IMMEDIATE_8S, M },
	[0x6c] = { INSN_INS, 0, 0, 1, .flags = 0 },
	[0x6d] = { INSN_INS, 0, 0, SIZE_Z, .flags = 0 },
	[0x6e] = { INSN_OUTS, 0, 0, 1, .flags = 0 },
	[0x6f] = { INSN_OUTS, 0, 0, SIZE_Z, .flags = 0 },
	[0x70 ... 0x7f] = { INSN_OTHER, .immediate = IMMEDIATE_8S },

	[0x80] = { GROUP_1, RM, IMM, 1, 0, IMMEDIATE_Z, M | ROW_GROUP },
	[0x81] = { GROUP_1, RM, IMM, SIZE_V, 0, IMMEDIATE_Z, M | ROW_GROUP },
	[0x82] = { GROUP_1, RM, IMM, 1, 0, IMMEDIATE_Z,
		   M | ROW_GROUP | ROW_NOT_64 },
	[0x83] = { GROUP_1, RM, IMM, SIZE_V, 0, IMMEDIATE_8S, M | ROW_GROUP },
	[0x84] = { INSN_TEST, RM, REG, 1, .flags = M },
	[0x85] = { INSN_TEST, RM, REG, SIZE_V, .flags = M },
	[0x86] = { INSN_XCHG, RM, REG, 1, .flags = M | ROW_LOCK },
	[0x87] = { INSN_XCHG, RM, REG, SIZE_V, .flags = M | ROW_LOCK },
	[0x88] = { INSN_MOV, RM, REG, 1, .flags = M },
	[0x89] = { INSN_MOV, RM, REG, SIZE_V, .flags = M },
	[0x8a] = { INSN_MOV, REG, RM, 1, .flags = M },
	[0x8b] = { INSN_MOV, REG, RM, SIZE_V, .flags = M },
	[0x8c] = { INSN_MOV, RM, PLACE_SEGMENT, SIZE_V, 2, .flags = M },
	[0x8d] = { INSN_OTHER, .flags = M | ROW_MEMORY }, /* LEA */
	[0x8e] = { INSN_OTHER, PLACE_SEGMENT, RM, 2, .flags = M },
	[0x8f] = { GROUP_POP, RM, 0, SIZE_STACK, .flags = M | ROW_GROUP },

	[0x90] = { INSN_NOP, .flags = 0 },
	[0x91 ... 0x97] = { INSN_XCHG, PLACE_OPCODE, PLACE_A, SIZE_V, .flags = 0 },
	[0x98] = { INSN_OTHER, .flags = 0 }, /* CBW */
	[0x99] = { INSN_OTHER, .flags = 0 }, /* CWD */
	[0x9a] = { INSN_OTHER, .immediate = IMMEDIATE_FAR,
		   .flags = ROW_NOT_64 },
	[0x9b] = { INSN_OTHER, .flags = 0 }, /* WAIT */
	[0x9c] = { INSN_OTHER, .flags = 0 }, /* PUSHF */
	[0x9d] = { INSN_OTHER, .flags = 0 }, /* POPF */
	[0x9e] = { INSN_OTHER, .flags = 0 }, /* SAHF */
	[0x9f] = { INSN_OTHER, .flags = 0 }, /* LAHF */
	[0xa0] = { INSN_MOV, PLACE_A, PLACE_OFFSET, 1, 0, IMMEDIATE_ADDRESS,
		   0 },
	[0xa1] = { INSN_MOV, PLACE_A, PLACE_OFFSET, SIZE_V, 0,
		   IMMEDIATE_ADDRESS, 0 },
	[0xa2] = { INSN_MOV, PLACE_OFFSET, PLACE_A, 1, 0, IMMEDIATE_ADDRESS,
		   0 },
	[0xa3] = { INSN_MOV, PLACE_OFFSET, PLACE_A, SIZE_V, 0,
		   IMMEDIATE_ADDRESS, 0 },
	[0xa4] = { INSN_MOVS, 0, 0, 1, .flags = 0 },
	[0xa5] = { INSN_MOVS, 0, 0, SIZE_V, .flags = 0 },
	[0xa6] = { INSN_CMPS, 0, 0, 1, .flags = 0 },
	[0xa7] = { INSN_CMPS, 0, 0, SIZE_V, .flags = 0 },
	[0xa8] = { INSN_TEST, PLACE_A, IMM, 1, 0, IMMEDIATE_Z, 0 },
	[0xa9] = { INSN_TEST, PLACE_A, IMM, SIZE_V, 0, IMMEDIATE_Z, 0 },
	[0xaa] = { INSN_STOS, 0, 0, 1, .flags = 0 },
	[0xab] = { INSN_STOS, 0, 0, SIZE_V, .flags = 0 },
	[0xac] = { INSN_LODS, 0, 0, 1, .flags = 0 },
	[0xad] = { INSN_LODS, 0, 0, SIZE_V, .flags = 0 },
	[0xae] = { INSN_SCAS, 0, 0, 1, .flags = 0 },
	[0xaf] = { INSN_SCAS, 0, 0, SIZE_V, .flags = 0 },
	[0xb0 ... 0xb7] = { INSN_MOV, PLACE_OPCODE, IMM, 1, 0, IMMEDIATE_Z, 0 },
	[0xb8 ... 0xbf] = { INSN_MOV, PLACE_OPCODE, IMM, SIZE_V, 0,
			    IMMEDIATE_V, 0 },

	[0xc0] = { GROUP_SHIFT, RM, IMM, 1, 1, IMMEDIATE_8, M | ROW_GROUP },
	[0xc1] = { GROUP_SHIFT, RM, IMM, SIZE_V, 1, IMMEDIATE_8,
		   M | ROW_GROUP },
	[0xc2] = { INSN_OTHER, .immediate = IMMEDIATE_16 }, /* RET */
	[0xc3] = { INSN_OTHER, .flags = 0 },
	[0xc6] = { GROUP_MOV, RM, IMM, 1, 0, IMMEDIATE_Z, M | ROW_GROUP },
	[0xc7] = { GROUP_MOV, RM, IMM, SIZE_V, 0, IMMEDIATE_Z, M | ROW_GROUP },
	[0xc8] = { INSN_OTHER, .immediate = IMMEDIATE_16_8 }, /* ENTER */
	[0xc9] = { INSN_OTHER, .flags = 0 }, /* LEAVE */
	[0xca] = { INSN_OTHER, .immediate = IMMEDIATE_16 }, /* far RET */
	[0xcb] = { INSN_OTHER, .flags = 0 },
	[0xcc] = { INSN_OTHER, .flags = 0 }, /* INT3 */
	[0xcd] = { INSN_OTHER, .immediate = IMMEDIATE_8 }, /* INT n */
	[0xce] = { INSN_OTHER, .flags = ROW_NOT_64 }, /* INTO */
	[0xcf] = { INSN_OTHER, .flags = 0 }, /* IRET */
	[0xd0] = { GROUP_SHIFT, RM, PLACE_ONE, 1, 1, .flags = M | ROW_GROUP },
	[0xd1] = { GROUP_SHIFT, RM, PLACE_ONE, SIZE_V, 1,
		   .flags = M | ROW_GROUP },
	[0xd2] = { GROUP_SHIFT, RM, PLACE_CL, 1, 1, .flags = M | ROW_GROUP },
	[0xd3] = { GROUP_SHIFT, RM, PLACE_CL, SIZE_V, 1,
		   .flags = M | ROW_GROUP },
	[0xd4] = { INSN_OTHER, .immediate = IMMEDIATE_8,
		   .flags = ROW_NOT_64 }, /* AAM */
	[0xd5] = { INSN_OTHER, .immediate = IMMEDIATE_8,
		   .flags = ROW_NOT_64 }, /* AAD */
	[0xd7] = { INSN_OTHER, .flags = 0 }, /* XLAT */

	[0xe0 ... 0xe3] = { INSN_OTHER, .immediate = IMMEDIATE_8S }, /* LOOP */
	[0xe4 ... 0xe7] = { INSN_OTHER, .immediate = IMMEDIATE_8 }, /* IN, OUT */
	[0xe8] = { INSN_OTHER, .immediate = IMMEDIATE_NEAR }, /* CALL */
	[0xe9] = { INSN_OTHER, .immediate = IMMEDIATE_NEAR }, /* JMP */
	[0xea] = { INSN_OTHER, .immediate = IMMEDIATE_FAR,
		   .flags = ROW_NOT_64 },
	[0xeb] = { INSN_OTHER, .immediate = IMMEDIATE_8S },
	[0xec ... 0xef] = { INSN_OTHER, .flags = 0 }, /* IN, OUT */
	[0xf1] = { INSN_OTHER, .flags = 0 }, /* INT1 */
	[0xf4] = { INSN_OTHER, .flags = 0 }, /* HLT */
	[0xf5] = { INSN_OTHER, .flags = 0 }, /* CMC */
	[0xf6] = { GROUP_3, RM, 0, 1, .flags = M | ROW_GROUP },
	[0xf7] = { GROUP_3, RM, 0, SIZE_V, .flags = M | ROW_GROUP },
	[0xf8 ... 0xfd] = { INSN_OTHER, .flags = 0 }, /* CLC … STD */
	[0xfe] = { GROUP_4, RM, 0, 1, .flags = M | ROW_GROUP },
	[0xff] = { GROUP_5, RM, 0, SIZE_V, .flags = M | ROW_GROUP },
};

const struct insn_row insn_groups[GROUP_COUNT][8] = {
	[GROUP_1] = {
		{ INSN_ADD, .flags = ROW_LOCK }, { INSN_OR, .flags = ROW_LOCK },
		{ INSN_ADC, .flags = ROW_LOCK }, { INSN_SBB, .flags = ROW_LOCK },
		{ INSN_AND, .flags = ROW_LOCK }, { INSN_SUB, .flags = ROW_LOCK },
		{ INSN_XOR, .flags = ROW_LOCK }, { INSN_CMP, .flags = 0 },
	},
	[GROUP_SHIFT] = {
		{ INSN_ROL, .flags = 0 }, { INSN_ROR, .flags = 0 }, { INSN_RCL, .flags = 0 }, { INSN_RCR, .flags = 0 },
		{ INSN_SHL, .flags = 0 }, { INSN_SHR, .flags = 0 }, { INSN_SAL, .flags = 0 }, { INSN_SAR, .flags = 0 },
	},
	[GROUP_3] = {
		{ INSN_TEST, 0, IMM, 0, 0, IMMEDIATE_Z, 0 },
		{ INSN_TEST, 0, IMM, 0, 0, IMMEDIATE_Z, 0 },
		{ INSN_NOT, .flags = ROW_LOCK }, { INSN_NEG, .flags = ROW_LOCK },
		{ INSN_MUL_WIDE, .flags = 0 }, { INSN_IMUL_WIDE, .flags = 0 }, { INSN_DIV, .flags = 0 },
		{ INSN_IDIV, .flags = 0 },
	},
	[GROUP_4] = {
		{ INSN_INC, .flags = ROW_LOCK }, { INSN_DEC, .flags = ROW_LOCK },
		[2 ... 7] = { INSN_INVALID, .flags = 0 },
	},
	[GROUP_5] = {
		{ INSN_INC, .flags = ROW_LOCK }, { INSN_DEC, .flags = ROW_LOCK },
		{ INSN_CALL, .size = SIZE_NEAR },
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* far CALL */
		{ INSN_JMP, .size = SIZE_NEAR },
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* far JMP */
		{ INSN_PUSH, .size = SIZE_STACK },
		{ INSN_INVALID, .flags = 0 },
	},
	[GROUP_MOV] = { { INSN_MOV, .flags = 0 }, [1 ... 6] = { INSN_INVALID, .flags = 0 } },
	[GROUP_POP] = { { INSN_POP, .flags = 0 } },
	[GROUP_6] = {
		[0 ... 5] = { INSN_OTHER, .flags = 0 }, /* SLDT … VERW */
		[6 ... 7] = { INSN_INVALID, .flags = 0 },
	},
	[GROUP_7] = {
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* SGDT */
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* SIDT */
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* LGDT */
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* LIDT */
		{ INSN_OTHER, .flags = 0 }, /* SMSW */
		{ INSN_NONE, .flags = 0 },
		{ INSN_OTHER, .flags = 0 }, /* LMSW */
		{ INSN_OTHER, .flags = ROW_MEMORY }, /* INVLPG */
	},
	[GROUP_8] = {
		[0 ... 3] = { INSN_INVALID, .flags = 0 },
		[4] = { INSN_BT, .flags = 0 },
		[5] = { INSN_BTS, .flags = ROW_LOCK },
		[6] = { INSN_BTR, .flags = ROW_LOCK },
		[7] = { INSN_BTC, .flags = ROW_LOCK },
	},
	[GROUP_9] = {
		[1] = { INSN_CMPXCHG_PAIR, RM, 0, SIZE_PAIR,
			.flags = ROW_LOCK | ROW_MEMORY },
	},
	[GROUP_15] = {
		[0 ... 4] = { INSN_OTHER, .flags = ROW_MEMORY }, /* FXSAVE … */
		/* XRSTOR, XSAVEOPT; LFENCE, MFENCE */
		[5 ... 6] = { INSN_OTHER, .flags = 0 },
		[7] = { INSN_NOP, .flags = 0 }, /* CLFLUSH; SFENCE */
	},
	[GROUP_15_66] = {
		[6] = { INSN_NOP, .flags = ROW_MEMORY }, /* CLWB */
		[7] = { INSN_NOP, .flags = ROW_MEMORY }, /* CLFLUSHOPT */
	},
	[GROUP_PREFETCH] = { [0 ... 7] = { INSN_NOP, .flags = 0 } },
};
