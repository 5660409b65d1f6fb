/*
 * Task switches among descriptors and task states that a guest makes up: nothing
 * crashes, nothing loops, and the state that comes of it is one that a CPU enters.
 *
 * Input: flags, what TR is, then steps of 4 bytes (flags, event's vector,
 * selector); between them, bytes of memory: a page with the GDT, two task states
 * and tables of pages, which fills up with what is left of the input.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpuid.h"
#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/task_switch.h"
#include "mm/heap.h"
#include "ops.h"

#define STEPS  8
#define MEMORY 0x3000UL

struct head {
	uint8_t flags, tr_type, tr_selector, gdt_limit;
	uint16_t tr_base, tr_limit;
};

struct step {
	uint8_t flags, vector;
	uint16_t selector;
};

/* Of struct head. */
#define HEAD_PAGING BIT(0)
#define HEAD_PAE    BIT(1)
#define HEAD_USER   BIT(2)
#define HEAD_LONG   BIT(3)
#define HEAD_WP	    BIT(4)
#define HEAD_SHIFT  BIT(5) /* the GDT is not aligned */

/* Of struct step: bits 1:0 are the source, bits 4:2 the kind of event. */
#define STEP_ERROR BIT(5)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vcpu *const vcpu = &fake_vcpus[0];
static struct vcpu_state *const state = &fake_backends[0].state;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void set_up(void)
{
	static bool is_set_up;

	if (is_set_up)
		return;
	fake_vm_reset(1, 2 * MIB);
	heap_init();
	fake_cpuid_use(FAKE_CPU_INTEL);
	fake_vm.cpuid = fake_cpuid_table(1);
	vcpu->lapic = lapic_create(vcpu);
	is_set_up = true;
}

static void begin(const struct head *head)
{
	set_up();
	guest_zero(&fake_vm.memory, (gpa_t){ 0 }, 0x10000);
	fake_ops_reset();
	fake_ops_protected_mode(vcpu, head->flags & HEAD_USER ? 3 : 0);
	if (head->flags & HEAD_PAGING)
		state->cr0 |= CR0_PG;
	if (head->flags & HEAD_WP)
		state->cr0 |= CR0_WP;
	state->cr4 = head->flags & HEAD_PAE ? CR4_PAE : CR4_PSE;
	if (head->flags & HEAD_LONG)
		state->efer = EFER_LME | EFER_LMA;
	state->cr3 = 0x1000;
	state->gdtr.base = head->flags & HEAD_SHIFT ? 3 : 0;
	state->gdtr.limit = head->gdt_limit * 4U;
	state->segments[SEGMENT_TR] = (struct segment){
		.selector = head->tr_selector,
		.attributes = (uint16_t)(SEGMENT_P | 3 | (head->tr_type & 8)),
		.limit = head->tr_limit,
		.base = head->tr_base,
	};
	memset(&vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs.rflags = RFLAGS_FIXED;
	vcpu->event.kind = EVENT_NONE;
	fake_end = VM_END_NONE;
}

static void take(const struct step *step)
{
	static const uint8_t kinds[8] = { EVENT_NONE,	   EVENT_INTERRUPT,
					  EVENT_NMI,	   EVENT_EXCEPTION,
					  EVENT_EXCEPTION, EVENT_EXCEPTION,
					  EVENT_NONE,	   EVENT_NONE };

	vcpu->exit = (struct vmexit){ .reason = EXIT_TASK_SWITCH,
				      .insn_len = step->vector & 0xf };
	vcpu->exit.task.source = step->flags & 3;
	vcpu->exit.task.selector = step->selector;
	vcpu->event.kind = EVENT_NONE;
	if (vcpu->exit.task.source == 3) {
		vcpu->event = (struct event){
			.kind = kinds[FIELD_GET(BITS(4, 2), step->flags)],
			.vector = step->vector & 31,
			.has_error = step->flags & STEP_ERROR,
		};
		vcpu->exit.task.has_error = vcpu->event.has_error;
		vcpu->exit.task.error_code = 0x11223344;
	}
	exit_task_switch(vcpu);
}

static bool is_usable(const struct segment *segment)
{
	return segment->attributes & SEGMENT_P;
}

/* SDM 3C 27.3.1.2 "Checks on Guest Segment Registers", as they hold for
 * unrestricted guests. */
static void check_limit(const struct segment *segment)
{
	if ((segment->limit & 0xfff) != 0xfff)
		require(!(segment->attributes & SEGMENT_G));
	if (segment->limit >> 20)
		require(segment->attributes & SEGMENT_G);
	require(segment->base <= UINT32_MAX);
}

static void check_virtual_8086(void)
{
	require(state->cpl == 3);
	for (unsigned int i = 0; i <= SEGMENT_GS; i++) {
		const struct segment *segment = &state->segments[i];

		require(segment->base == segment->selector * 16UL);
		require(segment->limit == 0xffff);
		require(segment->attributes == 0xf3);
	}
}

static void check_code(void)
{
	const struct segment *cs = &state->segments[SEGMENT_CS];
	uint64_t dpl = FIELD_GET(SEGMENT_DPL, cs->attributes);

	require((cs->attributes & (SEGMENT_P | SEGMENT_S | 9)) ==
		(SEGMENT_P | SEGMENT_S | 9));
	require(cs->attributes & 4 ? dpl <= state->cpl : dpl == state->cpl);
	require((cs->selector & 3) == state->cpl);
	check_limit(cs);
}

static void check_data(unsigned int name)
{
	const struct segment *segment = &state->segments[name];
	uint64_t dpl = FIELD_GET(SEGMENT_DPL, segment->attributes);
	uint16_t type = segment->attributes & 0xf;

	if (name == SEGMENT_SS)
		require(dpl == state->cpl);
	if (!is_usable(segment))
		return;
	require(segment->attributes & SEGMENT_S && type & 1);
	require(!(type & 8) || type & 2);
	require(type >= 12 || dpl >= (segment->selector & 3));
	require(name != SEGMENT_SS || (type & 10) == 2);
	check_limit(segment);
}

static void check_system(void)
{
	const struct segment *tr = &state->segments[SEGMENT_TR];
	const struct segment *ldt = &state->segments[SEGMENT_LDTR];

	require(is_usable(tr) && !(tr->attributes & SEGMENT_S));
	require((tr->attributes & 7) == 3);
	check_limit(tr);
	if (is_usable(ldt)) {
		require((ldt->attributes & 0x1f) == 2);
		require(!(ldt->selector & 4));
		check_limit(ldt);
	}
}

/* After a switch that took place: bit 3 of CR0 tells. */
static void check_entry(void)
{
	const uint64_t reserved = BITS(63, 22) | BIT(15) | BIT(5) | BIT(3);

	require(!(vcpu->regs.rflags & reserved));
	require(vcpu->regs.rflags & RFLAGS_FIXED);
	require(vcpu->regs.rip <= UINT32_MAX);
	require(!(state->dr7 & DR7_LOCAL));
	check_system();
	if (vcpu->regs.rflags & RFLAGS_VM) {
		check_virtual_8086();
		return;
	}
	check_code();
	for (unsigned int i = 0; i <= SEGMENT_GS; i++) {
		if (i != SEGMENT_CS)
			check_data(i);
	}
}

static void check(void)
{
	if (state->cr0 & CR0_TS)
		check_entry();
	require(vcpu->event.kind <= EVENT_EXCEPTION);
	require(fake_end == VM_END_NONE || fake_end == VM_END_TRIPLE_FAULT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step steps[STEPS];
	struct head head;

	if (size < sizeof(head) + sizeof(steps))
		return 0;
	memcpy(&head, data, sizeof(head));
	memcpy(steps, data + sizeof(head), sizeof(steps));
	data += sizeof(head) + sizeof(steps);
	size -= sizeof(head) + sizeof(steps);
	begin(&head);
	guest_write(&fake_vm.memory, (gpa_t){ 0 }, data, min_u64(size, MEMORY));
	for (unsigned int i = 0; i < STEPS && fake_end == VM_END_NONE; i++) {
		take(&steps[i]);
		check();
	}
	return 0;
}
