/* Memory and paging. SDM 3A chapter 4 "Paging". */
#include "tests/guest/guest.h"

#define PAGE	   4096UL
#define LARGE	   (2UL << 20)
#define PRESENT	   BIT(0)
#define WRITABLE   BIT(1)
#define USER	   BIT(2)
#define ACCESSED   BIT(5)
#define DIRTY	   BIT(6)
#define LARGE_PAGE BIT(7)
#define GLOBAL	   BIT(8)
#define MAPPED	   (PRESENT | WRITABLE | USER)

/* 2 MiB at 5 GiB are the tests' own window. */
#define WINDOW	     (5UL << 30)
#define WINDOW_ENTRY (*(volatile uint64_t *)&page_directories[5 * 512])

#define HIDE_PORT 0xe4

static volatile uint64_t *at(uint64_t address)
{
	return (volatile uint64_t *)address;
}

static uint64_t *page(uint64_t address)
{
	return (uint64_t *)address;
}

/* Every page is its own. */
void case_memory_all(void)
{
	uint64_t end = 60UL << 20;

	for (uint64_t a = 4UL << 20; a < end; a += PAGE) {
		CHECK_EQ(*at(a), 0);
		*at(a) = a ^ 0x5555;
		*at(a + PAGE - 8) = ~a;
	}
	for (uint64_t a = 4UL << 20; a < end; a += PAGE) {
		CHECK_EQ(*at(a), a ^ 0x5555);
		CHECK_EQ(*at(a + PAGE - 8), ~a);
	}
}

/* 4 GiB of RAM: 3 below the hole, 1 from 4 GiB on. */
void case_memory_hole(void)
{
	static const uint64_t edges[] = {
		(3UL << 30) - PAGE,
		4UL << 30,
		(5UL << 30) - PAGE,
	};

	for (unsigned int i = 0; i < 3; i++)
		*at(edges[i]) = 0x1111 * (i + 1);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_EQ(*at(edges[i]), 0x1111 * (i + 1));
	/* nobody there: ones, and writes go nowhere */
	CHECK_EQ(mmio32(0xd8000000), 0xffffffff);
	mmio_put32(0xd8000000, 0);
	CHECK_EQ(mmio32(0xd8000000), 0xffffffff);
	CHECK_EQ(mmio32(5UL << 30), 0xffffffff);
}

/* A store over the edge of two pages that nobody has touched. */
void case_memory_crossing(void)
{
	for (uint64_t a = 5UL << 20; a < 6UL << 20; a += 2 * PAGE) {
		*at(a + PAGE - 3) = 0x1122334455667788;
		CHECK_EQ(*at(a + PAGE - 3), 0x1122334455667788);
	}
}

void case_memory_remap(void)
{
	*at(4UL << 20) = 0xaaaa;
	*at(6UL << 20) = 0xbbbb;
	for (int i = 0; i < 1000; i++) {
		WINDOW_ENTRY = (4UL << 20) | MAPPED | LARGE_PAGE;
		invlpg(at(WINDOW));
		CHECK_EQ(*at(WINDOW), 0xaaaa);
		WINDOW_ENTRY = (6UL << 20) | MAPPED | LARGE_PAGE;
		invlpg(at(WINDOW));
		CHECK_EQ(*at(WINDOW), 0xbbbb);
		WINDOW_ENTRY = (4UL << 20) | MAPPED | LARGE_PAGE;
		write_cr3(read_cr3());
		CHECK_EQ(*at(WINDOW), 0xaaaa);
	}
}

/* Tables of 4 KiB pages in memory that nobody has touched: zeros are not
 * present. */
void case_memory_tables_untouched(void)
{
	uint64_t table = 5UL << 20;

	WINDOW_ENTRY = table | MAPPED;
	invlpg(at(WINDOW));
	trap_clear();
	asm volatile(TRY("mov (%0), %%rax") : : "r"(WINDOW) : "rax");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, 0);
	for (uint64_t i = 0; i < 512; i++)
		page(table)[i] =
			((6UL << 20) + (i ^ 1) * PAGE) % (8UL << 20) | MAPPED;
	for (uint64_t i = 0; i < 256; i++)
		*at(WINDOW + i * PAGE) = i;
	for (uint64_t i = 0; i < 256; i++)
		CHECK_EQ(*at((6UL << 20) + (i ^ 1) * PAGE), i);
}

void case_memory_accessed_dirty(void)
{
	WINDOW_ENTRY = (4UL << 20) | MAPPED | LARGE_PAGE;
	invlpg(at(WINDOW));
	(void)*at(WINDOW);
	CHECK_EQ(WINDOW_ENTRY & (ACCESSED | DIRTY), ACCESSED);
	*at(WINDOW) = 1;
	CHECK_EQ(WINDOW_ENTRY & (ACCESSED | DIRTY), ACCESSED | DIRTY);
}

/* A global entry lives through CR3, not through INVLPG nor a change of PGE. */
void case_memory_global(void)
{
	*at(4UL << 20) = 0xaaaa;
	*at(6UL << 20) = 0xbbbb;
	write_cr4(read_cr4() | CR4_PGE);
	WINDOW_ENTRY = (4UL << 20) | MAPPED | LARGE_PAGE | GLOBAL;
	CHECK_EQ(*at(WINDOW), 0xaaaa);
	WINDOW_ENTRY = (6UL << 20) | MAPPED | LARGE_PAGE | GLOBAL;
	write_cr3(read_cr3()); /* either is right */
	CHECK(*at(WINDOW) == 0xaaaa || *at(WINDOW) == 0xbbbb);
	invlpg(at(WINDOW));
	CHECK_EQ(*at(WINDOW), 0xbbbb);
	WINDOW_ENTRY = (4UL << 20) | MAPPED | LARGE_PAGE | GLOBAL;
	write_cr4(read_cr4() & ~CR4_PGE);
	CHECK_EQ(*at(WINDOW), 0xaaaa);
}

/* All of the image is the supervisor's; one page is a user's. */
static void separate(void)
{
	for (uint32_t i = 0; i < 6 * 512; i++)
		page_directories[i] &= ~USER;
	page_directories[2] |= USER;
	write_cr3(read_cr3());
}

#define SMEP_CODE 0x400040UL

void case_memory_smep(void)
{
	volatile uint8_t *code = (volatile uint8_t *)SMEP_CODE;

	if (!(cpuid(7, 0).ebx & CPUID_7_EBX_SMEP))
		return;
	code[0] = 0xc3; /* RET */
	((void (*)(void))SMEP_CODE)();
	separate();
	write_cr4(read_cr4() | CR4_SMEP);
	trap_clear();
	asm volatile(".pushsection .fixups, \"a\"; .quad %c1, 3f; .popsection\n"
		     "jmp *%0\n"
		     "3:\n"
		     :
		     : "r"(code), "i"(SMEP_CODE)
		     : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, 0x11);
}

void case_memory_smap(void)
{
	if (!(cpuid(7, 0).ebx & CPUID_7_EBX_SMAP))
		return;
	separate();
	write_cr4(read_cr4() | CR4_SMAP);
	trap_clear();
	asm volatile(TRY("mov (%0), %%rax") : : "r"(4UL << 20) : "rax");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error, 1);
	trap_clear();
	asm volatile(TRY("stac; mov (%0), %%rax; clac")
		     :
		     : "r"(4UL << 20)
		     : "rax");
	CHECK_EQ(trap_taken().vector, TRAP_NONE);
}

/* The supervisor's writes mind read-only pages, or not, as CR0.WP says. */
void case_memory_write_protect(void)
{
	WINDOW_ENTRY = (4UL << 20) | PRESENT | USER | LARGE_PAGE;
	invlpg(at(WINDOW));
	trap_clear();
	asm volatile(TRY("movb $1, (%0)") : : "r"(WINDOW) : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	write_cr0(read_cr0() & ~CR0_WP);
	*at(WINDOW) = 7;
	CHECK_EQ(*at(4UL << 20), 7);
	write_cr0(read_cr0() | CR0_WP);
	trap_clear();
	asm volatile(TRY("movb $1, (%0)") : : "r"(WINDOW) : "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
}

/* Code that writes itself. */
void case_memory_code(void)
{
	volatile uint8_t *code = (volatile uint8_t *)(5UL << 20);
	uint32_t (*function)(void) = (uint32_t(*)(void))(5UL << 20);

	code[0] = 0xb8; /* MOV imm32, EAX; RET */
	code[5] = 0xc3;
	for (uint32_t i = 0; i < 1000; i++) {
		code[1] = (uint8_t)i;
		code[2] = (uint8_t)(i >> 8);
		asm volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx");
		CHECK_EQ(function(), i);
	}
}

/* The test device drops a page's mapping: its contents stay. */
void case_memory_hide(void)
{
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t a = (5UL << 20) + i * PAGE;

		*at(a) = i * 3;
		out32(HIDE_PORT, (uint32_t)a);
		CHECK_EQ(*at(a), i * 3);
	}
}

/* Of the page that the CPU stands on, and of its stack and tables. */
void case_memory_hide_self(void)
{
	for (int i = 0; i < 20; i++) {
		out32(HIDE_PORT, (uint32_t)(uint64_t)case_memory_hide_self);
		out32(HIDE_PORT,
		      (uint32_t)(uint64_t)__builtin_frame_address(0));
		out32(HIDE_PORT, (uint32_t)(uint64_t)pml4);
		out32(HIDE_PORT, (uint32_t)(uint64_t)gdt);
		write_cr3(read_cr3());
		trap_clear();
		asm volatile(TRY("ud2"));
		CHECK_EQ(trap_taken().vector, VECTOR_UD);
	}
}

/* The test image's own LOCK and XCHG, on RAM, with 2 CPUs. */
static volatile uint64_t locked;

static void add_locked(void *argument)
{
	(void)argument;
	for (int i = 0; i < 100000; i++)
		asm volatile("lock incq %0" : "+m"(locked));
}

void case_memory_lock(void)
{
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, add_locked, NULL);
	add_locked(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
	CHECK_EQ(locked, 100000UL * case_vcpus);
}
