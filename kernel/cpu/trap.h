/* What happens when the CPU leaves the straight line: exceptions, NMIs,
 * interrupts. */
#ifndef KERNEL_CPU_TRAP_H
#define KERNEL_CPU_TRAP_H

#include <stdint.h>

/* As entry.asm and the CPU push it: SDM 3A 6.14.2 "64-Bit Mode Stack Frame". */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Called by entry.asm with interrupts off. */
void trap_dispatch(struct trap_frame *frame);

/* Print an exception of the hypervisor itself and stop. In kernel/panic.c. */
_Noreturn void panic_exception(const struct trap_frame *frame, uint64_t cr2);

/* Another CPU panicked and sent an NMI, or somebody else did. In
 * kernel/panic.c. */
void panic_nmi(const struct trap_frame *frame);

/* One visible switch over the vectors from 32 on. In kernel/interrupt.c. */
void interrupt_dispatch(uint8_t vector);

#endif
