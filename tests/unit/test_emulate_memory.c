/* Memory operands of emulated instructions: devices, faults, segments, modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/pc/lapic.h"
#include "emulate_steps.h"

static void local_apic_page(void **state)
{
	struct lapic *lapic = MACHINE_VCPU->lapic;

	(void)state;
	lapic_mmio_write(lapic, 0xf0, 4, 0x1ff);
	GPR(RDI) = VM_LAPIC_BASE;
	GPR(RAX) = 0x30;
	for (unsigned int is_told = 0; is_told < 2; is_told++) {
		CODE(0x89, 0x87, 0x80, 0, 0, 0); /* mov [rdi+0x80], eax */
		if (is_told)
			tell(VM_LAPIC_BASE + 0x80, ACCESS_WRITE);
		GPR(RAX) += 0x10;
		done(6);
		assert_int_equal(lapic_mmio_read(lapic, 0x80, 4), GPR(RAX));
		CODE(0x8b, 0x9f, 0x80, 0, 0, 0); /* mov ebx, [rdi+0x80] */
		GPR(RBX) = ~0UL;
		if (is_told)
			tell(VM_LAPIC_BASE + 0x80, 0);
		done(6);
		assert_int_equal(GPR(RBX), GPR(RAX));
	}
}

static void devices_are_touched_once(void **state)
{
	(void)state;
	GPR(RDI) = MACHINE_DEVICE + 8;
	GPR(RAX) = 0x11;
	CODE(0x01, 0x07); /* add [rdi], eax */
	done(2);
	assert_int_equal(machine_reads, 1);
	assert_int_equal(machine_writes, 1);
	assert_int_equal(machine_read_sizes, 4);
	assert_int_equal(machine_write_sizes, 4);
	assert_int_equal(machine_device[8], 0x11);
	CODE(0x48, 0x3b, 0x07); /* cmp rax, [rdi] */
	done(3);
	assert_int_equal(machine_reads, 2);
	assert_int_equal(machine_writes, 1);
	assert_int_equal(machine_read_sizes, 4 | 8);
	CODE(0xff, 0x37); /* push [rdi] */
	GPR(RSP) = MACHINE_DATA + 64;
	done(2);
	assert_int_equal(machine_reads, 3);
	assert_int_equal(ram(MACHINE_DATA + 56), 0x11);
}

/* Permission comes before the device: nothing is read if the write would fault. */
static void read_only_pages(void **state)
{
	(void)state;
	machine_map_data(true);
	machine_set_pte(0, MACHINE_DEVICE | (MACHINE_PTE & ~2UL));
	GPR(RDI) = MACHINE_DATA + 8;
	CODE(0x01, 0x07); /* add [rdi], eax */
	page_faults(MACHINE_DATA + 8, 3);
	CODE(0x0f, 0xb1, 0x07); /* cmpxchg [rdi], eax */
	page_faults(MACHINE_DATA + 8, 3);
	CODE(0x8f, 0x07); /* pop [rdi] */
	GPR(RSP) = MACHINE_DEVICE + 0x100;
	page_faults(MACHINE_DATA + 8, 3);
	CODE(0xff, 0x37); /* push [rdi], but the stack is read-only */
	GPR(RDI) = MACHINE_DEVICE;
	GPR(RSP) = MACHINE_DATA + 16;
	page_faults(MACHINE_DATA + 8, 3);
	CODE(0xff, 0x17); /* call [rdi] */
	page_faults(MACHINE_DATA + 8, 3);
	assert_int_equal(machine_reads, 0);
	GPR(RDI) = MACHINE_DATA + 8;
	CODE(0x39, 0x07); /* cmp [rdi], eax: reading is allowed */
	done(2);
	MACHINE_STATE->cr0 &= ~CR0_WP;
	CODE(0x01, 0x07);
	done(2);
}

/* Data is accessed with the rights of the code, in 64-bit and other code, by
 * instructions with one operand in memory and with two. */
static void rights_of_users(void **state)
{
	(void)state;
	machine_set_pte(0, MACHINE_DATA | (MACHINE_PTE & ~4UL));
	GPR(RDI) = GPR(RSP) = MACHINE_DATA + 0x20;
	MACHINE_STATE->cpl = 3;
	CODE(0x8b, 0x07); /* mov eax, [rdi] */
	page_faults(MACHINE_DATA + 0x20, 5);
	CODE(0x01, 0x07); /* add [rdi], eax */
	page_faults(MACHINE_DATA + 0x20, 7);
	CODE(0xaa); /* stosb */
	page_faults(MACHINE_DATA + 0x20, 7);
	CODE(0x50); /* push rax */
	page_faults(MACHINE_DATA + 0x18, 7);
	MACHINE_STATE->cpl = 0;
	CODE(0x01, 0x07);
	done(2);
	MACHINE_STATE->cpl = 3; /* the supervisor's walk is not taken for it */
	CODE(0x01, 0x07);
	page_faults(MACHINE_DATA + 0x20, 7);
	machine_set_pte(0, MACHINE_DATA | MACHINE_PTE);
	done(2);
}

/* The exit's address is used where it can be that of the operand, and only
 * there: the data page is not mapped here, so walking to it faults. */
static void address_of_the_exit(void **state)
{
	(void)state;
	machine_set_pte(0, 0);
	GPR(RDI) = MACHINE_DATA + 0x20;
	machine_device[0x20] = 0x77;
	tell(MACHINE_DEVICE + 0x20, 0);
	CODE(0x8b, 0x07); /* mov eax, [rdi] */
	done(2);
	assert_int_equal(GPR(RAX), 0x77);
	CODE(0x0f, 0xb6, 0x1f); /* movzx ebx, byte [rdi] */
	done(3);
	assert_int_equal(GPR(RBX), 0x77);
	tell(MACHINE_DEVICE + 0x24, 0); /* another offset */
	CODE(0x8b, 0x07);
	page_faults(MACHINE_DATA + 0x20, 0);
	CODE(0x0f, 0xb6, 0x1f);
	page_faults(MACHINE_DATA + 0x20, 0);
	tell(MACHINE_DEVICE + 0x20, 0); /* only a read was checked */
	CODE(0x89, 0x07);		/* mov [rdi], eax */
	page_faults(MACHINE_DATA + 0x20, 2);
	CODE(0x01, 0x07); /* add [rdi], eax */
	page_faults(MACHINE_DATA + 0x20, 2);
	tell(MACHINE_DEVICE + 0x20, ACCESS_WRITE);
	CODE(0x01, 0x07);
	done(2);
	tell(MACHINE_DEVICE + 0x20, ACCESS_EXECUTE); /* of a fetch */
	CODE(0x8b, 0x07);
	page_faults(MACHINE_DATA + 0x20, 0);
	tell(MACHINE_DEVICE + 0x20, 0);
	MACHINE_VCPU->exit.memory.is_table_walk = true;
	page_faults(MACHINE_DATA + 0x20, 0);
	MACHINE_VCPU->exit.memory.is_table_walk = false;
	CODE(0xa4); /* movsb: which operand would it be? */
	GPR(RSI) = MACHINE_DATA + 0x20;
	GPR(RDI) = MACHINE_DATA + 0x1020;
	page_faults(MACHINE_DATA + 0x20, 0);
}

/* Four bytes, of which two are RAM and two the device's. */
static void operands_in_two_pages(void **state)
{
	const uint64_t border = MACHINE_DATA + PAGE_SIZE;

	(void)state;
	machine_set_pte(1, MACHINE_DEVICE | MACHINE_PTE);
	GPR(RDI) = border - 2;
	GPR(RAX) = 0x44332211;
	CODE(0x89, 0x07); /* mov [rdi], eax */
	done(2);
	assert_int_equal(ram(border - 2) & 0xffff, 0x2211);
	assert_int_equal(machine_device[0], 0x33);
	assert_int_equal(machine_device[1], 0x44);
	assert_int_equal(machine_device[2], 0);
	CODE(0x8b, 0x1f); /* mov ebx, [rdi] */
	done(2);
	assert_int_equal(GPR(RBX), 0x44332211);
	/* the border's address tells nothing of the first page */
	tell(MACHINE_DEVICE, 0);
	GPR(RBX) = 0;
	CODE(0x8b, 0x1f);
	done(2);
	assert_int_equal(GPR(RBX), 0x44332211);
	machine_set_pte(1, 0);
	set_ram(border - 8, 0);
	CODE(0x89, 0x07);
	page_faults(border, 2);
	assert_int_equal(ram(border - 8), 0);
}

static void not_canonical(void **state)
{
	(void)state;
	CODE(0x8b, 0x07); /* mov eax, [rdi] */
	GPR(RDI) = 0x800000000000;
	faults(VECTOR_GP, true, 0);
	GPR(RDI) = 0x7ffffffffffe; /* its end */
	faults(VECTOR_GP, true, 0);
	CODE(0x8b, 0x04, 0x24); /* mov eax, [rsp] */
	GPR(RSP) = 0x800000000000;
	faults(VECTOR_SS, true, 0);
	CODE(0xff, 0x37); /* push [rdi], its end */
	GPR(RDI) = MACHINE_DATA;
	GPR(RSP) = 0x800000000004;
	faults(VECTOR_SS, true, 0);
	CODE(0x67, 0x8b, 0x04, 0x24); /* 32 bits of rsp: canonical */
	GPR(RSP) = 0xffff800000000000 | MACHINE_DATA;
	done(4);
	CODE(0xff, 0x27); /* jmp [rdi] to nowhere */
	set_ram(MACHINE_DATA, 0x800000000000);
	faults(VECTOR_GP, true, 0);
}

static void bases_of_fs_and_gs(void **state)
{
	(void)state;
	MACHINE_STATE->segments[SEGMENT_GS].base = MACHINE_DATA;
	MACHINE_STATE->segments[SEGMENT_DS].base = 0x1000; /* ignored */
	set_ram(MACHINE_DATA + 8, 0x1234);
	CODE(0x65, 0x8b, 0x07); /* mov eax, gs:[rdi] */
	GPR(RDI) = 8;
	done(3);
	assert_int_equal(GPR(RAX), 0x1234);
	/* with the address of the exit the base counts too */
	MACHINE_STATE->segments[SEGMENT_GS].base = MACHINE_DATA + 4;
	tell(MACHINE_DEVICE + 8, 0);
	machine_device[8] = 0x99;
	CODE(0x65, 0x8b, 0x07);
	done(3);
	assert_int_equal(GPR(RAX), 0);
}

/* ---- other modes ---- */

static void protected_mode(void)
{
	fake_ops_protected_mode(MACHINE_VCPU, 0);
	GPR(RDI) = MACHINE_DATA;
	GPR(RBP) = MACHINE_DATA;
}

static void segments_of_protected_mode(void **state)
{
	struct segment *ds = &MACHINE_STATE->segments[SEGMENT_DS];
	struct segment *ss = &MACHINE_STATE->segments[SEGMENT_SS];
	const uint16_t writable = ds->attributes;

	(void)state;
	protected_mode();
	CODE(0x8b, 0x07); /* mov eax, [edi] */
	ds->limit = MACHINE_DATA + 3;
	done(2);
	ds->limit--;
	CODE(0x8b, 0x07);
	faults(VECTOR_GP, true, 0);
	ds->limit = UINT32_MAX;
	ds->base = 0x100;
	set_ram(MACHINE_DATA + 0x100, 0x5a5a);
	CODE(0x8b, 0x07);
	done(2);
	assert_int_equal(GPR(RAX), 0x5a5a);
	ds->base = 0xffffff00; /* wraps at 4 GiB */
	GPR(RDI) = MACHINE_DATA + 0x200;
	CODE(0x8b, 0x07);
	done(2);
	assert_int_equal(GPR(RAX), 0x5a5a);
	ds->base = 0;
	ds->attributes = 0; /* null */
	CODE(0x8b, 0x07);
	faults(VECTOR_GP, true, 0);
	ds->attributes = (uint16_t)(writable & ~2); /* read-only */
	done(2);
	CODE(0x89, 0x07);
	faults(VECTOR_GP, true, 0);
	ds->attributes = (uint16_t)((writable & ~0xf) | 9); /* execute-only */
	CODE(0x8b, 0x07);
	faults(VECTOR_GP, true, 0);
	ds->attributes = (uint16_t)(writable | 4); /* expand-down */
	ds->limit = MACHINE_DATA + 0x200;
	faults(VECTOR_GP, true, 0);
	ds->limit--;
	done(2);
	ss->limit = 10;
	CODE(0x8b, 0x45, 0x00); /* mov eax, [ebp]: in SS */
	faults(VECTOR_SS, true, 0);
	CODE(0x3e, 0x8b, 0x45, 0x20); /* in DS */
	GPR(RBP) = MACHINE_DATA + 0x200;
	done(4);
}

static void limit_of_code(void **state)
{
	(void)state;
	protected_mode();
	MACHINE_STATE->segments[SEGMENT_CS].limit = MACHINE_CODE + 1;
	CODE(0x89, 0xc3); /* just fits */
	done(2);
	CODE(0xb8, 1, 0, 0, 0); /* mov eax, 1 does not */
	faults(VECTOR_GP, true, 0);
	MACHINE_REGS->rip = MACHINE_CODE + 2;
	faults(VECTOR_GP, true, 0);
}

static void real_mode(void **state)
{
	static const uint8_t code[] = { 0x8a, 0x42, 0x10 }; /* [bp+si+0x10] */

	(void)state;
	fake_ops_real_mode(MACHINE_VCPU);
	MACHINE_STATE->segments[SEGMENT_CS].base = 0x20000;
	MACHINE_STATE->segments[SEGMENT_SS].base = 0x30000;
	machine_write(0x20100, code, 3);
	set_ram(0x30018, 0xab);
	MACHINE_REGS->rip = 0x100;
	GPR(RBP) = 0xffff000c; /* the upper half does not count */
	GPR(RSI) = 0xfffc;     /* 0xc + 0xfffc + 0x10 = 0x18, in 16 bits */
	done(3);
	assert_int_equal(GPR(RAX) & 0xff, 0xab);
	/* beyond the limit, without an error code */
	machine_write(0x20100, (const uint8_t[]){ 0x8b, 0x07 }, 2);
	MACHINE_REGS->rip = 0x100;
	GPR(RBX) = 0xffff;
	faults(VECTOR_GP, false, 0);
}

static void strings_of_16_bits(void **state)
{
	(void)state;
	fake_ops_real_mode(MACHINE_VCPU);
	machine_write(0x100, (const uint8_t[]){ 0xf3, 0xab }, 2); /* stosw */
	MACHINE_REGS->rip = 0x100;
	GPR(RAX) = 0x1234;
	GPR(RDI) = 0xabcd5000;
	GPR(RCX) = 0xffff0002; /* CX counts */
	done(2);
	assert_int_equal(GPR(RDI), 0xabcd5004);
	assert_int_equal(GPR(RCX), 0xffff0000);
	assert_int_equal(ram(0x5000), 0x12341234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(local_apic_page),
		TEST(devices_are_touched_once),
		TEST(read_only_pages),
		TEST(rights_of_users),
		TEST(address_of_the_exit),
		TEST(operands_in_two_pages),
		TEST(not_canonical),
		TEST(bases_of_fs_and_gs),
		TEST(segments_of_protected_mode),
		TEST(limit_of_code),
		TEST(real_mode),
		TEST(strings_of_16_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
