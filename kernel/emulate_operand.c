/* Operands of an instruction under way: registers, memory, immediates. */
#include "kernel/emulate_context.h"

uint64_t emulate_read_gpr(const struct emulation *em, uint8_t number,
			  uint8_t size)
{
	const uint64_t *gpr = em->vcpu->regs.gpr;

	if (number & INSN_GPR_HIGH)
		return gpr[number & 3] >> 8 & 0xff;
	return gpr[number] & emulate_mask(size);
}

void emulate_write_gpr(struct emulation *em, uint8_t number, uint8_t size,
		       uint64_t value)
{
	uint64_t *gpr = &em->vcpu->regs.gpr[number & 15];

	switch (size) {
	case 1:
		if (number & INSN_GPR_HIGH)
			*gpr = (*gpr & ~0xff00UL) | (value & 0xff) << 8;
		else
			*gpr = (*gpr & ~0xffUL) | (value & 0xff);
		break;
	case 2: *gpr = (*gpr & ~0xffffUL) | (value & 0xffff); break;
	case 4: *gpr = (uint32_t)value; break;
	default: *gpr = value;
	}
}

/* A register's bit offset reaches beyond the operand: how many bytes on. SDM 2
 * "BT—Bit Test". */
static uint64_t bit_displacement(const struct emulation *em)
{
	const struct insn *insn = em->insn;
	uint8_t size = insn->dst.size;
	int64_t bit;

	if (insn->op < INSN_BT || insn->op > INSN_BTC ||
	    insn->src.kind != INSN_KIND_GPR)
		return 0;
	bit = (int64_t)emulate_extend(
		emulate_read_gpr(em, insn->src.number, size), size);
	return (uint64_t)((bit >> (3 + __builtin_ctz(size))) * size);
}

bool emulate_open_operand(struct emulation *em,
			  const struct insn_operand *operand, uint32_t access)
{
	uint64_t offset;

	if (operand->kind != INSN_KIND_MEMORY)
		return true;
	offset = emulate_offset(em) + bit_displacement(em);
	return emulate_open(em, &em->memory, em->insn->address.segment,
			    offset & emulate_mask(em->insn->address_size),
			    operand->size, access);
}

uint64_t emulate_read_operand(struct emulation *em,
			      const struct insn_operand *operand)
{
	struct segment segment;

	switch (operand->kind) {
	case INSN_KIND_GPR:
		return emulate_read_gpr(em, operand->number, operand->size);
	case INSN_KIND_MEMORY:
		return emulate_load(em, &em->memory, 0, operand->size);
	case INSN_KIND_IMMEDIATE:
		return em->insn->immediate & emulate_mask(operand->size);
	case INSN_KIND_SEGMENT:
		vcpu_ops->read_segment(em->vcpu, operand->number, &segment);
		return segment.selector;
	default: return 0;
	}
}

void emulate_write_operand(struct emulation *em,
			   const struct insn_operand *operand, uint64_t value)
{
	if (operand->kind == INSN_KIND_MEMORY)
		emulate_store(em, &em->memory, 0, operand->size, value);
	else
		emulate_write_gpr(em, operand->number, operand->size, value);
}
