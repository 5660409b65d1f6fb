/*
 * Arithmetic with flags, on values of 1, 2, 4 or 8 bytes. What the SDM leaves
 * undefined is as current CPUs do it, or unchanged. Values may have bits above
 * their size; results have none.
 */
#include "kernel/emulate_context.h"

static uint64_t flag(bool is_set, uint64_t bit)
{
	return is_set ? bit : 0;
}

static uint64_t result_flags(unsigned int size, uint64_t value)
{
	return flag(value == 0, RFLAGS_ZF) |
	       flag(value >> (8 * size - 1) & 1, RFLAGS_SF) |
	       flag(!__builtin_parity(value & 0xff), RFLAGS_PF);
}

static void set_flags(uint64_t *flags, uint64_t mask, uint64_t value)
{
	*flags = (*flags & ~mask) | value;
}

/* a + b + carry; bit n of carries: the carry out of bit n. */
static uint64_t add(unsigned int size, uint64_t a, uint64_t b, bool carry,
		    uint64_t *flags)
{
	uint64_t sum = (a + b + carry) & emulate_mask(size);
	uint64_t carries = (a & b) | ((a | b) & ~sum);
	unsigned int top = 8 * size - 1;

	set_flags(flags, RFLAGS_ARITHMETIC,
		  result_flags(size, sum) |
			  flag(carries >> top & 1, RFLAGS_CF) |
			  flag(((a ^ sum) & (b ^ sum)) >> top & 1, RFLAGS_OF) |
			  flag(carries >> 3 & 1, RFLAGS_AF));
	return sum;
}

static uint64_t subtract(unsigned int size, uint64_t a, uint64_t b, bool borrow,
			 uint64_t *flags)
{
	uint64_t rest = (a - b - borrow) & emulate_mask(size);
	uint64_t borrows = (~a & b) | ((~a | b) & rest);
	unsigned int top = 8 * size - 1;

	set_flags(flags, RFLAGS_ARITHMETIC,
		  result_flags(size, rest) |
			  flag(borrows >> top & 1, RFLAGS_CF) |
			  flag(((a ^ b) & (a ^ rest)) >> top & 1, RFLAGS_OF) |
			  flag(borrows >> 3 & 1, RFLAGS_AF));
	return rest;
}

static uint64_t logic(unsigned int size, uint64_t value, uint64_t *flags)
{
	value &= emulate_mask(size);
	set_flags(flags, RFLAGS_ARITHMETIC, result_flags(size, value));
	return value;
}

uint64_t emulate_alu(enum insn_op op, unsigned int size, uint64_t a, uint64_t b,
		     uint64_t *flags)
{
	bool carry = *flags & RFLAGS_CF;

	switch (op) {
	case INSN_ADD:
	case INSN_XADD: return add(size, a, b, false, flags);
	case INSN_ADC: return add(size, a, b, carry, flags);
	case INSN_SUB:
	case INSN_CMP:
	case INSN_CMPXCHG: return subtract(size, a, b, false, flags);
	case INSN_SBB: return subtract(size, a, b, carry, flags);
	case INSN_OR: return logic(size, a | b, flags);
	case INSN_XOR: return logic(size, a ^ b, flags);
	default: return logic(size, a & b, flags); /* AND, TEST */
	}
}

uint64_t emulate_unary(enum insn_op op, unsigned int size, uint64_t a,
		       uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF;

	switch (op) {
	case INSN_NOT: return ~a & emulate_mask(size);
	case INSN_NEG: return subtract(size, 0, a, false, flags);
	case INSN_INC: a = add(size, a, 1, false, flags); break;
	default: a = subtract(size, a, 1, false, flags);
	}
	set_flags(flags, RFLAGS_CF, carry); /* INC and DEC leave it */
	return a;
}

static void set_carry(uint64_t *flags, bool carry, bool overflow)
{
	set_flags(flags, RFLAGS_CF | RFLAGS_OF,
		  flag(carry, RFLAGS_CF) | flag(overflow, RFLAGS_OF));
}

/* ROL and ROR. @count is not 0, but may be a multiple of the width. */
static uint64_t rotate(enum insn_op op, unsigned int size, uint64_t a,
		       unsigned int count, uint64_t *flags)
{
	unsigned int width = 8 * size;
	unsigned int left = (op == INSN_ROL ? count : width - count) % width;
	bool top, low;

	if (left)
		a = (a << left | a >> (width - left)) & emulate_mask(size);
	top = a >> (width - 1) & 1;
	low = a & 1;
	if (op == INSN_ROL)
		set_carry(flags, low, top != low);
	else
		set_carry(flags, top, top != (a >> (width - 2) & 1));
	return a;
}

/* RCL and RCR, bit by bit: at most 63 steps. */
static uint64_t rotate_carry(enum insn_op op, unsigned int size, uint64_t a,
			     unsigned int count, uint64_t *flags)
{
	unsigned int top = 8 * size - 1;
	bool carry = *flags & RFLAGS_CF;
	bool out, overflow;

	count %= 8 * size + 1;
	if (!count)
		return a;
	for (; count; count--) {
		if (op == INSN_RCL) {
			out = a >> top & 1;
			a = (a << 1 | carry) & emulate_mask(size);
		} else {
			out = a & 1;
			a = a >> 1 | (uint64_t)carry << top;
		}
		carry = out;
	}
	overflow = a >> top & 1;
	overflow ^= op == INSN_RCL ? carry : a >> (top - 1) & 1;
	set_carry(flags, carry, overflow);
	return a;
}

static uint64_t shift_left(unsigned int size, uint64_t a, unsigned int count,
			   uint64_t *flags)
{
	unsigned int width = 8 * size;
	uint64_t value = (a << count) & emulate_mask(size);
	bool carry = count <= width && a >> (width - count) & 1;

	set_flags(flags, RFLAGS_ARITHMETIC, result_flags(size, value));
	set_carry(flags, carry, carry != (value >> (width - 1) & 1));
	return value;
}

static uint64_t shift_right(bool is_signed, unsigned int size, uint64_t a,
			    unsigned int count, uint64_t *flags)
{
	uint64_t wide = is_signed ? emulate_extend(a, size) : a;
	int64_t before = (int64_t)wide >> (count - 1);
	uint64_t value =
		is_signed ? (uint64_t)(before >> 1) : wide >> (count - 1) >> 1;
	bool carry = is_signed ? before & 1 : wide >> (count - 1) & 1;

	value &= emulate_mask(size);
	set_flags(flags, RFLAGS_ARITHMETIC, result_flags(size, value));
	set_carry(flags, carry, !is_signed && a >> (8 * size - 1) & 1);
	return value;
}

uint64_t emulate_shift(enum insn_op op, unsigned int size, uint64_t a,
		       unsigned int count, uint64_t *flags)
{
	count &= size == 8 ? 63 : 31;
	a &= emulate_mask(size);
	if (!count)
		return a;
	switch (op) {
	case INSN_ROL:
	case INSN_ROR: return rotate(op, size, a, count, flags);
	case INSN_RCL:
	case INSN_RCR: return rotate_carry(op, size, a, count, flags);
	case INSN_SHR: return shift_right(false, size, a, count, flags);
	case INSN_SAR: return shift_right(true, size, a, count, flags);
	default: return shift_left(size, a, count, flags); /* SHL, SAL */
	}
}

/* With 2 bytes and a count over 16 the result is undefined; CPUs go on with the
 * bits of @a again behind those of @b. */
uint64_t emulate_double_shift(enum insn_op op, unsigned int size, uint64_t a,
			      uint64_t b, unsigned int count, uint64_t *flags)
{
	unsigned int width = 8 * size;
	uint64_t value = a;
	bool carry = false;

	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	for (unsigned int i = 0; i < count; i++) {
		if (op == INSN_SHLD) {
			carry = value >> (width - 1) & 1;
			value = (value << 1 | (b >> (width - 1) & 1)) &
				emulate_mask(size);
			b = b << 1 | carry;
		} else {
			carry = value & 1;
			value = value >> 1 | (b & 1) << (width - 1);
			b = b >> 1 | (uint64_t)carry << (width - 1);
		}
	}
	set_flags(flags, RFLAGS_ARITHMETIC, result_flags(size, value));
	set_carry(flags, carry, (value ^ a) >> (width - 1) & 1);
	return value;
}

uint64_t emulate_bit(enum insn_op op, unsigned int size, uint64_t a,
		     uint64_t bit, uint64_t *flags)
{
	uint64_t mask = BIT(bit & (8 * size - 1));

	set_flags(flags, RFLAGS_CF, flag(a & mask, RFLAGS_CF));
	switch (op) {
	case INSN_BTS: return a | mask;
	case INSN_BTR: return a & ~mask;
	case INSN_BTC: return a ^ mask;
	default: return a;
	}
}

bool emulate_condition(uint8_t opcode, uint64_t flags)
{
	bool less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF);
	bool holds;

	switch (opcode >> 1 & 7) {
	case 0: holds = flags & RFLAGS_OF; break;
	case 1: holds = flags & RFLAGS_CF; break;
	case 2: holds = flags & RFLAGS_ZF; break;
	case 3: holds = flags & (RFLAGS_CF | RFLAGS_ZF); break;
	case 4: holds = flags & RFLAGS_SF; break;
	case 5: holds = flags & RFLAGS_PF; break;
	case 6: holds = less; break;
	default: holds = less || flags & RFLAGS_ZF;
	}
	return holds != (opcode & 1);
}
