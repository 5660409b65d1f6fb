/*
 * The decoder: prefixes, opcode to a row of the tables, ModRM and what follows,
 * then the row's operands. It reads each byte once and looks back at none.
 */
#include "kernel/insn.h"

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
static uint64_t take(struct decoder *d, unsigned int size)
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

static uint8_t take_byte(struct decoder *d)
{
	if (d->at == d->count) {
		d->is_short = true;
		return 0;
	}
	return d->bytes[d->at++];
}

static uint64_t take_signed(struct decoder *d, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(take(d, size) << shift) >> shift);
}

/* True: @byte is a prefix other than REX. */
static bool take_prefix(struct decoder *d, struct insn *insn, uint8_t byte)
{
	switch (byte) {
	case 0x26: d->segment = SEGMENT_ES; return true;
	case 0x2e: d->segment = SEGMENT_CS; return true;
	case 0x36: d->segment = SEGMENT_SS; return true;
	case 0x3e: d->segment = SEGMENT_DS; return true;
	case 0x64: d->segment = SEGMENT_FS; return true;
	case 0x65: d->segment = SEGMENT_GS; return true;
	case 0x66: d->has_66 = true; return true;
	case 0x67: d->has_67 = true; return true;
	case 0xf0: insn->is_locked = true; return true;
	case 0xf2: insn->repeat = INSN_REPEAT_NOT_EQUAL; return true;
	case 0xf3: insn->repeat = INSN_REPEAT; return true;
	default: return false;
	}
}

/* The first byte of the opcode. Opcodes with bits 7:5 = 010 or others without a
 * prefix among them are by far the most frequent first bytes. */
static uint8_t take_prefixes(struct decoder *d, struct insn *insn)
{
	uint8_t byte = take_byte(d);
	uint8_t segment;

	for (;;) {
		segment = d->segment;
		if (take_prefix(d, insn, byte)) {
			/* 64-bit code ignores all but FS and GS, which they do
			 * not take back */
			if (d->code_size == 8 && d->segment < SEGMENT_FS)
				d->segment = segment;
			d->rex = 0;
			d->has_rex = false;
		} else if (d->code_size == 8 && (byte & 0xf0) == 0x40) {
			d->rex = byte;
			d->has_rex = true;
		} else {
			return byte;
		}
		if (d->is_short)
			return 0;
		byte = take_byte(d);
	}
}

static void apply_prefixes(const struct decoder *d, struct insn *insn)
{
	if (d->segment != SEGMENT_COUNT)
		insn->address.segment = d->segment;
	if (d->code_size == 8) {
		insn->address_size = d->has_67 ? 4 : 8;
		insn->operand_size = d->rex & REX_W ? 8 : d->has_66 ? 2 : 4;
		return;
	}
	insn->address_size = (d->code_size == 2) == d->has_67 ? 4 : 2;
	insn->operand_size = (d->code_size == 2) == d->has_66 ? 4 : 2;
}

static const struct insn_row *find_38(uint8_t opcode)
{
	switch (opcode) {
	case 0x2a: return insn_by_prefix[PREFIXED_38_2A];
	case 0xf0: return insn_by_prefix[PREFIXED_38_F0];
	case 0xf1: return insn_by_prefix[PREFIXED_38_F1];
	default: return NULL;
	}
}

static unsigned int prefix_column(const struct decoder *d,
				  const struct insn *insn)
{
	if (insn->repeat)
		return insn->repeat == INSN_REPEAT ? COLUMN_F3 : COLUMN_F2;
	return d->has_66 ? COLUMN_66 : COLUMN_NONE;
}

/* The row of the opcode that begins with @byte, before ModRM. NULL: unknown. */
static const struct insn_row *find_row(struct decoder *d, struct insn *insn,
				       uint8_t byte)
{
	const struct insn_row *row = &insn_map_1[byte];

	if (byte == 0x0f) {
		byte = take_byte(d);
		row = &insn_map_0f[byte];
		if (byte == 0x38) {
			byte = take_byte(d);
			row = find_38(byte);
			if (row)
				row += prefix_column(d, insn);
		} else if (row->flags & ROW_PREFIX) {
			row = insn_by_prefix[row->op] + prefix_column(d, insn);
		}
	}
	insn->opcode = byte;
	return row;
}

static void take_address_16(struct decoder *d, struct insn_address *address)
{
	static const uint8_t bases[8] = { GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP,
					  GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX };
	static const uint8_t indices[4] = { GPR_RSI, GPR_RDI, GPR_RSI,
					    GPR_RDI };

	if (d->mod == 0 && d->rm == 6) {
		address->displacement = take(d, 2);
		return;
	}
	address->base = bases[d->rm];
	if (d->rm < 4)
		address->index = indices[d->rm];
	if (d->mod)
		address->displacement = take_signed(d, d->mod);
}

static void take_sib(struct decoder *d, struct insn_address *address)
{
	uint8_t sib = take_byte(d);
	uint8_t index = (uint8_t)((sib >> 3 & 7) | (d->rex & REX_X) << 2);

	if (index != GPR_RSP) {
		address->index = index;
		address->scale = sib >> 6;
	}
	if (d->mod == 0 && (sib & 7) == GPR_RBP)
		address->displacement = take_signed(d, 4);
	else
		address->base = (uint8_t)((sib & 7) | (d->rex & REX_B) << 3);
}

static void take_address_32(struct decoder *d, struct insn_address *address)
{
	if (d->rm == GPR_RSP) {
		take_sib(d, address);
	} else if (d->mod == 0 && d->rm == GPR_RBP) {
		address->displacement = take_signed(d, 4);
		address->is_rip_relative = d->code_size == 8;
		return;
	} else {
		address->base = (uint8_t)(d->rm | (d->rex & REX_B) << 3);
	}
	if (d->mod == 1)
		address->displacement = take_signed(d, 1);
	else if (d->mod == 2)
		address->displacement = take_signed(d, 4);
}

/* SDM 2 "ModR/M and SIB Bytes" 2.1.3, tables 2-1 to 2-3. */
static void take_address(struct decoder *d, struct insn *insn)
{
	struct insn_address *address = &insn->address;

	if (insn->address_size == 2)
		take_address_16(d, address);
	else
		take_address_32(d, address);
	if (d->segment == SEGMENT_COUNT &&
	    (address->base == GPR_RSP || address->base == GPR_RBP))
		address->segment = SEGMENT_SS;
}

static void take_modrm(struct decoder *d)
{
	uint8_t modrm = take_byte(d);

	d->mod = modrm >> 6;
	d->reg = modrm >> 3 & 7;
	d->rm = modrm & 7;
}

/* @lead with what the row of its group says instead. */
static struct insn_row resolve_group(const struct decoder *d,
				     const struct insn_row *lead)
{
	const struct insn_row *row = &insn_groups[lead->op][d->reg];
	struct insn_row merged = *lead;

	merged.op = row->op;
	merged.flags |= row->flags;
	if (row->dst)
		merged.dst = row->dst;
	if (row->src)
		merged.src = row->src;
	if (row->size)
		merged.size = row->size;
	if (row->immediate)
		merged.immediate = row->immediate;
	if (row->op == INSN_PUSH) {
		merged.src = merged.dst;
		merged.dst = PLACE_NONE;
	}
	return merged;
}

static uint8_t size_of(const struct decoder *d, const struct insn *insn,
		       uint8_t size)
{
	switch (size) {
	case SIZE_V: return insn->operand_size;
	case SIZE_Z: return insn->operand_size == 2 ? 2 : 4;
	case SIZE_Y: return d->rex & REX_W ? 8 : 4;
	case SIZE_STACK:
		if (d->code_size != 8)
			return insn->operand_size;
		return insn->operand_size == 2 ? 2 : 8;
	case SIZE_NEAR: return d->code_size == 8 ? 8 : insn->operand_size;
	case SIZE_MODE: return d->code_size == 8 ? 8 : 4;
	case SIZE_PAIR: return d->rex & REX_W ? 16 : 8;
	default: return size;
	}
}

static void take_immediate(struct decoder *d, struct insn *insn,
			   const struct insn_row *row, uint8_t size)
{
	uint8_t z = insn->operand_size == 2 ? 2 : 4;

	insn->has_immediate = true;
	switch (row->immediate) {
	case IMMEDIATE_8: insn->immediate = take(d, 1); break;
	case IMMEDIATE_8S: insn->immediate = take_signed(d, 1); break;
	case IMMEDIATE_16: insn->immediate = take(d, 2); break;
	case IMMEDIATE_16_8: insn->immediate = take(d, 3); break;
	case IMMEDIATE_Z:
		insn->immediate = take_signed(d, size == 1 ? 1 : z);
		break;
	case IMMEDIATE_NEAR:
		insn->immediate = take_signed(d, d->code_size == 8 ? 4 : z);
		break;
	case IMMEDIATE_V: insn->immediate = take(d, size); break;
	case IMMEDIATE_FAR: insn->immediate = take(d, z + 2U); break;
	case IMMEDIATE_ADDRESS:
		insn->has_immediate = false;
		insn->address.displacement = take(d, insn->address_size);
		break;
	}
}

static struct insn_operand gpr_operand(const struct decoder *d, uint8_t number,
				       uint8_t size)
{
	/* without REX the byte registers 4 to 7 are AH, CH, DH, BH */
	if (size == 1 && !d->has_rex && number >= 4)
		number = (uint8_t)((number - 4) | INSN_GPR_HIGH);
	return (struct insn_operand){ INSN_KIND_GPR, number, size };
}

static struct insn_operand place_operand(const struct decoder *d,
					 const struct insn *insn, uint8_t place,
					 uint8_t size)
{
	uint8_t rm = (uint8_t)(d->rm | (d->rex & REX_B) << 3);
	uint8_t reg = (uint8_t)(d->reg | (d->rex & REX_R) << 1);
	uint8_t opcode = (uint8_t)((insn->opcode & 7) | (d->rex & REX_B) << 3);
	struct insn_operand operand = { INSN_KIND_MEMORY, 0, size };

	switch (place) {
	case PLACE_RM: return d->mod == 3 ? gpr_operand(d, rm, size) : operand;
	case PLACE_REG: return gpr_operand(d, reg, size);
	case PLACE_OPCODE: return gpr_operand(d, opcode, size);
	case PLACE_A: operand.kind = INSN_KIND_GPR; break;
	case PLACE_GPR_RM:
		operand.kind = INSN_KIND_GPR, operand.number = rm;
		break;
	case PLACE_CL: return gpr_operand(d, GPR_RCX, 1);
	case PLACE_ONE:
	case PLACE_IMMEDIATE: operand.kind = INSN_KIND_IMMEDIATE; break;
	case PLACE_OFFSET: break;
	case PLACE_XMM:
		operand.kind = INSN_KIND_XMM, operand.number = reg;
		break;
	case PLACE_XMM_RM:
		if (d->mod == 3)
			operand.kind = INSN_KIND_XMM, operand.number = rm;
		break;
	case PLACE_SEGMENT:
		operand.kind = INSN_KIND_SEGMENT, operand.number = d->reg;
		break;
	case PLACE_CONTROL:
		operand.kind = INSN_KIND_CONTROL, operand.number = reg;
		break;
	case PLACE_DEBUG:
		operand.kind = INSN_KIND_DEBUG, operand.number = reg;
		break;
	default: operand.kind = INSN_KIND_NONE;
	}
	return operand;
}

static void place_operands(struct decoder *d, struct insn *insn,
			   const struct insn_row *row)
{
	uint8_t size = size_of(d, insn, row->size);
	uint8_t src_size = row->src_size ? row->src_size : size;

	if (row->immediate)
		take_immediate(d, insn, row, size);
	insn->dst = place_operand(d, insn, row->dst, size);
	insn->src = place_operand(d, insn, row->src, src_size);
	if (row->src == PLACE_ONE)
		insn->immediate = 1;
	/* MOV from a segment register fills a register, but 2 bytes of memory */
	if (row->src == PLACE_SEGMENT && insn->dst.kind == INSN_KIND_MEMORY)
		insn->dst.size = 2;
	/* PUSH and POP of memory, string instructions: their size */
	if (!row->dst && !row->src)
		insn->dst.size = size;
}

/* Is there such a register? */
static bool exists(const struct insn_operand *operand)
{
	switch (operand->kind) {
	case INSN_KIND_SEGMENT: return operand->number <= SEGMENT_GS;
	case INSN_KIND_CONTROL:
		return BIT(operand->number) & (BIT(0) | BITS(4, 2) | BIT(8));
	case INSN_KIND_DEBUG: return operand->number < 8;
	default: return true;
	}
}

/* What the row says against the instruction as it is. */
static enum insn_result check(const struct decoder *d, const struct insn *insn,
			      const struct insn_row *row)
{
	bool is_64 = d->code_size == 8;
	bool has_memory = d->mod != 3;

	if (d->is_short)
		return d->count == INSN_BYTES_MAX ? INSN_TOO_LONG : INSN_SHORT;
	if (row->op == INSN_NONE || (!is_64 && row->flags & ROW_ONLY_64))
		return INSN_UNKNOWN;
	if (row->op == INSN_INVALID || (is_64 && row->flags & ROW_NOT_64))
		return INSN_BAD;
	if (!has_memory && row->flags & ROW_MEMORY)
		return INSN_UNKNOWN;
	if (insn->is_locked &&
	    (!(row->flags & ROW_LOCK) || insn->dst.kind != INSN_KIND_MEMORY))
		return INSN_BAD;
	if (!exists(&insn->dst) || !exists(&insn->src))
		return INSN_BAD;
	if (insn->dst.kind == INSN_KIND_SEGMENT &&
	    insn->dst.number == SEGMENT_CS)
		return INSN_BAD;
	return INSN_OK;
}

static void start(struct decoder *d, struct insn *insn, const uint8_t *bytes,
		  uint8_t count, uint8_t code_size)
{
	*d = (struct decoder){ .bytes = bytes,
			       .count = count,
			       .code_size = code_size,
			       .segment = SEGMENT_COUNT };
	*insn = (struct insn){ .address = { .segment = SEGMENT_DS,
					    .base = INSN_NO_GPR,
					    .index = INSN_NO_GPR } };
}

/* 0F 01 and CR and DR moves have ModRM bytes that do not mean memory. */
static bool take_odd_modrm(struct decoder *d, const struct insn_row *row)
{
	if (row->flags & ROW_ANY_REGISTER)
		d->mod = 3;
	return d->mod == 3;
}

static struct insn_row resolve(struct decoder *d, struct insn *insn,
			       const struct insn_row *row)
{
	struct insn_row other = { INSN_OTHER, .flags = ROW_MODRM };
	uint8_t modrm;

	if (row->flags & ROW_MODRM) {
		take_modrm(d);
		if (!take_odd_modrm(d, row))
			take_address(d, insn);
	}
	if (!(row->flags & ROW_GROUP))
		return *row;
	modrm = (uint8_t)(d->mod << 6 | d->reg << 3 | d->rm);
	if (row->op == GROUP_7 && d->mod == 3 && d->reg != 4 && d->reg != 6) {
		if (!insn_is_known_0f01(modrm, d->code_size == 8,
					prefix_column(d, insn) != COLUMN_NONE))
			other.op = INSN_NONE;
		return other;
	}
	return resolve_group(d, row);
}

enum insn_result insn_decode(struct insn *insn, const uint8_t *bytes,
			     uint8_t count, uint8_t code_size)
{
	const struct insn_row *found;
	enum insn_result result;
	struct insn_row row;
	struct decoder d;
	uint8_t byte;

	start(&d, insn, bytes, count, code_size);
	byte = take_prefixes(&d, insn);
	apply_prefixes(&d, insn);
	found = find_row(&d, insn, byte);
	if (d.is_short)
		return count == INSN_BYTES_MAX ? INSN_TOO_LONG : INSN_SHORT;
	if (!found)
		return INSN_UNKNOWN;
	/* XCHG R8, RAX has the opcode of NOP */
	if (found == &insn_map_1[0x90] && d.rex & REX_B)
		found = &insn_map_1[0x91];
	row = resolve(&d, insn, found);
	place_operands(&d, insn, &row);
	result = check(&d, insn, &row);
	insn->op = row.op;
	insn->length = d.at;
	return result;
}
