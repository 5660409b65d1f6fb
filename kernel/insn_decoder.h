/*
 * What the parts of the decoder share. [pure]
 *
 *	insn.c		prefixes, opcode to row, checks
 *	insn_modrm.c	ModRM, SIB, displacement
 *	insn_operand.c	the row's operands, immediates
 */
#ifndef KERNEL_INSN_DECODER_H
#define KERNEL_INSN_DECODER_H

#include "kernel/insn_table.h"
#include "kernel/vcpu.h"

#define REX_W BIT(3)
#define REX_R BIT(2)
#define REX_X BIT(1)
#define REX_B BIT(0)

/* What only decoding needs to know. */
struct decoder {
	const uint8_t *bytes;
	uint8_t at, count;
	bool is_short;
	uint8_t code_size;
	uint8_t rex;
	bool has_66, has_67;
	bool has_rex;
	uint8_t segment; /* of a prefix, or SEGMENT_COUNT */
	uint8_t mod, reg, rm;
};

/* Little-endian bytes of the instruction, zero-extended. */
static inline uint64_t take(struct decoder *d, unsigned int size)
{
	uint64_t value = 0;

	if (size > (unsigned int)(d->count - d->at)) {
		d->is_short = true;
		return 0;
	}
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)d->bytes[d->at + i] << 8 * i;
	d->at = (uint8_t)(d->at + size);
	return value;
}

static inline uint8_t take_byte(struct decoder *d)
{
	if (d->at == d->count) {
		d->is_short = true;
		return 0;
	}
	return d->bytes[d->at++];
}

static inline uint64_t take_signed(struct decoder *d, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(take(d, size) << shift) >> shift);
}

/* ModRM, and the address if it names memory. */
void insn_take_modrm(struct decoder *d, struct insn *insn,
		     const struct insn_row *row);

/* Immediates, dst and src, as @row has them. */
void insn_take_operands(struct decoder *d, struct insn *insn,
			const struct insn_row *row);

#endif
