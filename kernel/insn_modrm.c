/* ModRM and SIB bytes and displacements: where memory is, in 16-bit and in 32- and
 * 64-bit addressing. */
#include "kernel/insn_decoder.h"

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

static void take_modrm_byte(struct decoder *d)
{
	uint8_t modrm = take_byte(d);

	d->mod = modrm >> 6;
	d->reg = modrm >> 3 & 7;
	d->rm = modrm & 7;
}

void insn_take_modrm(struct decoder *d, struct insn *insn,
		     const struct insn_row *row)
{
	take_modrm_byte(d);
	if (row->flags & ROW_ANY_REGISTER)
		d->mod = 3;
	if (d->mod != 3)
		take_address(d, insn);
}
