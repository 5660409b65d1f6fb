/* What a vCPU begins with. [pure] */
#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_cpuid.h"
#include "kernel/exit_msr.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

#define ATTRIBUTES_DATA 0x93U /* present, writable, accessed */
#define ATTRIBUTES_CODE 0x9bU
#define ATTRIBUTES_LDT	0x82U
#define ATTRIBUTES_TSS	0x8bU /* busy 16- or 32-bit */

static struct segment segment_at(uint16_t selector, uint16_t attributes)
{
	return (struct segment){ .selector = selector,
				 .attributes = attributes,
				 .limit = 0xffff,
				 .base = (uint64_t)selector << 4 };
}

/* SDM 3A table 9-1 "IA-32 and Intel 64 Processor States Following Power-up,
 * Reset, or INIT". */
static void reset_state(struct vcpu_state *state)
{
	memset(state, 0, sizeof(*state));
	for (unsigned int i = 0; i < SEGMENT_LDTR; i++)
		state->segments[i] = segment_at(0, ATTRIBUTES_DATA);
	state->segments[SEGMENT_CS] = segment_at(0xf000, ATTRIBUTES_CODE);
	state->segments[SEGMENT_CS].base = 0xffff0000;
	state->segments[SEGMENT_LDTR] = segment_at(0, ATTRIBUTES_LDT);
	state->segments[SEGMENT_TR] = segment_at(0, ATTRIBUTES_TSS);
	state->gdtr.limit = 0xffff;
	state->idtr.limit = 0xffff;
	state->cr0 = CR0_CD | CR0_NW | CR0_ET;
	state->dr6 = DR6_RESET;
	state->dr7 = DR7_RESET;
}

/* The FPU after RESET: the XSAVE area in initial configuration (SDM 1 13.6
 * "Processor Tracking of XSAVE-Managed State"). */
static void reset_fpu(struct vcpu *vcpu)
{
	uint8_t *area = vcpu->xsave;
	const uint16_t control_word = 0x37f;
	const uint32_t mxcsr = 0x1f80;

	memset(area, 0, 576);
	memcpy(area, &control_word, sizeof(control_word));
	memcpy(area + 24, &mxcsr, sizeof(mxcsr));
	vcpu->xcr0 = 1;
	vcpu->xss = 0;
}

/* INIT leaves the caches on or off. */
static uint64_t kept_by_init(const struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	return mode.cr0 & (CR0_CD | CR0_NW);
}

void vcpu_reset(struct vcpu *vcpu, bool is_init)
{
	struct vcpu_state state;

	reset_state(&state);
	if (is_init)
		state.cr0 = CR0_ET | kept_by_init(vcpu);
	vcpu_ops->write_state(vcpu, &state);
	vcpu_ops->reset(vcpu);
	vcpu->windows = 0;
	memset(&vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs.rip = 0xfff0;
	vcpu->regs.rflags = RFLAGS_FIXED;
	/* family, model and stepping */
	vcpu->regs.gpr[GPR_RDX] = cpuid_leaf(vcpu->vm->cpuid, 1, 0).eax;
	memset(&vcpu->event, 0, sizeof(vcpu->event));
	vcpu->is_shadowed = false;
	vcpu->is_nmi_pending = false;
	vcpu->tpr = 0;
	if (!is_init)
		reset_fpu(vcpu);
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	msr_reset(vcpu, is_init);
	lapic_reset(vcpu->lapic, is_init);
	vcpu->activity =
		vcpu->number ? ACTIVITY_WAIT_FOR_STARTUP : ACTIVITY_RUNNING;
}
