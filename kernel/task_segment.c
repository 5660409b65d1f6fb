/* Descriptors, and the segment registers of a new task. SDM 3A 3.4.5 "Segment
 * Descriptors", 5.5 "Privilege Levels" and the sections behind it. */
#include "kernel/cpu/x86_regs.h"
#include "kernel/task_context.h"

/* Types of code and data segments: SDM 3A table 3-1. */
#define TYPE_ACCESSED	BIT(0)
#define TYPE_WRITE	BIT(1) /* data */
#define TYPE_READ	BIT(1) /* code */
#define TYPE_CONFORMING BIT(2) /* code */
#define TYPE_CODE	BIT(3)

#define DESCRIPTOR_SIZE	  8
#define DESCRIPTOR_TYPE	  5 /* offset of the byte with type, S, DPL, P */
#define DESCRIPTOR_LIMIT  BITS(15, 0)
#define DESCRIPTOR_BASE	  BITS(39, 16)
#define DESCRIPTOR_RIGHTS BITS(47, 40)
#define DESCRIPTOR_LIMIT2 BITS(51, 48)
#define DESCRIPTOR_FLAGS  BITS(55, 52)
#define DESCRIPTOR_BASE2  BITS(63, 56)

#define ATTRIBUTES_FLAGS BITS(11, 8)

/* LDTR without a table has no limit either, so all is beyond it. */
static struct table_register table_of(const struct task_switch *ts,
				      uint16_t selector)
{
	const struct segment *ldt = &ts->state.segments[SEGMENT_LDTR];

	if (selector & SELECTOR_TI)
		return (struct table_register){ ldt->base, ldt->limit };
	return ts->state.gdtr;
}

bool task_find(struct task_switch *ts, uint16_t selector, uint8_t vector,
	       struct descriptor *found)
{
	struct table_register table = table_of(ts, selector);
	uint32_t offset = selector & SELECTOR_OFFSET;
	struct guest_linear at;

	if (offset + DESCRIPTOR_SIZE - 1 > table.limit) {
		task_raise(ts, vector, selector);
		return false;
	}
	found->selector = selector;
	found->linear = table.base + offset;
	if (!task_open(ts, found->linear, DESCRIPTOR_SIZE, ACCESS_READ, &at))
		return false;
	guest_linear_read(ts->vcpu, &at, 0, &found->value, DESCRIPTOR_SIZE);
	return true;
}

bool task_open_type(struct task_switch *ts, const struct descriptor *descriptor,
		    struct guest_linear *at)
{
	return task_open(ts, descriptor->linear + DESCRIPTOR_TYPE, 1,
			 ACCESS_WRITE, at);
}

bool task_change_type(struct task_switch *ts,
		      const struct descriptor *descriptor,
		      const struct guest_linear *at, uint8_t set, uint8_t clear)
{
	uint8_t old = (uint8_t)FIELD_GET(DESCRIPTOR_RIGHTS, descriptor->value);

	return guest_linear_replace(ts->vcpu, at, 0, old,
				    (uint8_t)((old | set) & ~clear));
}

struct segment task_segment_of(const struct descriptor *descriptor)
{
	uint64_t value = descriptor->value;
	struct segment segment = {
		.selector = descriptor->selector,
		.attributes = (uint16_t)(FIELD_GET(DESCRIPTOR_RIGHTS, value) |
					 FIELD_PUT(ATTRIBUTES_FLAGS,
						   FIELD_GET(DESCRIPTOR_FLAGS,
							     value))),
		.limit = (uint32_t)(FIELD_GET(DESCRIPTOR_LIMIT2, value) << 16 |
				    FIELD_GET(DESCRIPTOR_LIMIT, value)),
		.base = FIELD_GET(DESCRIPTOR_BASE2, value) << 24 |
			FIELD_GET(DESCRIPTOR_BASE, value),
	};

	if (segment.attributes & SEGMENT_G)
		segment.limit = segment.limit << 12 | 0xfff;
	return segment;
}

/*
 * What a register takes. SDM 3A table 8-1 "Exception Conditions Checked During a
 * Task Switch", table 6-6 "Invalid TSS Conditions".
 *
 *	CS	code; DPL = CPL, or conforming and DPL <= CPL
 *	SS	writable data; RPL = DPL = CPL
 *	others	data or readable code; CPL and RPL <= DPL, or conforming
 *
 * CPL is the RPL of CS. All else: #TS.
 */
static bool is_code_sound(uint16_t attributes, uint64_t cpl)
{
	uint64_t dpl = FIELD_GET(SEGMENT_DPL, attributes);

	if (!(attributes & TYPE_CODE))
		return false;
	return attributes & TYPE_CONFORMING ? dpl <= cpl : dpl == cpl;
}

static bool is_stack_sound(uint16_t attributes, uint64_t cpl, uint64_t rpl)
{
	return !(attributes & TYPE_CODE) && attributes & TYPE_WRITE &&
	       FIELD_GET(SEGMENT_DPL, attributes) == cpl && rpl == cpl;
}

static bool is_data_sound(uint16_t attributes, uint64_t cpl, uint64_t rpl)
{
	uint64_t dpl = FIELD_GET(SEGMENT_DPL, attributes);

	if (attributes & TYPE_CODE && !(attributes & TYPE_READ))
		return false;
	if (attributes & TYPE_CODE && attributes & TYPE_CONFORMING)
		return true;
	return cpl <= dpl && rpl <= dpl;
}

static bool is_sound(const struct segment *segment, enum segment_name name,
		     uint64_t cpl)
{
	uint64_t rpl = segment->selector & SELECTOR_RPL;

	if (!(segment->attributes & SEGMENT_S))
		return false;
	switch (name) {
	case SEGMENT_CS: return is_code_sound(segment->attributes, cpl);
	case SEGMENT_SS: return is_stack_sound(segment->attributes, cpl, rpl);
	default: return is_data_sound(segment->attributes, cpl, rpl);
	}
}

/* Who changed it meanwhile raced with itself: the bit is the new one's business. */
static bool set_accessed(struct task_switch *ts,
			 const struct descriptor *descriptor)
{
	struct guest_linear at;

	if (!task_open_type(ts, descriptor, &at))
		return false;
	task_change_type(ts, descriptor, &at, TYPE_ACCESSED, 0);
	return true;
}

static bool load_segment(struct task_switch *ts, enum segment_name name)
{
	struct segment *segment = &ts->state.segments[name];
	struct descriptor descriptor;
	struct segment found;

	if (segment->selector <= SELECTOR_NULL) {
		if (name != SEGMENT_CS && name != SEGMENT_SS)
			return true;
		task_raise(ts, VECTOR_TS, 0);
		return false;
	}
	if (!task_find(ts, segment->selector, VECTOR_TS, &descriptor))
		return false;
	found = task_segment_of(&descriptor);
	if (!is_sound(&found, name, ts->state.cpl)) {
		task_raise(ts, VECTOR_TS, segment->selector);
		return false;
	}
	if (!(found.attributes & SEGMENT_P)) {
		task_raise(ts, name == SEGMENT_SS ? VECTOR_SS : VECTOR_NP,
			   segment->selector);
		return false;
	}
	if (!(found.attributes & TYPE_ACCESSED) &&
	    !set_accessed(ts, &descriptor))
		return false;
	found.attributes |= TYPE_ACCESSED;
	*segment = found;
	return true;
}

static bool is_ldt(const struct segment *segment)
{
	return !(segment->attributes & SEGMENT_S) &&
	       FIELD_GET(SEGMENT_TYPE, segment->attributes) == TYPE_LDT &&
	       segment->attributes & SEGMENT_P;
}

static bool load_ldt(struct task_switch *ts)
{
	struct segment *ldt = &ts->state.segments[SEGMENT_LDTR];
	struct descriptor descriptor;
	struct segment found;

	if (ldt->selector <= SELECTOR_NULL)
		return true;
	/* LDTR is empty here: TI leads nowhere */
	if (!task_find(ts, ldt->selector, VECTOR_TS, &descriptor))
		return false;
	found = task_segment_of(&descriptor);
	if (!is_ldt(&found)) {
		task_raise(ts, VECTOR_TS, ldt->selector);
		return false;
	}
	*ldt = found;
	return true;
}

bool task_load_segments(struct task_switch *ts)
{
	static const uint8_t order[] = { SEGMENT_CS, SEGMENT_SS, SEGMENT_DS,
					 SEGMENT_ES, SEGMENT_FS, SEGMENT_GS };

	if (!load_ldt(ts))
		return false;
	if (ts->vcpu->regs.rflags & RFLAGS_VM)
		return true;
	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		if (!load_segment(ts, order[i]))
			return false;
	}
	return true;
}
