/*
 * The emulator against this machine's CPU: random instructions of every row of a
 * table, with random operands, in 64-bit mode. Registers, flags (but those that
 * the manual leaves undefined), memory, faults and branches must agree, whether
 * the operand is RAM or a device, and whether or not the exit told its address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "emulate_machine.h"
#include "emulate_rows.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate_context.h"
#include "native.h"

#define DATA_SIZE 0x4000U
#define MIDDLE	  (MACHINE_DATA + DATA_SIZE / 2)
#define ROUNDS	  250 /* of each row */

/* One try: the instruction, and the state before it. */
struct
try {
	uint8_t code[16];
	unsigned int size;
	unsigned int operand_size; /* of V and STACK rows */
	uint64_t immediate;
	bool is_register; /* no memory operand */
	struct native before;
	uint8_t data[DATA_SIZE];
	uint64_t undefined;
};

static uint8_t *data, *code;
static uint64_t random_state = 88172645463325252UL;

static uint64_t any(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t below(uint64_t limit)
{
	return (any() >> 8) % limit;
}

/* Values at which arithmetic turns, or any. */
static uint64_t value(void)
{
	static const uint64_t edges[] = {
		0,
		1,
		0x7f,
		0x80,
		0xff,
		0x7fff,
		0x8000,
		0xffff,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x7fffffffffffffff,
		1UL << 63,
		~0UL,
		0x123456789abcdef0,
		0x100000000,
		0xffffffff00000000,
	};

	return any() & BIT(20) ? any() : edges[below(ARRAY_SIZE(edges))];
}

static void put(struct try *t, uint64_t bytes, unsigned int size)
{
	memcpy(t->code + t->size, &bytes, size);
	t->size += size;
}

static void randomise(struct try *t)
{
	uint64_t alphabet = any() & BIT(9) ? 0xff : 0x01;

	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < 16; i++) {
		t->before.gpr[i] = value();
		t->before.xmm[i].low = any();
		t->before.xmm[i].high = any();
	}
	t->before.rflags = 0x202 | (any() & RFLAGS_ARITHMETIC);
	for (unsigned int i = 0; i < DATA_SIZE; i += 8) {
		uint64_t word = any() & 0x0101010101010101 * alphabet;

		memcpy(t->data + i, &word, 8);
	}
}

/* ModRM and what follows, for memory at @address. */
static void put_memory(struct try *t, uint8_t reg, uint8_t *rex,
		       uint64_t address, unsigned int rex_at,
		       unsigned int immediate_size)
{
	uint64_t *gpr = t->before.gpr;
	int8_t d8 = (int8_t)any();
	uint8_t r = (uint8_t)(reg << 3);

	switch (below(7)) {
	case 0: /* [rdi] */
		gpr[GPR_RDI] = address;
		put(t, r | 7U, 1);
		break;
	case 1: /* [rsi + d8] */
		gpr[GPR_RSI] = address - (uint64_t)d8;
		put(t, 0x46U | r, 1);
		put(t, (uint8_t)d8, 1);
		break;
	case 2: /* [rbx + r9 * 4 + d32] */
		*rex |= 2;
		gpr[9] = below(100);
		gpr[GPR_RBX] = address - gpr[9] * 4 - 0x12345;
		put(t, 0x84U | r, 1);
		put(t, 0x8b, 1);
		put(t, 0x12345, 4);
		break;
	case 3: /* [rip + d32] */
		put(t, 0x05U | r, 1);
		put(t, address - (MACHINE_CODE + t->size + 4 + immediate_size),
		    4);
		break;
	case 4: /* [r13 + d8] */
		*rex |= 1;
		gpr[13] = address - (uint64_t)d8;
		put(t, 0x45U | r, 1);
		put(t, (uint8_t)d8, 1);
		break;
	case 5: /* [r12] */
		*rex |= 1;
		gpr[12] = address;
		put(t, 0x04U | r, 1);
		put(t, 0x24, 1);
		break;
	default: /* [d32] */
		put(t, 0x04U | r, 1);
		put(t, 0x25, 1);
		put(t, address, 4);
	}
	t->code[rex_at] |= *rex;
}

static unsigned int immediate_size(const struct row *row, unsigned int size)
{
	if (row->flags & B)
		return 1;
	if (row->flags & FULL)
		return size;
	if (row->flags & Z)
		return size == 2 ? 2 : 4;
	return 0;
}

/* Where the operand is: in the middle, on the border of two pages, aligned. */
static uint64_t choose_address(void)
{
	uint64_t address = MIDDLE + below(128) - 64;

	return any() & BIT(11) ? align_down(address, 16) : address;
}

static void choose_operands(struct try *t, const struct row *row,
			    uint64_t address)
{
	uint64_t *gpr = t->before.gpr;
	uint8_t *at = t->data + (address - MACHINE_DATA);
	uint64_t landing = MACHINE_CODE + NATIVE_LANDING;

	if (row->flags & COUNT && any() & BIT(5))
		gpr[GPR_RCX] = below(40);
	if (row->flags & BITS_)
		gpr[GPR_RAX] = below(16384) - 8192;
	if (row->flags & DIVIDE && any() & BIT(5))
		gpr[GPR_RDX] = below(3) - 1;
	if (row->flags & EQUAL && any() & BIT(5)) {
		memcpy(at, &gpr[GPR_RAX], 8);
		memcpy(at + (row->flags & W ? t->operand_size : 8),
		       &gpr[GPR_RDX], 8);
	}
	if (row->flags & JUMP)
		memcpy(at, &landing, 8);
	if (row->flags & (STACK | JUMP))
		gpr[GPR_RSP] = MACHINE_DATA + 0x1000 + below(64);
	if (row->flags & STRING) {
		gpr[GPR_RSI] = address;
		gpr[GPR_RDI] = address + below(128) - 64;
		gpr[GPR_RCX] = below(10);
		t->before.rflags |= any() & RFLAGS_DF;
	}
}

/* Flags of shifts are defined by the count. False: nothing is. */
static bool judge_count(struct try *t, const struct row *row, unsigned int size)
{
	uint64_t count = row->flags & B ? t->immediate : t->before.gpr[GPR_RCX];
	unsigned int width = 8 * size;
	bool is_double = row->opcode[0] == 0x0f;

	count &= size == 8 ? 63 : 31;
	if (is_double && count > width)
		return false;
	if (count == 0)
		t->undefined = 0;
	if (count > 1)
		t->undefined |= RFLAGS_OF;
	if (count >= width && row->reg >= 4)
		t->undefined |= RFLAGS_CF;
	return true;
}

static void put_prefixes(struct try *t, const struct row *row)
{
	bool is_sized = row->flags & (V | STACK);

	t->operand_size = 1;
	if (is_sized || row->flags & W)
		t->operand_size = row->flags & W || any() & BIT(7) ? 4 : 2;
	if (row->flags & STACK && t->operand_size == 4)
		t->operand_size = 8;
	if (is_sized && t->operand_size == 2)
		put(t, 0x66, 1);
	if (row->prefix)
		put(t, row->prefix, 1);
	if (row->flags & STRING && any() & BIT(4))
		put(t, any() & BIT(5) ? 0xf2 : 0xf3, 1);
	if (row->flags & LOCK && !t->is_register && any() & BIT(6))
		put(t, 0xf0, 1);
}

/* REX: W makes 8 bytes; the byte that others or bits into. */
static uint8_t put_rex(struct try *t, const struct row *row)
{
	uint8_t rex = 0x40;

	if (row->flags & (V | W) && t->operand_size == 4 && any() & BIT(6)) {
		t->operand_size = 8;
		rex |= 8;
	}
	put(t, rex, 1);
	return rex;
}

/* Without REX, sometimes: AH to BH. */
static void drop_rex(struct try *t, unsigned int at)
{
	if (t->code[at] != 0x40 || any() & BIT(8))
		return;
	memmove(t->code + at, t->code + at + 1, t->size - at - 1);
	t->size--;
}

static bool is_rip_relative(const struct try *t, unsigned int modrm)
{
	return (t->code[modrm] & 0xc7) == 0x05;
}

/* Make an instruction of @row. False: its result is not defined. */
static bool make(struct try *t, const struct row *row, uint64_t *address)
{
	uint8_t reg = row->reg == ANY ? (uint8_t)below(8) : row->reg;
	unsigned int rex_at, modrm, tail;
	uint8_t rex;

	randomise(t);
	*address = choose_address();
	t->is_register = row->flags & (NO_MODRM | STRING | MOFFS) ||
			 (!(row->flags & NO_REG) && any() & BIT(13));
	t->undefined = row->undefined;
	put_prefixes(t, row);
	rex_at = t->size;
	rex = put_rex(t, row);
	if (row->reg == ANY && any() & BIT(14))
		rex |= 4;
	for (unsigned int i = 0; i < row->opcode_size; i++)
		put(t, row->opcode[i], 1);
	choose_operands(t, row, *address);
	modrm = t->size;
	tail = immediate_size(row, t->operand_size);
	if (row->flags & MOFFS)
		put(t, *address, 8);
	else if (!(row->flags & (NO_MODRM | STRING)) && t->is_register)
		put(t, 0xc0 | (uint64_t)reg << 3 | below(8), 1);
	else if (!t->is_register)
		put_memory(t, reg, &rex, *address, rex_at, tail);
	t->code[rex_at] |= rex;
	t->immediate = value();
	if (row->flags & COUNT && any() & BIT(9))
		t->immediate = below(66);
	put(t, t->immediate, tail);
	t->immediate &= tail ? emulate_mask(tail) : 0;
	if (row->flags & NO_MODRM || !is_rip_relative(t, modrm))
		drop_rex(t, rex_at);
	return !(row->flags & COUNT) || judge_count(t, row, t->operand_size);
}

enum place { IN_RAM, IN_DEVICE, IN_DEVICE_TOLD, PLACE_COUNT };

static void tell(const struct try *t, uint64_t address, uint32_t access)
{
	struct vmexit *exit = &MACHINE_VCPU->exit;

	exit->reason = EXIT_MEMORY;
	exit->memory.gpa.value = address - MACHINE_DATA + MACHINE_DEVICE;
	exit->memory.access = access;
	exit->memory.byte_count = (uint8_t)t->size;
	memcpy(exit->memory.bytes, t->code, t->size);
}

static void load_machine(const struct try *t, enum place place)
{
	struct vcpu *vcpu = MACHINE_VCPU;

	memset(&vcpu->exit, 0, sizeof(vcpu->exit));
	vcpu->event.kind = EVENT_NONE;
	memcpy(vcpu->regs.gpr, t->before.gpr, sizeof(t->before.gpr));
	vcpu->regs.rflags = t->before.rflags;
	memcpy(fake_xmm, t->before.xmm, sizeof(fake_xmm));
	machine_map_data(place != IN_RAM);
	if (place == IN_RAM)
		machine_write(MACHINE_DATA, t->data, DATA_SIZE);
	else
		memcpy(machine_device, t->data, DATA_SIZE);
	machine_code(t->code, t->size);
}

static const char *place_names[] = { "RAM", "device", "device, told" };

static void complain(const struct try *t, const struct row *row,
		     enum place place, const char *what)
{
	const struct vcpu *vcpu = MACHINE_VCPU;

	fprintf(stderr, "%s in %s:", row->name, place_names[place]);
	for (unsigned int i = 0; i < t->size; i++)
		fprintf(stderr, " %02x", t->code[i]);
	fprintf(stderr, "\n");
	for (unsigned int i = 0; i < 16; i++)
		fprintf(stderr, "r%-2u %016lx: %016lx\n", i, t->before.gpr[i],
			vcpu->regs.gpr[i]);
	fail_msg("%s", what);
}

static void compare(const struct try *t, const struct row *row,
		    enum place place, const struct native *after,
		    enum emulate_result result)
{
	static uint8_t found[DATA_SIZE];
	const struct vcpu *vcpu = MACHINE_VCPU;
	uint64_t mask = (RFLAGS_ARITHMETIC | RFLAGS_DF) & ~t->undefined;
	uint64_t rip =
		MACHINE_CODE + (after->has_branched ? NATIVE_LANDING : t->size);

	if (result != (after->signal ? EMULATE_FAULTED : EMULATE_DONE))
		complain(t, row, place, "does not fault alike");
	if (after->signal) {
		if (vcpu->event.vector !=
		    (after->signal == SIGFPE ? VECTOR_DE : VECTOR_GP))
			complain(t, row, place, "another fault");
		rip = MACHINE_CODE;
		mask = ~0UL;
		if (vcpu->regs.rflags != t->before.rflags)
			complain(t, row, place, "flags of a fault");
	} else if ((vcpu->regs.rflags ^ after->rflags) & mask) {
		fprintf(stderr, "native %#lx, emulated %#lx\n", after->rflags,
			vcpu->regs.rflags);
		complain(t, row, place, "flags");
	}
	if (vcpu->regs.rip != rip)
		complain(t, row, place, "RIP");
	for (unsigned int i = 0; i < 16; i++) {
		if (vcpu->regs.gpr[i] != after->gpr[i]) {
			fprintf(stderr, "r%u is natively %016lx\n", i,
				after->gpr[i]);
			complain(t, row, place, "registers");
		}
	}
	if (memcmp(fake_xmm, after->xmm, sizeof(fake_xmm)))
		complain(t, row, place, "XMM registers");
	if (place == IN_RAM)
		machine_read(MACHINE_DATA, found, DATA_SIZE);
	else
		memcpy(found, machine_device, DATA_SIZE);
	if (memcmp(found, data, DATA_SIZE))
		complain(t, row, place, "memory");
}

static void try_row(const struct row *row)
{
	static struct try t;
	struct native after;
	uint64_t address;

	if (!make(&t, row, &address))
		return;
	after = t.before;
	memcpy(data, t.data, DATA_SIZE);
	native_run(&after, code, t.code, t.size);
	for (enum place place = IN_RAM; place < PLACE_COUNT; place++) {
		/* an exit with the address of the one operand only */
		if (place == IN_DEVICE_TOLD &&
		    (row->flags & (STRING | STACK | JUMP | BITS_) ||
		     t.is_register))
			continue;
		load_machine(&t, place);
		if (place == IN_DEVICE_TOLD)
			tell(&t, address, ACCESS_WRITE);
		compare(&t, row, place, &after, emulate_insn(MACHINE_VCPU));
	}
}

static void agrees_with_the_cpu(void **state)
{
	(void)state;
	data = native_map(MACHINE_DATA, DATA_SIZE, false);
	code = native_map(MACHINE_CODE, PAGE_SIZE, true);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].flags & MOVBE && !__builtin_cpu_supports("movbe"))
			continue;
		for (unsigned int round = 0; round < ROUNDS; round++)
			try_row(&rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			agrees_with_the_cpu, machine_setup, machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
