/*
 * The bytes at RIP. The CPU may have handed them up with the exit; else they are
 * read through the guest's page tables with the rights of a fetch: 15 bytes at
 * once where the page has them, else the second page only if the instruction
 * really goes on there.
 */
#include "kernel/emulate_context.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/guest_walk.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

/* What was fetched, and what stands behind it. */
struct fetch {
	uint64_t linear;
	enum insn_result decoded;
	uint32_t error_code; /* of a page fault at linear + count */
	uint8_t count;	     /* bytes so far */
	uint8_t limit;	     /* bytes that the code segment has */
	uint8_t bytes[INSN_BYTES_MAX + 1];
};

#define HASH 0x9e3779b97f4a7c15UL /* odd, its bits as if by chance */

enum fetch_result {
	FETCH_DONE,
	FETCH_LIMIT,  /* #GP */
	FETCH_FAULT,  /* #PF */
	FETCH_DEVICE, /* no memory there */
};

/* Noinline: not on the way of what was decoded before. */
static __attribute__((noinline)) enum insn_result decode_new(
	struct emulation *em, struct emulate_decoded *entry, uint64_t low,
	uint64_t high)
{
	uint8_t copy[INSN_BYTES_MAX];
	enum insn_result result;

	__builtin_memcpy(copy, &low, 8);
	__builtin_memcpy(copy + 7, &high, 8);
	result = insn_decode(&entry->insn, copy, INSN_BYTES_MAX,
			     em->mode.code_size);
	entry->bytes[0] = low;
	entry->bytes[1] = high;
	entry->code_size = result == INSN_OK ? em->mode.code_size : 0;
	return result;
}

/*
 * Decode 15 bytes, or find that they were decoded before. They may be guest
 * memory, which changes at any time: they are read once.
 */
static inline enum insn_result decode_whole(struct emulation *em,
					    const uint8_t *bytes)
{
	struct emulate_decoded *entry = em->vcpu->emulate_cache.decoded;
	uint64_t low, high; /* bytes 0 to 7, 7 to 14 */

	__builtin_memcpy(&low, bytes, 8);
	__builtin_memcpy(&high, bytes + 7, 8);
	entry += low * HASH >> (64 - EMULATE_DECODED_BITS);
	em->insn = &entry->insn;
	if (entry->bytes[0] == low && entry->bytes[1] == high &&
	    entry->code_size == em->mode.code_size)
		return INSN_OK;
	return decode_new(em, entry, low, high);
}

static enum insn_result decode_part(struct emulation *em, const uint8_t *bytes,
				    uint8_t count)
{
	em->insn = &em->decoded;
	return insn_decode(&em->decoded, bytes, count, em->mode.code_size);
}

/* Where the code at @linear is. */
static inline enum fetch_result find_code(struct emulation *em, uint64_t linear,
					  const uint8_t **from,
					  uint32_t *error_code)
{
	struct vcpu *vcpu = em->vcpu;
	uint32_t access = ACCESS_EXECUTE;
	gpa_t gpa;

	if (em->mode.cpl == 3)
		access |= WALK_USER;
	if (!guest_walk(vcpu, &em->mode, (gva_t){ linear }, access, &gpa,
			error_code))
		return FETCH_FAULT;
	/* guest_walk has refreshed the windows */
	*from = guest_window_at(&vcpu->emulate_cache.windows, &vcpu->vm->memory,
				guest_window_code(gpa.value),
				align_down(gpa.value, PAGE_SIZE),
				gpa.value & (PAGE_SIZE - 1));
	return *from ? FETCH_DONE : FETCH_DEVICE;
}

/* 64-bit code with 15 bytes in its page: the short way. False: not so, or there
 * is something wrong. */
static inline bool fetch_plain(struct emulation *em)
{
	uint64_t rip = em->vcpu->regs.rip;
	uint32_t error_code;
	const uint8_t *from;

	return em->mode.code_size == 8 &&
	       (rip & (PAGE_SIZE - 1)) <= PAGE_SIZE - INSN_BYTES_MAX &&
	       find_code(em, rip, &from, &error_code) == FETCH_DONE &&
	       decode_whole(em, from) == INSN_OK;
}

/* Where the next byte is to come from. */
static uint64_t fetch_at(const struct emulation *em, const struct fetch *fetch)
{
	uint64_t linear = fetch->linear + fetch->count;

	return em->mode.code_size == 8 ? linear : (uint32_t)linear;
}

/* The bytes up to the end of the page. */
static enum fetch_result fetch_page(struct emulation *em, struct fetch *fetch)
{
	uint64_t linear = fetch_at(em, fetch);
	uint64_t room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
	uint64_t size = min_u64(room, (uint64_t)fetch->limit - fetch->count);
	enum fetch_result result;
	const uint8_t *from;

	result = find_code(em, linear, &from, &fetch->error_code);
	if (result != FETCH_DONE)
		return result;
	memcpy(fetch->bytes + fetch->count, from, size);
	fetch->count = (uint8_t)(fetch->count + size);
	return FETCH_DONE;
}

/* Page by page until an instruction stands there, or never will. */
static enum fetch_result fetch_pages(struct emulation *em, struct fetch *fetch)
{
	enum fetch_result result;

	fetch->count = 0;
	fetch->limit =
		(uint8_t)emulate_code(em, INSN_BYTES_MAX, &fetch->linear);
	do {
		if (fetch->count == fetch->limit)
			return FETCH_LIMIT;
		result = fetch_page(em, fetch);
		if (result != FETCH_DONE)
			return result;
		fetch->decoded = decode_part(em, fetch->bytes, fetch->count);
	} while (fetch->decoded == INSN_SHORT);
	return FETCH_DONE;
}

/* Decode what the CPU fetched. False: it told nothing, or too little. */
static inline bool decode_given(struct emulation *em)
{
	const struct vmexit *exit = &em->vcpu->exit;
	uint8_t count = exit->memory.byte_count;

	if (exit->reason != EXIT_MEMORY || !count || count > INSN_BYTES_MAX)
		return false;
	if (count == INSN_BYTES_MAX)
		return decode_whole(em, exit->memory.bytes) == INSN_OK;
	return decode_part(em, exit->memory.bytes, count) == INSN_OK;
}

/* What is there cannot be executed. */
static enum emulate_result refuse(struct emulation *em,
				  enum insn_result decoded)
{
	switch (decoded) {
	case INSN_OK: return EMULATE_DONE;
	case INSN_BAD: event_raise(em->vcpu, VECTOR_UD); break;
	case INSN_TOO_LONG: emulate_raise_segment(em, SEGMENT_CS); break;
	default: return EMULATE_UNKNOWN;
	}
	return EMULATE_FAULTED;
}

static __attribute__((noinline)) enum emulate_result fetch_slowly(
	struct emulation *em)
{
	struct fetch fetch;

	switch (fetch_pages(em, &fetch)) {
	case FETCH_DONE: return refuse(em, fetch.decoded);
	case FETCH_LIMIT: emulate_raise_segment(em, SEGMENT_CS); break;
	case FETCH_FAULT:
		event_raise_page_fault(em->vcpu, fetch_at(em, &fetch),
				       fetch.error_code);
		break;
	case FETCH_DEVICE: return EMULATE_UNKNOWN;
	}
	return EMULATE_FAULTED;
}

enum emulate_result emulate_fetch(struct emulation *em)
{
	if (decode_given(em) || fetch_plain(em))
		return EMULATE_DONE;
	return fetch_slowly(em);
}

/* Nothing is raised or logged. */
static bool fetch_quietly(struct vcpu *vcpu, struct emulation *em)
{
	struct fetch fetch;

	em->vcpu = vcpu;
	vcpu_ops->read_mode(vcpu, &em->mode);
	return decode_given(em) || fetch_plain(em) ||
	       (fetch_pages(em, &fetch) == FETCH_DONE &&
		fetch.decoded == INSN_OK);
}

uint8_t emulate_insn_length(struct vcpu *vcpu)
{
	struct emulation em;

	return fetch_quietly(vcpu, &em) ? em.insn->length : 0;
}

bool emulate_decode_mov_cr(struct vcpu *vcpu, uint8_t *cr, uint8_t *gpr,
			   bool *is_write)
{
	const struct insn_operand *control, *general;
	struct emulation em;

	if (!fetch_quietly(vcpu, &em) || em.insn->op != INSN_MOV_CR)
		return false;
	*is_write = em.insn->dst.kind == INSN_KIND_CONTROL;
	control = *is_write ? &em.insn->dst : &em.insn->src;
	general = *is_write ? &em.insn->src : &em.insn->dst;
	*cr = control->number;
	*gpr = general->number;
	return true;
}

bool emulate_fetch_byte(struct vcpu *vcpu, uint8_t offset, uint8_t *byte)
{
	struct emulation em = { .vcpu = vcpu };
	struct fetch fetch;
	uint64_t linear;

	vcpu_ops->read_mode(vcpu, &em.mode);
	if (offset >= emulate_code(&em, offset + 1U, &linear))
		return false;
	fetch.linear = linear + offset;
	fetch.count = 0;
	fetch.limit = 1;
	if (fetch_page(&em, &fetch) != FETCH_DONE)
		return false;
	*byte = fetch.bytes[0];
	return true;
}
