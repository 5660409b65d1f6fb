/* Exits of VMX in neutral words: the last place that knows the VMCS's codes. SDM
 * 3C chapter 28 "VM Exits". */
#include "kernel/cpu/x86_regs.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

/* What most reasons mean; the others are EXIT_UNKNOWN, 0. */
struct exit_row {
	uint8_t reason;
	bool has_length; /* the CPU tells the instruction's */
};

static const struct exit_row exit_rows[VMCS_EXIT_REASON_COUNT] = {
	[VMCS_EXIT_EXCEPTION] = { EXIT_EXCEPTION, false },
	[VMCS_EXIT_INTERRUPT] = { EXIT_INTERRUPT, false },
	[VMCS_EXIT_TRIPLE_FAULT] = { EXIT_TRIPLE_FAULT, false },
	[VMCS_EXIT_INIT] = { EXIT_INTERRUPT, false },
	[VMCS_EXIT_SIPI] = { EXIT_INTERRUPT, false },
	[VMCS_EXIT_INTERRUPT_WINDOW] = { EXIT_WINDOW_INTERRUPT, false },
	[VMCS_EXIT_NMI_WINDOW] = { EXIT_WINDOW_NMI, false },
	[VMCS_EXIT_TASK_SWITCH] = { EXIT_TASK_SWITCH, false },
	[VMCS_EXIT_CPUID] = { EXIT_CPUID, true },
	[VMCS_EXIT_GETSEC] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_HLT] = { EXIT_HLT, true },
	[VMCS_EXIT_INVD] = { EXIT_WBINVD, true },
	[VMCS_EXIT_RDPMC] = { EXIT_RDPMC, true },
	[VMCS_EXIT_VMCALL] = { EXIT_HYPERCALL, true },
	[VMCS_EXIT_VMCLEAR... VMCS_EXIT_VMXON] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_CR_ACCESS] = { EXIT_CR_WRITE, true },
	[VMCS_EXIT_IO] = { EXIT_IO, true },
	[VMCS_EXIT_RDMSR] = { EXIT_MSR_READ, true },
	[VMCS_EXIT_WRMSR] = { EXIT_MSR_WRITE, true },
	[VMCS_EXIT_BAD_GUEST_STATE] = { EXIT_REFUSED, false },
	[VMCS_EXIT_BAD_MSR_LOAD] = { EXIT_REFUSED, false },
	[VMCS_EXIT_MWAIT] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_MONITOR] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_PAUSE] = { EXIT_PAUSE, true },
	[VMCS_EXIT_EOI] = { EXIT_APIC_EOI, false },
	[VMCS_EXIT_EPT_VIOLATION] = { EXIT_MEMORY, false },
	[VMCS_EXIT_INVEPT] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_PREEMPTION_TIMER] = { EXIT_INTERRUPT, false },
	[VMCS_EXIT_INVVPID] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_WBINVD] = { EXIT_WBINVD, true },
	[VMCS_EXIT_XSETBV] = { EXIT_XSETBV, true },
	[VMCS_EXIT_APIC_WRITE] = { EXIT_APIC_WRITE, false },
	[VMCS_EXIT_VMFUNC] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_ENCLS] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_SEAMCALL] = { EXIT_UNDEFINED, true },
	[VMCS_EXIT_TDCALL] = { EXIT_UNDEFINED, true },
};

static void decode_io(struct vmexit *exit)
{
	uint64_t info = vmcs_read(VMCS_EXIT_QUALIFICATION);

	exit->io.port = (uint16_t)FIELD_GET(VMCS_IO_PORT, info);
	exit->io.size = (uint8_t)(FIELD_GET(VMCS_IO_SIZE, info) + 1);
	exit->io.is_in = info & VMCS_IO_IN;
	exit->io.is_string = info & VMCS_IO_STRING;
}

/* An IRET has let NMIs in and did not come to its end: they wait for its second
 * try. SDM 3C 28.2.3 "Information About NMI Unblocking Due to IRET". */
static void block_nmi_again(struct vmx_vcpu *vmx)
{
	vmx->blocking |= VMCS_BLOCKED_BY_NMI;
	vmx->nmi_block = VMCS_BLOCKED_BY_NMI;
}

static void decode_memory(struct vcpu *vcpu, bool was_vectoring)
{
	uint64_t info = vmcs_read(VMCS_EXIT_QUALIFICATION);
	struct vmexit *exit = &vcpu->exit;

	exit->memory.gpa = (gpa_t){ vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS) };
	exit->memory.access = (info & VMCS_EPT_WRITE ? ACCESS_WRITE : 0U) |
			      (info & VMCS_EPT_EXECUTE ? ACCESS_EXECUTE : 0U);
	exit->memory.is_table_walk =
		(info & VMCS_EPT_LINEAR_VALID) && !(info & VMCS_EPT_NOT_WALK);
	exit->memory.byte_count = 0;
	if ((info & VMCS_EPT_UNBLOCK_NMI) && !was_vectoring)
		block_nmi_again(vmx_of(vcpu));
}

/* The CPU refuses an RIP of more than 32 bits in code that is not 64-bit: SDM 3C
 * 27.3.1.4 "Checks on Guest RIP, RFLAGS, and SSP". Not inline: every exit would get
 * its stack frame. */
static __attribute__((noinline)) void skip_int1(struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vmx_read_mode(vcpu, &mode);
	vcpu->regs.rip += vmcs_read(VMCS_EXIT_INSN_LEN);
	if (mode.code_size != 8)
		vcpu->regs.rip = (uint32_t)vcpu->regs.rip;
}

/*
 * A #DB that exits has not changed DR6: SDM 3C 28.1 "Architectural State Before a
 * VM Exit". That of INT1 exits at the instruction, and is to be raised behind it.
 */
static void decode_debug(struct vcpu *vcpu, uint64_t type)
{
	uint64_t causes =
		vmcs_read(VMCS_EXIT_QUALIFICATION) & VMCS_DEBUG_CAUSES;
	uint64_t dr6 = vmx_live_read(vcpu, VMX_LIVE_DR6);

	vmx_live_write(vcpu, VMX_LIVE_DR6,
		       (dr6 & ~VMCS_DEBUG_BREAKPOINTS) | causes);
	if (type == VMCS_EVENT_PRIVILEGED_EXCEPTION)
		skip_int1(vcpu);
}

static void decode_exception(struct vcpu *vcpu, bool was_vectoring)
{
	uint64_t info = vmcs_read(VMCS_EXIT_EVENT);
	uint64_t type = FIELD_GET(VMCS_EVENT_TYPE, info);
	struct vmexit *exit = &vcpu->exit;

	if (type == VMCS_EVENT_NMI) {
		exit->reason = EXIT_NMI;
		return;
	}
	exit->exception.vector = (uint8_t)FIELD_GET(VMCS_EVENT_VECTOR, info);
	exit->exception.has_error = info & VMCS_EVENT_HAS_ERROR;
	if (exit->exception.has_error)
		exit->exception.error_code =
			(uint32_t)vmcs_read(VMCS_EXIT_ERROR_CODE);
	if (exit->exception.vector == VECTOR_DB)
		decode_debug(vcpu, type);
	if ((info & VMCS_EVENT_UNBLOCK_NMI) && !was_vectoring &&
	    exit->exception.vector != VECTOR_DF)
		block_nmi_again(vmx_of(vcpu));
}

/* Both come behind the instruction. */
static void decode_apic(struct vmexit *exit)
{
	uint64_t info = vmcs_read(VMCS_EXIT_QUALIFICATION);

	exit->apic.vector = (uint8_t)FIELD_GET(VMCS_EOI_VECTOR, info);
	exit->apic.offset = (uint16_t)FIELD_GET(VMCS_APIC_OFFSET, info);
}

static void decode_cr(struct vmexit *exit)
{
	enum { MOV_TO, MOV_FROM };
	uint64_t info = vmcs_read(VMCS_EXIT_QUALIFICATION);
	uint64_t kind = FIELD_GET(VMCS_CR_KIND, info);

	exit->reason = kind == MOV_FROM ? EXIT_CR_READ : EXIT_CR_WRITE;
	exit->cr.is_decoded = kind <= MOV_FROM;
	exit->cr.number = (uint8_t)FIELD_GET(VMCS_CR_NUMBER, info);
	exit->cr.gpr = (uint8_t)FIELD_GET(VMCS_CR_GPR, info);
}

/* The instruction has a length unless a gate was taken by no instruction. */
static void decode_task(struct vcpu *vcpu, uint64_t vectoring)
{
	enum { SOURCE_GATE = 3 };
	struct vmexit *exit = &vcpu->exit;
	uint64_t info = vmcs_read(VMCS_EXIT_QUALIFICATION);
	uint64_t type = FIELD_GET(VMCS_EVENT_TYPE, vectoring);
	bool is_vectoring = vectoring & VMCS_EVENT_VALID;

	exit->task.selector = (uint16_t)FIELD_GET(VMCS_TASK_SELECTOR, info);
	exit->task.source = (uint8_t)FIELD_GET(VMCS_TASK_SOURCE, info);
	exit->task.has_error = exit->task.source == SOURCE_GATE &&
			       is_vectoring &&
			       (vectoring & VMCS_EVENT_HAS_ERROR);
	exit->task.error_code =
		exit->task.has_error
			? (uint32_t)vmcs_read(VMCS_VECTORING_ERROR_CODE)
			: 0;
	/* the task is the NMI's delivery */
	if (exit->task.source == SOURCE_GATE && is_vectoring &&
	    type == VMCS_EVENT_NMI)
		block_nmi_again(vmx_of(vcpu));
	if (exit->task.source != SOURCE_GATE ||
	    (is_vectoring && type >= VMCS_EVENT_SOFT_INTERRUPT))
		exit->insn_len = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN);
}

/* INT n, INT1, INT3 and INTO are executed again; the rest is delivered again. */
static void decode_interrupted(struct vcpu *vcpu, uint64_t info)
{
	static const uint8_t kinds[] = {
		[VMCS_EVENT_INTERRUPT] = EVENT_INTERRUPT,
		[VMCS_EVENT_NMI] = EVENT_NMI,
		[VMCS_EVENT_EXCEPTION] = EVENT_EXCEPTION,
	};
	uint64_t type = FIELD_GET(VMCS_EVENT_TYPE, info);
	bool has_error = info & VMCS_EVENT_HAS_ERROR;

	if (type >= ARRAY_SIZE(kinds) || kinds[type] == EVENT_NONE)
		return;
	vcpu->event = (struct event){
		.kind = kinds[type],
		.vector = (uint8_t)FIELD_GET(VMCS_EVENT_VECTOR, info),
		.has_error = has_error,
		.error_code = has_error ? (uint32_t)vmcs_read(
						  VMCS_VECTORING_ERROR_CODE)
					: 0,
		.address = vmx_live_read(vcpu, VMX_LIVE_CR2),
	};
	if (vcpu->event.kind == EVENT_NMI) /* it was not delivered */
		vmx_of(vcpu)->blocking &= ~(uint32_t)VMCS_BLOCKED_BY_NMI;
}

/*
 * A guest runs that long at the most, all its runs together, before the machine's
 * interrupts are looked at, so that no bug of a CPU in ending runs keeps them waiting
 * for ever. Bochs: none ends for an interrupt that came while the guest was entered
 * with IF clear, so who keeps it clear gets less.
 */
static void wind_up(const struct vcpu *vcpu)
{
	uint32_t ticks = vmx_of(vcpu)->run_ticks;

	vmcs_write(VMCS_PREEMPTION_TIMER,
		   vcpu->regs.rflags & RFLAGS_IF ? ticks : ticks / 64);
}

void vmx_decode_exit(struct vcpu *vcpu, uint32_t reason)
{
	uint64_t vectoring = vmcs_read(VMCS_VECTORING_EVENT);
	bool was_vectoring = vectoring & VMCS_EVENT_VALID;
	uint64_t basic = FIELD_GET(VMCS_EXIT_REASON_BASIC, reason);
	struct vmexit *exit = &vcpu->exit;
	struct exit_row row = { EXIT_UNKNOWN, false };

	if (basic < VMCS_EXIT_REASON_COUNT)
		row = exit_rows[basic];
	exit->reason = row.reason;
	exit->insn_len =
		row.has_length ? (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN) : 0;
	if (was_vectoring)
		decode_interrupted(vcpu, vectoring);
	if (basic == VMCS_EXIT_PREEMPTION_TIMER)
		wind_up(vcpu);
	switch (row.reason) {
	case EXIT_IO: decode_io(exit); break;
	case EXIT_MEMORY: decode_memory(vcpu, was_vectoring); break;
	case EXIT_EXCEPTION: decode_exception(vcpu, was_vectoring); break;
	case EXIT_APIC_EOI:
	case EXIT_APIC_WRITE: decode_apic(exit); break;
	case EXIT_CR_WRITE: decode_cr(exit); break;
	case EXIT_TASK_SWITCH: decode_task(vcpu, vectoring); break;
	case EXIT_REFUSED:
	case EXIT_UNKNOWN: exit->code = reason; break;
	}
}
