/* The guest's registers as the VMCB keeps them: APM 2 appendix B, table B-2
 * "VMCB Layout, State Save Area". */
#include "kernel/cpu/x86_regs.h"
#include "kernel/lib/panic.h"
#include "svm/svm_vcpu.h"

/* Where the VMCB has a segment, by its number in encodings. */
static const uint16_t segment_offsets[SEGMENT_COUNT] = {
	[SEGMENT_ES] = offsetof(struct vmcb_save, es),
	[SEGMENT_CS] = offsetof(struct vmcb_save, cs),
	[SEGMENT_SS] = offsetof(struct vmcb_save, ss),
	[SEGMENT_DS] = offsetof(struct vmcb_save, ds),
	[SEGMENT_FS] = offsetof(struct vmcb_save, fs),
	[SEGMENT_GS] = offsetof(struct vmcb_save, gs),
	[SEGMENT_LDTR] = offsetof(struct vmcb_save, ldtr),
	[SEGMENT_TR] = offsetof(struct vmcb_save, tr),
};

static struct vmcb_segment *segment_of(const struct vcpu *vcpu,
				       enum segment_name name)
{
	return (struct vmcb_segment *)((char *)&svm_of(vcpu)->vmcb->save +
				       segment_offsets[name]);
}

void svm_read_mode(const struct vcpu *vcpu, struct cpu_mode *mode)
{
	const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

	mode->cr0 = save->cr0;
	mode->cr3 = save->cr3;
	mode->cr4 = save->cr4;
	mode->efer = save->efer & ~EFER_SVME;
	mode->cpl = save->cpl;
	if ((save->efer & EFER_LMA) && (save->cs.attributes & SEGMENT_L))
		mode->code_size = 8;
	else
		mode->code_size = save->cs.attributes & SEGMENT_DB ? 4 : 2;
}

void svm_read_segment(const struct vcpu *vcpu, enum segment_name name,
		      struct segment *segment)
{
	const struct vmcb_segment *from = segment_of(vcpu, name);

	segment->selector = from->selector;
	segment->attributes = from->attributes;
	segment->limit = from->limit;
	segment->base = from->base;
}

static void write_segment(struct vcpu *vcpu, enum segment_name name,
			  const struct segment *segment)
{
	*segment_of(vcpu, name) = (struct vmcb_segment){
		.selector = segment->selector,
		.attributes = segment->attributes,
		.limit = segment->limit,
		.base = segment->base,
	};
}

void svm_read_state(const struct vcpu *vcpu, struct vcpu_state *state)
{
	const struct vmcb_save *save = &svm_of(vcpu)->vmcb->save;

	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		svm_read_segment(vcpu, i, &state->segments[i]);
	state->gdtr =
		(struct table_register){ save->gdtr.base, save->gdtr.limit };
	state->idtr =
		(struct table_register){ save->idtr.base, save->idtr.limit };
	state->cr0 = save->cr0;
	state->cr2 = save->cr2;
	state->cr3 = save->cr3;
	state->cr4 = save->cr4;
	state->efer = save->efer & ~EFER_SVME;
	state->dr6 = save->dr6;
	state->dr7 = save->dr7;
	state->cpl = save->cpl;
}

void svm_write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	struct vmcb *vmcb = svm_of(vcpu)->vmcb;
	struct vmcb_save *save = &vmcb->save;

	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		write_segment(vcpu, i, &state->segments[i]);
	save->gdtr.base = state->gdtr.base;
	save->gdtr.limit = state->gdtr.limit;
	save->idtr.base = state->idtr.base;
	save->idtr.limit = state->idtr.limit;
	save->cr0 = state->cr0;
	save->cr2 = state->cr2;
	save->cr3 = state->cr3;
	save->cr4 = state->cr4;
	save->efer = state->efer | EFER_SVME;
	save->dr6 = state->dr6;
	save->dr7 = state->dr7;
	save->cpl = (uint8_t)state->cpl;
	vmcb->control.clean = 0;
}

/* MSRs that the VMCB holds. */
static const struct {
	uint32_t msr;
	uint16_t offset; /* in struct vmcb_save */
} msr_rows[] = {
	{ MSR_EFER, offsetof(struct vmcb_save, efer) },
	{ MSR_STAR, offsetof(struct vmcb_save, star) },
	{ MSR_LSTAR, offsetof(struct vmcb_save, lstar) },
	{ MSR_CSTAR, offsetof(struct vmcb_save, cstar) },
	{ MSR_SFMASK, offsetof(struct vmcb_save, sfmask) },
	{ MSR_FS_BASE, offsetof(struct vmcb_save, fs.base) },
	{ MSR_GS_BASE, offsetof(struct vmcb_save, gs.base) },
	{ MSR_KERNEL_GS_BASE, offsetof(struct vmcb_save, kernel_gs_base) },
	{ MSR_IA32_SYSENTER_CS, offsetof(struct vmcb_save, sysenter_cs) },
	{ MSR_IA32_SYSENTER_ESP, offsetof(struct vmcb_save, sysenter_esp) },
	{ MSR_IA32_SYSENTER_EIP, offsetof(struct vmcb_save, sysenter_eip) },
	{ MSR_IA32_PAT, offsetof(struct vmcb_save, pat) },
	{ MSR_IA32_DEBUGCTL, offsetof(struct vmcb_save, debug_control) },
};

static uint64_t *msr_of(const struct vcpu *vcpu, uint32_t msr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		if (msr_rows[i].msr == msr)
			return (uint64_t *)((char *)&svm_of(vcpu)->vmcb->save +
					    msr_rows[i].offset);
	}
	panic("svm: MSR 0x%x is not in the VMCB", msr);
}

uint64_t svm_read_msr(const struct vcpu *vcpu, uint32_t msr)
{
	uint64_t value = *msr_of(vcpu, msr);

	return msr == MSR_EFER ? value & ~EFER_SVME : value;
}

void svm_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	/* VMRUN demands SVME (APM 2 15.5.1 "Basic Operation") */
	*msr_of(vcpu, msr) = msr == MSR_EFER ? value | EFER_SVME : value;
	svm_of(vcpu)->vmcb->control.clean = 0;
}
