/* Opcodes behind 0F, 0F 38, and those that a mandatory prefix selects from. */
#include "kernel/insn_table.h"

/* clang-format off */

#define RM  PLACE_RM
#define REG PLACE_REG
#define IMM PLACE_IMMEDIATE
#define M   ROW_MODRM

const struct insn_row insn_map_0f[256] = {
	[0x00] = { GROUP_6, .flags = M | ROW_GROUP },
	[0x01] = { GROUP_7, .flags = M | ROW_GROUP },
	[0x02] = { INSN_OTHER, .flags = M }, /* LAR */
	[0x03] = { INSN_OTHER, .flags = M }, /* LSL */
	[0x05] = { INSN_OTHER, .flags = ROW_ONLY_64 }, /* SYSCALL */
	[0x06] = { INSN_OTHER, .flags = 0 }, /* CLTS */
	[0x07] = { INSN_OTHER, .flags = ROW_ONLY_64 }, /* SYSRET */
	[0x08] = { INSN_OTHER, .flags = 0 }, /* INVD */
	[0x09] = { INSN_OTHER, .flags = 0 }, /* WBINVD */
	[0x0b] = { INSN_OTHER, .flags = 0 }, /* UD2 */
	[0x0d] = { GROUP_PREFETCH, RM, 0, SIZE_V, .flags = M | ROW_GROUP },
	[0x10] = { PREFIXED_10, .flags = M | ROW_PREFIX },
	[0x11] = { PREFIXED_11, .flags = M | ROW_PREFIX },
	[0x18] = { GROUP_PREFETCH, RM, 0, SIZE_V, .flags = M | ROW_GROUP },
	[0x1f] = { INSN_NOP, RM, 0, SIZE_V, .flags = M },
	[0x20] = { INSN_MOV_CR, PLACE_GPR_RM, PLACE_CONTROL, SIZE_MODE,
		   .flags = M | ROW_ANY_REGISTER },
	[0x21] = { INSN_OTHER, PLACE_GPR_RM, PLACE_DEBUG, SIZE_MODE,
		   .flags = M | ROW_ANY_REGISTER },
	[0x22] = { INSN_MOV_CR, PLACE_CONTROL, PLACE_GPR_RM, SIZE_MODE,
		   .flags = M | ROW_ANY_REGISTER },
	[0x23] = { INSN_OTHER, PLACE_DEBUG, PLACE_GPR_RM, SIZE_MODE,
		   .flags = M | ROW_ANY_REGISTER },
	[0x28] = { PREFIXED_28, .flags = M | ROW_PREFIX },
	[0x29] = { PREFIXED_29, .flags = M | ROW_PREFIX },
	[0x2b] = { PREFIXED_2B, .flags = M | ROW_PREFIX },
	[0x30] = { INSN_OTHER, .flags = 0 }, /* WRMSR */
	[0x31] = { INSN_OTHER, .flags = 0 }, /* RDTSC */
	[0x32] = { INSN_OTHER, .flags = 0 }, /* RDMSR */
	[0x33] = { INSN_OTHER, .flags = 0 }, /* RDPMC */
	[0x34] = { INSN_OTHER, .flags = 0 }, /* SYSENTER */
	[0x35] = { INSN_OTHER, .flags = 0 }, /* SYSEXIT */
	[0x40 ... 0x4f] = { INSN_CMOV, REG, RM, SIZE_V, .flags = M },
	[0x6e] = { PREFIXED_6E, .flags = M | ROW_PREFIX },
	[0x6f] = { PREFIXED_6F, .flags = M | ROW_PREFIX },
	[0x7e] = { PREFIXED_7E, .flags = M | ROW_PREFIX },
	[0x7f] = { PREFIXED_7F, .flags = M | ROW_PREFIX },
	[0x80 ... 0x8f] = { INSN_OTHER, .immediate = IMMEDIATE_NEAR },
	[0x90 ... 0x9f] = { INSN_SET, RM, 0, 1, .flags = M },
	[0xa0] = { INSN_OTHER, .flags = 0 }, /* PUSH FS */
	[0xa1] = { INSN_OTHER, .flags = 0 }, /* POP FS */
	[0xa2] = { INSN_OTHER, .flags = 0 }, /* CPUID */
	[0xa3] = { INSN_BT, RM, REG, SIZE_V, .flags = M },
	[0xa4] = { INSN_SHLD, RM, REG, SIZE_V, 0, IMMEDIATE_8, M },
	[0xa5] = { INSN_SHLD, RM, REG, SIZE_V, .flags = M },
	[0xa8] = { INSN_OTHER, .flags = 0 }, /* PUSH GS */
	[0xa9] = { INSN_OTHER, .flags = 0 }, /* POP GS */
	[0xaa] = { INSN_OTHER, .flags = 0 }, /* RSM */
	[0xab] = { INSN_BTS, RM, REG, SIZE_V, .flags = M | ROW_LOCK },
	[0xac] = { INSN_SHRD, RM, REG, SIZE_V, 0, IMMEDIATE_8, M },
	[0xad] = { INSN_SHRD, RM, REG, SIZE_V, .flags = M },
	[0xae] = { PREFIXED_AE, .flags = M | ROW_PREFIX },
	[0xaf] = { INSN_IMUL, REG, RM, SIZE_V, .flags = M },
	[0xb0] = { INSN_CMPXCHG, RM, REG, 1, .flags = M | ROW_LOCK },
	[0xb1] = { INSN_CMPXCHG, RM, REG, SIZE_V, .flags = M | ROW_LOCK },
	[0xb2] = { INSN_OTHER, .flags = M | ROW_MEMORY }, /* LSS */
	[0xb3] = { INSN_BTR, RM, REG, SIZE_V, .flags = M | ROW_LOCK },
	[0xb4] = { INSN_OTHER, .flags = M | ROW_MEMORY }, /* LFS */
	[0xb5] = { INSN_OTHER, .flags = M | ROW_MEMORY }, /* LGS */
	[0xb6] = { INSN_MOVZX, REG, RM, SIZE_V, 1, .flags = M },
	[0xb7] = { INSN_MOVZX, REG, RM, SIZE_V, 2, .flags = M },
	[0xba] = { GROUP_8, RM, IMM, SIZE_V, 1, IMMEDIATE_8, M | ROW_GROUP },
	[0xbb] = { INSN_BTC, RM, REG, SIZE_V, .flags = M | ROW_LOCK },
	[0xbc] = { PREFIXED_BC, .flags = M | ROW_PREFIX },
	[0xbd] = { PREFIXED_BD, .flags = M | ROW_PREFIX },
	[0xbe] = { INSN_MOVSX, REG, RM, SIZE_V, 1, .flags = M },
	[0xbf] = { INSN_MOVSX, REG, RM, SIZE_V, 2, .flags = M },
	[0xc0] = { INSN_XADD, RM, REG, 1, .flags = M | ROW_LOCK },
	[0xc1] = { INSN_XADD, RM, REG, SIZE_V, .flags = M | ROW_LOCK },
	[0xc3] = { PREFIXED_C3, .flags = M | ROW_PREFIX },
	[0xc7] = { PREFIXED_C7, .flags = M | ROW_PREFIX },
	[0xc8 ... 0xcf] = { INSN_OTHER, .flags = 0 }, /* BSWAP */
	[0xd6] = { PREFIXED_D6, .flags = M | ROW_PREFIX },
	[0xe7] = { PREFIXED_E7, .flags = M | ROW_PREFIX },
};

#define X    PLACE_XMM
#define X_RM PLACE_XMM_RM
#define MEM  (M | ROW_MEMORY)

/* MOVSS and MOVSD between registers merge and are none of ours: ROW_MEMORY. */
const struct insn_row insn_by_prefix[PREFIXED_COUNT][COLUMN_COUNT] = {
	[PREFIXED_10] = {
		{ INSN_XMM_MOV, X, X_RM, 16, .flags = M }, /* MOVUPS */
		{ INSN_XMM_MOV, X, X_RM, 16, .flags = M }, /* MOVUPD */
		{ INSN_XMM_MOV, X, X_RM, 4, .flags = MEM }, /* MOVSS */
		{ INSN_XMM_MOV, X, X_RM, 8, .flags = MEM }, /* MOVSD */
	},
	[PREFIXED_11] = {
		{ INSN_XMM_MOV, X_RM, X, 16, .flags = M },
		{ INSN_XMM_MOV, X_RM, X, 16, .flags = M },
		{ INSN_XMM_MOV, X_RM, X, 4, .flags = MEM },
		{ INSN_XMM_MOV, X_RM, X, 8, .flags = MEM },
	},
	[PREFIXED_28] = { /* MOVAPS, MOVAPD */
		{ INSN_XMM_MOV_ALIGNED, X, X_RM, 16, .flags = M },
		{ INSN_XMM_MOV_ALIGNED, X, X_RM, 16, .flags = M },
	},
	[PREFIXED_29] = {
		{ INSN_XMM_MOV_ALIGNED, X_RM, X, 16, .flags = M },
		{ INSN_XMM_MOV_ALIGNED, X_RM, X, 16, .flags = M },
	},
	[PREFIXED_2B] = { /* MOVNTPS, MOVNTPD */
		{ INSN_XMM_MOV_ALIGNED, X_RM, X, 16, .flags = MEM },
		{ INSN_XMM_MOV_ALIGNED, X_RM, X, 16, .flags = MEM },
	},
	[PREFIXED_6E] = { /* MOVD, MOVQ */
		[COLUMN_66] = { INSN_XMM_MOV, X, RM, SIZE_Y, .flags = M },
	},
	[PREFIXED_6F] = {
		[COLUMN_66] = { INSN_XMM_MOV_ALIGNED, X, X_RM, 16, .flags = M },
		[COLUMN_F3] = { INSN_XMM_MOV, X, X_RM, 16, .flags = M },
	},
	[PREFIXED_7E] = {
		[COLUMN_66] = { INSN_XMM_MOV, RM, X, SIZE_Y, .flags = M },
		[COLUMN_F3] = { INSN_XMM_MOV, X, X_RM, 8, .flags = M },
	},
	[PREFIXED_7F] = {
		[COLUMN_66] = { INSN_XMM_MOV_ALIGNED, X_RM, X, 16, .flags = M },
		[COLUMN_F3] = { INSN_XMM_MOV, X_RM, X, 16, .flags = M },
	},
	[PREFIXED_AE] = {
		{ GROUP_15, .flags = M | ROW_GROUP },
		{ GROUP_15_66, .flags = M | ROW_GROUP },
	},
	[PREFIXED_BC] = { /* with F3 TZCNT, where the CPU has it */
		{ INSN_BSF, REG, RM, SIZE_V, .flags = M },
		{ INSN_BSF, REG, RM, SIZE_V, .flags = M },
	},
	[PREFIXED_BD] = { /* with F3 LZCNT */
		{ INSN_BSR, REG, RM, SIZE_V, .flags = M },
		{ INSN_BSR, REG, RM, SIZE_V, .flags = M },
	},
	[PREFIXED_C3] = { /* MOVNTI */
		{ INSN_MOV, RM, REG, SIZE_Y, .flags = MEM },
	},
	[PREFIXED_C7] = {
		{ GROUP_9, .flags = M | ROW_GROUP },
		{ GROUP_9, .flags = M | ROW_GROUP },
		{ GROUP_9, .flags = M | ROW_GROUP },
		{ GROUP_9, .flags = M | ROW_GROUP },
	},
	[PREFIXED_D6] = { /* MOVQ */
		[COLUMN_66] = { INSN_XMM_MOV, X_RM, X, 8, .flags = M },
	},
	[PREFIXED_E7] = { /* MOVNTDQ */
		[COLUMN_66] = { INSN_XMM_MOV_ALIGNED, X_RM, X, 16, .flags = MEM },
	},
	[PREFIXED_38_2A] = { /* MOVNTDQA */
		[COLUMN_66] = { INSN_XMM_MOV_ALIGNED, X, X_RM, 16, .flags = MEM },
	},
	[PREFIXED_38_F0] = {
		{ INSN_MOVBE, REG, RM, SIZE_V, .flags = MEM },
		{ INSN_MOVBE, REG, RM, SIZE_V, .flags = MEM },
	},
	[PREFIXED_38_F1] = {
		{ INSN_MOVBE, RM, REG, SIZE_V, .flags = MEM },
		{ INSN_MOVBE, RM, REG, SIZE_V, .flags = MEM },
	},
};

bool insn_is_known_0f01(uint8_t modrm, bool is_64, bool has_prefix)
{
	switch (modrm) {
	case 0xc1: /* VMCALL */
	case 0xc8: /* MONITOR */
	case 0xc9: /* MWAIT */
	case 0xca: /* CLAC */
	case 0xcb: /* STAC */
	case 0xd0: /* XGETBV */
	case 0xd1: /* XSETBV */
		return !has_prefix;
	case 0xd8: /* VMRUN, VMMCALL and the rest of SVM */
	case 0xd9 ... 0xdf:
	case 0xf9: /* RDTSCP */
		return true;
	case 0xf8: /* SWAPGS */
		return is_64;
	default:
		return false;
	}
}
