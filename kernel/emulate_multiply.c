/* Multiplication and division. The kernel has no library for 128-bit division,
 * so it is done bit by bit: nobody divides by device registers in a hurry. */
#include "kernel/emulate_context.h"

#include "kernel/cpu/x86_regs.h"

struct pair {
	uint64_t low, high;
};

static void set_overflow(uint64_t *flags, bool overflow)
{
	*flags &= ~(RFLAGS_CF | RFLAGS_OF);
	if (overflow)
		*flags |= RFLAGS_CF | RFLAGS_OF;
}

static struct pair multiply(uint64_t a, uint64_t b, bool is_signed)
{
	unsigned __int128 product =
		is_signed
			? (unsigned __int128)((__int128)(int64_t)a * (int64_t)b)
			: (unsigned __int128)a * b;

	return (struct pair){ (uint64_t)product, (uint64_t)(product >> 64) };
}

uint64_t emulate_imul(unsigned int size, uint64_t a, uint64_t b,
		      uint64_t *flags)
{
	struct pair product = multiply(emulate_extend(a, size),
				       emulate_extend(b, size), true);
	uint64_t value = emulate_extend(product.low, size);

	set_overflow(flags, value != product.low ||
				    product.high != (value >> 63 ? ~0UL : 0));
	return value & emulate_mask(size);
}

/* rDX:rAX, or AX, as two values of @size bytes. */
static struct pair read_pair(struct emulation *em, uint8_t size)
{
	uint64_t ax = em->vcpu->regs.gpr[GPR_RAX];

	if (size == 1)
		return (struct pair){ ax & 0xff, ax >> 8 & 0xff };
	return (struct pair){ emulate_read_gpr(em, GPR_RAX, size),
			      emulate_read_gpr(em, GPR_RDX, size) };
}

static void write_pair(struct emulation *em, uint8_t size, struct pair pair)
{
	emulate_write_gpr(em, GPR_RAX, size, pair.low);
	emulate_write_gpr(em, size == 1 ? GPR_RAX | INSN_GPR_HIGH : GPR_RDX,
			  size, pair.high);
}

static void multiply_wide(struct emulation *em, uint8_t size, uint64_t operand,
			  bool is_signed)
{
	uint64_t a = emulate_read_gpr(em, GPR_RAX, size);
	struct pair product;
	bool overflow;

	if (is_signed) {
		a = emulate_extend(a, size);
		operand = emulate_extend(operand, size);
	}
	product = multiply(a, operand, is_signed);
	if (size < 8)
		product.high = product.low >> 8 * size;
	product.low &= emulate_mask(size);
	product.high &= emulate_mask(size);
	overflow = product.high != 0;
	if (is_signed)
		overflow =
			product.high != (emulate_extend(product.low, size) >> 63
						 ? emulate_mask(size)
						 : 0);
	write_pair(em, size, product);
	set_overflow(&em->rflags, overflow);
}

/* @value over @by: quotient in low, remainder in high. False: it does not fit
 * into @size bytes. */
static bool divide(struct pair value, uint64_t by, unsigned int size,
		   struct pair *result)
{
	unsigned int width = 8 * size;
	uint64_t rest = value.high;
	uint64_t quotient = 0;

	if (rest >= by)
		return false;
	for (unsigned int i = width; i-- > 0;) {
		bool carry = rest >> 63;

		rest = rest << 1 | (value.low >> i & 1);
		quotient <<= 1;
		if (carry || rest >= by) {
			rest -= by;
			quotient |= 1;
		}
	}
	*result = (struct pair){ quotient, rest };
	return true;
}

static struct pair negate_pair(struct pair value, unsigned int size)
{
	uint64_t mask = emulate_mask(size);

	value.low = -value.low & mask;
	value.high = (~value.high + !value.low) & mask;
	return value;
}

static bool divide_signed(struct pair value, uint64_t by, unsigned int size,
			  struct pair *result)
{
	unsigned int top = 8 * size - 1;
	uint64_t mask = emulate_mask(size);
	bool is_negative = value.high >> top & 1;
	bool is_by_negative = by >> top & 1;
	uint64_t most = mask >> 1;

	if (is_negative)
		value = negate_pair(value, size);
	if (!divide(value, is_by_negative ? -by & mask : by, size, result))
		return false;
	if (is_negative != is_by_negative) {
		if (result->low > most + 1)
			return false;
		result->low = -result->low & mask;
	} else if (result->low > most) {
		return false;
	}
	if (is_negative)
		result->high = -result->high & mask;
	return true;
}

bool emulate_wide(struct emulation *em, enum insn_op op, unsigned int size,
		  uint64_t operand)
{
	struct pair value = read_pair(em, (uint8_t)size);
	struct pair result;
	bool fits;

	if (op == INSN_MUL_WIDE || op == INSN_IMUL_WIDE) {
		multiply_wide(em, (uint8_t)size, operand, op == INSN_IMUL_WIDE);
		return true;
	}
	fits = op == INSN_DIV ? divide(value, operand, size, &result)
			      : divide_signed(value, operand, size, &result);
	if (fits)
		write_pair(em, (uint8_t)size, result);
	else
		event_raise(em->vcpu, VECTOR_DE);
	return fits;
}
