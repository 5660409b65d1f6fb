/*
 * What the parts of the task switch share: one switch under way. [pure]
 *
 *	task_switch.c	the order of things: checks, commit, what is left to do
 *	task_state.c	the two layouts of a TSS: registers out and in
 *	task_segment.c	descriptors, and the segment registers of the new task
 *
 * Functions that are bool return false if a fault was raised, unless they say
 * something else.
 */
#ifndef KERNEL_TASK_CONTEXT_H
#define KERNEL_TASK_CONTEXT_H

#include "kernel/guest_linear.h"

#define SELECTOR_RPL	3U
#define SELECTOR_TI	4U /* in the LDT */
#define SELECTOR_OFFSET 0xfff8U
#define SELECTOR_NULL	3U /* up to here: no segment */

/* Types of system segments: SDM 3A table 3-2 "System-Segment and Gate-Descriptor
 * Types". */
#define TYPE_TSS_16   1U
#define TYPE_LDT      2U
#define TYPE_TSS_32   9U
#define TYPE_TSS_BUSY BIT(1)
#define TYPE_IS_32    BIT(3) /* of a TSS */

/* A descriptor as it was read. */
struct descriptor {
	uint16_t selector;
	uint64_t value;
	uint64_t linear; /* where it is */
};

struct task_layout;

/* A TSS whose bytes have been translated. */
struct task {
	const struct task_layout *layout;
	struct guest_linear link;  /* of the new task, if it gets one */
	struct guest_linear state; /* what is written or read */
};

struct task_switch {
	struct vcpu *vcpu;
	uint16_t selector;
	bool is_iret, is_jump, is_gate;
	uint32_t external; /* EXT bit of error codes */
	struct vcpu_state state;
	struct task old, next;
};

/* ---- task_switch.c ---- */

/* Raise a fault: #@vector with @selector (0: none) and the EXT bit; #PF. */
void task_raise(struct task_switch *ts, uint8_t vector, uint16_t selector);
void task_raise_page_fault(struct task_switch *ts,
			   const struct guest_linear_fault *fault);

/* guest_linear_open as the CPU itself, with its fault raised. */
bool task_open(struct task_switch *ts, uint64_t address, uint32_t size,
	       uint32_t access, struct guest_linear *linear);

/* ---- task_state.c ---- */

/* The layout of a TSS of @type, busy or not. */
const struct task_layout *task_layout_of(uint32_t type);
/* The least limit of a TSS that is switched to, and from. */
uint32_t task_limit_min(const struct task_layout *layout);
uint32_t task_old_limit_min(const struct task_layout *layout);

/* Translate what will be written of the old TSS at @base, or read of the new one
 * and, if it is @linked, written. */
bool task_open_old(struct task_switch *ts, uint64_t base);
bool task_open_new(struct task_switch *ts, uint64_t base, bool is_linked);

/* Registers to the old TSS. Of IRET without NT. */
void task_save(struct task_switch *ts);
/* Back link to the new TSS. */
void task_link(struct task_switch *ts, uint16_t selector);
/* General registers, RIP, RFLAGS and selectors from the new TSS; segments that
 * nothing can be done with. *cr3 is what it says, or left alone. True: its T bit
 * is set. */
bool task_load(struct task_switch *ts, uint64_t *cr3);

/* ---- task_segment.c ---- */

/* Read the descriptor that @selector names in the GDT or LDT of ts->state.
 * Beyond its table: #@vector. */
bool task_find(struct task_switch *ts, uint16_t selector, uint8_t vector,
	       struct descriptor *found);
/* The byte of its type, for task_change_type. */
bool task_open_type(struct task_switch *ts, const struct descriptor *descriptor,
		    struct guest_linear *at);
/* Set and clear bits of its type. False: it is not what was read any more. */
bool task_change_type(struct task_switch *ts,
		      const struct descriptor *descriptor,
		      const struct guest_linear *at, uint8_t set,
		      uint8_t clear);
struct segment task_segment_of(const struct descriptor *descriptor);

/* LDTR and the segment registers, by their selectors, into ts->state. */
bool task_load_segments(struct task_switch *ts);

#endif
