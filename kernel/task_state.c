/* A task's registers in its TSS. SDM 3A 8.2.1 "Task-State Segment (TSS)", figure
 * 8-2; 8.6 "16-Bit Task-State Segment (TSS)", figure 8-10. */
#include "kernel/cpu/x86_regs.h"
#include "kernel/lib/string.h"
#include "kernel/task_context.h"

#define GPRS 8

#define NO_CR3	0
#define NO_TRAP 0

#define TRAP_BIT 1U

/* Reserved in RFLAGS: SDM 1 3.4.3 "EFLAGS Register". */
#define RFLAGS_RESERVED (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))

#define ATTRIBUTES_VIRTUAL_8086 0xf3U /* data, present, DPL 3 */

/* Offsets. Registers are in the order of their numbers. */
struct task_layout {
	uint8_t size; /* of a register: 2 or 4 */
	uint8_t rip, rflags, gprs, segments, ldt, cr3, trap;
	uint8_t segment_step; /* from one selector to the next */
	uint8_t segment_count;
	uint8_t end; /* of what is written when the task is left */
	uint8_t limit_min;
};

static const struct task_layout layout_16 = {
	.size = 2,
	.rip = 0x0e,
	.rflags = 0x10,
	.gprs = 0x12,
	.segments = 0x22,
	.ldt = 0x2a,
	.cr3 = NO_CR3,
	.trap = NO_TRAP,
	.segment_step = 2,
	.segment_count = SEGMENT_DS + 1,
	.end = 0x2a,
	.limit_min = 0x2b,
};

static const struct task_layout layout_32 = {
	.size = 4,
	.rip = 0x20,
	.rflags = 0x24,
	.gprs = 0x28,
	.segments = 0x48,
	.ldt = 0x60,
	.cr3 = 0x1c,
	.trap = 0x64,
	.segment_step = 4,
	.segment_count = SEGMENT_GS + 1,
	.end = 0x5e,
	.limit_min = 0x67,
};

const struct task_layout *task_layout_of(uint32_t type)
{
	return type & TYPE_IS_32 ? &layout_32 : &layout_16;
}

uint32_t task_limit_min(const struct task_layout *layout)
{
	return layout->limit_min;
}

uint32_t task_old_limit_min(const struct task_layout *layout)
{
	return layout->end - 1U;
}

bool task_open_old(struct task_switch *ts, uint64_t base)
{
	const struct task_layout *layout = ts->old.layout;

	return task_open(ts, base + layout->rip, layout->end - layout->rip,
			 ACCESS_WRITE, &ts->old.state);
}

bool task_open_new(struct task_switch *ts, uint64_t base, bool is_linked)
{
	struct task *next = &ts->next;

	if (is_linked &&
	    !task_open(ts, base, sizeof(uint16_t), ACCESS_WRITE, &next->link))
		return false;
	return task_open(ts, base, next->layout->limit_min + 1U, ACCESS_READ,
			 &next->state);
}

static void put(struct task_switch *ts, unsigned int offset, uint64_t value,
		unsigned int size)
{
	guest_linear_write(ts->vcpu, &ts->old.state,
			   offset - ts->old.layout->rip, &value, size);
}

void task_save(struct task_switch *ts)
{
	const struct task_layout *layout = ts->old.layout;
	const struct vcpu_regs *regs = &ts->vcpu->regs;
	uint64_t rflags = regs->rflags;

	if (ts->is_iret)
		rflags &= ~RFLAGS_NT;
	put(ts, layout->rip, regs->rip + ts->vcpu->exit.insn_len, layout->size);
	put(ts, layout->rflags, rflags, layout->size);
	for (unsigned int i = 0; i < GPRS; i++)
		put(ts, layout->gprs + i * layout->size, regs->gpr[i],
		    layout->size);
	for (unsigned int i = 0; i < layout->segment_count; i++)
		put(ts, layout->segments + i * layout->segment_step,
		    ts->state.segments[i].selector, sizeof(uint16_t));
}

void task_link(struct task_switch *ts, uint16_t selector)
{
	guest_linear_write(ts->vcpu, &ts->next.link, 0, &selector,
			   sizeof(selector));
}

static uint32_t get(const uint8_t *bytes, unsigned int offset,
		    unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, bytes + offset, size);
	return value;
}

/* The manual leaves open what is above 16 bits; these are the 80386's ones. */
static uint64_t gpr_of(const struct task_layout *layout, const uint8_t *bytes,
		       unsigned int number)
{
	uint32_t value =
		get(bytes, layout->gprs + number * layout->size, layout->size);

	return layout->size == 2 ? value | 0xffff0000U : value;
}

/* FS and GS, which the 16-bit TSS does not have, are null. */
static uint16_t selector_of(const struct task_layout *layout,
			    const uint8_t *bytes, unsigned int name)
{
	if (name >= layout->segment_count)
		return 0;
	return (uint16_t)get(bytes,
			     layout->segments + name * layout->segment_step,
			     sizeof(uint16_t));
}

/*
 * Until its descriptor has been loaded, and if it cannot be: the selector with
 * nothing behind it. CS cannot be unusable, so it is a segment of one byte; what
 * fetches from it faults. Virtual-8086 mode needs no descriptors.
 */
static struct segment segment_without(const struct task_switch *ts,
				      unsigned int name, uint16_t selector)
{
	uint16_t dpl = (uint16_t)FIELD_PUT(SEGMENT_DPL, ts->state.cpl);
	struct segment segment = { .selector = selector };

	if (ts->vcpu->regs.rflags & RFLAGS_VM) {
		segment.attributes = ATTRIBUTES_VIRTUAL_8086;
		segment.limit = 0xffff;
		segment.base = (uint64_t)selector << 4;
	} else if (name == SEGMENT_CS) {
		segment.attributes =
			(uint16_t)(dpl | SEGMENT_P | SEGMENT_S | 0xb);
	} else if (name == SEGMENT_SS) {
		segment.attributes = dpl; /* it has the CPL in VMX */
	}
	return segment;
}

static void load_selectors(struct task_switch *ts, const uint8_t *bytes)
{
	const struct task_layout *layout = ts->next.layout;
	struct segment *segments = ts->state.segments;

	ts->state.cpl = 3;
	if (!(ts->vcpu->regs.rflags & RFLAGS_VM))
		ts->state.cpl =
			selector_of(layout, bytes, SEGMENT_CS) & SELECTOR_RPL;
	for (unsigned int i = SEGMENT_ES; i <= SEGMENT_GS; i++)
		segments[i] =
			segment_without(ts, i, selector_of(layout, bytes, i));
	segments[SEGMENT_LDTR] = (struct segment){
		.selector = (uint16_t)get(bytes, layout->ldt, sizeof(uint16_t)),
	};
}

bool task_load(struct task_switch *ts, uint64_t *cr3)
{
	const struct task_layout *layout = ts->next.layout;
	struct vcpu_regs *regs = &ts->vcpu->regs;
	uint8_t bytes[0x68];

	guest_linear_read(ts->vcpu, &ts->next.state, 0, bytes,
			  layout->limit_min + 1U);
	regs->rip = get(bytes, layout->rip, layout->size);
	regs->rflags =
		(get(bytes, layout->rflags, layout->size) & ~RFLAGS_RESERVED) |
		RFLAGS_FIXED;
	for (unsigned int i = 0; i < GPRS; i++)
		regs->gpr[i] = gpr_of(layout, bytes, i);
	load_selectors(ts, bytes);
	if (layout->cr3 != NO_CR3)
		*cr3 = get(bytes, layout->cr3, sizeof(uint32_t));
	return layout->trap != NO_TRAP && bytes[layout->trap] & TRAP_BIT;
}
