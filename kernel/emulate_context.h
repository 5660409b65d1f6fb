/*
 * What the parts of the emulator share: one instruction under way. [pure]
 *
 * Every part first opens its memory operands (all checks and faults), then
 * computes, then stores to memory, then to registers: so a fault leaves nothing
 * half done.
 */
#ifndef KERNEL_EMULATE_CONTEXT_H
#define KERNEL_EMULATE_CONTEXT_H

#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate.h"
#include "kernel/insn.h"

#define RFLAGS_ARITHMETIC \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

#define EMULATE_NO_PAGE 1UL /* no page begins there */

/* A memory operand, checked and translated. */
struct emulate_memory {
	uint64_t linear;
	uint64_t gpa;  /* of the first byte */
	uint64_t gpa2; /* of the second page, if it lies in two */
	uint8_t size;
	uint8_t first_size; /* bytes in the first page */
	/* the last page looked up, so that REP does not walk again for each
	 * element: as good as a TLB entry */
	uint64_t page; /* linear, or EMULATE_NO_PAGE */
	uint64_t page_gpa;
};

/* One instruction under way. */
struct emulation {
	struct vcpu *vcpu;
	struct cpu_mode mode;
	const struct insn *insn;
	struct insn decoded;	      /* unless it is in the cache */
	struct emulate_memory memory; /* the operand that ModRM names */
	uint64_t next_rip;
	uint64_t rflags;    /* to be */
	bool uses_exit_gpa; /* the exit told where the operand is */
};

/* ---- emulate_memory.c ---- */

/* Check and translate segment:offset. False: a fault was raised. @memory's page
 * is EMULATE_NO_PAGE at first. */
bool emulate_open(struct emulation *em, struct emulate_memory *memory,
		  uint8_t segment, uint64_t offset, uint8_t size,
		  uint32_t access);

/* Bytes [offset, offset + size) of it, 1, 2, 4 or 8. */
uint64_t emulate_load(struct emulation *em, const struct emulate_memory *memory,
		      unsigned int offset, unsigned int size);
void emulate_store(struct emulation *em, const struct emulate_memory *memory,
		   unsigned int offset, unsigned int size, uint64_t value);

/* Is all of it RAM that can be accessed as @memory was opened for? */
bool emulate_is_ram(struct emulation *em, const struct emulate_memory *memory,
		    uint32_t access);

/* One access by guest-physical address, within a page. */
uint64_t emulate_load_at(struct vcpu *vcpu, uint64_t gpa, unsigned int size);
void emulate_store_at(struct vcpu *vcpu, uint64_t gpa, unsigned int size,
		      uint64_t value);

/* Store @value if the operand is still @old, as one step where other CPUs may
 * write too (LOCK, RAM). False: it is not. */
bool emulate_replace(struct emulation *em, const struct emulate_memory *memory,
		     uint64_t old, uint64_t value);
/* The same of two halves: 8 or 16 bytes. */
bool emulate_replace_pair(struct emulation *em,
			  const struct emulate_memory *memory,
			  const uint64_t old[2], const uint64_t value[2]);

/* ---- emulate_segment.c ---- */

/* Linear address of segment:offset. False: a fault was raised. */
bool emulate_linear(struct emulation *em, uint8_t segment, uint64_t offset,
		    unsigned int size, uint32_t access, uint64_t *linear);

/* Do @size bytes at @offset lie within the segment's limit? */
bool emulate_is_within(const struct segment *segment, uint64_t offset,
		       unsigned int size);

/* The bytes that may be fetched at RIP, at most @wanted, and their linear
 * address. 0: a fault was raised. */
unsigned int emulate_code(struct emulation *em, unsigned int wanted,
			  uint64_t *linear);

/* May execution go on at @rip? False: a fault was raised. */
bool emulate_check_target(struct emulation *em, uint64_t rip);

/* #GP(0) or, of SS, #SS(0). */
void emulate_raise_segment(struct emulation *em, uint8_t segment);

/* ---- emulate_fetch.c ---- */

/* Fetch and decode. EMULATE_DONE: em->insn is there. */
enum emulate_result emulate_fetch(struct emulation *em);

/* ---- emulate_operand.c ---- */

uint64_t emulate_read_gpr(const struct emulation *em, uint8_t number,
			  uint8_t size);
/* As the CPU does: 4 bytes clear the upper half, 1 and 2 leave the rest. */
void emulate_write_gpr(struct emulation *em, uint8_t number, uint8_t size,
		       uint64_t value);

/* Open the memory operand, if @operand is it, for @access. */
bool emulate_open_operand(struct emulation *em,
			  const struct insn_operand *operand, uint32_t access);
/* Its value, zero-extended. Memory has been opened. */
uint64_t emulate_read_operand(struct emulation *em,
			      const struct insn_operand *operand);
void emulate_write_operand(struct emulation *em,
			   const struct insn_operand *operand, uint64_t value);

/* ---- emulate_alu.c: arithmetic, @flags as RFLAGS before and after ---- */

uint64_t emulate_alu(enum insn_op op, unsigned int size, uint64_t a, uint64_t b,
		     uint64_t *flags);
uint64_t emulate_unary(enum insn_op op, unsigned int size, uint64_t a,
		       uint64_t *flags);
uint64_t emulate_shift(enum insn_op op, unsigned int size, uint64_t a,
		       unsigned int count, uint64_t *flags);
/* SHLD, SHRD: @b's bits come in. */
uint64_t emulate_double_shift(enum insn_op op, unsigned int size, uint64_t a,
			      uint64_t b, unsigned int count, uint64_t *flags);
/* BT, BTS, BTR, BTC. */
uint64_t emulate_bit(enum insn_op op, unsigned int size, uint64_t a,
		     uint64_t bit, uint64_t *flags);
/* The condition of Jcc, SETcc, CMOVcc: SDM 1 appendix B. */
bool emulate_condition(uint8_t opcode, uint64_t flags);

/* ---- emulate_multiply.c ---- */

/* Two or three operands. */
uint64_t emulate_imul(unsigned int size, uint64_t a, uint64_t b,
		      uint64_t *flags);
/* MUL, IMUL, DIV, IDIV of rDX:rAX. False: #DE. */
bool emulate_wide(struct emulation *em, enum insn_op op, unsigned int size,
		  uint64_t operand);

/* ---- execution, by kind of instruction ---- */

enum emulate_result emulate_execute(struct emulation *em);
/* The most frequent of all: MOV in 64-bit code between a register and the device
 * whose address the exit told. False: it is something else. */
bool emulate_device_move(struct emulation *em);
enum emulate_result emulate_stack(struct emulation *em);
enum emulate_result emulate_string(struct emulation *em);
enum emulate_result emulate_xmm(struct emulation *em);

/* It is done: RIP, RFLAGS, single step. */
enum emulate_result emulate_finish(struct emulation *em);
/* An iteration of it is done, and it goes on: RIP stays. */
enum emulate_result emulate_go_on(struct emulation *em);

static inline uint64_t emulate_mask(unsigned int size)
{
	return ~0UL >> (64 - 8 * size);
}

static inline uint64_t emulate_extend(uint64_t value, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* Offset in its segment of the memory operand, not cut to the address size. */
static inline uint64_t emulate_offset(const struct emulation *em)
{
	const struct insn_address *address = &em->insn->address;
	const uint64_t *gpr = em->vcpu->regs.gpr;
	uint64_t offset = address->displacement;

	if (address->base != INSN_NO_GPR)
		offset += gpr[address->base];
	if (address->index != INSN_NO_GPR)
		offset += gpr[address->index] << address->scale;
	if (address->is_rip_relative)
		offset += em->next_rip;
	return offset;
}

#endif
