/*
 * The bytes at RIP. The CPU may have handed them up with the exit; else they are
 * read through the guest's page tables with the rights of a fetch, the second
 * page only if the instruction really goes on there.
 */
#include "kernel/emulate_context.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/guest_walk.h"
#include "kernel/lib/log.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

/* What was fetched, and what stands behind it. */
struct fetch {
	uint8_t bytes[INSN_BYTES_MAX + 1];
	uint8_t count;
	uint8_t limit; /* bytes that the code segment has */
	uint64_t linear;
};

enum fetch_result {
	FETCH_DONE,
	FETCH_LIMIT,  /* #GP */
	FETCH_FAULT,  /* #PF */
	FETCH_DEVICE, /* no memory there */
};

/* Why the last byte could not be fetched. */
struct fetch_fault {
	uint64_t linear;
	uint32_t error_code;
};

static uint32_t rights(const struct emulation *em)
{
	return em->mode.cpl == 3 ? WALK_USER : 0;
}

static enum fetch_result start(struct emulation *em, struct fetch *fetch)
{
	fetch->count = 0;
	fetch->limit =
		(uint8_t)emulate_code(em, INSN_BYTES_MAX, &fetch->linear);
	return fetch->limit ? FETCH_DONE : FETCH_LIMIT;
}

/* The bytes up to the end of the page. */
static enum fetch_result fetch_page(struct emulation *em, struct fetch *fetch,
				    struct fetch_fault *fault)
{
	uint64_t linear = fetch->linear + fetch->count;
	uint64_t room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
	uint64_t size = min_u64(room, (uint64_t)fetch->limit - fetch->count);
	const void *from;
	gpa_t gpa;

	if (em->mode.code_size != 8)
		linear = (uint32_t)linear;
	if (!guest_walk(em->vcpu, &em->mode, (gva_t){ linear },
			ACCESS_EXECUTE | rights(em), &gpa,
			&fault->error_code)) {
		fault->linear = linear;
		return FETCH_FAULT;
	}
	from = guest_pointer(&em->vcpu->vm->memory, gpa, ACCESS_READ);
	if (!from)
		return FETCH_DEVICE;
	if (size == INSN_BYTES_MAX)
		__builtin_memcpy(fetch->bytes, from, INSN_BYTES_MAX);
	else
		memcpy(fetch->bytes + fetch->count, from, size);
	fetch->count = (uint8_t)(fetch->count + size);
	return FETCH_DONE;
}

static enum insn_result decode(struct emulation *em, const struct fetch *fetch)
{
	return insn_decode(&em->insn, fetch->bytes, fetch->count,
			   em->mode.code_size);
}

/* Fetch page by page until an instruction stands there, or never will. */
static enum fetch_result fetch_insn(struct emulation *em, struct fetch *fetch,
				    enum insn_result *decoded,
				    struct fetch_fault *fault)
{
	enum fetch_result result = start(em, fetch);

	while (result == FETCH_DONE) {
		if (fetch->count == fetch->limit)
			return FETCH_LIMIT;
		result = fetch_page(em, fetch, fault);
		if (result != FETCH_DONE)
			break;
		*decoded = decode(em, fetch);
		if (*decoded != INSN_SHORT)
			break;
	}
	return result;
}

static bool is_memory_exit(const struct vcpu *vcpu)
{
	return vcpu->exit.reason == EXIT_MEMORY;
}

/* Decode what the CPU fetched. False: it told nothing, or too little. */
static bool decode_given(struct emulation *em, enum insn_result *decoded)
{
	const struct vmexit *exit = &em->vcpu->exit;

	if (!is_memory_exit(em->vcpu) || !exit->memory.byte_count ||
	    exit->memory.byte_count > INSN_BYTES_MAX)
		return false;
	*decoded = insn_decode(&em->insn, exit->memory.bytes,
			       exit->memory.byte_count, em->mode.code_size);
	return *decoded != INSN_SHORT;
}

static enum emulate_result refuse(struct emulation *em,
				  const struct fetch *fetch,
				  enum insn_result decoded)
{
	const uint8_t *b = fetch->bytes;

	switch (decoded) {
	case INSN_OK: return EMULATE_DONE;
	case INSN_BAD: event_raise(em->vcpu, VECTOR_UD); break;
	case INSN_TOO_LONG: emulate_raise_segment(em, SEGMENT_CS); break;
	default:
		log_debug("vCPU %u: unknown instruction %02x %02x %02x %02x "
			  "%02x %02x %02x %02x at %#lx",
			  em->vcpu->number, b[0], b[1], b[2], b[3], b[4], b[5],
			  b[6], b[7], em->vcpu->regs.rip);
		return EMULATE_UNKNOWN;
	}
	return EMULATE_FAULTED;
}

/* Without struct fetch on the stack of what follows. */
static __attribute__((noinline)) enum emulate_result fetch_memory(
	struct emulation *em)
{
	enum insn_result decoded = INSN_SHORT;
	struct fetch_fault fault;
	struct fetch fetch;

	switch (fetch_insn(em, &fetch, &decoded, &fault)) {
	case FETCH_DONE: return refuse(em, &fetch, decoded);
	case FETCH_LIMIT: emulate_raise_segment(em, SEGMENT_CS); break;
	case FETCH_FAULT:
		event_raise_page_fault(em->vcpu, fault.linear,
				       fault.error_code);
		break;
	case FETCH_DEVICE:
		log_debug("vCPU %u: runs where no memory is, at %#lx",
			  em->vcpu->number, em->vcpu->regs.rip);
		return EMULATE_UNKNOWN;
	}
	return EMULATE_FAULTED;
}

enum emulate_result emulate_fetch(struct emulation *em)
{
	enum insn_result decoded;

	if (decode_given(em, &decoded) && decoded == INSN_OK)
		return EMULATE_DONE;
	return fetch_memory(em);
}

/* Quietly: nothing is raised or logged. */
static bool fetch_quietly(struct vcpu *vcpu, struct emulation *em)
{
	enum insn_result decoded = INSN_SHORT;
	struct fetch_fault fault;
	struct fetch fetch;

	em->vcpu = vcpu;
	vcpu_ops->read_mode(vcpu, &em->mode);
	if (decode_given(em, &decoded))
		return decoded == INSN_OK;
	return fetch_insn(em, &fetch, &decoded, &fault) == FETCH_DONE &&
	       decoded == INSN_OK;
}

uint8_t emulate_insn_length(struct vcpu *vcpu)
{
	struct emulation em;

	return fetch_quietly(vcpu, &em) ? em.insn.length : 0;
}

bool emulate_decode_mov_cr(struct vcpu *vcpu, uint8_t *cr, uint8_t *gpr,
			   bool *is_write)
{
	const struct insn_operand *control, *general;
	struct emulation em;

	if (!fetch_quietly(vcpu, &em) || em.insn.op != INSN_MOV_CR)
		return false;
	*is_write = em.insn.dst.kind == INSN_KIND_CONTROL;
	control = *is_write ? &em.insn.dst : &em.insn.src;
	general = *is_write ? &em.insn.src : &em.insn.dst;
	*cr = control->number;
	*gpr = general->number;
	return true;
}

bool emulate_fetch_byte(struct vcpu *vcpu, uint8_t offset, uint8_t *byte)
{
	struct emulation em = { .vcpu = vcpu };
	struct fetch_fault fault;
	struct fetch fetch;

	vcpu_ops->read_mode(vcpu, &em.mode);
	if (start(&em, &fetch) != FETCH_DONE || offset >= fetch.limit)
		return false;
	fetch.linear += offset;
	fetch.limit = 1;
	if (fetch_page(&em, &fetch, &fault) != FETCH_DONE)
		return false;
	*byte = fetch.bytes[0];
	return true;
}
