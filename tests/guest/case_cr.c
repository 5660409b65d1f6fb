/* Control registers. SDM 3A 2.5 "Control Registers"; APM 2 3.1. */
#include "tests/guest/guest.h"

static int xsetbv_try(uint32_t index, uint64_t value)
{
	trap_clear();
	asm volatile(TRY("xsetbv")
		     :
		     : "c"(index), "a"((uint32_t)value),
		       "d"((uint32_t)(value >> 32))
		     : "memory");
	return trap_taken().vector;
}

static uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

void case_cr0_bits(void)
{
	uint64_t cr0 = read_cr0();

	CHECK_EQ(write_cr0_try(cr0 & ~CR0_PE), VECTOR_GP);
	CHECK_EQ(write_cr0_try(cr0 & ~CR0_PG), VECTOR_GP); /* 64-bit code */
	CHECK_EQ(write_cr0_try((cr0 | CR0_NW) & ~CR0_CD), VECTOR_GP);
	CHECK_EQ(write_cr0_try(cr0 | BIT(32)), VECTOR_GP);
	CHECK_EQ(read_cr0(), cr0);
}

void case_cr0_values(void)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 | CR0_TS | CR0_AM);
	CHECK_EQ(read_cr0(), cr0 | CR0_TS | CR0_AM);
	asm volatile("clts");
	CHECK_EQ(read_cr0(), cr0 | CR0_AM);
	write_cr0(cr0 | CR0_CD);
	CHECK_EQ(read_cr0(), cr0 | CR0_CD);
	write_cr0(cr0);
	asm volatile("lmsw %w0" : : "r"(cr0 | CR0_TS));
	CHECK_EQ(read_cr0(), cr0 | CR0_TS);
	asm volatile("clts");
	/* LMSW cannot clear PE */
	asm volatile("lmsw %w0" : : "r"(cr0 & ~CR0_PE));
	CHECK_EQ(read_cr0(), cr0);
}

void case_cr4_bits(void)
{
	uint64_t cr4 = read_cr4();

	CHECK_EQ(write_cr4_try(cr4 & ~CR4_PAE), VECTOR_GP);
	CHECK_EQ(write_cr4_try(cr4 | CR4_VMXE), VECTOR_GP);
	CHECK_EQ(write_cr4_try(cr4 | BIT(15)), VECTOR_GP);
	CHECK_EQ(write_cr4_try(cr4 | BIT(31)), VECTOR_GP);
	CHECK_EQ(write_cr4_try(cr4 | BIT(63)), VECTOR_GP);
	CHECK_EQ(write_cr4_try(cr4 ^ CR4_LA57), VECTOR_GP);
	CHECK_EQ(read_cr4(), cr4);
	write_cr4(cr4 | CR4_PGE | CR4_TSD);
	CHECK_EQ(read_cr4(), cr4 | CR4_PGE | CR4_TSD);
}

/* PCIDE comes only while CR3[11:0] is 0. */
void case_cr4_pcide(void)
{
	uint64_t cr3 = read_cr3();

	if (!(cpuid(1, 0).ecx & BIT(17)))
		return;
	write_cr3(cr3 | BIT(3)); /* PWT: part of the PCID then */
	CHECK_EQ(write_cr4_try(read_cr4() | CR4_PCIDE), VECTOR_GP);
	write_cr3(cr3);
	CHECK_EQ(write_cr4_try(read_cr4() | CR4_PCIDE), TRAP_NONE);
	write_cr3(cr3 | 5);
	CHECK_EQ(read_cr3(), cr3 | 5);
	write_cr3(cr3 | 5 | BIT(63)); /* not kept */
	CHECK_EQ(read_cr3(), cr3 | 5);
	write_cr3(cr3);
	write_cr4(read_cr4() & ~CR4_PCIDE);
}

void case_cr3_reserved(void)
{
	uint32_t width = cpuid(0x80000008, 0).eax & 0xff;
	uint64_t cr3 = read_cr3();

	if (width < 52)
		CHECK_EQ(write_cr3_try(cr3 | BIT(width)), VECTOR_GP);
	CHECK_EQ(write_cr3_try(cr3 | BIT(62)), VECTOR_GP);
	CHECK_EQ(read_cr3(), cr3);
}

void case_cr8_reserved(void)
{
	CHECK_EQ(write_cr8_try(16), VECTOR_GP);
	CHECK_EQ(write_cr8_try(BIT(63)), VECTOR_GP);
}

void case_cr8(void)
{
	for (uint64_t i = 0; i < 16; i++) {
		write_cr8(i);
		CHECK_EQ(read_cr8(), i);
		CHECK_EQ(lapic_read(LAPIC_TPR), i << 4);
	}
	lapic_write(LAPIC_TPR, 0x35);
	CHECK_EQ(read_cr8(), 3);
	write_cr8(0);
	CHECK_EQ(lapic_read(LAPIC_TPR), 0);
}

void case_cr_undefined(void)
{
	trap_clear();
	asm volatile(TRY(".byte 0x0f, 0x20, 0xc8") : : : "rax"); /* CR1 */
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
	trap_clear();
	asm volatile(TRY(".byte 0x0f, 0x22, 0xe8") : : "a"(0)); /* CR5 */
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
	trap_clear();
	asm volatile(TRY(".byte 0x0f, 0x22, 0xf8") : : "a"(0)); /* CR7 */
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
}

static void access_in_user(void *argument)
{
	int *vectors = argument;

	vectors[0] = write_cr0_try(0);
	vectors[1] = write_cr3_try(0);
	vectors[2] = write_cr4_try(0);
	vectors[3] = write_cr8_try(0);
	trap_clear();
	asm volatile(TRY("mov %%cr3, %%rax") : : : "rax");
	vectors[4] = trap_taken().vector;
	trap_clear();
	asm volatile(TRY("clts"));
	vectors[5] = trap_taken().vector;
}

void case_cr_user(void)
{
	int vectors[6];

	user_run(access_in_user, vectors);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(vectors[i], VECTOR_GP);
}

void case_xsetbv_no_osxsave(void)
{
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	CHECK_EQ(xsetbv_try(0, 1), VECTOR_UD);
	CHECK_EQ(xsetbv_try(5, 0), VECTOR_UD);
}

static void xsetbv_in_user(void *argument)
{
	*(int *)argument = xsetbv_try(0, 3);
}

/* SDM 2D "XSETBV—Set Extended Control Register". */
void case_xsetbv_values(void)
{
	int vector = 0;

	write_cr4(read_cr4() | CR4_OSXSAVE);
	CHECK_EQ(xsetbv_try(0, 3), TRAP_NONE);
	CHECK_EQ(xgetbv(0), 3);
	CHECK_EQ(xsetbv_try(0, 0), VECTOR_GP); /* x87 stays */
	CHECK_EQ(xsetbv_try(0, 5), VECTOR_GP); /* AVX without SSE */
	CHECK_EQ(xsetbv_try(0, 3 | BIT(62)), VECTOR_GP);
	CHECK_EQ(xsetbv_try(0, 3 | BIT(10)), VECTOR_GP);
	CHECK_EQ(xsetbv_try(1, 3), VECTOR_GP);
	CHECK_EQ(xgetbv(0), 3);
	if (cpuid(0xd, 0).eax & XCR0_AVX)
		CHECK_EQ(xsetbv_try(0, 7), TRAP_NONE);
	user_run(xsetbv_in_user, &vector);
	CHECK_EQ(vector, VECTOR_GP);
}
