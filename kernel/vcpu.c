/*
 * The vCPU's life: its thread and its loop.
 *
 *	vcpu_loop
 *	  serve_requests	what others asked for
 *	  sleep			while halted or waiting for start-up
 *	  enter			event_prepare, ops->run
 *	  exit_handle		exit.c
 */
#include "kernel/vcpu.h"

#include "drivers/pc/lapic.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/emulate.h"
#include "kernel/exit.h"
#include "kernel/exit_msr.h"
#include "kernel/lib/errno.h"
#include "kernel/pv_clock.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/trace.h"
#include "kernel/vcpu_load.h"
#include "kernel/vm.h"
#include "kernel/vm_life.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"

const struct vcpu_ops *vcpu_ops;

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
	/* full barrier: pairs with the exchanges of mode in enter and sleep */
	__atomic_fetch_or(&vcpu->requests, request, __ATOMIC_SEQ_CST);
	switch (__atomic_load_n(&vcpu->mode, __ATOMIC_SEQ_CST)) {
	case VCPU_INSIDE: smp_interrupt(vcpu->cpu, VECTOR_RESCHEDULE); break;
	case VCPU_PARKED: thread_unpark(vcpu->thread); break;
	default: break;
	}
}

static void set_mode(struct vcpu *vcpu, enum vcpu_mode mode)
{
	__atomic_exchange_n(&vcpu->mode, mode, __ATOMIC_SEQ_CST);
}

static bool has_requests(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) != 0;
}

int vcpu_create(struct vm *vm, uint32_t number, uint32_t cpu)
{
	struct vcpu *vcpu = heap_alloc(sizeof(*vcpu));
	hpa_t xsave;
	int err;

	if (!vcpu)
		return -ENOMEM;
	vcpu->vm = vm;
	vcpu->number = number;
	vcpu->cpu = cpu;
	vcpu->tsc_offset = vm->tsc_offset;
	vcpu->lapic_timer.requests = &vcpu->requests;
	vcpu->lapic_timer.request = REQUEST_LAPIC_TIMER;
	vcpu->device_timer.requests = &vcpu->requests;
	vcpu->device_timer.request = REQUEST_DEVICE_TIMERS;
	err = -ENOMEM;
	xsave = frame_alloc_zeroed(vcpu_load_order(), cpu_node());
	if (hpa_equals(xsave, HPA_NONE))
		goto free_vcpu;
	vcpu->xsave = phys_to_virt(xsave);
	err = vcpu_ops->create(vcpu);
	if (err)
		goto free_xsave;
	vcpu->lapic = lapic_create(vcpu);
	err = -ENOMEM;
	if (!vcpu->lapic)
		goto destroy_backend;
	vcpu_ops->set_tsc_offset(vcpu, vcpu->tsc_offset);
	vcpu_reset(vcpu, false);
	vm->vcpus[number] = vcpu;
	return 0;

destroy_backend:
	vcpu_ops->destroy(vcpu);
free_xsave:
	frame_free(xsave, vcpu_load_order());
free_vcpu:
	heap_free(vcpu);
	return err;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (vcpu->thread)
		thread_release(vcpu->thread);
	lapic_destroy(vcpu->lapic);
	vcpu_ops->destroy(vcpu);
	frame_free(virt_to_phys(vcpu->xsave), vcpu_load_order());
	heap_free(vcpu);
}

/* A start-up IPI: real mode at the page it names. SDM 3A 8.4.3 "MP
 * Initialization Protocol Algorithm for MP Systems". */
static void start_up(struct vcpu *vcpu)
{
	struct vcpu_state state;
	uint8_t page = __atomic_load_n(&vcpu->startup_page, __ATOMIC_ACQUIRE);

	if (vcpu->activity != ACTIVITY_WAIT_FOR_STARTUP)
		return;
	vcpu_ops->read_state(vcpu, &state);
	state.segments[SEGMENT_CS].selector = (uint16_t)(page << 8);
	state.segments[SEGMENT_CS].base = (uint64_t)page << PAGE_SHIFT;
	vcpu_ops->write_state(vcpu, &state);
	vcpu->regs.rip = 0;
	vcpu->activity = ACTIVITY_RUNNING;
}

/* INIT restarts the first vCPU at the reset vector, where there is no firmware:
 * that is a reset of the VM. */
static void init(struct vcpu *vcpu)
{
	if (vcpu->number == 0 && !vcpu->vm->has_firmware) {
		vm_end(vcpu->vm, VM_END_RESET);
		return;
	}
	vcpu_unload(vcpu);
	vcpu_reset(vcpu, true);
	if (vcpu->number == 0)
		vcpu->activity = ACTIVITY_RUNNING;
}

/* False: leave the loop. */
static bool serve_requests(struct vcpu *vcpu)
{
	uint32_t requests =
		__atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);

	if (requests & REQUEST_STOP)
		return false;
	if (requests & REQUEST_INIT)
		init(vcpu);
	if (requests & REQUEST_STARTUP)
		start_up(vcpu);
	if (requests & REQUEST_LAPIC_TIMER)
		lapic_timer_fire(vcpu->lapic);
	if (requests & REQUEST_DEVICE_TIMERS)
		vm_serve_timers(vcpu->vm);
	if (requests & REQUEST_FLUSH_TLB)
		vcpu_ops->flush_tlb(vcpu);
	if (requests & REQUEST_CLOCK)
		pv_clock_update(vcpu);
	if (requests & REQUEST_NMI)
		vcpu->is_nmi_pending = true;
	vcpu->is_event_due = true;
	return true;
}

static bool is_asleep(struct vcpu *vcpu)
{
	if (vcpu->activity == ACTIVITY_HALTED && event_is_waking(vcpu)) {
		vcpu->activity = ACTIVITY_RUNNING;
		vcpu->is_event_due = true;
	}
	return vcpu->activity != ACTIVITY_RUNNING;
}

static void sleep(struct vcpu *vcpu)
{
	set_mode(vcpu, VCPU_PARKED);
	/* after the exchange: pairs with vcpu_request */
	if (!has_requests(vcpu))
		thread_park();
	set_mode(vcpu, VCPU_OUTSIDE);
}

/* Translations of guest memory that changed, rather than only being added. */
static void follow_memory(struct vcpu *vcpu)
{
	uint64_t generation = __atomic_load_n(
		&vcpu->vm->memory.flush_generation, __ATOMIC_ACQUIRE);

	if (vcpu->flush_generation == generation)
		return;
	vcpu->flush_generation = generation;
	vcpu_ops->flush_tlb(vcpu);
}

/*
 * From the look at requests on until the guest runs, interrupts are off and
 * nothing gives way: who sets a request later sees VCPU_INSIDE and sends an
 * interrupt, which ends the guest's run at once.
 */
static bool enter(struct vcpu *vcpu)
{
	set_mode(vcpu, VCPU_INSIDE);
	if (has_requests(vcpu)) {
		set_mode(vcpu, VCPU_OUTSIDE);
		return false;
	}
	vcpu_load(vcpu);
	follow_memory(vcpu);
	if (vcpu->is_event_due) {
		vcpu->is_event_due = false;
		event_prepare(vcpu);
	}
	thread_prepare_guest();
	vcpu_ops->run(vcpu);
	__atomic_store_n(&vcpu->mode, VCPU_OUTSIDE, __ATOMIC_RELEASE);
	return true;
}

static void vcpu_loop(struct vcpu *vcpu)
{
	for (;;) {
		if (has_requests(vcpu) && !serve_requests(vcpu))
			return;
		if (vcpu->activity != ACTIVITY_RUNNING && is_asleep(vcpu)) {
			sleep(vcpu);
			thread_window();
			continue;
		}
		if (!enter(vcpu)) {
			/* others may ask faster than we serve */
			thread_window();
			continue;
		}
		trace_exit(vcpu);
		exit_handle(vcpu);
		/* An event to be given. And what goes in at an entry may end it again before the guest
		 * comes to an instruction, where the machine's interrupts would
		 * be seen, and so without end: a #DB whose push is the next
		 * one's breakpoint (CVE-2015-8104). SDM 3A 6.9 "Priority Among
		 * Simultaneous Exceptions and Interrupts". */
		if (vcpu->event.kind != EVENT_NONE) {
			vcpu->is_event_due = true;
			thread_window();
		}
	}
}

static void vcpu_thread(void *argument)
{
	struct vcpu *vcpu = argument;

	vcpu_loop(vcpu);
	timer_cancel(&vcpu->lapic_timer);
	timer_cancel(&vcpu->device_timer);
	vcpu_unload(vcpu);
	vm_vcpu_left(vcpu->vm);
}

int vcpu_prepare(struct vcpu *vcpu)
{
	vcpu->thread =
		thread_create_parked(vcpu->cpu, vcpu_thread, vcpu, "%s/%u",
				     vcpu->vm->name, vcpu->number);
	return vcpu->thread ? 0 : -ENOMEM;
}

void vcpu_arm_lapic_timer(struct vcpu *vcpu, uint64_t deadline)
{
	if (deadline == TIME_NEVER)
		timer_cancel(&vcpu->lapic_timer);
	else
		timer_arm(&vcpu->lapic_timer, deadline);
}

uint64_t vcpu_tsc(const struct vcpu *vcpu)
{
	return x86_rdtsc() + vcpu->tsc_offset;
}

/* Not inline, as is decode_length: every exit would get its stack frame. */
static __attribute__((noinline)) void single_step(struct vcpu *vcpu)
{
	struct vcpu_state state;

	vcpu_ops->read_state(vcpu, &state);
	state.dr6 |= DR6_BS;
	vcpu_ops->write_state(vcpu, &state);
	event_raise(vcpu, VECTOR_DB);
}

static __attribute__((noinline)) uint8_t decode_length(struct vcpu *vcpu)
{
	uint8_t length = emulate_insn_length(vcpu);

	if (!length)
		vm_fault(vcpu->vm, "vCPU %u: unknown instruction at 0x%lx",
			 vcpu->number, vcpu->regs.rip);
	return length;
}

/* EIP wraps; Intel's CPUs refuse an RIP beyond 4 GiB outside of 64-bit code: SDM 3C
 * 27.3.1.4 "Checks on Guest RIP, RFLAGS, and SSP". A process can bring it there. */
static __attribute__((noinline)) void wrap_rip(struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	if (mode.code_size != 8)
		vcpu->regs.rip = (uint32_t)vcpu->regs.rip;
}

/* What few instructions need; apart, so that the others need no stack frame. */
static __attribute__((noinline)) void skip_rare(struct vcpu *vcpu)
{
	uint8_t length = vcpu->exit.insn_len;

	if (!length) {
		length = decode_length(vcpu);
		if (!length)
			return;
		vcpu->regs.rip += length;
	}
	if ((uint32_t)vcpu->regs.rip < length)
		wrap_rip(vcpu);
	if (vcpu->regs.rflags & RFLAGS_TF)
		single_step(vcpu);
}

void vcpu_skip_insn(struct vcpu *vcpu)
{
	uint32_t length = vcpu->exit.insn_len;

	vcpu->regs.rip += length;
	vcpu->is_shadowed = false;
	if (!length || (uint32_t)vcpu->regs.rip < length ||
	    (vcpu->regs.rflags & RFLAGS_TF))
		skip_rare(vcpu);
}
