/* GDT, TSS and IDT: SDM 3A 3.4.5 "Segment Descriptors", 8.7 "Task Management in
 * 64-bit Mode", 6.14.1 "64-Bit Mode IDT". */
#include "kernel/cpu/descriptors.h"

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/percpu_area.h"

#define IDT_ENTRIES	256
#define TRAP_ENTRY_SIZE 16
#define GATE_INTERRUPT \
	0x8e00UL /* present, DPL 0, type 14: interrupts stay off */
#define DESCRIPTOR_CODE64 0x00af9b000000ffffUL
#define DESCRIPTOR_DATA	  0x00cf93000000ffffUL
#define DESCRIPTOR_TSS \
	0x0000890000000000UL /* present, available 64-bit TSS \
			      */

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST1 first */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "64-bit TSS");

struct gate {
	uint64_t low;
	uint64_t high;
};

struct descriptor_tables {
	uint64_t gdt[5]; /* null, code, data, TSS low, TSS high */
	struct tss tss;
};

static PERCPU struct descriptor_tables tables;
static struct gate idt[IDT_ENTRIES];

/* 256 entry points of TRAP_ENTRY_SIZE bytes each, in entry.asm. */
extern char trap_entries[];

static void gate_set(uint32_t vector, enum interrupt_stack stack)
{
	uint64_t target = (uint64_t)trap_entries + vector * TRAP_ENTRY_SIZE;

	idt[vector].low = (target & 0xffff) | (uint64_t)SELECTOR_CODE << 16 |
			  (uint64_t)stack << 32 | GATE_INTERRUPT << 32 |
			  (target >> 16 & 0xffff) << 48;
	idt[vector].high = target >> 32;
}

void idt_init(void)
{
	for (uint32_t vector = 0; vector < IDT_ENTRIES; vector++)
		gate_set(vector, IST_NONE);
}

void idt_use_stacks(void)
{
	gate_set(VECTOR_NMI, IST_NMI);
	gate_set(VECTOR_DF, IST_DOUBLE_FAULT);
	gate_set(VECTOR_MC, IST_MACHINE_CHECK);
}

void descriptors_set_stack(uint32_t cpu, enum interrupt_stack stack, void *top)
{
	cpu_of(tables, cpu)->tss.ist[stack - 1] = (uint64_t)top;
}

static void gdt_fill(struct descriptor_tables *t)
{
	uint64_t base = (uint64_t)&t->tss;

	t->gdt[1] = DESCRIPTOR_CODE64;
	t->gdt[2] = DESCRIPTOR_DATA;
	t->gdt[3] = DESCRIPTOR_TSS | (sizeof(struct tss) - 1) |
		    (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	t->gdt[4] = base >> 32;
	t->tss.io_map_base = sizeof(struct tss);
}

void descriptors_load(void)
{
	struct descriptor_tables *t = this_cpu(tables);
	uint32_t number = cpu_number();
	struct descriptor_pointer gdtr = { sizeof(t->gdt) - 1,
					   (uint64_t)t->gdt };
	struct descriptor_pointer idtr = { sizeof(idt) - 1, (uint64_t)idt };

	gdt_fill(t);
	x86_load_gdt(&gdtr, SELECTOR_CODE, SELECTOR_DATA);
	percpu_area_use(number);
	x86_ltr(SELECTOR_TSS);
	x86_lidt(&idtr);
}
