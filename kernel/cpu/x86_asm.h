/* Instructions that C cannot say. With svm_asm.h and vmx_asm.h the only inline
 * assembly there is. */
#ifndef KERNEL_CPU_X86_ASM_H
#define KERNEL_CPU_X86_ASM_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/x86_regs.h"

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

/* A leaf of all zeroes where the CPU does not have @leaf. */
static inline struct cpuid x86_cpuid_or_zero(uint32_t leaf, uint32_t subleaf)
{
	if (x86_cpuid(leaf & 0xffff0000, 0).eax < leaf)
		return (struct cpuid){ 0 };
	return x86_cpuid(leaf, subleaf);
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value),
		     "d"((uint32_t)(value >> 32))
		     : "memory");
}

/* False if the CPU answers #GP: the exception table (trap.c) goes on at 2. */
static inline bool x86_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t low = 0, high = 0, ok = 0;

	asm volatile("1: rdmsr\n"
		     "movl $1, %2\n"
		     "2:\n"
		     ".pushsection .exception_table, \"a\"\n"
		     ".quad 1b, 2b\n"
		     ".popsection"
		     : "+a"(low), "+d"(high), "+r"(ok)
		     : "c"(msr));
	*value = (uint64_t)high << 32 | low;
	return ok;
}

/*
 * Writes of x2APIC registers and of the TSC deadline do not wait for earlier
 * stores: SDM 3A 11.12.3 "MSR Access in x2APIC Mode" asks for MFENCE and LFENCE.
 */
static inline void x86_fence_before_msr(void)
{
	asm volatile("mfence; lfence" ::: "memory");
}

static inline uint64_t x86_rdtsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* A random word; false: none ready. Only where CPUID says that the CPU has it. */
static inline bool x86_rdrand(uint64_t *value)
{
	bool ok;

	asm volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok)::"cc");
	return ok;
}

static inline bool x86_rdseed(uint64_t *value)
{
	bool ok;

	asm volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok)::"cc");
	return ok;
}

/* @a * @b / @c, rounded down, without losing the product's high half; the
 * quotient must fit 64 bits (#DE if not). */
static inline uint64_t x86_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t quotient, high;

	asm("mulq %[b]\n"
	    "divq %[c]"
	    : "=&a"(quotient), "=&d"(high)
	    : "0"(a), [b] "r"(b), [c] "r"(c)
	    : "cc");
	return quotient;
}

#define X86_CONTROL_REGISTER(name)                                           \
	static inline uint64_t x86_read_##name(void)                         \
	{                                                                    \
		uint64_t value;                                              \
		asm volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
		return value;                                                \
	}                                                                    \
	static inline void x86_write_##name(uint64_t value)                  \
	{                                                                    \
		asm volatile("mov %0, %%" #name ::"r"(value) : "memory");    \
	}

X86_CONTROL_REGISTER(cr0)
X86_CONTROL_REGISTER(cr2)
X86_CONTROL_REGISTER(cr3)
X86_CONTROL_REGISTER(cr4)

#define X86_PORT_IO(suffix, type)                                             \
	static inline type x86_in##suffix(uint16_t port)                      \
	{                                                                     \
		type value;                                                   \
		asm volatile("in" #suffix " %1, %0"                           \
			     : "=a"(value)                                    \
			     : "Nd"(port)                                     \
			     : "memory");                                     \
		return value;                                                 \
	}                                                                     \
	static inline void x86_out##suffix(uint16_t port, type value)         \
	{                                                                     \
		asm volatile("out" #suffix " %0, %1" ::"a"(value), "Nd"(port) \
			     : "memory");                                     \
	}

X86_PORT_IO(b, uint8_t)
X86_PORT_IO(w, uint16_t)
X86_PORT_IO(l, uint32_t)

static inline uint32_t x86_mmio_read32(const volatile void *base,
				       uint32_t offset)
{
	return *(const volatile uint32_t *)((const volatile char *)base +
					    offset);
}

static inline uint64_t x86_mmio_read64(const volatile void *base,
				       uint32_t offset)
{
	return *(const volatile uint64_t *)((const volatile char *)base +
					    offset);
}

static inline void x86_mmio_write32(volatile void *base, uint32_t offset,
				    uint32_t value)
{
	*(volatile uint32_t *)((volatile char *)base + offset) = value;
}

static inline void x86_pause(void)
{
	asm volatile("pause" ::: "memory");
}

static inline void x86_interrupts_off(void)
{
	asm volatile("cli" ::: "memory");
}

/* Take what is pending, then go on with interrupts off. The nop is sti's
 * shadow. */
static inline void x86_interrupt_window(void)
{
	asm volatile("sti; nop; cli" ::: "memory");
}

/* Halt until an interrupt has been handled. sti's shadow closes the gap in
 * which a wake-up could be missed. */
static inline void x86_halt_until_interrupt(void)
{
	asm volatile("sti; hlt; cli" ::: "memory");
}

static inline _Noreturn void x86_halt_forever(void)
{
	for (;;)
		asm volatile("cli; hlt" ::: "memory");
}

static inline void x86_invlpg(const void *virt)
{
	asm volatile("invlpg (%0)" ::"r"(virt) : "memory");
}

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline void x86_lidt(const struct descriptor_pointer *pointer)
{
	asm volatile("lidt %0" ::"m"(*pointer));
}

static inline void x86_ltr(uint16_t selector)
{
	asm volatile("ltr %0" ::"r"(selector));
}

/* Load @pointer, reload CS with @code by a far return, and the data segments
 * with @data. GS's base is lost. */
static inline void x86_load_gdt(const struct descriptor_pointer *pointer,
				uint16_t code, uint16_t data)
{
	asm volatile("lgdt %0\n"
		     "pushq %1\n"
		     "leaq 1f(%%rip), %%rax\n"
		     "pushq %%rax\n"
		     "lretq\n"
		     "1: mov %2, %%ds\n"
		     "mov %2, %%es\n"
		     "mov %2, %%ss\n"
		     "mov %2, %%fs\n"
		     "mov %2, %%gs\n" ::"m"(*pointer),
		     "r"((uint64_t)code), "r"((uint32_t)data)
		     : "rax", "memory");
}

/* Value at gs:0, this CPU's distance from the per-CPU template (percpu.h). Not
 * volatile: it never changes on a CPU. */
static inline uint64_t x86_percpu_distance(void)
{
	uint64_t distance;

	asm("movq %%gs:0, %0" : "=r"(distance));
	return distance;
}

static inline uint64_t x86_xgetbv(uint32_t index)
{
	uint32_t low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static inline void x86_xsetbv(uint32_t index, uint64_t value)
{
	asm volatile("xsetbv" ::"c"(index), "a"((uint32_t)value),
		     "d"((uint32_t)(value >> 32)));
}

/* @area: 64-byte aligned. */
static inline void x86_xsave(void *area, uint64_t states)
{
	asm volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)states),
		     "d"((uint32_t)(states >> 32))
		     : "memory");
}

static inline void x86_xrstor(const void *area, uint64_t states)
{
	asm volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)states),
		     "d"((uint32_t)(states >> 32))
		     : "memory");
}

/* Clear pending x87 exceptions, empty the stack and load something, so that the
 * pointers are ours. */
static inline void x86_clear_fp_pointers(void)
{
	static const uint32_t zero;

	asm volatile("fnclex; emms; fildl %0" ::"m"(zero));
}

static inline void x86_fxsave(void *area)
{
	asm volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static inline void x86_fxrstor(const void *area)
{
	asm volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

static inline uint32_t x86_rdpkru(void)
{
	uint32_t value, zero;

	asm volatile("rdpkru" : "=a"(value), "=d"(zero) : "c"(0));
	return value;
}

/* DR0 to DR3. */
static inline void x86_read_debug_addresses(uint64_t values[4])
{
	asm volatile("mov %%dr0, %0\n"
		     "mov %%dr1, %1\n"
		     "mov %%dr2, %2\n"
		     "mov %%dr3, %3"
		     : "=r"(values[0]), "=r"(values[1]), "=r"(values[2]),
		       "=r"(values[3]));
}

static inline void x86_write_debug_addresses(const uint64_t values[4])
{
	asm volatile("mov %0, %%dr0\n"
		     "mov %1, %%dr1\n"
		     "mov %2, %%dr2\n"
		     "mov %3, %%dr3" ::"r"(values[0]),
		     "r"(values[1]), "r"(values[2]), "r"(values[3]));
}

static inline uint64_t x86_read_dr6(void)
{
	uint64_t value;

	asm volatile("mov %%dr6, %0" : "=r"(value));
	return value;
}

static inline void x86_write_dr6(uint64_t value)
{
	asm volatile("mov %0, %%dr6" ::"r"(value));
}

/* Bases of the descriptor tables. */
static inline uint64_t x86_gdt_base(void)
{
	struct descriptor_pointer pointer;

	asm volatile("sgdt %0" : "=m"(pointer));
	return pointer.base;
}

static inline uint64_t x86_idt_base(void)
{
	struct descriptor_pointer pointer;

	asm volatile("sidt %0" : "=m"(pointer));
	return pointer.base;
}

static inline uint64_t x86_frame_pointer(void)
{
	uint64_t rbp;

	asm volatile("mov %%rbp, %0" : "=r"(rbp));
	return rbp;
}

#endif
