/*
 * The decoder: prefixes, opcode to a row of the tables, ModRM and what follows,
 * then the row's operands. It reads each byte once and looks back at none.
 */
#include "kernel/insn.h"

#include "kernel/insn_decoder.h"

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

/* Skip prefixes; the first byte of the opcode. REX counts only right before it. */
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

static struct insn_row resolve(struct decoder *d, struct insn *insn,
			       const struct insn_row *row)
{
	struct insn_row other = { INSN_OTHER, .flags = ROW_MODRM };
	uint8_t modrm;

	if (row->flags & ROW_MODRM)
		insn_take_modrm(d, insn, row);
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

static bool is_plain(const struct insn *insn)
{
	return insn->address.segment < SEGMENT_FS &&
	       (insn->dst.kind == INSN_KIND_MEMORY ||
		insn->src.kind == INSN_KIND_MEMORY) &&
	       insn->src.kind != INSN_KIND_SEGMENT;
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
	insn_take_operands(&d, insn, &row);
	result = check(&d, insn, &row);
	insn->op = row.op;
	insn->is_plain_move = row.op == INSN_MOV && is_plain(insn);
	insn->length = d.at;
	return result;
}
