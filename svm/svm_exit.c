/* Exits of SVM in neutral words: the last place that knows the VMCB's codes. */
#include "kernel/cpu/x86_regs.h"
#include "kernel/lib/string.h"
#include "svm/svm_vcpu.h"

/*
 * What most codes mean; the others are EXIT_UNKNOWN, 0. The lengths are those of the instructions without
 * prefixes; they hold where the CPU does not save the next RIP (CPUID
 * 8000_000A EDX[3]).
 */
struct exit_row {
	uint8_t reason;
	uint8_t insn_len;
};

static const struct exit_row exit_rows[VMCB_EXIT_COUNT] = {
	[VMCB_EXIT_CR_READ... VMCB_EXIT_CR_READ + 15] = { EXIT_CR_READ, 0 },
	[VMCB_EXIT_CR_WRITE... VMCB_EXIT_CR_WRITE + 15] = { EXIT_CR_WRITE, 0 },
	[VMCB_EXIT_EXCEPTION... VMCB_EXIT_EXCEPTION + 31] = { EXIT_EXCEPTION,
							      0 },
	[VMCB_EXIT_INTR] = { EXIT_INTERRUPT, 0 },
	[VMCB_EXIT_NMI] = { EXIT_NMI, 0 },
	[VMCB_EXIT_SMI] = { EXIT_INTERRUPT, 0 },
	[VMCB_EXIT_INIT] = { EXIT_INTERRUPT, 0 },
	[VMCB_EXIT_VINTR] = { EXIT_WINDOW_INTERRUPT, 0 },
	[VMCB_EXIT_RDPMC] = { EXIT_RDPMC, 2 },
	[VMCB_EXIT_CPUID] = { EXIT_CPUID, 2 },
	[VMCB_EXIT_IRET] = { EXIT_WINDOW_NMI, 0 },
	[VMCB_EXIT_INVD] = { EXIT_WBINVD, 2 },
	[VMCB_EXIT_PAUSE] = { EXIT_PAUSE, 2 },
	[VMCB_EXIT_HLT] = { EXIT_HLT, 1 },
	[VMCB_EXIT_INVLPGA] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_IOIO] = { EXIT_IO, 0 },
	[VMCB_EXIT_MSR] = { EXIT_MSR_READ, 2 },
	[VMCB_EXIT_FERR] = { EXIT_INTERRUPT, 0 },
	[VMCB_EXIT_SHUTDOWN] = { EXIT_TRIPLE_FAULT, 0 },
	[VMCB_EXIT_VMRUN] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_VMMCALL] = { EXIT_HYPERCALL, 3 },
	[VMCB_EXIT_VMLOAD... VMCB_EXIT_SKINIT] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_WBINVD] = { EXIT_WBINVD, 2 },
	[VMCB_EXIT_MONITOR... VMCB_EXIT_MWAIT_ARM] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_XSETBV] = { EXIT_XSETBV, 3 },
	[VMCB_EXIT_RDPRU] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_INVLPGB] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_INVLPGB_IL] = { EXIT_UNDEFINED, 3 },
	[VMCB_EXIT_MCOMMIT] = { EXIT_UNDEFINED, 4 },
	[VMCB_EXIT_TLBSYNC] = { EXIT_UNDEFINED, 3 },
};

static void decode_io(struct vmexit *exit, const struct vmcb *vmcb)
{
	uint64_t info = vmcb->control.exit_info1;

	exit->io.port = (uint16_t)FIELD_GET(VMCB_IO_PORT, info);
	exit->io.size = (uint8_t)FIELD_GET(VMCB_IO_SIZE, info);
	exit->io.is_in = info & VMCB_IO_IN;
	exit->io.is_string = info & VMCB_IO_STRING;
	/* EXITINFO2 is the next RIP on every CPU */
	exit->insn_len = (uint8_t)(vmcb->control.exit_info2 - vmcb->save.rip);
}

static void decode_memory(struct vmexit *exit, const struct vmcb *vmcb)
{
	uint64_t info = vmcb->control.exit_info1;
	uint8_t count = vmcb->control.insn_byte_count & 0xf;

	exit->reason = EXIT_MEMORY;
	exit->insn_len = 0;
	exit->memory.gpa = (gpa_t){ vmcb->control.exit_info2 };
	exit->memory.access = (info & VMCB_NPF_WRITE ? ACCESS_WRITE : 0U) |
			      (info & VMCB_NPF_EXECUTE ? ACCESS_EXECUTE : 0U);
	exit->memory.is_table_walk = info & VMCB_NPF_TABLE;
	exit->memory.byte_count = count;
	if (count)
		memcpy(exit->memory.bytes, vmcb->control.insn_bytes, count);
}

static void decode_exception(struct vmexit *exit, const struct vmcb *vmcb)
{
	uint8_t vector =
		(uint8_t)(vmcb->control.exit_code - VMCB_EXIT_EXCEPTION);

	exit->exception.vector = vector;
	/* of those that are intercepted only #AC has one, always 0 */
	exit->exception.has_error = vector == VECTOR_AC;
	exit->exception.error_code = (uint32_t)vmcb->control.exit_info1;
	exit->exception.address = vmcb->control.exit_info2;
}

static void decode_cr(struct vmexit *exit, const struct vmcb *vmcb)
{
	uint64_t info = vmcb->control.exit_info1;

	exit->cr.number = vmcb->control.exit_code & 0xf;
	exit->cr.is_decoded = info & VMCB_CR_DECODED;
	exit->cr.gpr = (uint8_t)FIELD_GET(VMCB_CR_GPR, info);
}

/* INT n and INT3 are executed again; the rest is delivered again. */
static void decode_interrupted(struct vcpu *vcpu, uint64_t info)
{
	static const uint8_t kinds[] = {
		[VMCB_EVENT_INTERRUPT] = EVENT_INTERRUPT,
		[VMCB_EVENT_NMI] = EVENT_NMI,
		[VMCB_EVENT_EXCEPTION] = EVENT_EXCEPTION,
	};
	uint64_t type = FIELD_GET(VMCB_EVENT_TYPE, info);
	uint8_t vector = (uint8_t)FIELD_GET(VMCB_EVENT_VECTOR, info);

	if (type >= ARRAY_SIZE(kinds))
		return;
	if (type == VMCB_EVENT_EXCEPTION &&
	    (vector == VECTOR_BP || vector == VECTOR_OF))
		return;
	vcpu->event = (struct event){
		.kind = kinds[type],
		.vector = vector,
		.has_error = info & VMCB_EVENT_HAS_ERROR,
		.error_code = (uint32_t)FIELD_GET(VMCB_EVENT_ERROR, info),
		.address = svm_of(vcpu)->vmcb->save.cr2,
	};
	if (vcpu->event.kind == EVENT_NMI)
		svm_of(vcpu)->is_nmi_blocked = false; /* it was not delivered */
}

/* The #DB of our single-stepping (svm_event.c) is not the guest's. */
static void decode_step(struct vmexit *exit, struct vmcb *vmcb)
{
	exit->reason = EXIT_WINDOW_NMI;
	vmcb->save.dr6 &= ~DR6_BS;
	vmcb->control.clean &= ~VMCB_CLEAN_DR;
}

/* What few exits need, apart from the others so that those need no registers
 * saved and no stack. */
static __attribute__((noinline)) void decode_rare(struct vcpu *vcpu,
						  struct vmcb *vmcb,
						  bool was_stepping)
{
	struct vmexit *exit = &vcpu->exit;

	switch (exit->reason) {
	case EXIT_EXCEPTION:
		decode_exception(exit, vmcb);
		if (was_stepping && exit->exception.vector == VECTOR_DB)
			decode_step(exit, vmcb);
		break;
	case EXIT_CR_READ:
	case EXIT_CR_WRITE: decode_cr(exit, vmcb); break;
	case EXIT_WINDOW_NMI: svm_note_iret(svm_of(vcpu)); break;
	case EXIT_UNKNOWN: exit->code = vmcb->control.exit_code; break;
	}
}

static __attribute__((noinline)) void decode_beyond(struct vmexit *exit,
						    const struct vmcb *vmcb)
{
	uint64_t code = vmcb->control.exit_code;

	if (code == VMCB_EXIT_NPF) {
		decode_memory(exit, vmcb);
		return;
	}
	exit->reason = code == VMCB_EXIT_INVALID ? EXIT_REFUSED : EXIT_UNKNOWN;
	exit->code = code;
}

static inline __attribute__((always_inline)) void decode_code(struct vcpu *vcpu,
							      struct vmcb *vmcb,
							      bool was_stepping)
{
	uint64_t code = vmcb->control.exit_code;
	struct vmexit *exit = &vcpu->exit;

	if (code >= VMCB_EXIT_COUNT) {
		decode_beyond(exit, vmcb);
		return;
	}
	exit->reason = exit_rows[code].reason;
	exit->insn_len = exit_rows[code].insn_len;
	if (exit->reason == EXIT_IO) {
		decode_io(exit, vmcb);
		return;
	}
	if (!exit->insn_len) {
		decode_rare(vcpu, vmcb, was_stepping);
		return;
	}
	if (vmcb->control.next_rip)
		exit->insn_len =
			(uint8_t)(vmcb->control.next_rip - vmcb->save.rip);
	if (exit->reason == EXIT_MSR_READ && vmcb->control.exit_info1)
		exit->reason = EXIT_MSR_WRITE;
}

/* An event on its way was cut short, or an NMI's handler is about to end. */
static __attribute__((noinline)) void decode_unusual(struct vcpu *vcpu,
						     struct vmcb *vmcb)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	bool was_stepping = svm->is_stepping;

	if (vmcb->control.exit_int_info & VMCB_EVENT_VALID)
		decode_interrupted(vcpu, vmcb->control.exit_int_info);
	if (svm->is_iret_seen || svm->is_stepping)
		svm_check_step(svm);
	decode_code(vcpu, vmcb, was_stepping);
}

void svm_decode_exit(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_of(vcpu);
	struct vmcb *vmcb = svm->vmcb;

	if ((vmcb->control.exit_int_info & VMCB_EVENT_VALID) ||
	    svm->is_iret_seen || svm->is_stepping)
		decode_unusual(vcpu, vmcb);
	else
		decode_code(vcpu, vmcb, false);
}
