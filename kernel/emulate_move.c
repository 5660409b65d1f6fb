/*
 * The short way of the most frequent exit: a driver reads or writes a register
 * of a device. The CPU has translated and checked the address, so it only needs
 * to be that of the operand; see is_exit_at in emulate_memory.c for why this is
 * all there is to compare.
 */
#include "kernel/emulate_context.h"

bool emulate_device_move(struct emulation *em)
{
	const struct insn *insn = em->insn;
	const struct vmexit *exit = &em->vcpu->exit;
	uint64_t gpa = exit->memory.gpa.value;
	uint64_t offset = emulate_offset(em) & (PAGE_SIZE - 1);
	uint8_t size = insn->dst.size;

	/* the low bits of an address do not depend on its size */
	if ((gpa & (PAGE_SIZE - 1)) != offset || offset + size > PAGE_SIZE)
		return false;
	if (insn->dst.kind == INSN_KIND_GPR) {
		emulate_write_gpr(em, insn->dst.number, size,
				  emulate_load_at(em->vcpu, gpa, size));
		return true;
	}
	if (!(exit->memory.access & ACCESS_WRITE))
		return false;
	emulate_store_at(em->vcpu, gpa, size,
			 emulate_read_operand(em, &insn->src));
	return true;
}
