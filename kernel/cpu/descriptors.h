/* Each CPU's GDT and TSS, and the interrupt descriptor table that all share. */
#ifndef KERNEL_CPU_DESCRIPTORS_H
#define KERNEL_CPU_DESCRIPTORS_H

#include <stdint.h>

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

/* Stacks that the CPU switches to by itself: index in the TSS's interrupt stack
 * table. 0 means the current stack. */
enum interrupt_stack {
	IST_NONE,
	IST_NMI,
	IST_DOUBLE_FAULT,
	IST_MACHINE_CHECK,
	IST_COUNT
};

/* Fill the shared IDT, all entries on the current stack; once, on the boot CPU.
 */
void idt_init(void);

/* From now on NMI, #DF and #MC use their own stacks; every running CPU has them
 * (descriptors_set_stack). */
void idt_use_stacks(void);

/* Load this CPU's GDT, TSS and the IDT. */
void descriptors_load(void);

/* Top of the stack that @stack means on CPU @cpu. */
void descriptors_set_stack(uint32_t cpu, enum interrupt_stack stack, void *top);

#endif
