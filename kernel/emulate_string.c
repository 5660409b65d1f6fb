/*
 * String instructions. An element is one step: its operands are opened, then it
 * is done. A fault in the middle of REP leaves registers as of the last whole
 * element. REP gives way after some elements, so that the vCPU passes its
 * scheduling point; it then goes on by being executed again.
 *
 * The I/O permission of INS and OUTS has been checked by the CPU: of those that
 * exited. Another vCPU may have changed the code since, or the exit was another
 * one; what is not the I/O that exited is left for the CPU to execute.
 */
#include "kernel/emulate_context.h"

#include "kernel/vm.h"

/* What elements of one call may cost: interrupts are off meanwhile, and what a
 * device does costs more than RAM. */
#define COST_MAX    1024
#define COST_RAM    1
#define COST_DEVICE 64

/* Both operands; each remembers its page. */
struct string {
	struct emulate_memory from; /* DS:rSI, or another segment */
	struct emulate_memory to;   /* ES:rDI */
	uint64_t from_offset, to_offset;
	uint64_t count;
	int64_t step;
	uint8_t size, width;
};

static void start(struct emulation *em, struct string *s)
{
	const uint64_t *gpr = em->vcpu->regs.gpr;
	uint64_t mask = emulate_mask(em->insn->address_size);

	s->from.page = s->to.page = EMULATE_NO_PAGE;
	s->width = em->insn->address_size;
	s->size = em->insn->dst.size;
	s->step = em->rflags & RFLAGS_DF ? -s->size : s->size;
	s->from_offset = gpr[GPR_RSI] & mask;
	s->to_offset = gpr[GPR_RDI] & mask;
	s->count = em->insn->repeat ? gpr[GPR_RCX] & mask : 1;
}

static bool uses_from(uint8_t op)
{
	return op == INSN_MOVS || op == INSN_CMPS || op == INSN_LODS ||
	       op == INSN_OUTS;
}

static bool uses_to(uint8_t op)
{
	return op != INSN_LODS && op != INSN_OUTS;
}

/* What is done at ES:rDI. */
static uint32_t to_access(uint8_t op)
{
	if (op == INSN_CMPS || op == INSN_SCAS)
		return ACCESS_READ;
	return ACCESS_WRITE;
}

static bool open_element(struct emulation *em, struct string *s)
{
	uint8_t op = em->insn->op;

	if (uses_from(op) &&
	    !emulate_open(em, &s->from, em->insn->address.segment,
			  s->from_offset, s->size, ACCESS_READ))
		return false;
	return !uses_to(op) ||
	       emulate_open(em, &s->to, SEGMENT_ES, s->to_offset, s->size,
			    to_access(op));
}

static bool is_port(uint8_t op)
{
	return op == INSN_INS || op == INSN_OUTS;
}

/* The element is open. */
static unsigned int cost(struct emulation *em, const struct string *s)
{
	uint8_t op = em->insn->op;

	if (is_port(op) ||
	    (uses_from(op) && !emulate_is_ram(em, &s->from, ACCESS_READ)) ||
	    (uses_to(op) && !emulate_is_ram(em, &s->to, to_access(op))))
		return COST_DEVICE;
	return COST_RAM;
}

/* Is it the I/O that the CPU has checked and that exited? */
static bool is_permitted(const struct emulation *em, const struct string *s)
{
	const struct vmexit *exit = &em->vcpu->exit;
	uint16_t port = (uint16_t)em->vcpu->regs.gpr[GPR_RDX];

	return exit->reason == EXIT_IO && exit->io.is_string &&
	       exit->io.port == port && exit->io.size == s->size &&
	       exit->io.is_in == (em->insn->op == INSN_INS);
}

static void do_element(struct emulation *em, struct string *s)
{
	struct vm *vm = em->vcpu->vm;
	uint16_t port = (uint16_t)em->vcpu->regs.gpr[GPR_RDX];
	uint64_t a = emulate_read_gpr(em, GPR_RAX, s->size);
	uint8_t op = em->insn->op;
	uint64_t b;

	if (uses_from(op))
		a = emulate_load(em, &s->from, 0, s->size);
	switch (op) {
	case INSN_MOVS:
	case INSN_STOS: emulate_store(em, &s->to, 0, s->size, a); break;
	case INSN_LODS: emulate_write_gpr(em, GPR_RAX, s->size, a); break;
	case INSN_INS:
		a = io_read(vm, &vm->ports, port, s->size);
		emulate_store(em, &s->to, 0, s->size, a);
		break;
	case INSN_OUTS: io_write(vm, &vm->ports, port, s->size, a); break;
	default: /* CMPS, SCAS */
		b = emulate_load(em, &s->to, 0, s->size);
		emulate_alu(INSN_CMP, s->size, a, b, &em->rflags);
	}
}

static void advance(const struct emulation *em, struct string *s)
{
	uint64_t mask = emulate_mask(s->width);

	if (uses_from(em->insn->op))
		s->from_offset = (s->from_offset + (uint64_t)s->step) & mask;
	if (uses_to(em->insn->op))
		s->to_offset = (s->to_offset + (uint64_t)s->step) & mask;
	s->count--;
}

static void write_registers(struct emulation *em, const struct string *s)
{
	if (uses_from(em->insn->op))
		emulate_write_gpr(em, GPR_RSI, s->width, s->from_offset);
	if (uses_to(em->insn->op))
		emulate_write_gpr(em, GPR_RDI, s->width, s->to_offset);
	if (em->insn->repeat)
		emulate_write_gpr(em, GPR_RCX, s->width, s->count);
}

/* REPE and REPNE end by the comparison. */
static bool is_over(const struct emulation *em, const struct string *s)
{
	uint8_t op = em->insn->op;

	if (!s->count)
		return true;
	if (op != INSN_CMPS && op != INSN_SCAS)
		return false;
	return !(em->rflags & RFLAGS_ZF) == (em->insn->repeat == INSN_REPEAT);
}

enum emulate_result emulate_string(struct emulation *em)
{
	bool is_stepped = em->vcpu->regs.rflags & RFLAGS_TF;
	unsigned int left = is_stepped ? 1 : COST_MAX;
	struct string s;

	start(em, &s);
	if (is_port(em->insn->op) && !is_permitted(em, &s))
		return EMULATE_DONE; /* nothing happened, and RIP stays */
	if (!s.count)
		return emulate_finish(em);
	while (left) {
		if (!open_element(em, &s)) {
			/* flags of the elements before it */
			em->vcpu->regs.rflags = em->rflags;
			return EMULATE_FAULTED;
		}
		left -= (unsigned int)min_u64(left, cost(em, &s));
		do_element(em, &s);
		advance(em, &s);
		write_registers(em, &s);
		if (is_over(em, &s))
			return emulate_finish(em);
	}
	return emulate_go_on(em);
}
