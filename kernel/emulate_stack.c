/* PUSH, POP, near CALL and JMP: instructions with the stack as an operand. */
#include "kernel/emulate_context.h"

static uint8_t stack_size(const struct emulation *em)
{
	struct segment ss;

	if (em->mode.code_size == 8)
		return 8;
	vcpu_ops->read_segment(em->vcpu, SEGMENT_SS, &ss);
	return ss.attributes & SEGMENT_DB ? 4 : 2;
}

/* The stack pointer @by bytes on, within its size. */
static uint64_t stack_at(const struct emulation *em, uint8_t width, int by)
{
	return (em->vcpu->regs.gpr[GPR_RSP] + (uint64_t)(int64_t)by) &
	       emulate_mask(width);
}

/* Open the place below the stack pointer and move there. */
static bool push(struct emulation *em, uint8_t size, uint64_t value)
{
	struct emulate_memory stack = { .page = EMULATE_NO_PAGE };
	uint8_t width = stack_size(em);
	uint64_t at = stack_at(em, width, -size);

	if (!emulate_open(em, &stack, SEGMENT_SS, at, size, ACCESS_WRITE))
		return false;
	emulate_store(em, &stack, 0, size, value);
	emulate_write_gpr(em, GPR_RSP, width, at);
	return true;
}

/* A device is not read before the push is known to succeed: its page is opened
 * once for that, and once more by push. */
static bool can_push(struct emulation *em, uint8_t size)
{
	struct emulate_memory stack = { .page = EMULATE_NO_PAGE };
	uint64_t at = stack_at(em, stack_size(em), -size);

	return emulate_open(em, &stack, SEGMENT_SS, at, size, ACCESS_WRITE);
}

static enum emulate_result push_operand(struct emulation *em)
{
	const struct insn_operand *src = &em->insn->src;

	if (!emulate_open_operand(em, src, ACCESS_READ) ||
	    !can_push(em, src->size) ||
	    !push(em, src->size, emulate_read_operand(em, src)))
		return EMULATE_FAULTED;
	return emulate_finish(em);
}

/* An address that uses the stack pointer sees it behind the pop: SDM 2 "POP—Pop a
 * Value from the Stack". */
static enum emulate_result pop_operand(struct emulation *em)
{
	struct emulate_memory stack = { .page = EMULATE_NO_PAGE };
	const struct insn_operand *dst = &em->insn->dst;
	uint64_t before = em->vcpu->regs.gpr[GPR_RSP];
	uint8_t width = stack_size(em);

	if (!emulate_open(em, &stack, SEGMENT_SS, stack_at(em, width, 0),
			  dst->size, ACCESS_READ))
		return EMULATE_FAULTED;
	emulate_write_gpr(em, GPR_RSP, width, stack_at(em, width, dst->size));
	if (!emulate_open_operand(em, dst, ACCESS_WRITE)) {
		em->vcpu->regs.gpr[GPR_RSP] = before;
		return EMULATE_FAULTED;
	}
	emulate_write_operand(em, dst, emulate_load(em, &stack, 0, dst->size));
	return emulate_finish(em);
}

static enum emulate_result branch(struct emulation *em, bool is_call)
{
	const struct insn_operand *operand = &em->insn->dst;
	uint8_t size = operand->size;
	uint64_t target;

	if (!emulate_open_operand(em, operand, ACCESS_READ) ||
	    (is_call && !can_push(em, size)))
		return EMULATE_FAULTED;
	target = emulate_read_operand(em, operand);
	if (!emulate_check_target(em, target) ||
	    (is_call && !push(em, size, em->next_rip)))
		return EMULATE_FAULTED;
	em->next_rip = target;
	return emulate_finish(em);
}

enum emulate_result emulate_stack(struct emulation *em)
{
	switch (em->insn->op) {
	case INSN_PUSH: return push_operand(em);
	case INSN_POP: return pop_operand(em);
	case INSN_CALL: return branch(em, true);
	default: return branch(em, false);
	}
}
