/*
 * The task switch, step by step. SDM 3A 8.3 "Task Switching"; SDM 3C 26.4.2
 * "Treatment of Task Switches". What differs by its source:
 *
 *	source		new TSS	 not so	 busy bits	 NT and link
 *	CALL		free	 #GP	 new one set	 set
 *	JMP		free	 #GP	 old one cleared -
 *				 	 new one set
 *	IRET		busy	 #TS	 old one cleared cleared in the old
 *	gate in the IDT	free	 #GP	 new one set	 set
 *
 *	check	everything that the old task may get a fault for; no effects
 *	commit	registers to the old TSS and from the new one: cannot fault
 *	finish	in the new task: CR3, segments, error code
 */
#include "kernel/task_switch.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate_context.h"
#include "kernel/exit_cr.h"
#include "kernel/task_context.h"

enum source { SOURCE_CALL, SOURCE_IRET, SOURCE_JUMP, SOURCE_GATE };

/*
 * An event is being delivered and this came up. Either they have become one (double
 * fault, shutdown), or the first is to be delivered again: that would only come
 * here again. A CPU goes to the second's handler, which finds the instruction that
 * will raise the first again; interrupts are lost. SDM 3A 6.15, "Interrupt
 * 8—Double Fault Exception": "handle the exceptions serially".
 */
static bool drop_first(struct vcpu *vcpu, const struct event *first)
{
	if (first->kind == EVENT_NONE || vcpu->event.kind != first->kind ||
	    vcpu->event.vector != first->vector)
		return false;
	vcpu->event.kind = EVENT_NONE;
	return true;
}

void task_raise(struct task_switch *ts, uint8_t vector, uint16_t selector)
{
	struct event first = ts->vcpu->event;
	uint32_t code = (selector & ~SELECTOR_RPL) | ts->external;

	event_raise_error(ts->vcpu, vector, code);
	if (drop_first(ts->vcpu, &first))
		event_raise_error(ts->vcpu, vector, code);
}

void task_raise_page_fault(struct task_switch *ts,
			   const struct guest_linear_fault *fault)
{
	struct event first = ts->vcpu->event;

	event_raise_page_fault(ts->vcpu, fault->address, fault->error_code);
	if (drop_first(ts->vcpu, &first))
		event_raise_page_fault(ts->vcpu, fault->address,
				       fault->error_code);
}

bool task_open(struct task_switch *ts, uint64_t address, uint32_t size,
	       uint32_t access, struct guest_linear *linear)
{
	struct guest_linear_fault fault;

	if (guest_linear_open(ts->vcpu, address, size, access | WALK_IMPLICIT,
			      linear, &fault))
		return true;
	task_raise_page_fault(ts, &fault);
	return false;
}

static void begin(struct task_switch *ts, struct vcpu *vcpu)
{
	uint8_t source = vcpu->exit.task.source;
	uint8_t kind = vcpu->event.kind;

	ts->vcpu = vcpu;
	ts->selector = vcpu->exit.task.selector;
	ts->is_iret = source == SOURCE_IRET;
	ts->is_jump = source == SOURCE_JUMP;
	ts->is_gate = source == SOURCE_GATE;
	/* SDM 3A 6.13 "Error Code": not of INT n, INT3, INTO */
	ts->external =
		ts->is_gate && (kind == EVENT_INTERRUPT || kind == EVENT_NMI ||
				kind == EVENT_EXCEPTION);
	vcpu_ops->read_state(vcpu, &ts->state);
}

/* Is the old task left for good: JMP, IRET? Else it is what the new one returns
 * to. */
static bool is_final(const struct task_switch *ts)
{
	return ts->is_iret || ts->is_jump;
}

static bool has_tasks(const struct vcpu_state *state)
{
	return state->cr0 & CR0_PE && !(state->efer & EFER_LMA);
}

/* ---- check ---- */

/* Of the new TSS, by what is wrong with it or its selector. */
static bool refuse(struct task_switch *ts, uint8_t vector)
{
	task_raise(ts, vector, ts->selector);
	return false;
}

static bool is_wanted_type(const struct task_switch *ts, uint16_t attributes)
{
	uint32_t type = (uint32_t)FIELD_GET(SEGMENT_TYPE, attributes);

	if (attributes & SEGMENT_S)
		return false;
	if (ts->is_iret)
		type ^= TYPE_TSS_BUSY;
	return type == TYPE_TSS_16 || type == TYPE_TSS_32;
}

static bool check_new(struct task_switch *ts, struct descriptor *descriptor)
{
	uint8_t vector = ts->is_iret ? VECTOR_TS : VECTOR_GP;
	struct segment tss;

	if (ts->selector <= SELECTOR_NULL || ts->selector & SELECTOR_TI)
		return refuse(ts, vector);
	if (!task_find(ts, ts->selector, vector, descriptor))
		return false;
	tss = task_segment_of(descriptor);
	if (!is_wanted_type(ts, tss.attributes))
		return refuse(ts, vector);
	if (!(tss.attributes & SEGMENT_P))
		return refuse(ts, VECTOR_NP);
	ts->next.layout = task_layout_of(tss.attributes);
	if (tss.limit < task_limit_min(ts->next.layout))
		return refuse(ts, VECTOR_TS);
	return task_open_new(ts, tss.base, !is_final(ts));
}

/* SDM 3A table 6-6 "Invalid TSS Conditions": "stores to the old TSS encounter a
 * fault condition". */
static bool check_old(struct task_switch *ts)
{
	const struct segment *tr = &ts->state.segments[SEGMENT_TR];

	ts->old.layout = task_layout_of(tr->attributes);
	if (tr->limit < task_old_limit_min(ts->old.layout)) {
		task_raise(ts, VECTOR_TS, tr->selector);
		return false;
	}
	return task_open_old(ts, tr->base);
}

/* The descriptors whose busy bits change, and where those are. */
struct busy {
	struct descriptor old, next;
	struct guest_linear old_at, next_at;
};

/* The same table: "the old TSS descriptor is not writable for a jump or IRET task
 * switch". */
static bool check_busy_bits(struct task_switch *ts, struct busy *busy)
{
	uint16_t old = ts->state.segments[SEGMENT_TR].selector;

	if (!ts->is_iret && !task_open_type(ts, &busy->next, &busy->next_at))
		return false;
	if (!is_final(ts))
		return true;
	return task_find(ts, old & SELECTOR_OFFSET, VECTOR_TS, &busy->old) &&
	       task_open_type(ts, &busy->old, &busy->old_at);
}

static bool check(struct task_switch *ts, struct busy *busy)
{
	return check_new(ts, &busy->next) && check_old(ts) &&
	       check_busy_bits(ts, busy);
}

/* ---- commit ---- */

/*
 * The new one's bit is what keeps two CPUs out of one task, so it comes first.
 * False: its descriptor has changed since it was checked, and nothing was done.
 */
static bool change_busy(struct task_switch *ts, struct busy *busy)
{
	if (!ts->is_iret && !task_change_type(ts, &busy->next, &busy->next_at,
					      TYPE_TSS_BUSY, 0))
		return false;
	if (is_final(ts))
		task_change_type(ts, &busy->old, &busy->old_at, 0,
				 TYPE_TSS_BUSY);
	return true;
}

/* False: try the instruction, or the delivery, once more. */
static bool commit(struct task_switch *ts, struct busy *busy, uint64_t *cr3,
		   bool *is_trapped)
{
	struct segment *tr = &ts->state.segments[SEGMENT_TR];
	uint16_t old_selector = tr->selector;

	if (!change_busy(ts, busy))
		return false;
	task_save(ts);
	if (!is_final(ts))
		task_link(ts, old_selector);
	*tr = task_segment_of(&busy->next);
	tr->attributes |= TYPE_TSS_BUSY;
	*is_trapped = task_load(ts, cr3);
	if (!is_final(ts))
		ts->vcpu->regs.rflags |= RFLAGS_NT;
	ts->state.cr0 |= CR0_TS;
	ts->state.dr7 &= ~DR7_LOCAL;
	ts->vcpu->is_shadowed = false;
	vcpu_ops->write_state(ts->vcpu, &ts->state);
	return true;
}

/* ---- finish ---- */

/* The page tables of the new task lead to the descriptors. Bad entries of PAE
 * paging: #GP(0). SDM 3A 4.4.1 "PDPTE Registers". */
static bool load_cr3(struct task_switch *ts, uint64_t cr3)
{
	if (!(ts->state.cr0 & CR0_PG) || cr3 == ts->state.cr3)
		return true;
	if (!cr_write(ts->vcpu, 3, cr3)) {
		task_raise(ts, VECTOR_GP, 0);
		return false;
	}
	ts->state.cr3 = cr3;
	return true;
}

static bool load_segments(struct task_switch *ts)
{
	bool is_done = task_load_segments(ts);

	vcpu_ops->write_state(ts->vcpu, &ts->state);
	return is_done;
}

/* As a push of the new task: SDM 2A "INT n/INTO/INT3/INT1", TASK-GATE. */
static bool push_error(struct task_switch *ts)
{
	const struct segment *ss = &ts->state.segments[SEGMENT_SS];
	uint64_t mask = ss->attributes & SEGMENT_DB ? UINT32_MAX : UINT16_MAX;
	uint32_t size = ts->next.layout == task_layout_of(TYPE_TSS_32) ? 4 : 2;
	uint64_t *rsp = &ts->vcpu->regs.gpr[GPR_RSP];
	uint64_t at = (*rsp - size) & mask;
	uint32_t user = ts->state.cpl == 3 ? WALK_USER : 0;
	struct guest_linear_fault fault;
	struct guest_linear stack;

	if (!emulate_is_within(ss, at, size)) {
		task_raise(ts, VECTOR_SS, 0);
		return false;
	}
	if (!guest_linear_open(ts->vcpu, ss->base + at, size,
			       ACCESS_WRITE | user, &stack, &fault)) {
		task_raise_page_fault(ts, &fault);
		return false;
	}
	guest_linear_write(ts->vcpu, &stack, 0, &ts->vcpu->exit.task.error_code,
			   size);
	*rsp = (*rsp & ~mask) | at;
	return true;
}

static bool check_rip(struct task_switch *ts)
{
	if (emulate_is_within(&ts->state.segments[SEGMENT_CS],
			      ts->vcpu->regs.rip, 1))
		return true;
	task_raise(ts, VECTOR_GP, 0);
	return false;
}

/* The T bit: SDM 3B 18.3.1.5 "Task-Switch Exception Condition". */
static void trap(struct task_switch *ts)
{
	ts->state.dr6 |= DR6_BT;
	vcpu_ops->write_state(ts->vcpu, &ts->state);
	event_raise(ts->vcpu, VECTOR_DB);
}

static void finish(struct task_switch *ts, uint64_t cr3, bool is_trapped)
{
	bool has_error = ts->is_gate && ts->vcpu->exit.task.has_error;

	if (!load_cr3(ts, cr3) || !load_segments(ts) ||
	    (has_error && !push_error(ts)) || !check_rip(ts))
		return;
	if (ts->is_gate)
		ts->vcpu->event.kind = EVENT_NONE; /* delivered */
	if (is_trapped)
		trap(ts);
}

void exit_task_switch(struct vcpu *vcpu)
{
	struct task_switch ts;
	struct busy busy;
	bool is_trapped;
	uint64_t cr3;

	begin(&ts, vcpu);
	if (!has_tasks(&ts.state)) {
		/* no CPU comes here: SDM 3A 8.7 "Task Management in 64-bit
		 * Mode" */
		task_raise(&ts, VECTOR_GP, ts.is_iret ? 0 : ts.selector);
		return;
	}
	cr3 = ts.state.cr3; /* of a 16-bit task */
	if (check(&ts, &busy) && commit(&ts, &busy, &cr3, &is_trapped))
		finish(&ts, cr3, is_trapped);
}
