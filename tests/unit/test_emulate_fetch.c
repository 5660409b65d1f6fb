/* Which bytes the emulator takes for an instruction, what it knows of them, and
 * what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "emulate_steps.h"

static const uint64_t user_code = MACHINE_DATA + 0xff8;

/* The last bytes of the first data page, and how the second is mapped. */
static void put_at_border(uint64_t rip, const uint8_t *bytes, unsigned int size,
			  uint64_t second)
{
	machine_write(rip, bytes, size);
	machine_set_pte(1, second);
	MACHINE_REGS->rip = rip;
}

static void fetches_across_pages(void **state)
{
	/* mov eax, imm32, its last two bytes in another frame */
	static const uint8_t first[] = { 0xb8, 0x11, 0x22 };
	static const uint8_t second[] = { 0x33, 0x44 };
	const uint64_t rip = MACHINE_DATA + PAGE_SIZE - 3;

	(void)state;
	machine_write(MACHINE_DATA + 3 * PAGE_SIZE, second, 2);
	put_at_border(rip, first, 3,
		      (MACHINE_DATA + 3 * PAGE_SIZE) | MACHINE_PTE);
	done(5);
	assert_int_equal(GPR(RAX), 0x44332211);
	put_at_border(rip, first, 3, 0);
	page_faults(MACHINE_DATA + PAGE_SIZE, 0x10);
	put_at_border(rip, first, 3,
		      (MACHINE_DATA + 3 * PAGE_SIZE) | MACHINE_PTE | BIT(63));
	page_faults(MACHINE_DATA + PAGE_SIZE, 0x11);
}

static void does_not_fetch_more_than_needed(void **state)
{
	static const uint8_t mov[] = { 0x89, 0xc3 }; /* mov ebx, eax */

	(void)state;
	GPR(RAX) = 5;
	put_at_border(MACHINE_DATA + PAGE_SIZE - 2, mov, 2, 0);
	done(2);
	assert_int_equal(GPR(RBX), 5);
}

static void fetches_with_its_rights(void **state)
{
	static const uint8_t mov[] = { 0x89, 0xc3 };

	(void)state;
	machine_write(user_code, mov, 2);
	MACHINE_REGS->rip = user_code;
	machine_set_pte(0, MACHINE_DATA | (MACHINE_PTE & ~4UL));
	MACHINE_STATE->cpl = 3;
	page_faults(user_code, 0x15);
	MACHINE_STATE->cpl = 0;
	done(2);
	machine_set_pte(0, 0);
	MACHINE_REGS->rip = user_code;
	page_faults(user_code, 0x10);
	MACHINE_REGS->rip = 0x800000000000;
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_FAULTED);
}

static void bad_code(void **state)
{
	uint8_t prefixes[16];

	(void)state;
	CODE(0xf0, 0x89, 0x07); /* lock mov */
	faults(VECTOR_UD, false, 0);
	CODE(0xf0, 0x01, 0xc3); /* lock add ebx, eax */
	faults(VECTOR_UD, false, 0);
	memset(prefixes, 0x66, sizeof(prefixes));
	put_code(prefixes, sizeof(prefixes));
	faults(VECTOR_GP, true, 0);
	prefixes[13] = 0x89;
	prefixes[14] = 0xc3; /* 15 bytes: just right */
	put_code(prefixes, 15);
	done(15);
	CODE(0x0f, 0x58, 0x07); /* addps */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_UNKNOWN);
	CODE(0xf4); /* hlt: only its length is known */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_UNKNOWN);
	assert_int_equal(MACHINE_VCPU->event.kind, EVENT_NONE);
	MACHINE_REGS->rip = MACHINE_DEVICE; /* no code there */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_UNKNOWN);
}

/* Decoded instructions are remembered: by their bytes, not their address. */
static void changed_code_is_seen(void **state)
{
	(void)state;
	GPR(RAX) = 1;
	for (unsigned int i = 0; i < 3; i++) {
		CODE(0x89, 0xc3); /* mov ebx, eax */
		done(2);
		assert_int_equal(GPR(RBX), 1);
		CODE(0x01, 0xc3); /* add ebx, eax */
		done(2);
		assert_int_equal(GPR(RBX), 2);
	}
}

/* The same bytes are others in another mode: 48 is REX, or DEC EAX. */
static void remembered_by_mode(void **state)
{
	static const uint8_t given[INSN_BYTES_MAX] = { 0x48, 0x01, 0xc3 };
	struct vmexit *exit = &MACHINE_VCPU->exit;

	(void)state;
	tell(MACHINE_DEVICE, 0);
	memcpy(exit->memory.bytes, given, sizeof(given));
	exit->memory.byte_count = sizeof(given);
	MACHINE_REGS->rip = MACHINE_CODE;
	GPR(RAX) = 1;
	done(3);
	fake_ops_protected_mode(MACHINE_VCPU, 0);
	done(1);
	assert_int_equal(GPR(RAX), 0);
	fake_ops_long_mode(MACHINE_VCPU, 0);
	done(3);
}

static void takes_the_bytes_of_the_exit(void **state)
{
	static const uint8_t given[INSN_BYTES_MAX] = { 0x89, 0xc3 };
	struct vmexit *exit = &MACHINE_VCPU->exit;

	(void)state;
	GPR(RAX) = 7;
	for (uint8_t count = 2; count <= INSN_BYTES_MAX; count++) {
		GPR(RBX) = 0;
		CODE(0x0f, 0x0b); /* must not be looked at */
		tell(MACHINE_DEVICE, 0);
		memcpy(exit->memory.bytes, given, INSN_BYTES_MAX);
		exit->memory.byte_count = count;
		done(2);
		assert_int_equal(GPR(RBX), 7);
	}
	CODE(0x01, 0xc3);
	exit->memory.byte_count = 1; /* too few: fetched */
	done(2);
	assert_int_equal(GPR(RBX), 14);
}

static void fetches_a_byte(void **state)
{
	uint8_t byte = 0;

	(void)state;
	CODE(1, 2, 3);
	assert_true(emulate_fetch_byte(MACHINE_VCPU, 2, &byte));
	assert_int_equal(byte, 3);
	MACHINE_REGS->rip = MACHINE_DATA + PAGE_SIZE - 1;
	machine_set_pte(1, 0);
	assert_true(emulate_fetch_byte(MACHINE_VCPU, 0, &byte));
	assert_false(emulate_fetch_byte(MACHINE_VCPU, 1, &byte));
	assert_int_equal(MACHINE_VCPU->event.kind, EVENT_NONE);
}

struct length {
	uint8_t length;
	uint8_t bytes[11];
};

static void lengths(void **state)
{
	static const struct length rows[] = {
		{ 2, { 0x0f, 0xa2 } }, /* cpuid */
		{ 4, { 0x66, 0xf3, 0x0f, 0xa2 } },
		{ 1, { 0xf4 } },	     /* hlt */
		{ 2, { 0xf3, 0x90 } },	     /* pause */
		{ 2, { 0x0f, 0x32 } },	     /* rdmsr */
		{ 2, { 0x0f, 0x30 } },	     /* wrmsr */
		{ 3, { 0x0f, 0x01, 0xc1 } }, /* vmcall */
		{ 3, { 0x0f, 0x01, 0xd9 } }, /* vmmcall */
		{ 3, { 0x0f, 0x01, 0xd1 } }, /* xsetbv */
		{ 2, { 0x0f, 0x08 } },	     /* invd */
		{ 2, { 0x0f, 0x09 } },	     /* wbinvd */
		{ 2, { 0x0f, 0x33 } },	     /* rdpmc */
		{ 2, { 0xe4, 0x60 } },	     /* in al, 0x60 */
		{ 3, { 0x66, 0xe7, 0x60 } }, /* out 0x60, ax */
		{ 1, { 0xec } },
		{ 2, { 0xf3, 0x6c } },		   /* rep insb */
		{ 3, { 0x0f, 0x22, 0xc0 } },	   /* mov cr0, rax */
		{ 4, { 0x44, 0x0f, 0x20, 0xc0 } }, /* mov rax, cr8 */
		{ 10, { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 } },
		{ 0, { 0x0f, 0x58, 0xc0 } },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		put_code(rows[i].bytes, sizeof(rows[i].bytes));
		if (emulate_insn_length(MACHINE_VCPU) != rows[i].length)
			fail_msg("row %u", i);
	}
	MACHINE_REGS->rip = MACHINE_DATA;
	machine_set_pte(0, 0);
	assert_int_equal(emulate_insn_length(MACHINE_VCPU), 0);
	assert_int_equal(MACHINE_VCPU->event.kind, EVENT_NONE);
}

static void control_register_moves(void **state)
{
	uint8_t cr = 0, gpr = 0;
	bool is_write = false;

	(void)state;
	CODE(0x41, 0x0f, 0x22, 0xd9); /* mov cr3, r9 */
	assert_true(emulate_decode_mov_cr(MACHINE_VCPU, &cr, &gpr, &is_write));
	assert_true(cr == 3 && gpr == 9 && is_write);
	CODE(0x44, 0x0f, 0x20, 0xc6); /* mov rsi, cr8 */
	assert_true(emulate_decode_mov_cr(MACHINE_VCPU, &cr, &gpr, &is_write));
	assert_true(cr == 8 && gpr == GPR_RSI && !is_write);
	CODE(0x0f, 0x20, 0x04); /* mod is ignored: mov rsp, cr0 */
	assert_true(emulate_decode_mov_cr(MACHINE_VCPU, &cr, &gpr, &is_write));
	assert_true(cr == 0 && gpr == GPR_RSP);
	CODE(0x0f, 0x22, 0xc8); /* there is no cr1 */
	assert_false(emulate_decode_mov_cr(MACHINE_VCPU, &cr, &gpr, &is_write));
	CODE(0x89, 0xc3);
	assert_false(emulate_decode_mov_cr(MACHINE_VCPU, &cr, &gpr, &is_write));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fetches_across_pages),
		TEST(does_not_fetch_more_than_needed),
		TEST(fetches_with_its_rights),
		TEST(bad_code),
		TEST(changed_code_is_seen),
		TEST(remembered_by_mode),
		TEST(takes_the_bytes_of_the_exit),
		TEST(fetches_a_byte),
		TEST(lengths),
		TEST(control_register_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
