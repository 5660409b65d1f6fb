/*
 * Instructions, and instructions that may fault: TRY(). A fault inside of TRY
 * goes on behind it, and trap_taken() says what it was.
 */
#ifndef TESTS_GUEST_X86_H
#define TESTS_GUEST_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/cpu/x86_regs.h"

#define TRY(text)                                     \
	"1: " text "\n2:\n"                           \
	".pushsection .fixups, \"a\"; .quad 1b, 2b; " \
	".popsection\n"

#define TRAP_NONE (-1)

struct trap {
	int vector; /* TRAP_NONE: none */
	uint32_t error;
	uint64_t cr2;
	uint64_t rip;
};

/* The last one that TRY caught on this CPU. */
struct trap trap_taken(void);
void trap_clear(void);

struct words {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct words cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct words w;

	asm volatile("cpuid"
		     : "=a"(w.eax), "=b"(w.ebx), "=c"(w.ecx), "=d"(w.edx)
		     : "a"(leaf), "c"(subleaf));
	return w;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "c"(msr), "a"((uint32_t)value),
		       "d"((uint32_t)(value >> 32))
		     : "memory");
}

static inline int rdmsr_try(uint32_t msr, uint64_t *value)
{
	uint32_t low = 0, high = 0;

	trap_clear();
	asm volatile(TRY("rdmsr") : "+a"(low), "+d"(high) : "c"(msr));
	*value = (uint64_t)high << 32 | low;
	return trap_taken().vector;
}

static inline int wrmsr_try(uint32_t msr, uint64_t value)
{
	trap_clear();
	asm volatile(TRY("wrmsr")
		     :
		     : "c"(msr), "a"((uint32_t)value),
		       "d"((uint32_t)(value >> 32))
		     : "memory");
	return trap_taken().vector;
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#define CR_ACCESS(n)                                                           \
	static inline uint64_t read_cr##n(void)                                \
	{                                                                      \
		uint64_t value;                                                \
                                                                               \
		asm volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory"); \
		return value;                                                  \
	}                                                                      \
	static inline int write_cr##n##_try(uint64_t value)                    \
	{                                                                      \
		trap_clear();                                                  \
		asm volatile(TRY("mov %0, %%cr" #n)                            \
			     :                                                 \
			     : "r"(value)                                      \
			     : "memory");                                      \
		return trap_taken().vector;                                    \
	}                                                                      \
	static inline void write_cr##n(uint64_t value)                         \
	{                                                                      \
		asm volatile("mov %0, %%cr" #n : : "r"(value) : "memory");     \
	}

CR_ACCESS(0)
CR_ACCESS(2)
CR_ACCESS(3)
CR_ACCESS(4)
CR_ACCESS(8)

#define DR_ACCESS(n)                                                       \
	static inline uint64_t read_dr##n(void)                            \
	{                                                                  \
		uint64_t value;                                            \
                                                                           \
		asm volatile("mov %%dr" #n ", %0" : "=r"(value));          \
		return value;                                              \
	}                                                                  \
	static inline void write_dr##n(uint64_t value)                     \
	{                                                                  \
		asm volatile("mov %0, %%dr" #n : : "r"(value) : "memory"); \
	}

DR_ACCESS(0)
DR_ACCESS(1)
DR_ACCESS(2)
DR_ACCESS(3)
DR_ACCESS(6)
DR_ACCESS(7)

static inline void sti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}

/* Interrupts are let in for one moment. */
static inline void let_in(void)
{
	asm volatile("sti; nop; nop; cli" : : : "memory");
}

/* Sleep until an interrupt has come. */
static inline void sti_hlt_cli(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static inline void pause(void)
{
	asm volatile("pause" : : : "memory");
}

static inline uint64_t read_flags(void)
{
	uint64_t flags;

	asm volatile("pushfq; pop %0" : "=r"(flags));
	return flags;
}

static inline void write_flags(uint64_t flags)
{
	asm volatile("push %0; popfq" : : "r"(flags) : "memory", "cc");
}

static inline void invlpg(const volatile void *address)
{
	asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void mfence(void)
{
	asm volatile("mfence" : : : "memory");
}

static inline uint8_t mmio8(uint64_t address)
{
	return *(volatile uint8_t *)address;
}

static inline uint32_t mmio32(uint64_t address)
{
	return *(volatile uint32_t *)address;
}

static inline uint64_t mmio64(uint64_t address)
{
	return *(volatile uint64_t *)address;
}

static inline void mmio_put32(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

static inline void mmio_put64(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

#endif
