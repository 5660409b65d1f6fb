/* The instructions that the bench guest measures, and measures with. */
#ifndef TESTS_BENCH_GUEST_INSTRUCTIONS_H
#define TESTS_BENCH_GUEST_INSTRUCTIONS_H

#include <stdint.h>

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void cpuid(uint32_t leaf, uint32_t regs[4])
{
	asm volatile("cpuid"
		     : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]),
		       "=d"(regs[3])
		     : "a"(leaf), "c"(0));
}

/* Change the bits @mask of a control register and change them back. */
static inline void toggle_cr0(uint64_t mask)
{
	uint64_t value;

	asm volatile("mov %%cr0, %0" : "=r"(value));
	asm volatile("mov %0, %%cr0" : : "r"(value ^ mask) : "memory");
	asm volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline void toggle_cr4(uint64_t mask)
{
	uint64_t value;

	asm volatile("mov %%cr4, %0" : "=r"(value));
	asm volatile("mov %0, %%cr4" : : "r"(value ^ mask) : "memory");
	asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
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

static inline uint64_t ticks(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#endif
