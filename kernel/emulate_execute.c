/* What instructions with general operands do. */
#include "kernel/emulate_context.h"

#include "kernel/cpu/x86_regs.h"

/* How often LOCK loses against other CPUs before the guest goes round itself. */
#define REPLACE_TRIES_MAX 16

static uint64_t swap_bytes(uint64_t value, unsigned int size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* MOV, MOVZX, MOVSX, MOVBE */
static enum emulate_result move(struct emulation *em)
{
	const struct insn *insn = em->insn;
	uint64_t value;

	if (!emulate_open_operand(em, &insn->dst, ACCESS_WRITE) ||
	    !emulate_open_operand(em, &insn->src, ACCESS_READ))
		return EMULATE_FAULTED;
	value = emulate_read_operand(em, &insn->src);
	if (insn->op == INSN_MOVSX)
		value = emulate_extend(value, insn->src.size);
	else if (insn->op == INSN_MOVBE)
		value = swap_bytes(value, insn->src.size);
	emulate_write_operand(em, &insn->dst, value);
	return emulate_finish(em);
}

static uint64_t shift_count(const struct emulation *em)
{
	return em->insn->has_immediate ? em->insn->immediate
				       : em->vcpu->regs.gpr[GPR_RCX];
}

/* The destination's new value; em->rflags too. */
static uint64_t compute(struct emulation *em, uint64_t old, uint64_t src)
{
	const struct insn *insn = em->insn;
	enum insn_op op = insn->op;
	unsigned int size = insn->dst.size;

	em->rflags = em->vcpu->regs.rflags;
	switch (op) {
	case INSN_ROL ... INSN_SAR:
		return emulate_shift(op, size, old, (unsigned int)src,
				     &em->rflags);
	case INSN_BT ... INSN_BTC:
		return emulate_bit(op, size, old, src, &em->rflags);
	case INSN_NOT ... INSN_DEC:
		return emulate_unary(op, size, old, &em->rflags);
	case INSN_SHLD:
	case INSN_SHRD:
		return emulate_double_shift(op, size, old, src,
					    (unsigned int)shift_count(em),
					    &em->rflags);
	case INSN_XCHG: return src;
	case INSN_CMPXCHG:
		emulate_alu(op, size,
			    emulate_read_gpr(em, GPR_RAX, insn->dst.size), old,
			    &em->rflags);
		return em->rflags & RFLAGS_ZF ? src : old;
	default: return emulate_alu(op, size, old, src, &em->rflags);
	}
}

/* Registers that get the old value, then the destination if it is one. */
static void write_registers(struct emulation *em, uint64_t old, uint64_t value)
{
	const struct insn *insn = em->insn;

	if (insn->op == INSN_XADD || insn->op == INSN_XCHG)
		emulate_write_operand(em, &insn->src, old);
	if (insn->op == INSN_CMPXCHG && !(em->rflags & RFLAGS_ZF))
		emulate_write_gpr(em, GPR_RAX, insn->dst.size, old);
	if (insn->dst.kind == INSN_KIND_GPR)
		emulate_write_operand(em, &insn->dst, value);
}

/* Read, compute, write: the most of them. */
static enum emulate_result modify(struct emulation *em)
{
	const struct insn *insn = em->insn;
	uint64_t src, old, value;

	if (!emulate_open_operand(em, &insn->dst, ACCESS_WRITE) ||
	    !emulate_open_operand(em, &insn->src, ACCESS_READ))
		return EMULATE_FAULTED;
	src = emulate_read_operand(em, &insn->src);
	for (unsigned int i = 0; i < REPLACE_TRIES_MAX; i++) {
		old = emulate_read_operand(em, &insn->dst);
		value = compute(em, old, src);
		if (insn->dst.kind == INSN_KIND_MEMORY &&
		    !emulate_replace(em, &em->memory, old, value))
			continue;
		write_registers(em, old, value);
		return emulate_finish(em);
	}
	return EMULATE_DONE; /* nothing happened, and RIP stays */
}

/* CMP, TEST, BT */
static enum emulate_result compare(struct emulation *em)
{
	const struct insn *insn = em->insn;
	uint64_t a, b;

	if (!emulate_open_operand(em, &insn->dst, ACCESS_READ) ||
	    !emulate_open_operand(em, &insn->src, ACCESS_READ))
		return EMULATE_FAULTED;
	a = emulate_read_operand(em, &insn->dst);
	b = emulate_read_operand(em, &insn->src);
	compute(em, a, b);
	return emulate_finish(em);
}

/* CMPXCHG8B, CMPXCHG16B: halves of @size bytes. */
static enum emulate_result exchange_pair(struct emulation *em)
{
	struct emulate_memory *memory = &em->memory;
	uint8_t size = em->insn->dst.size / 2;
	uint64_t old[2], value[2];
	bool is_equal;

	if (!emulate_open_operand(em, &em->insn->dst, ACCESS_WRITE))
		return EMULATE_FAULTED;
	for (unsigned int i = 0; i < REPLACE_TRIES_MAX; i++) {
		for (unsigned int half = 0; half < 2; half++)
			old[half] = emulate_load(em, memory, half * size, size);
		is_equal = old[0] == emulate_read_gpr(em, GPR_RAX, size) &&
			   old[1] == emulate_read_gpr(em, GPR_RDX, size);
		value[0] =
			is_equal ? emulate_read_gpr(em, GPR_RBX, size) : old[0];
		value[1] =
			is_equal ? emulate_read_gpr(em, GPR_RCX, size) : old[1];
		if (!emulate_replace_pair(em, memory, old, value))
			continue;
		em->rflags &= ~RFLAGS_ZF;
		if (is_equal) {
			em->rflags |= RFLAGS_ZF;
		} else {
			emulate_write_gpr(em, GPR_RAX, size, old[0]);
			emulate_write_gpr(em, GPR_RDX, size, old[1]);
		}
		return emulate_finish(em);
	}
	return EMULATE_DONE;
}

/* CMOVcc reads its source in any case, and clears the upper half. */
static uint64_t select(struct emulation *em, uint64_t src)
{
	if (emulate_condition(em->insn->opcode, em->rflags))
		return src;
	return emulate_read_operand(em, &em->insn->dst);
}

/* Index of the lowest or highest bit; without one the destination stays. */
static uint64_t scan(struct emulation *em, uint64_t src)
{
	em->rflags &= ~RFLAGS_ZF;
	if (!src) {
		em->rflags |= RFLAGS_ZF;
		return emulate_read_operand(em, &em->insn->dst);
	}
	return em->insn->op == INSN_BSF
		       ? (unsigned int)__builtin_ctzl(src)
		       : 63U - (unsigned int)__builtin_clzl(src);
}

static uint64_t multiply(struct emulation *em, uint64_t src)
{
	uint64_t by = em->insn->has_immediate
			      ? em->insn->immediate
			      : emulate_read_operand(em, &em->insn->dst);

	return emulate_imul(em->insn->dst.size, src, by, &em->rflags);
}

/* CMOVcc, BSF, BSR, IMUL: a register of another operand and itself. */
static enum emulate_result combine(struct emulation *em)
{
	const struct insn *insn = em->insn;
	uint64_t src, value;

	if (!emulate_open_operand(em, &insn->src, ACCESS_READ))
		return EMULATE_FAULTED;
	src = emulate_read_operand(em, &insn->src);
	switch (insn->op) {
	case INSN_CMOV: value = select(em, src); break;
	case INSN_IMUL: value = multiply(em, src); break;
	default:
		value = scan(em, src);
		if (em->rflags & RFLAGS_ZF)
			return emulate_finish(em);
	}
	emulate_write_operand(em, &insn->dst, value);
	return emulate_finish(em);
}

static enum emulate_result set(struct emulation *em)
{
	if (!emulate_open_operand(em, &em->insn->dst, ACCESS_WRITE))
		return EMULATE_FAULTED;
	emulate_write_operand(em, &em->insn->dst,
			      emulate_condition(em->insn->opcode, em->rflags));
	return emulate_finish(em);
}

static enum emulate_result wide(struct emulation *em)
{
	const struct insn_operand *operand = &em->insn->dst;

	if (!emulate_open_operand(em, operand, ACCESS_READ) ||
	    !emulate_wide(em, em->insn->op, operand->size,
			  emulate_read_operand(em, operand)))
		return EMULATE_FAULTED;
	return emulate_finish(em);
}

enum emulate_result emulate_execute(struct emulation *em)
{
	switch ((enum insn_op)em->insn->op) {
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_MOVSX:
	case INSN_MOVBE: return move(em);
	case INSN_CMP:
	case INSN_TEST:
	case INSN_BT: return compare(em);
	case INSN_ADD ... INSN_XOR:
	case INSN_ROL ... INSN_SAR:
	case INSN_BTS ... INSN_BTC:
	case INSN_NOT ... INSN_CMPXCHG: return modify(em);
	case INSN_CMPXCHG_PAIR: return exchange_pair(em);
	case INSN_CMOV:
	case INSN_BSF:
	case INSN_BSR:
	case INSN_IMUL: return combine(em);
	case INSN_SET: return set(em);
	case INSN_MUL_WIDE ... INSN_IDIV: return wide(em);
	case INSN_PUSH ... INSN_JMP: return emulate_stack(em);
	case INSN_MOVS ... INSN_OUTS: return emulate_string(em);
	case INSN_XMM_MOV:
	case INSN_XMM_MOV_ALIGNED: return emulate_xmm(em);
	case INSN_NOP: return emulate_finish(em);
	default: return EMULATE_UNKNOWN;
	}
}
