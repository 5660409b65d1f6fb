/* Moves between memory, general registers and XMM registers. Whether the guest
 * may use XMM registers at all, the CPU has checked before the access. */
#include "kernel/emulate_context.h"

static struct xmm read_wide(struct emulation *em,
			    const struct insn_operand *operand)
{
	struct xmm value = { 0, 0 };
	uint8_t size = operand->size;

	if (operand->kind == INSN_KIND_XMM)
		return vcpu_read_xmm(em->vcpu, operand->number);
	if (operand->kind == INSN_KIND_GPR) {
		value.low = emulate_read_gpr(em, operand->number, size);
		return value;
	}
	value.low = emulate_load(em, &em->memory, 0, size < 8 ? size : 8);
	if (size == 16)
		value.high = emulate_load(em, &em->memory, 8, 8);
	return value;
}

static void write_wide(struct emulation *em, const struct insn_operand *operand,
		       struct xmm value)
{
	uint8_t size = operand->size;

	if (size < 16)
		value.high = 0;
	value.low &= emulate_mask(size < 8 ? size : 8);
	if (operand->kind == INSN_KIND_XMM) {
		vcpu_write_xmm(em->vcpu, operand->number, value);
		return;
	}
	if (operand->kind == INSN_KIND_GPR) {
		emulate_write_gpr(em, operand->number, size, value.low);
		return;
	}
	emulate_store(em, &em->memory, 0, size < 8 ? size : 8, value.low);
	if (size == 16)
		emulate_store(em, &em->memory, 8, 8, value.high);
}

enum emulate_result emulate_xmm(struct emulation *em)
{
	const struct insn *insn = em->insn;

	if (!emulate_open_operand(em, &insn->dst, ACCESS_WRITE) ||
	    !emulate_open_operand(em, &insn->src, ACCESS_READ))
		return EMULATE_FAULTED;
	write_wide(em, &insn->dst, read_wide(em, &insn->src));
	return emulate_finish(em);
}
