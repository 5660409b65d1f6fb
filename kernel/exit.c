/* What to do about each exit. [pure] */
#include "kernel/exit.h"

#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate.h"
#include "kernel/exit_cpuid.h"
#include "kernel/exit_cr.h"
#include "kernel/exit_msr.h"
#include "kernel/hypercall.h"
#include "kernel/lib/panic.h"
#include "kernel/task_switch.h"
#include "kernel/thread.h"
#include "kernel/vm.h"

const char *const exit_reason_names[EXIT_REASON_COUNT] = {
	[EXIT_INTERRUPT] = "interrupt",
	[EXIT_NMI] = "nmi",
	[EXIT_CPUID] = "cpuid",
	[EXIT_MSR_READ] = "msr-read",
	[EXIT_MSR_WRITE] = "msr-write",
	[EXIT_IO] = "io",
	[EXIT_MEMORY] = "memory",
	[EXIT_HYPERCALL] = "hypercall",
	[EXIT_HLT] = "hlt",
	[EXIT_PAUSE] = "pause",
	[EXIT_EXCEPTION] = "exception",
	[EXIT_WINDOW_INTERRUPT] = "interrupt-window",
	[EXIT_WINDOW_NMI] = "nmi-window",
	[EXIT_CR_WRITE] = "cr-write",
	[EXIT_CR_READ] = "cr-read",
	[EXIT_XSETBV] = "xsetbv",
	[EXIT_WBINVD] = "wbinvd",
	[EXIT_RDPMC] = "rdpmc",
	[EXIT_UNDEFINED] = "undefined",
	[EXIT_TASK_SWITCH] = "task-switch",
	[EXIT_APIC_EOI] = "apic-eoi",
	[EXIT_APIC_WRITE] = "apic-write",
	[EXIT_STEP] = "step",
	[EXIT_TRIPLE_FAULT] = "triple-fault",
	[EXIT_REFUSED] = "refused",
	[EXIT_UNKNOWN] = "unknown",
};

/* A process of the guest must not end the VM: its kernel gets an exception. */
static bool is_user(const struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	return mode.cpl == 3;
}

static void unknown_insn(struct vcpu *vcpu)
{
	uint8_t b[8] = { 0 };

	for (uint8_t i = 0; i < sizeof(b); i++) {
		if (!emulate_fetch_byte(vcpu, i, &b[i]))
			break;
	}
	vm_fault(vcpu->vm,
		 "vCPU %u: unknown instruction %02x %02x %02x %02x %02x %02x "
		 "%02x %02x at 0x%lx",
		 vcpu->number, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
		 vcpu->regs.rip);
}

/* Not inline, as is exit_exception: exit_handle would get their stack frames. */
static __attribute__((noinline)) void emulate(struct vcpu *vcpu)
{
	if (emulate_insn(vcpu) != EMULATE_UNKNOWN)
		return;
	if (is_user(vcpu))
		event_raise(vcpu, VECTOR_UD);
	else
		unknown_insn(vcpu);
}

static void exit_in(struct vcpu *vcpu)
{
	const struct vmexit *exit = &vcpu->exit;
	uint64_t value = io_read(vcpu->vm, &vcpu->vm->ports, exit->io.port,
				 exit->io.size);
	uint64_t *rax = &vcpu->regs.gpr[GPR_RAX];
	uint8_t size = exit->io.size; /* read again: no register kept for it */

	if (size == 1)
		*rax = (*rax & ~0xffUL) | (uint8_t)value;
	else if (size == 2)
		*rax = (*rax & ~0xffffUL) | (uint16_t)value;
	else
		*rax = (uint32_t)value;
}

static void exit_io(struct vcpu *vcpu)
{
	const struct vmexit *exit = &vcpu->exit;
	static const uint32_t masks[] = { 0, 0xff, 0xffff, 0, 0xffffffff };
	uint8_t size = exit->io.size;

	if (exit->io.is_string) {
		emulate(vcpu);
		return;
	}
	if (exit->io.is_in)
		exit_in(vcpu);
	else
		io_write(vcpu->vm, &vcpu->vm->ports, exit->io.port, size,
			 vcpu->regs.gpr[GPR_RAX] & masks[size]);
	vcpu_skip_insn(vcpu);
}

static void bad_table(struct vcpu *vcpu)
{
	if (is_user(vcpu))
		event_raise_error(vcpu, VECTOR_GP, 0);
	else
		vm_fault(vcpu->vm,
			 "vCPU %u: page table at device address 0x%lx",
			 vcpu->number, vcpu->exit.memory.gpa.value);
}

static void bad_code(struct vcpu *vcpu)
{
	if (is_user(vcpu))
		event_raise(vcpu, VECTOR_UD);
	else
		vm_fault(vcpu->vm, "vCPU %u: executes at device address 0x%lx",
			 vcpu->number, vcpu->exit.memory.gpa.value);
}

static void bad_delivery(struct vcpu *vcpu)
{
	vm_fault(vcpu->vm,
		 "vCPU %u: vector %u is delivered by way of device address "
		 "0x%lx",
		 vcpu->number, vcpu->event.vector, vcpu->exit.memory.gpa.value);
}

static __attribute__((noinline)) void exit_device_memory(struct vcpu *vcpu)
{
	const struct vmexit *exit = &vcpu->exit;

	/* the CPU delivers it: what is at RIP has nothing to do with the access */
	if (vcpu->event.kind != EVENT_NONE)
		bad_delivery(vcpu);
	else if (exit->memory.is_table_walk)
		bad_table(vcpu);
	else if (exit->memory.access & ACCESS_EXECUTE)
		bad_code(vcpu);
	else
		emulate(vcpu);
}

static void exit_memory(struct vcpu *vcpu)
{
	const struct vmexit *exit = &vcpu->exit;

	switch (guest_mem_fault(&vcpu->vm->memory, exit->memory.gpa,
				exit->memory.access)) {
	case GUEST_FAULT_DONE: break;
	case GUEST_FAULT_DEVICE:
	case GUEST_FAULT_READ_ONLY: exit_device_memory(vcpu); break;
	case GUEST_FAULT_NO_MEMORY:
		vm_fault(vcpu->vm,
			 "no machine memory for guest memory at 0x%lx",
			 exit->memory.gpa.value);
		break;
	}
}

/* Until something wakes it: vcpu_loop sees to that. */
static void exit_hlt(struct vcpu *vcpu)
{
	vcpu_skip_insn(vcpu);
	vcpu->activity = ACTIVITY_HALTED;
}

static void exit_pause(struct vcpu *vcpu)
{
	vcpu_skip_insn(vcpu);
	thread_yield();
}

/* The hypercall instruction of the other vendor's CPUs is #UD on this one's, yet
 * the ABI lets guests use either. */
static bool is_hypercall(struct vcpu *vcpu)
{
	static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 };
	static const uint8_t vmmcall[] = { 0x0f, 0x01, 0xd9 };
	uint8_t byte;

	for (uint8_t i = 0; i < sizeof(vmcall); i++) {
		if (!emulate_fetch_byte(vcpu, i, &byte) ||
		    (byte != vmcall[i] && byte != vmmcall[i]))
			return false;
	}
	return true;
}

static __attribute__((noinline)) void exit_exception(struct vcpu *vcpu)
{
	struct vmexit *exit = &vcpu->exit;

	if (exit->exception.vector == VECTOR_MC)
		panic("machine check while a guest was running");
	if (exit->exception.vector == VECTOR_UD && is_hypercall(vcpu)) {
		exit->insn_len = 3;
		exit_hypercall(vcpu);
	} else if (exit->exception.vector == VECTOR_PF) {
		event_raise_page_fault(vcpu, exit->exception.address,
				       exit->exception.error_code);
	} else if (exit->exception.has_error) {
		event_raise_error(vcpu, exit->exception.vector,
				  exit->exception.error_code);
	} else {
		event_raise(vcpu, exit->exception.vector);
	}
}

void exit_handle(struct vcpu *vcpu)
{
	switch (vcpu->exit.reason) {
	case EXIT_INTERRUPT: thread_window(); break;
	case EXIT_NMI: break; /* its handler has run */
	case EXIT_CPUID: exit_cpuid(vcpu); break;
	case EXIT_MSR_READ: exit_msr_read(vcpu); break;
	case EXIT_MSR_WRITE: exit_msr_write(vcpu); break;
	case EXIT_IO: exit_io(vcpu); break;
	case EXIT_MEMORY: exit_memory(vcpu); break;
	case EXIT_HYPERCALL: exit_hypercall(vcpu); break;
	case EXIT_HLT: exit_hlt(vcpu); break;
	case EXIT_PAUSE: exit_pause(vcpu); break;
	case EXIT_EXCEPTION: exit_exception(vcpu); break;
	case EXIT_WINDOW_INTERRUPT:
	case EXIT_WINDOW_NMI: vcpu->is_event_due = true; break;
	case EXIT_CR_WRITE: exit_cr_write(vcpu); break;
	case EXIT_CR_READ: exit_cr_read(vcpu); break;
	case EXIT_XSETBV: exit_xsetbv(vcpu); break;
	case EXIT_WBINVD: vcpu_skip_insn(vcpu); break; /* caches are coherent */
	case EXIT_RDPMC: event_raise_error(vcpu, VECTOR_GP, 0); break;
	case EXIT_UNDEFINED: event_raise(vcpu, VECTOR_UD); break;
	case EXIT_APIC_EOI:
		lapic_eoi_done(vcpu->lapic, vcpu->exit.apic.vector);
		break;
	case EXIT_APIC_WRITE:
		lapic_page_written(vcpu->lapic, vcpu->exit.apic.offset);
		break;
	case EXIT_STEP: break;
	case EXIT_TRIPLE_FAULT: vm_triple_fault(vcpu); break;
	case EXIT_TASK_SWITCH: exit_task_switch(vcpu); break;
	case EXIT_REFUSED:
		vm_fault(vcpu->vm, "vCPU %u: the CPU refused its state (0x%lx)",
			 vcpu->number, vcpu->exit.code);
		break;
	case EXIT_UNKNOWN:
		vm_fault(vcpu->vm, "vCPU %u: unknown exit 0x%lx", vcpu->number,
			 vcpu->exit.code);
		break;
	}
}
