/* Control registers written by exits. */
#include "kernel/exit_cr.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate.h"
#include "kernel/exit_cpuid.h"
#include "kernel/vm.h"

#define CR0_BITS                                                        \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | \
	 CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* Changes of these bits end what was cached of translations: SDM 3A 4.10.4.1
 * "Operations that Invalidate TLBs and Paging-Structure Caches". */
#define CR0_PAGING (CR0_PE | CR0_WP | CR0_PG)
#define CR4_PAGING                                                       \
	(CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | \
	 CR4_PKE | CR4_LA57)
/* and these load the entries of PAE paging: SDM 3A 4.4.1 "PDPTE Registers". */
#define CR0_PDPTES (CR0_CD | CR0_NW | CR0_PG)
#define CR4_PDPTES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)

#define CR3_PCID      BITS(11, 0)
#define CR3_NO_FLUSH  BIT(63)
#define CR3_PDPTES    BITS(31, 5) /* of PAE paging */
#define PDPTE_PRESENT BIT(0)
#define PDPTE_ZERO    (BITS(2, 1) | BITS(8, 5))

#define CR8_BITS BITS(3, 0)

static bool is_64bit_code(const struct vcpu_state *state)
{
	return (state->efer & EFER_LMA) &&
	       (state->segments[SEGMENT_CS].attributes & SEGMENT_L);
}

/* PAE paging is turned on by what @state has: the CPU loads four entries and
 * refuses reserved bits in them. SDM 3A 4.4.1 "PDPTE Registers". */
static bool are_pdptes_sound(struct vcpu *vcpu, const struct vcpu_state *state)
{
	uint64_t reserved =
		PDPTE_ZERO | ~0UL << cpuid_address_bits(vcpu->vm->cpuid);
	uint64_t entries[4];

	if (!(state->cr0 & CR0_PG) || !(state->cr4 & CR4_PAE) ||
	    (state->efer & EFER_LMA))
		return true;
	if (guest_read(&vcpu->vm->memory, (gpa_t){ state->cr3 & CR3_PDPTES },
		       entries, sizeof(entries)))
		return true; /* no memory: what is there is of no account */
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++) {
		if ((entries[i] & PDPTE_PRESENT) && (entries[i] & reserved))
			return false;
	}
	return true;
}

/* SDM 3A 9.8.5 "Initializing IA-32e Mode". A 16-bit TSS: Intel's CPUs would refuse
 * the guest's state. */
static bool can_enter_long_mode(const struct vcpu_state *state)
{
	enum { BUSY_TSS_16 = 3 };
	const struct segment *segments = state->segments;

	return (state->cr4 & CR4_PAE) &&
	       !(segments[SEGMENT_CS].attributes & SEGMENT_L) &&
	       FIELD_GET(SEGMENT_TYPE, segments[SEGMENT_TR].attributes) !=
		       BUSY_TSS_16;
}

/* SDM 3A 2.5 "Control Registers". */
static bool is_cr0_sound(const struct vcpu_state *state, uint64_t value)
{
	if (value >> 32)
		return false;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	if (!((value ^ state->cr0) & CR0_PG))
		return true;
	if (!(value & CR0_PG))
		return !is_64bit_code(state) && !(state->cr4 & CR4_PCIDE);
	return !(state->efer & EFER_LME) || can_enter_long_mode(state);
}

static bool write_cr0(struct vcpu *vcpu, uint64_t value)
{
	struct vcpu_state state;
	uint64_t changed;

	vcpu_ops->read_state(vcpu, &state);
	if (!is_cr0_sound(&state, value))
		return false;
	value = (value & CR0_BITS) | CR0_ET; /* the others stay 0 */
	changed = value ^ state.cr0;
	state.cr0 = value;
	if ((value & CR0_PG) && (state.efer & EFER_LME))
		state.efer |= EFER_LMA;
	else
		state.efer &= ~EFER_LMA;
	if ((changed & CR0_PDPTES) && !are_pdptes_sound(vcpu, &state))
		return false;
	vcpu_ops->write_state(vcpu, &state);
	if (changed & CR0_PAGING)
		vcpu_ops->flush_tlb(vcpu);
	return true;
}

static bool is_cr4_sound(const struct vcpu *vcpu,
			 const struct vcpu_state *state, uint64_t value)
{
	uint64_t changed = value ^ state->cr4;

	if (value & ~cpuid_cr4_mask(vcpu->vm->cpuid))
		return false;
	if (!(state->efer & EFER_LMA))
		return !(value & changed & CR4_PCIDE);
	if (!(value & CR4_PAE) || (changed & CR4_LA57))
		return false;
	return !(value & changed & CR4_PCIDE) || !(state->cr3 & CR3_PCID);
}

static bool write_cr4(struct vcpu *vcpu, uint64_t value)
{
	struct vcpu_state state;
	uint64_t changed;

	vcpu_ops->read_state(vcpu, &state);
	if (!is_cr4_sound(vcpu, &state, value))
		return false;
	changed = value ^ state.cr4;
	state.cr4 = value;
	if ((changed & CR4_PDPTES) && !are_pdptes_sound(vcpu, &state))
		return false;
	vcpu_ops->write_state(vcpu, &state);
	if (changed & CR4_PAGING)
		vcpu_ops->flush_tlb(vcpu);
	return true;
}

static bool write_cr3(struct vcpu *vcpu, uint64_t value)
{
	uint64_t reserved = ~0UL << cpuid_address_bits(vcpu->vm->cpuid);
	struct vcpu_state state;

	vcpu_ops->read_state(vcpu, &state);
	if (state.cr4 & CR4_PCIDE)
		value &= ~CR3_NO_FLUSH;
	if ((state.efer & EFER_LMA) && (value & reserved))
		return false;
	state.cr3 = value;
	if (!are_pdptes_sound(vcpu, &state))
		return false;
	vcpu_ops->write_state(vcpu, &state);
	vcpu_ops->flush_tlb(vcpu);
	return true;
}

static bool write_cr2(struct vcpu *vcpu, uint64_t value)
{
	struct vcpu_state state;

	vcpu_ops->read_state(vcpu, &state);
	state.cr2 = value;
	vcpu_ops->write_state(vcpu, &state);
	return true;
}

/* SDM 3A 10.8.6.1 "Interaction of Task Priorities between CR8 and APIC". */
static bool write_cr8(struct vcpu *vcpu, uint64_t value)
{
	if (value & ~CR8_BITS)
		return false;
	vcpu->tpr = (uint8_t)(value << 4);
	/* what was held back may go in now */
	vcpu_request(vcpu, REQUEST_EVENT);
	return true;
}

bool cr_write(struct vcpu *vcpu, uint8_t number, uint64_t value)
{
	switch (number) {
	case 0: return write_cr0(vcpu, value);
	case 2: return write_cr2(vcpu, value);
	case 3: return write_cr3(vcpu, value);
	case 4: return write_cr4(vcpu, value);
	case 8: return write_cr8(vcpu, value);
	default: return false;
	}
}

bool cr_read(struct vcpu *vcpu, uint8_t number, uint64_t *value)
{
	struct vcpu_state state;

	vcpu_ops->read_state(vcpu, &state);
	switch (number) {
	case 0: *value = state.cr0; return true;
	case 2: *value = state.cr2; return true;
	case 3: *value = state.cr3; return true;
	case 4: *value = state.cr4; return true;
	case 8: *value = vcpu->tpr >> 4; return true;
	default: return false;
	}
}

/* The general register of the MOV that exited; false: it was another instruction
 * (LMSW, CLTS, SMSW), which has been executed or has faulted. */
static bool find_operand(struct vcpu *vcpu, uint8_t *number, uint8_t *gpr,
			 bool is_write)
{
	bool is_found_write;

	*number = vcpu->exit.cr.number;
	*gpr = vcpu->exit.cr.gpr;
	if (vcpu->exit.cr.is_decoded ||
	    (emulate_decode_mov_cr(vcpu, number, gpr, &is_found_write) &&
	     is_found_write == is_write))
		return true;
	if (emulate_insn(vcpu) == EMULATE_UNKNOWN)
		event_raise(vcpu, VECTOR_UD);
	return false;
}

static uint64_t operand_mask(const struct vcpu *vcpu)
{
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	return mode.code_size == 8 ? UINT64_MAX : UINT32_MAX;
}

void exit_cr_write(struct vcpu *vcpu)
{
	uint8_t number, gpr;

	if (!find_operand(vcpu, &number, &gpr, true))
		return;
	if (cr_write(vcpu, number, vcpu->regs.gpr[gpr] & operand_mask(vcpu)))
		vcpu_skip_insn(vcpu);
	else
		event_raise_error(vcpu, VECTOR_GP, 0);
}

void exit_cr_read(struct vcpu *vcpu)
{
	uint8_t number, gpr;
	uint64_t value;

	if (!find_operand(vcpu, &number, &gpr, false))
		return;
	if (!cr_read(vcpu, number, &value)) {
		event_raise_error(vcpu, VECTOR_GP, 0);
		return;
	}
	vcpu->regs.gpr[gpr] = value & operand_mask(vcpu);
	vcpu_skip_insn(vcpu);
}

/* SDM 2D "XSETBV—Set Extended Control Register". Not every CPU looks at OSXSAVE
 * and CPL before it exits. */
void exit_xsetbv(struct vcpu *vcpu)
{
	uint64_t value = vcpu_edx_eax(vcpu);
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	if (!(mode.cr4 & CR4_OSXSAVE)) {
		event_raise(vcpu, VECTOR_UD);
		return;
	}
	if (mode.cpl || (uint32_t)vcpu->regs.gpr[GPR_RCX] != 0 ||
	    (value & ~cpuid_xcr0_mask(vcpu->vm->cpuid)) ||
	    !cpuid_is_xcr0_sound(value)) {
		event_raise_error(vcpu, VECTOR_GP, 0);
		return;
	}
	vcpu_write_xcr0(vcpu, value);
	vcpu_skip_insn(vcpu);
}
