/*
 * The decoder against Zydis, an independent one: the first byte of the input
 * chooses 16-, 32- or 64-bit code, the rest is an instruction.
 *
 *	ours		Zydis
 *	decoded		the same length and operands
 *	#UD		nothing either
 *	short, too long	nothing either
 *	unknown		nothing, or a mnemonic that is not in `ours`
 */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/insn.h"
#include "kernel/vcpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must not be unknown. */
static const ZydisMnemonic ours[] = {
	ZYDIS_MNEMONIC_ADD,	   ZYDIS_MNEMONIC_OR,
	ZYDIS_MNEMONIC_ADC,	   ZYDIS_MNEMONIC_SBB,
	ZYDIS_MNEMONIC_AND,	   ZYDIS_MNEMONIC_SUB,
	ZYDIS_MNEMONIC_XOR,	   ZYDIS_MNEMONIC_CMP,
	ZYDIS_MNEMONIC_TEST,	   ZYDIS_MNEMONIC_NOT,
	ZYDIS_MNEMONIC_NEG,	   ZYDIS_MNEMONIC_INC,
	ZYDIS_MNEMONIC_DEC,	   ZYDIS_MNEMONIC_ROL,
	ZYDIS_MNEMONIC_ROR,	   ZYDIS_MNEMONIC_RCL,
	ZYDIS_MNEMONIC_RCR,	   ZYDIS_MNEMONIC_SHL,
	ZYDIS_MNEMONIC_SHR,	   ZYDIS_MNEMONIC_SAR,
	ZYDIS_MNEMONIC_SHLD,	   ZYDIS_MNEMONIC_SHRD,
	ZYDIS_MNEMONIC_BT,	   ZYDIS_MNEMONIC_BTS,
	ZYDIS_MNEMONIC_BTR,	   ZYDIS_MNEMONIC_BTC,
	ZYDIS_MNEMONIC_XADD,	   ZYDIS_MNEMONIC_XCHG,
	ZYDIS_MNEMONIC_CMPXCHG,	   ZYDIS_MNEMONIC_CMPXCHG8B,
	ZYDIS_MNEMONIC_CMPXCHG16B, ZYDIS_MNEMONIC_MOV,
	ZYDIS_MNEMONIC_MOVZX,	   ZYDIS_MNEMONIC_MOVSX,
	ZYDIS_MNEMONIC_MOVSXD,	   ZYDIS_MNEMONIC_MOVBE,
	ZYDIS_MNEMONIC_MOVNTI,	   ZYDIS_MNEMONIC_IMUL,
	ZYDIS_MNEMONIC_MUL,	   ZYDIS_MNEMONIC_DIV,
	ZYDIS_MNEMONIC_IDIV,	   ZYDIS_MNEMONIC_CMOVB,
	ZYDIS_MNEMONIC_CMOVNLE,	   ZYDIS_MNEMONIC_SETB,
	ZYDIS_MNEMONIC_SETNLE,	   ZYDIS_MNEMONIC_MOVSB,
	ZYDIS_MNEMONIC_MOVSW,	   ZYDIS_MNEMONIC_MOVSQ,
	ZYDIS_MNEMONIC_STOSB,	   ZYDIS_MNEMONIC_STOSW,
	ZYDIS_MNEMONIC_STOSD,	   ZYDIS_MNEMONIC_STOSQ,
	ZYDIS_MNEMONIC_LODSB,	   ZYDIS_MNEMONIC_LODSW,
	ZYDIS_MNEMONIC_LODSD,	   ZYDIS_MNEMONIC_LODSQ,
	ZYDIS_MNEMONIC_SCASB,	   ZYDIS_MNEMONIC_SCASW,
	ZYDIS_MNEMONIC_SCASD,	   ZYDIS_MNEMONIC_SCASQ,
	ZYDIS_MNEMONIC_CMPSB,	   ZYDIS_MNEMONIC_CMPSW,
	ZYDIS_MNEMONIC_CMPSQ,	   ZYDIS_MNEMONIC_INSB,
	ZYDIS_MNEMONIC_INSW,	   ZYDIS_MNEMONIC_INSD,
	ZYDIS_MNEMONIC_OUTSB,	   ZYDIS_MNEMONIC_OUTSW,
	ZYDIS_MNEMONIC_OUTSD,	   ZYDIS_MNEMONIC_MOVUPS,
	ZYDIS_MNEMONIC_MOVUPD,	   ZYDIS_MNEMONIC_MOVAPS,
	ZYDIS_MNEMONIC_MOVAPD,	   ZYDIS_MNEMONIC_MOVDQA,
	ZYDIS_MNEMONIC_MOVDQU,	   ZYDIS_MNEMONIC_MOVNTDQ,
	ZYDIS_MNEMONIC_MOVNTPS,	   ZYDIS_MNEMONIC_MOVNTPD,
	ZYDIS_MNEMONIC_MOVNTDQA,   ZYDIS_MNEMONIC_CLFLUSH,
	ZYDIS_MNEMONIC_CLFLUSHOPT, ZYDIS_MNEMONIC_CLWB,
	ZYDIS_MNEMONIC_PREFETCHT0, ZYDIS_MNEMONIC_PREFETCHNTA,
	ZYDIS_MNEMONIC_CPUID,	   ZYDIS_MNEMONIC_HLT,
	ZYDIS_MNEMONIC_RDMSR,	   ZYDIS_MNEMONIC_WRMSR,
	ZYDIS_MNEMONIC_VMCALL,	   ZYDIS_MNEMONIC_VMMCALL,
	ZYDIS_MNEMONIC_INVD,	   ZYDIS_MNEMONIC_WBINVD,
	ZYDIS_MNEMONIC_XSETBV,	   ZYDIS_MNEMONIC_RDPMC,
	ZYDIS_MNEMONIC_RDTSC,	   ZYDIS_MNEMONIC_RDTSCP,
	ZYDIS_MNEMONIC_IN,	   ZYDIS_MNEMONIC_OUT,
	ZYDIS_MNEMONIC_PAUSE,	   ZYDIS_MNEMONIC_INVLPG,
	ZYDIS_MNEMONIC_CLTS,	   ZYDIS_MNEMONIC_LMSW,
	ZYDIS_MNEMONIC_MONITOR,	   ZYDIS_MNEMONIC_MWAIT,
	ZYDIS_MNEMONIC_PUSH,	   ZYDIS_MNEMONIC_CALL,
	ZYDIS_MNEMONIC_JMP,	   ZYDIS_MNEMONIC_INT,
	ZYDIS_MNEMONIC_INT3,	   ZYDIS_MNEMONIC_IRET,
	ZYDIS_MNEMONIC_IRETD,	   ZYDIS_MNEMONIC_IRETQ,
	ZYDIS_MNEMONIC_LGDT,	   ZYDIS_MNEMONIC_LIDT,
	ZYDIS_MNEMONIC_LTR,	   ZYDIS_MNEMONIC_VMRUN,
};

/* One comparison. */
struct duel {
	const uint8_t *bytes;
	uint8_t count;
	uint8_t code_size;
	struct insn insn;
	enum insn_result result;
	bool is_decoded; /* by Zydis */
	ZydisDecodedInstruction reference;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static void fail(const struct duel *duel, const char *what)
{
	fprintf(stderr, "%s: %u-bit code:", what, 8U * duel->code_size);
	for (unsigned int i = 0; i < duel->count; i++)
		fprintf(stderr, " %02x", duel->bytes[i]);
	fprintf(stderr, "\nours: result %d, op %u, length %u; Zydis: ",
		(int)duel->result, duel->insn.op, duel->insn.length);
	if (duel->is_decoded)
		fprintf(stderr, "%s, length %u\n",
			ZydisMnemonicGetString(duel->reference.mnemonic),
			duel->reference.length);
	else
		fprintf(stderr, "nothing\n");
	abort();
}

static void expect(const struct duel *duel, bool holds, const char *what)
{
	if (!holds)
		fail(duel, what);
}

static ZydisRegister gpr(uint8_t number, uint8_t size)
{
	if (number == INSN_NO_GPR)
		return ZYDIS_REGISTER_NONE;
	switch (size) {
	case 2: return ZYDIS_REGISTER_AX + number;
	case 4: return ZYDIS_REGISTER_EAX + number;
	case 8: return ZYDIS_REGISTER_RAX + number;
	}
	if (number & INSN_GPR_HIGH)
		return ZYDIS_REGISTER_AH + (number & 3);
	return number < 4 ? ZYDIS_REGISTER_AL + number
			  : ZYDIS_REGISTER_SPL + number - 4;
}

static void compare_memory(const struct duel *duel,
			   const struct insn_operand *mine,
			   const ZydisDecodedOperand *other)
{
	const struct insn_address *address = &duel->insn.address;
	uint8_t width = duel->insn.address_size;
	ZydisRegister base = gpr(address->base, width);

	if (address->is_rip_relative)
		base = width == 8 ? ZYDIS_REGISTER_RIP : ZYDIS_REGISTER_EIP;
	expect(duel, other->type == ZYDIS_OPERAND_TYPE_MEMORY, "not memory");
	expect(duel, other->mem.base == base, "base");
	expect(duel, other->mem.index == gpr(address->index, width), "index");
	if (address->index != INSN_NO_GPR && width != 2)
		expect(duel, other->mem.scale == 1U << address->scale, "scale");
	expect(duel, other->mem.segment == ZYDIS_REGISTER_ES + address->segment,
	       "segment");
	expect(duel,
	       ((uint64_t)other->mem.disp.value ^ address->displacement)
			       << (64 - 8 * width) ==
		       0,
	       "displacement");
	if (duel->insn.op != INSN_NOP)
		expect(duel, other->size == 8U * mine->size, "size of memory");
}

/* MOVSXD to 16 bits reads 32 bits of memory, but Zydis names a register of 16. */
static bool is_short_movsxd(const struct duel *duel)
{
	return duel->reference.mnemonic == ZYDIS_MNEMONIC_MOVSXD &&
	       duel->insn.dst.size == 2;
}

static void compare_operand(const struct duel *duel,
			    const struct insn_operand *mine,
			    const ZydisDecodedOperand *other)
{
	ZydisRegister found = other->reg.value;

	switch (mine->kind) {
	case INSN_KIND_GPR:
		if (is_short_movsxd(duel) && mine == &duel->insn.src)
			break;
		expect(duel,
		       other->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			       found == gpr(mine->number, mine->size),
		       "register");
		break;
	case INSN_KIND_MEMORY: compare_memory(duel, mine, other); break;
	case INSN_KIND_XMM:
		expect(duel, found == ZYDIS_REGISTER_XMM0 + mine->number,
		       "XMM register");
		break;
	case INSN_KIND_SEGMENT:
		expect(duel, found == ZYDIS_REGISTER_ES + mine->number,
		       "segment register");
		break;
	case INSN_KIND_CONTROL:
		expect(duel, found == ZYDIS_REGISTER_CR0 + mine->number,
		       "control register");
		break;
	case INSN_KIND_IMMEDIATE:
		expect(duel,
		       (other->imm.value.u ^ duel->insn.immediate)
				       << (64 - 8 * mine->size) ==
			       0,
		       "immediate");
		break;
	}
}

/* The operands that one writes. */
static void compare_explicit(const struct duel *duel)
{
	const ZydisDecodedOperand *other = duel->operands;
	const struct insn *insn = &duel->insn;
	unsigned int count = duel->reference.operand_count;

	if (insn->dst.kind != INSN_KIND_NONE) {
		expect(duel, count >= 1, "operands");
		compare_operand(duel, &insn->dst, other++);
	}
	if (insn->src.kind != INSN_KIND_NONE) {
		expect(duel, count >= 2 || other == duel->operands, "operands");
		compare_operand(duel, &insn->src, other);
	}
	if (insn->has_immediate && insn->src.kind != INSN_KIND_IMMEDIATE) {
		const struct insn_operand immediate = {
			INSN_KIND_IMMEDIATE,
			0,
			insn->op == INSN_IMUL ? insn->dst.size : (uint8_t)1,
		};

		expect(duel, count >= 3, "operands");
		compare_operand(duel, &immediate, &duel->operands[2]);
	}
}

/* String instructions show no operands. */
static void compare_string(const struct duel *duel)
{
	const ZydisDecodedOperand *other = duel->operands;
	const struct insn *insn = &duel->insn;
	unsigned int i;

	for (i = 0; i < duel->reference.operand_count; i++, other++) {
		if (other->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		expect(duel, other->size == 8U * insn->dst.size,
		       "size of an element");
		if (other->mem.base == gpr(GPR_RSI, insn->address_size))
			expect(duel,
			       other->mem.segment ==
				       ZYDIS_REGISTER_ES +
					       insn->address.segment,
			       "segment");
		else
			expect(duel,
			       other->mem.base ==
				       gpr(GPR_RDI, insn->address_size),
			       "base");
	}
}

static void compare_operands(const struct duel *duel)
{
	uint8_t op = duel->insn.op;

	/* F3 REX.B 90 is XCHG in CPUs, but PAUSE in Zydis */
	if (op == INSN_OTHER ||
	    (op == INSN_XCHG &&
	     duel->reference.mnemonic == ZYDIS_MNEMONIC_PAUSE))
		return;
	if (op >= INSN_MOVS && op <= INSN_OUTS)
		compare_string(duel);
	else
		compare_explicit(duel);
}

static bool is_ours(ZydisMnemonic mnemonic)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ours); i++) {
		if (ours[i] == mnemonic)
			return true;
	}
	return false;
}

static void judge(const struct duel *duel)
{
	switch (duel->result) {
	case INSN_OK:
		expect(duel, duel->is_decoded, "only ours decodes it");
		expect(duel, duel->insn.length == duel->reference.length,
		       "length");
		compare_operands(duel);
		break;
	case INSN_UNKNOWN:
		expect(duel,
		       !duel->is_decoded ||
			       duel->reference.encoding !=
				       ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
			       !is_ours(duel->reference.mnemonic),
		       "unknown");
		break;
	default: expect(duel, !duel->is_decoded, "only Zydis decodes it");
	}
}

static void start(ZydisDecoder *decoder, uint8_t code_size)
{
	switch (code_size) {
	case 2:
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_16,
				 ZYDIS_STACK_WIDTH_16);
		break;
	case 4:
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
				 ZYDIS_STACK_WIDTH_32);
		break;
	default:
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64,
				 ZYDIS_STACK_WIDTH_64);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t code_sizes[] = { 8, 4, 2, 8 };
	struct duel duel = { 0 };
	ZydisDecoder decoder;

	if (size < 2)
		return 0;
	duel.bytes = data + 1;
	duel.count = (uint8_t)min_u64(size - 1, INSN_BYTES_MAX);
	duel.code_size = code_sizes[data[0] & 3];
	duel.result =
		insn_decode(&duel.insn, duel.bytes, duel.count, duel.code_size);
	start(&decoder, duel.code_size);
	/* with CET it takes a DS prefix of JMP for NOTRACK only */
	ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, false);
	duel.is_decoded = ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(&decoder, duel.bytes, duel.count,
				       &duel.reference, duel.operands));
	judge(&duel);
	return 0;
}
