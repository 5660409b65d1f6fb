/* bzImage: what a kernel of the 64-bit boot protocol finds, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "loader_machine.h"

#define SETUP_SECTS	4
#define CODE_AT		((SETUP_SECTS + 1) * 512UL)
#define CODE_SIZE	20000UL
#define PREF_ADDRESS	(16 * MIB)
#define INIT_SIZE	(8 * MIB)
#define CMDLINE_SIZE	2047
#define INITRD_ADDR_MAX 0x7fffffff

/* A sound bzImage whose code is 0x90 throughout. */
static void put_bzimage(void)
{
	fill(0, 0x1f1, 0xff); /* none of this may get into the zero page */
	poke(0x1f1, SETUP_SECTS, 1);
	poke(0x1f4, CODE_SIZE / 16, 4);
	poke(0x1fe, 0xaa55, 2);
	poke(0x200, 0x6aeb, 2); /* header ends at 0x26c */
	memcpy(poke(0x202, 0, 4), "HdrS", 4);
	poke(0x206, 0x20f, 2);
	poke(0x211, 1, 1);
	poke(0x22c, INITRD_ADDR_MAX, 4);
	poke(0x230, 2 * MIB, 4);
	poke(0x234, 1, 1);
	poke(0x236, 1, 2);
	poke(0x238, CMDLINE_SIZE, 4);
	poke(0x23c, 0x1234, 4);
	poke(0x250, 0x5678, 8);
	poke(0x258, PREF_ADDRESS, 8);
	poke(0x260, INIT_SIZE, 4);
	poke(0x268, 0xabcd, 4);
	fill(0x26c, 0x400 - 0x26c, 0xee); /* behind the header */
	fill(CODE_AT, CODE_SIZE, 0x90);
	request.cmdline = slice_from("console=ttyS0 quiet");
	request.rsdp = (gpa_t){ 0xe0000 };
}

static void loads_kernel(void **state)
{
	(void)state;
	put_bzimage();
	assert_loads();
	assert_int_equal(entry.regs.rip, PREF_ADDRESS + 0x200);
	assert_guest_bytes(PREF_ADDRESS, 0x90, CODE_SIZE);
	assert_guest_bytes(PREF_ADDRESS + CODE_SIZE, 0, 32);
	assert_int_equal(entry.regs.rflags, 2);
}

static void fills_zero_page(void **state)
{
	uint64_t zero;

	(void)state;
	put_bzimage();
	assert_loads();
	zero = entry.regs.gpr[GPR_RSI];
	assert_guest_bytes(zero, 0, 0x70);
	assert_int_equal(peek_number(zero + 0x70, 8), 0xe0000);
	assert_guest_bytes(zero + 0x78, 0, 0x1e8 - 0x78);
	assert_int_equal(peek_number(zero + 0x1ef, 1), 0); /* sentinel */
	assert_int_equal(peek_number(zero + 0x1fa, 2), 0xffff);
	assert_int_equal(peek_number(zero + 0x202, 4), 0x53726448);
	assert_int_equal(peek_number(zero + 0x210, 1), 0xff);
	assert_int_equal(peek_number(zero + 0x211, 1), 1);
	assert_int_equal(peek_number(zero + 0x214, 4), PREF_ADDRESS);
	assert_int_equal(peek_number(zero + 0x218, 8), 0); /* no initrd */
	assert_int_equal(peek_number(zero + 0x23c, 4), 0);
	assert_int_equal(peek_number(zero + 0x250, 8), 0);
	assert_int_equal(peek_number(zero + 0x268, 4), 0xabcd);
	assert_guest_bytes(zero + 0x26c, 0, 0x290 - 0x26c);
	assert_guest_text(peek_number(zero + 0x228, 4), "console=ttyS0 quiet");
}

static void tells_memory_map(void **state)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(&fake_vm, map);
	uint64_t zero;

	(void)state;
	put_bzimage();
	assert_loads();
	zero = entry.regs.gpr[GPR_RSI];
	assert_int_equal(peek_number(zero + 0x1e8, 1), count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t at = zero + 0x2d0 + i * 20;

		assert_int_equal(peek_number(at, 8), map[i].base);
		assert_int_equal(peek_number(at + 8, 8), map[i].size);
		assert_int_equal(peek_number(at + 16, 4), map[i].type);
	}
	assert_int_equal(peek_number(zero + 0x2d0 + count * 20, 8), 0);
}

/* The CPU's walk of the tables behind CR3, which must end in a 2 MiB page. */
static uint64_t translate(uint64_t virt)
{
	uint64_t table = entry.state.cr3;

	for (int shift = 39; shift >= 21; shift -= 9) {
		uint64_t at = table + (virt >> shift & 511) * 8;
		uint64_t found = peek_number(at, 8);

		assert_int_equal(found & 3, 3);
		assert_int_equal(found >> 7 & 1, shift == 21);
		table = found & 0xffffffffff000;
	}
	return table | (virt & (LARGE_PAGE_SIZE - 1));
}

static void enters_long_mode(void **state)
{
	const struct vcpu_state *cpu = &entry.state;

	(void)state;
	put_bzimage();
	assert_loads();
	assert_int_equal(cpu->cr0, 0x80000011);
	assert_int_equal(cpu->cr4, 0x20);
	assert_int_equal(cpu->efer, 0x500);
	for (uint64_t at = 0x123; at < 4 * GIB; at += LARGE_PAGE_SIZE)
		assert_int_equal(translate(at), at);
	assert_int_equal(cpu->segments[SEGMENT_CS].selector, 0x10);
	assert_int_equal(cpu->segments[SEGMENT_CS].attributes, 0xa9b);
	assert_int_equal(cpu->segments[SEGMENT_DS].selector, 0x18);
	assert_int_equal(cpu->segments[SEGMENT_DS].attributes, 0xc93);
	assert_int_equal(cpu->segments[SEGMENT_TR].attributes, 0x8b);
	assert_int_equal(cpu->gdtr.limit, 31);
	assert_int_equal(peek_number(cpu->gdtr.base, 8), 0);
	assert_int_equal(peek_number(cpu->gdtr.base + 0x10, 8),
			 0xaf9b000000ffff);
	assert_int_equal(peek_number(cpu->gdtr.base + 0x18, 8),
			 0xcf93000000ffff);
}

/* Linux's decompressor overwrites the top of low memory. */
static void leaves_top_of_low_memory(void **state)
{
	(void)state;
	put_bzimage();
	assert_loads();
	assert_true(entry.regs.gpr[GPR_RSI] + PAGE_SIZE <= 0x90000);
	assert_true(entry.state.gdtr.base + 32 <= 0x90000);
	assert_guest_bytes(0x90000, 0, 0x10000);
}

static uint64_t initrd_base(void)
{
	uint64_t zero = entry.regs.gpr[GPR_RSI];

	assert_int_equal(peek_number(zero + 0x21c, 4), request.initrd.size);
	return peek_number(zero + 0x218, 4);
}

static void shares_aligned_initrd(void **state)
{
	uint64_t size = 3 * MIB + 1234;
	uint64_t base;

	(void)state;
	put_bzimage();
	request.initrd = module_make(size);
	assert_loads();
	base = initrd_base();
	assert_true(is_aligned(base, PAGE_SIZE));
	assert_in_range(base + size, 61 * MIB, 64 * MIB);
	assert_guest_has_module(base, size);
	assert_guest_bytes(base + size, 0, 64);
}

static void keeps_initrd_below_its_limit(void **state)
{
	(void)state;
	put_bzimage();
	poke(0x22c, 40 * MIB - 1, 4);
	request.initrd = module_make(PAGE_SIZE);
	assert_loads();
	assert_int_equal(initrd_base(), 40 * MIB - PAGE_SIZE);
	poke(0x22c, UINT32_MAX, 4); /* anywhere: nothing wraps */
	machine_start(64 * MIB);
	request.initrd = module_make(PAGE_SIZE);
	assert_loads();
	assert_int_equal(initrd_base(), 64 * MIB - PAGE_SIZE);
}

static void takes_smallest_ram(void **state)
{
	(void)state;
	put_bzimage();
	machine_start(PREF_ADDRESS + INIT_SIZE);
	assert_loads();
	machine_start(PREF_ADDRESS + INIT_SIZE - PAGE_SIZE);
	assert_refused("needs RAM up to 0x1800000 (24 MiB), the VM has 23 MiB");
}

static void aligns_relocatable_kernels(void **state)
{
	(void)state;
	put_bzimage();
	poke(0x258, 3 * MIB, 8);
	assert_loads();
	assert_int_equal(entry.regs.rip, 4 * MIB + 0x200);
	machine_start(64 * MIB);
	poke(0x234, 0, 1);
	assert_loads();
	assert_int_equal(entry.regs.rip, 3 * MIB + 0x200);
	machine_start(64 * MIB);
	poke(0x258, 0, 8);
	assert_loads();
	assert_int_equal(entry.regs.rip, MIB + 0x200);
}

static void takes_old_setup_size(void **state)
{
	(void)state;
	put_bzimage();
	poke(0x1f1, 0, 1); /* means 4 */
	assert_loads();
	assert_guest_bytes(PREF_ADDRESS, 0x90, CODE_SIZE);
}

static void leaves_out_what_follows_the_code(void **state)
{
	(void)state;
	put_bzimage();
	fill(CODE_AT + CODE_SIZE, 5000, 0x55); /* a signature */
	assert_loads();
	assert_guest_bytes(PREF_ADDRESS + CODE_SIZE, 0, 5000);
}

/* A header with one field changed. */
struct change {
	uint64_t offset;
	uint64_t value;
	size_t size;
	const char *text;
};

static void refuses_bad_headers(void **state)
{
	static const struct change changes[] = {
		{ 0x206, 0x20b, 2, "protocol 2.11: 2.12 or newer" },
		{ 0x236, 2, 2, "without a 64-bit entry" },
		{ 0x201, 0x10, 1, "header of 33 bytes" },
		{ 0x201, 0xff, 1, "header of 272 bytes" },
		{ 0x1f4, CODE_SIZE / 16 + 1, 4, "cut short" },
		{ 0x1f4, UINT32_MAX, 4, "cut short" },
		{ 0x1f4, 0, 4, "cut short" },
		{ 0x1f1, 200, 1, "cut short" },
		{ 0x230, 0, 4, "aligned to 0x0" },
		{ 0x230, 3 * MIB, 4, "aligned to 0x300000" },
		{ 0x230, 2 * GIB, 4, "aligned to 0x80000000" },
		{ 0x258, UINT64_MAX, 8, "wants to be at 0xffffffffffffffff" },
		{ 0x258, 4 * GIB, 8, "wants to be at 0x100000000" },
		{ 0x258, 60 * MIB, 8, "needs RAM up to 0x4400000" },
		{ 0x260, UINT32_MAX, 4, "needs RAM up to" },
		{ 0x238, 18, 4, "19 characters: this kernel takes 18" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		memset(image, 0, sizeof(image));
		image_size = 0;
		put_bzimage();
		poke(changes[i].offset, changes[i].value, changes[i].size);
		assert_refused(changes[i].text);
	}
	put_bzimage();
	poke(0x238, 19, 4); /* the NUL does not count */
	assert_loads();
}

static void refuses_cut_files(void **state)
{
	(void)state;
	put_bzimage();
	image_size = CODE_AT + CODE_SIZE - 16;
	assert_refused("cut short: 22544 bytes, its header says 22560");
	image_size = CODE_AT;
	assert_refused("cut short");
	image_size = 0x263; /* the header itself */
	assert_refused("neither a bzImage");
	image_size = 1;
	assert_refused("neither a bzImage");
}

static void refuses_large_initrd(void **state)
{
	struct loader_file small = module_make(PAGE_SIZE);

	(void)state;
	put_bzimage();
	request.initrd = small;
	request.initrd.size = 40 * MIB + 1; /* is never read */
	assert_refused("initrd: no room for 0x2800001 bytes");
	request.initrd.size = UINT64_MAX;
	assert_refused("initrd: no room");
	request.initrd = small;
	poke(0x22c, PAGE_SIZE, 4);
	assert_refused("initrd: no room for 0x1000 bytes below 0x1001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOADER_TEST(loads_kernel),
		LOADER_TEST(fills_zero_page),
		LOADER_TEST(tells_memory_map),
		LOADER_TEST(enters_long_mode),
		LOADER_TEST(leaves_top_of_low_memory),
		LOADER_TEST(shares_aligned_initrd),
		LOADER_TEST(keeps_initrd_below_its_limit),
		LOADER_TEST(takes_smallest_ram),
		LOADER_TEST(aligns_relocatable_kernels),
		LOADER_TEST(takes_old_setup_size),
		LOADER_TEST(leaves_out_what_follows_the_code),
		LOADER_TEST(refuses_bad_headers),
		LOADER_TEST(refuses_cut_files),
		LOADER_TEST(refuses_large_initrd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
