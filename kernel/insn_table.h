/* The opcode maps as data: a row an opcode. SDM 2 appendix A. [pure] */
#ifndef KERNEL_INSN_TABLE_H
#define KERNEL_INSN_TABLE_H

#include "kernel/insn.h"

/* Where an operand is. */
enum insn_place {
	PLACE_NONE,
	PLACE_RM,     /* general register or memory by ModRM */
	PLACE_REG,    /* general register by ModRM */
	PLACE_OPCODE, /* general register by the opcode's low bits */
	PLACE_A,      /* rAX */
	PLACE_CL,
	PLACE_ONE,
	PLACE_IMMEDIATE,
	PLACE_OFFSET, /* memory at an address in the instruction */
	PLACE_XMM,
	PLACE_XMM_RM,
	PLACE_SEGMENT,
	PLACE_CONTROL,
	PLACE_DEBUG,
	PLACE_GPR_RM, /* general register by ModRM, whatever its mod */
};

/* How large operands are. 1, 2, 4, 8 and 16 are themselves. */
#define SIZE_V	   32 /* operand size: 2, 4, 8 */
#define SIZE_Z	   33 /* 2 or 4 */
#define SIZE_Y	   34 /* 4, with REX.W 8 */
#define SIZE_STACK 35 /* of PUSH: 64-bit code has 2 and 8 */
#define SIZE_NEAR  36 /* of a branch: 8 in 64-bit code */
#define SIZE_MODE  37 /* 8 in 64-bit code, else 4 */
#define SIZE_PAIR  38 /* 8, with REX.W 16 */

enum insn_immediate {
	IMMEDIATE_NONE,
	IMMEDIATE_8,  /* zero-extended */
	IMMEDIATE_8S, /* sign-extended */
	IMMEDIATE_16,
	IMMEDIATE_Z,	   /* 1, 2 or 4 bytes by operand size, sign-extended */
	IMMEDIATE_NEAR,	   /* the same; 4 bytes in 64-bit code */
	IMMEDIATE_V,	   /* 2, 4, 8 */
	IMMEDIATE_ADDRESS, /* by address size */
	IMMEDIATE_16_8,	   /* of ENTER */
	IMMEDIATE_FAR,	   /* offset and selector */
};

#define ROW_MODRM	 BIT(0)
#define ROW_LOCK	 BIT(1) /* LOCK is allowed if dst is memory */
#define ROW_NOT_64	 BIT(2)
#define ROW_ONLY_64	 BIT(3)
#define ROW_MEMORY	 BIT(4) /* ModRM must name memory */
#define ROW_REGISTER	 BIT(5) /* ModRM must name a register */
#define ROW_GROUP	 BIT(6) /* by ModRM bits 5:3: insn_groups[op] */
#define ROW_PREFIX	 BIT(7) /* by mandatory prefix: insn_by_prefix[op] */
#define ROW_ANY_REGISTER BIT(8) /* ModRM.mod is ignored: a register */

struct insn_row {
	uint8_t op;  /* enum insn_op, or an index */
	uint8_t dst; /* enum insn_place */
	uint8_t src;
	uint8_t size;
	uint8_t src_size;  /* 0: as size */
	uint8_t immediate; /* enum insn_immediate */
	uint16_t flags;
};

/* Rows of a group take what they leave 0 from the row that led to the group. */
enum insn_group {
	GROUP_1,
	GROUP_SHIFT,
	GROUP_3,
	GROUP_4,
	GROUP_5,
	GROUP_MOV,
	GROUP_POP,
	GROUP_6,
	GROUP_7,
	GROUP_8,
	GROUP_9,
	GROUP_15,
	GROUP_15_66,
	GROUP_PREFETCH,
	GROUP_COUNT
};

enum insn_prefixed {
	PREFIXED_10,
	PREFIXED_11,
	PREFIXED_28,
	PREFIXED_29,
	PREFIXED_2B,
	PREFIXED_6E,
	PREFIXED_6F,
	PREFIXED_7E,
	PREFIXED_7F,
	PREFIXED_AE,
	PREFIXED_BC,
	PREFIXED_BD,
	PREFIXED_C3,
	PREFIXED_C7,
	PREFIXED_D6,
	PREFIXED_E7,
	PREFIXED_38_2A,
	PREFIXED_38_F0,
	PREFIXED_38_F1,
	PREFIXED_COUNT
};

/* Columns of insn_by_prefix. */
enum { COLUMN_NONE, COLUMN_66, COLUMN_F3, COLUMN_F2, COLUMN_COUNT };

extern const struct insn_row insn_map_1[256];
extern const struct insn_row insn_map_0f[256];
extern const struct insn_row insn_groups[GROUP_COUNT][8];
extern const struct insn_row insn_by_prefix[PREFIXED_COUNT][COLUMN_COUNT];

/* Byte @modrm of 0F 01 with a register: VMCALL, XSETBV …: is it known? With 66,
 * F2 or F3 most are #UD or something else. */
bool insn_is_known_0f01(uint8_t modrm, bool is_64, bool has_prefix);

#endif
