/* The guest's registers as the VMCS keeps them: SDM 3C 25.4 "Guest-State Area". */
#include "kernel/cpu/x86_regs.h"
#include "kernel/lib/panic.h"
#include "kernel/vm.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

#define RIGHTS_LOW	BITS(7, 0)
#define RIGHTS_HIGH	BITS(15, 12)
#define ATTRIBUTES_LOW	BITS(7, 0)
#define ATTRIBUTES_HIGH BITS(11, 8)

#define TYPE_ACCESSED BIT(0)
#define TYPE_TSS_BUSY BIT(1)

/* A change of these loads them: SDM 3A 4.4.1 "PDPTE Registers". */
#define CR0_PDPTES (CR0_CD | CR0_NW | CR0_PG)
#define CR4_PDPTES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)
#define CR3_PDPTES BITS(31, 5) /* of PAE paging */

static enum vmcs_field of_segment(enum vmcs_field first, enum segment_name name)
{
	return first + VMCS_FIELD_STEP * name;
}

static uint16_t attributes(uint64_t rights)
{
	if (rights & VMCS_RIGHTS_UNUSABLE)
		rights &= ~SEGMENT_P;
	return (uint16_t)(FIELD_GET(RIGHTS_LOW, rights) |
			  FIELD_PUT(ATTRIBUTES_HIGH,
				    FIELD_GET(RIGHTS_HIGH, rights)));
}

/* The CPU refuses segments that a descriptor load would have marked and that are
 * not: SDM 3C 27.3.1.2 "Checks on Guest Segment Registers". */
static uint64_t rights(const struct segment *segment, enum segment_name name)
{
	uint64_t bits = FIELD_GET(ATTRIBUTES_LOW, segment->attributes) |
			FIELD_PUT(RIGHTS_HIGH, FIELD_GET(ATTRIBUTES_HIGH,
							 segment->attributes));

	if (!(bits & SEGMENT_P))
		return VMCS_RIGHTS_UNUSABLE | bits;
	if (bits & SEGMENT_S)
		return bits | TYPE_ACCESSED;
	return name == SEGMENT_TR ? bits | TYPE_TSS_BUSY : bits;
}

static uint64_t read_cr0(const struct vmx_vcpu *vmx)
{
	return (vmcs_read(VMCS_GUEST_CR0) & ~vmx->cr0_mask) |
	       (vmcs_read(VMCS_CR0_SHADOW) & vmx->cr0_mask);
}

static uint64_t read_cr4(const struct vmx_vcpu *vmx)
{
	return (vmcs_read(VMCS_GUEST_CR4) & ~vmx->cr4_mask) |
	       (vmcs_read(VMCS_CR4_SHADOW) & vmx->cr4_mask);
}

void vmx_read_mode(const struct vcpu *vcpu, struct cpu_mode *mode)
{
	uint16_t code;

	vmx_open(vcpu);
	code = attributes(vmcs_read(VMCS_GUEST_CS_RIGHTS));
	mode->cr0 = read_cr0(vmx_of(vcpu));
	mode->cr3 = vmcs_read(VMCS_GUEST_CR3);
	mode->cr4 = read_cr4(vmx_of(vcpu));
	mode->efer = vmcs_read(VMCS_GUEST_EFER);
	mode->cpl = (uint8_t)FIELD_GET(SEGMENT_DPL,
				       vmcs_read(VMCS_GUEST_SS_RIGHTS));
	if ((mode->efer & EFER_LMA) && (code & SEGMENT_L))
		mode->code_size = 8;
	else
		mode->code_size = code & SEGMENT_DB ? 4 : 2;
	vmx_close(vcpu);
}

static void read_segment(enum segment_name name, struct segment *segment)
{
	segment->selector =
		(uint16_t)vmcs_read(of_segment(VMCS_GUEST_ES_SELECTOR, name));
	segment->attributes =
		attributes(vmcs_read(of_segment(VMCS_GUEST_ES_RIGHTS, name)));
	segment->limit =
		(uint32_t)vmcs_read(of_segment(VMCS_GUEST_ES_LIMIT, name));
	segment->base = vmcs_read(of_segment(VMCS_GUEST_ES_BASE, name));
}

void vmx_read_segment(const struct vcpu *vcpu, enum segment_name name,
		      struct segment *segment)
{
	vmx_open(vcpu);
	read_segment(name, segment);
	vmx_close(vcpu);
}

static void write_segment(enum segment_name name, const struct segment *segment)
{
	vmcs_write(of_segment(VMCS_GUEST_ES_SELECTOR, name), segment->selector);
	vmcs_write(of_segment(VMCS_GUEST_ES_RIGHTS, name),
		   rights(segment, name));
	vmcs_write(of_segment(VMCS_GUEST_ES_LIMIT, name), segment->limit);
	vmcs_write(of_segment(VMCS_GUEST_ES_BASE, name), segment->base);
}

void vmx_read_state(const struct vcpu *vcpu, struct vcpu_state *state)
{
	const struct vmx_vcpu *vmx = vmx_of(vcpu);

	vmx_open(vcpu);
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		read_segment(i, &state->segments[i]);
	state->gdtr.base = vmcs_read(VMCS_GUEST_GDTR_BASE);
	state->gdtr.limit = (uint32_t)vmcs_read(VMCS_GUEST_GDTR_LIMIT);
	state->idtr.base = vmcs_read(VMCS_GUEST_IDTR_BASE);
	state->idtr.limit = (uint32_t)vmcs_read(VMCS_GUEST_IDTR_LIMIT);
	state->cr0 = read_cr0(vmx);
	state->cr2 = vmx_live_read(vcpu, VMX_LIVE_CR2);
	state->cr3 = vmcs_read(VMCS_GUEST_CR3);
	state->cr4 = read_cr4(vmx);
	state->efer = vmcs_read(VMCS_GUEST_EFER);
	state->dr6 = vmx_live_read(vcpu, VMX_LIVE_DR6);
	state->dr7 = vmcs_read(VMCS_GUEST_DR7);
	state->cpl = FIELD_GET(SEGMENT_DPL, vmcs_read(VMCS_GUEST_SS_RIGHTS));
	vmx_close(vcpu);
}

/* With PAE paging the CPU takes these from the VMCS, not from memory: SDM 3C
 * 27.3.2.4 "Loading Page-Directory-Pointer-Table Entries". */
static void write_pdptes(struct vcpu *vcpu, const struct vcpu_state *state)
{
	uint64_t entries[4] = { 0 };

	if (!(state->cr0 & CR0_PG) || !(state->cr4 & CR4_PAE) ||
	    (state->efer & EFER_LMA))
		return;
	/* no memory there: entries that are not present */
	guest_read(&vcpu->vm->memory, (gpa_t){ state->cr3 & CR3_PDPTES },
		   entries, sizeof(entries));
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		vmcs_write(VMCS_GUEST_PDPTE0 + VMCS_FIELD_STEP * i, entries[i]);
}

static void write_paging(struct vcpu *vcpu, const struct vcpu_state *state)
{
	const struct vmx_vcpu *vmx = vmx_of(vcpu);
	uint64_t controls = vmx->controls.entry;
	bool is_new = state->cr3 != vmcs_read(VMCS_GUEST_CR3) ||
		      ((state->cr0 ^ read_cr0(vmx)) & CR0_PDPTES) ||
		      ((state->cr4 ^ read_cr4(vmx)) & CR4_PDPTES);

	vmcs_write(VMCS_CR0_SHADOW, state->cr0);
	vmcs_write(VMCS_GUEST_CR0,
		   (state->cr0 & ~vmx->cr0_mask) | vmx->cr0_fixed);
	vmcs_write(VMCS_GUEST_CR3, state->cr3);
	vmcs_write(VMCS_CR4_SHADOW, state->cr4);
	vmcs_write(VMCS_GUEST_CR4,
		   (state->cr4 & ~vmx->cr4_mask) | vmx->cr4_fixed);
	vmcs_write(VMCS_GUEST_EFER, state->efer);
	if (state->efer & EFER_LMA)
		controls |= VMCS_ENTRY_GUEST_64;
	vmcs_write(VMCS_ENTRY_CONTROLS, controls);
	if (is_new)
		write_pdptes(vcpu, state);
}

void vmx_write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	struct segment stack = state->segments[SEGMENT_SS];

	vmx_open(vcpu);
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		write_segment(i, &state->segments[i]);
	/* the CPU has no CPL but this: SDM 3C 25.4.1 "Guest Register State" */
	stack.attributes &= (uint16_t)~SEGMENT_DPL;
	stack.attributes |= (uint16_t)FIELD_PUT(SEGMENT_DPL, state->cpl);
	write_segment(SEGMENT_SS, &stack);
	vmcs_write(VMCS_GUEST_GDTR_BASE, state->gdtr.base);
	vmcs_write(VMCS_GUEST_GDTR_LIMIT, state->gdtr.limit);
	vmcs_write(VMCS_GUEST_IDTR_BASE, state->idtr.base);
	vmcs_write(VMCS_GUEST_IDTR_LIMIT, state->idtr.limit);
	vmx_live_write(vcpu, VMX_LIVE_CR2, state->cr2);
	vmx_live_write(vcpu, VMX_LIVE_DR6, state->dr6);
	vmcs_write(VMCS_GUEST_DR7, state->dr7);
	write_paging(vcpu, state);
	vmx_close(vcpu);
}

/* MSRs that the VMCS holds, */
static const struct {
	uint32_t msr;
	enum vmcs_field field;
} msr_fields[] = {
	{ MSR_EFER, VMCS_GUEST_EFER },
	{ MSR_FS_BASE, VMCS_GUEST_FS_BASE },
	{ MSR_GS_BASE, VMCS_GUEST_GS_BASE },
	{ MSR_IA32_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS },
	{ MSR_IA32_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
	{ MSR_IA32_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP },
	{ MSR_IA32_PAT, VMCS_GUEST_PAT },
	{ MSR_IA32_DEBUGCTL, VMCS_GUEST_DEBUGCTL },
};

/* and that stay in the CPU. */
static const struct {
	uint32_t msr;
	enum vmx_live name;
} msr_live[] = {
	{ MSR_STAR, VMX_LIVE_STAR },
	{ MSR_LSTAR, VMX_LIVE_LSTAR },
	{ MSR_CSTAR, VMX_LIVE_CSTAR },
	{ MSR_SFMASK, VMX_LIVE_SFMASK },
	{ MSR_KERNEL_GS_BASE, VMX_LIVE_KERNEL_GS_BASE },
};

static const enum vmcs_field *field_of(uint32_t msr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(msr_fields); i++) {
		if (msr_fields[i].msr == msr)
			return &msr_fields[i].field;
	}
	return NULL;
}

static enum vmx_live live_of(uint32_t msr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(msr_live); i++) {
		if (msr_live[i].msr == msr)
			return msr_live[i].name;
	}
	panic("vmx: MSR 0x%x is not in the VMCS", msr);
}

uint64_t vmx_read_msr(const struct vcpu *vcpu, uint32_t msr)
{
	const enum vmcs_field *field = field_of(msr);
	uint64_t value;

	vmx_open(vcpu);
	value = field ? vmcs_read(*field) : vmx_live_read(vcpu, live_of(msr));
	vmx_close(vcpu);
	return value;
}

void vmx_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const enum vmcs_field *field = field_of(msr);

	vmx_open(vcpu);
	if (field)
		vmcs_write(*field, value);
	else
		vmx_live_write(vcpu, live_of(msr), value);
	vmx_close(vcpu);
}
