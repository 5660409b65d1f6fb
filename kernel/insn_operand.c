/* Operands by the row of an opcode: how large, where, and immediates. */
#include "kernel/insn_decoder.h"

static uint8_t size_of(const struct decoder *d, const struct insn *insn,
		       uint8_t size)
{
	switch (size) {
	case SIZE_V: return insn->operand_size;
	case SIZE_Z: return insn->operand_size == 2 ? 2 : 4;
	case SIZE_Y: return d->rex & REX_W ? 8 : 4;
	case SIZE_STACK:
		if (d->code_size != 8)
			return insn->operand_size;
		return insn->operand_size == 2 ? 2 : 8;
	case SIZE_NEAR: return d->code_size == 8 ? 8 : insn->operand_size;
	case SIZE_MODE: return d->code_size == 8 ? 8 : 4;
	case SIZE_PAIR: return d->rex & REX_W ? 16 : 8;
	default: return size;
	}
}

static void take_immediate(struct decoder *d, struct insn *insn,
			   const struct insn_row *row, uint8_t size)
{
	uint8_t z = insn->operand_size == 2 ? 2 : 4;

	insn->has_immediate = true;
	switch (row->immediate) {
	case IMMEDIATE_8: insn->immediate = take(d, 1); break;
	case IMMEDIATE_8S: insn->immediate = take_signed(d, 1); break;
	case IMMEDIATE_16: insn->immediate = take(d, 2); break;
	case IMMEDIATE_16_8: insn->immediate = take(d, 3); break;
	case IMMEDIATE_Z:
		insn->immediate = take_signed(d, size == 1 ? 1 : z);
		break;
	case IMMEDIATE_NEAR:
		insn->immediate = take_signed(d, d->code_size == 8 ? 4 : z);
		break;
	case IMMEDIATE_V: insn->immediate = take(d, size); break;
	case IMMEDIATE_FAR: insn->immediate = take(d, z + 2U); break;
	case IMMEDIATE_ADDRESS:
		insn->has_immediate = false;
		insn->address.displacement = take(d, insn->address_size);
		break;
	}
}

static struct insn_operand gpr_operand(const struct decoder *d, uint8_t number,
				       uint8_t size)
{
	/* without REX the byte registers 4 to 7 are AH, CH, DH, BH */
	if (size == 1 && !d->has_rex && number >= 4)
		number = (uint8_t)((number - 4) | INSN_GPR_HIGH);
	return (struct insn_operand){ INSN_KIND_GPR, number, size };
}

static struct insn_operand place_operand(const struct decoder *d,
					 const struct insn *insn, uint8_t place,
					 uint8_t size)
{
	uint8_t rm = (uint8_t)(d->rm | (d->rex & REX_B) << 3);
	uint8_t reg = (uint8_t)(d->reg | (d->rex & REX_R) << 1);
	uint8_t opcode = (uint8_t)((insn->opcode & 7) | (d->rex & REX_B) << 3);
	struct insn_operand operand = { INSN_KIND_MEMORY, 0, size };

	switch (place) {
	case PLACE_RM: return d->mod == 3 ? gpr_operand(d, rm, size) : operand;
	case PLACE_REG: return gpr_operand(d, reg, size);
	case PLACE_OPCODE: return gpr_operand(d, opcode, size);
	case PLACE_A: operand.kind = INSN_KIND_GPR; break;
	case PLACE_GPR_RM:
		operand.kind = INSN_KIND_GPR, operand.number = rm;
		break;
	case PLACE_CL: return gpr_operand(d, GPR_RCX, 1);
	case PLACE_ONE:
	case PLACE_IMMEDIATE: operand.kind = INSN_KIND_IMMEDIATE; break;
	case PLACE_OFFSET: break;
	case PLACE_XMM:
		operand.kind = INSN_KIND_XMM, operand.number = reg;
		break;
	case PLACE_XMM_RM:
		if (d->mod == 3)
			operand.kind = INSN_KIND_XMM, operand.number = rm;
		break;
	case PLACE_SEGMENT:
		operand.kind = INSN_KIND_SEGMENT, operand.number = d->reg;
		break;
	case PLACE_CONTROL:
		operand.kind = INSN_KIND_CONTROL, operand.number = reg;
		break;
	case PLACE_DEBUG:
		operand.kind = INSN_KIND_DEBUG, operand.number = reg;
		break;
	default: operand.kind = INSN_KIND_NONE;
	}
	return operand;
}

void insn_take_operands(struct decoder *d, struct insn *insn,
			const struct insn_row *row)
{
	uint8_t size = size_of(d, insn, row->size);
	uint8_t src_size = row->src_size ? row->src_size : size;

	if (row->immediate)
		take_immediate(d, insn, row, size);
	insn->dst = place_operand(d, insn, row->dst, size);
	insn->src = place_operand(d, insn, row->src, src_size);
	if (row->src == PLACE_ONE)
		insn->immediate = 1;
	/* MOV from a segment register fills a register, but 2 bytes of memory */
	if (row->src == PLACE_SEGMENT && insn->dst.kind == INSN_KIND_MEMORY)
		insn->dst.size = 2;
	/* PUSH and POP of memory, string instructions: their size */
	if (!row->dst && !row->src)
		insn->dst.size = size;
}
