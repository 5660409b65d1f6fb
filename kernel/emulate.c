/*
 * One guest instruction in software:
 *
 *	emulate_fetch	the bytes at RIP	-> struct insn (insn.c)
 *	emulate_execute	by kind of operation	(emulate_execute.c, _stack, _string,
 *						_xmm)
 *	emulate_finish	RIP, RFLAGS, single step
 *
 * The kinds open their memory operands (emulate_memory.c) before anything has an
 * effect, so whatever faults leaves the guest as it was, like a CPU.
 */
#include "kernel/emulate.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate_context.h"

/* SDM 3B 17.3.1.4 "Single-Step Exception Condition" */
static void step(struct vcpu *vcpu)
{
	struct vcpu_state state;

	vcpu_ops->read_state(vcpu, &state);
	state.dr6 |= DR6_BS;
	vcpu_ops->write_state(vcpu, &state);
	event_raise(vcpu, VECTOR_DB);
}

static enum emulate_result complete(struct emulation *em, uint64_t rip,
				    uint64_t rflags)
{
	struct vcpu *vcpu = em->vcpu;
	bool is_stepped = vcpu->regs.rflags & RFLAGS_TF;

	vcpu->exit.insn_len = em->insn->length;
	vcpu->is_shadowed = false;
	vcpu->regs.rip = rip;
	vcpu->regs.rflags = rflags;
	if (is_stepped)
		step(vcpu);
	return EMULATE_DONE;
}

enum emulate_result emulate_finish(struct emulation *em)
{
	return complete(em, em->next_rip, em->rflags & ~RFLAGS_RF);
}

enum emulate_result emulate_go_on(struct emulation *em)
{
	/* RF: its code breakpoint has been passed. SDM 3B 17.3.1.1
	 * "Instruction-Breakpoint Exception Condition" */
	return complete(em, em->vcpu->regs.rip, em->rflags | RFLAGS_RF);
}

/* Did the exit tell where data is? */
static bool tells_address(const struct vmexit *exit)
{
	return exit->reason == EXIT_MEMORY && !exit->memory.is_table_walk &&
	       !(exit->memory.access & ACCESS_EXECUTE);
}

enum emulate_result emulate_insn(struct vcpu *vcpu)
{
	enum emulate_result result;
	struct emulation em;

	em.vcpu = vcpu;
	vcpu_ops->read_mode(vcpu, &em.mode);
	result = emulate_fetch(&em);
	if (result != EMULATE_DONE)
		return result;
	em.rflags = vcpu->regs.rflags;
	em.next_rip = vcpu->regs.rip + em.insn->length;
	em.uses_exit_gpa = tells_address(&vcpu->exit);
	if (em.mode.code_size != 8)
		em.next_rip = (uint32_t)em.next_rip;
	else if (em.uses_exit_gpa && em.insn->is_plain_move &&
		 emulate_device_move(&em))
		return emulate_finish(&em);
	/* others have two operands in memory */
	if (em.insn->op >= INSN_PUSH && em.insn->op <= INSN_OUTS)
		em.uses_exit_gpa = false;
	em.memory.page = EMULATE_NO_PAGE;
	return emulate_execute(&em);
}
