/* Exceptions and interrupts: who gets them. */
#include <stddef.h>

#include "tests/guest/guest.h"

#define GATE_INTERRUPT 0xeUL
#define TSS_AVAILABLE  0x89UL
#define STACK_COUNT    7

struct gate {
	uint16_t offset_low, selector;
	uint8_t stack, attributes;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

struct task_state {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[STACK_COUNT];
	uint64_t reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed));

struct pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct fixup {
	uint64_t first, last;
};

extern const struct fixup fixups_start[], fixups_end[];
extern char trap_stubs[], stacks[];
void user_return(void);
void user_call(void (*function)(void *argument), void *argument, void *stack,
	       void *saved);
void trap_handle(struct trap_frame *frame);

static struct gate idt[256];
static struct task_state task_states[CPUS_MAX];
static struct trap taken[CPUS_MAX];
static void (*handlers[256])(struct trap_frame *frame);
static char trap_stack_memory[CPUS_MAX][4096] __attribute__((aligned(16)));
static char user_stacks[CPUS_MAX][4096] __attribute__((aligned(16)));

volatile uint32_t counts[256];

uint32_t cpu_number(void)
{
	uint16_t selector;

	asm volatile("str %0" : "=r"(selector));
	return (selector - SELECTOR_TSS) / 16U;
}

static void set_gate(uint8_t vector, const void *address)
{
	uint64_t offset = (uint64_t)address;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)offset,
		.selector = SELECTOR_CODE,
		.attributes = 0x80 | GATE_INTERRUPT,
		.offset_middle = (uint16_t)(offset >> 16),
		.offset_high = (uint32_t)(offset >> 32),
	};
}

void trap_set_stack(uint8_t vector, uint8_t stack)
{
	idt[vector].stack = stack;
}

void trap_set_gate(uint8_t vector, bool is_present, uint8_t dpl)
{
	idt[vector].attributes =
		(uint8_t)((is_present ? 0x80 : 0) | dpl << 5 | GATE_INTERRUPT);
}

void trap_set_handler(uint8_t vector, void (*handler)(struct trap_frame *frame))
{
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

void trap_init(void)
{
	for (uint32_t i = 0; i < 256; i++)
		set_gate((uint8_t)i, trap_stubs + 16UL * i);
	set_gate(VECTOR_USER, user_return);
	trap_set_gate(VECTOR_USER, true, 3);
	trap_set_gate(3, true, 3);
	trap_set_gate(4, true, 3);
	trap_set_stack(8, 1); /* #DF: the stack may be what is broken */
}

void trap_init_cpu(uint32_t number)
{
	struct task_state *task = &task_states[number];
	uint64_t base = (uint64_t)task;
	uint32_t index = SELECTOR_TSS / 8 + number * 2;
	struct pointer pointer = { sizeof(idt) - 1, (uint64_t)idt };

	task->io_map = sizeof(*task);
	task->ist[0] = (uint64_t)trap_stack_memory[number + 1];
	gdt[index] = (base & 0xff000000) << 32 | TSS_AVAILABLE << 40 |
		     (base & 0xffffff) << 16 | (sizeof(*task) - 1);
	gdt[index + 1] = base >> 32;
	asm volatile("lidt %0" : : "m"(pointer));
	asm volatile("ltr %w0" : : "r"(SELECTOR_TSS + number * 16));
	taken[number].vector = TRAP_NONE;
}

void trap_clear(void)
{
	taken[cpu_number()].vector = TRAP_NONE;
}

struct trap trap_taken(void)
{
	asm volatile("" : : : "memory");
	return taken[cpu_number()];
}

static bool fix_up(struct trap_frame *frame)
{
	struct trap *trap = &taken[cpu_number()];

	for (const struct fixup *f = fixups_start; f < fixups_end; f++) {
		/* or first alone, somewhere behind last */
		if (frame->rip != f->first &&
		    (frame->rip < f->first || frame->rip > f->last))
			continue;
		*trap = (struct trap){ (int)frame->vector,
				       (uint32_t)frame->error, read_cr2(),
				       frame->rip };
		frame->rip = f->last;
		return true;
	}
	return false;
}

void trap_handle(struct trap_frame *frame)
{
	void (*handler)(struct trap_frame *) =
		__atomic_load_n(&handlers[frame->vector], __ATOMIC_ACQUIRE);

	if (handler) {
		handler(frame);
		return;
	}
	if (frame->vector < 32 && fix_up(frame))
		return;
	print("vector %lu error 0x%lx rip 0x%lx cr2 0x%lx cpu %u",
	      frame->vector, frame->error, frame->rip, read_cr2(),
	      cpu_number());
	case_fail(__FILE__, __LINE__, "an unexpected exception or interrupt");
}

void user_run(void (*function)(void *argument), void *argument)
{
	uint32_t number = cpu_number();

	user_call(function, argument, user_stacks[number] + 4096 - 8,
		  (char *)&task_states[number] +
			  offsetof(struct task_state, rsp));
}

void count_handler(struct trap_frame *frame)
{
	counts[frame->vector]++;
	lapic_eoi();
}

void count_vector(uint8_t vector)
{
	counts[vector] = 0;
	trap_set_handler(vector, count_handler);
}
