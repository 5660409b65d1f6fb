/* RDMSR and WRMSR exits. */
#include "kernel/exit_msr.h"

#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_cpuid.h"
#include "kernel/msr_policy.h"
#include "kernel/pv_clock.h"
#include "kernel/vm.h"

#define MTRR_TYPE	  BITS(7, 0)
#define MTRR_BASE_ZERO	  BITS(11, 8)
#define MTRR_MASK_ZERO	  BITS(10, 0)
#define MTRR_DEFAULT_BITS (BITS(2, 0) | BIT(10) | BIT(11))

/* CPUID.(0xd,1):EAX */

#define KVM_ENABLED  BIT(0)
#define KVM_RESERVED BIT(1) /* below an address of four bytes */

/* HWCR bits that old kernels set and that do nothing here: TLB cache disable,
 * flush filter disable, IGNNE emulation. */
#define HWCR_IGNORED (BIT(3) | BIT(6) | BIT(8))

static uint64_t *field_of(struct vcpu *vcpu, const struct msr_policy *row,
			  uint32_t msr)
{
	return (uint64_t *)((char *)vcpu + row->field) + (msr - row->first);
}

/* WRMSR looks at the widest addresses that the CPU has, not at CR4.LA57 (Intel,
 * "5-Level Paging and 5-Level EPT"). */
static bool is_canonical(const struct vcpu *vcpu, uint64_t address)
{
	unsigned int unused = 64U - cpuid_linear_bits(vcpu->vm->cpuid);

	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static bool has_tsc_aux(const struct vcpu *vcpu)
{
	const struct cpuid_table *table = vcpu->vm->cpuid;

	return (cpuid_leaf(table, 0x80000001, 0).edx & CPUID_EXT1_EDX_RDTSCP) ||
	       (cpuid_leaf(table, 7, 0).ecx & CPUID_7_ECX_RDPID);
}

static bool has_xss(const struct vcpu *vcpu)
{
	return cpuid_leaf(vcpu->vm->cpuid, 0xd, 1).eax & CPUID_D_1_EAX_XSAVES;
}

static uint64_t read_de_cfg(const struct vcpu *vcpu)
{
	return cpuid_leaf(vcpu->vm->cpuid, 0x80000021, 0).eax &
			       CPUID_EXT21_EAX_LFENCE_SERIALIZING
		       ? DE_CFG_LFENCE_SERIALIZE
		       : 0;
}

/* The row of @msr, if the guest has it. */
static const struct msr_policy *find(const struct vcpu *vcpu, uint32_t msr)
{
	const struct msr_policy *row = msr_policy_find(msr);

	if (row && row->vendor != ON_ANY &&
	    cpuid_is_amd(vcpu->vm->cpuid) != (row->vendor == ON_AMD))
		return NULL;
	return row;
}

bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct msr_policy *row;

	if (msr - MSR_X2APIC_BASE <= MSR_X2APIC_LAST - MSR_X2APIC_BASE)
		return lapic_msr_read(vcpu->lapic, msr, value);
	row = find(vcpu, msr);
	if (!row)
		return false;
	switch (row->read) {
	case READ_XSS:
		if (!has_xss(vcpu))
			return false;
		break;
	case READ_TSC_AUX:
		if (!has_tsc_aux(vcpu))
			return false;
		break;
	case READ_FIELD: break;
	case READ_VALUE: *value = row->value; return true;
	case READ_BACKEND: *value = vcpu_ops->read_msr(vcpu, msr); return true;
	case READ_TSC: *value = vcpu_tsc(vcpu); return true;
	case READ_TSC_DEADLINE:
		*value = lapic_read_tsc_deadline(vcpu->lapic);
		return true;
	case READ_DE_CFG: *value = read_de_cfg(vcpu); return true;
	default: return false;
	}
	*value = *field_of(vcpu, row, msr);
	return true;
}

/*
 * The guest's TSC jumps by @delta, and so does TSC_ADJUST (SDM 3B 17.17.3
 * "Time-Stamp Counter Adjustment"). Deadlines are TSC values and come nearer;
 * every kvm-clock page looks at whether all vCPUs still agree.
 */
static void move_tsc(struct vcpu *vcpu, uint64_t delta)
{
	struct vm *vm = vcpu->vm;
	uint64_t deadline;

	if (!delta)
		return;
	vcpu->msr.tsc_adjust += delta;
	/* pv_clock.c looks at it from other CPUs; the requests order that */
	__atomic_store_n(&vcpu->tsc_offset, vcpu->tsc_offset + delta,
			 __ATOMIC_RELAXED);
	vcpu_ops->set_tsc_offset(vcpu, vcpu->tsc_offset);
	deadline = lapic_read_tsc_deadline(vcpu->lapic);
	if (deadline)
		lapic_write_tsc_deadline(vcpu->lapic, deadline);
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		vcpu_request(vm->vcpus[i], REQUEST_CLOCK);
}

/* SDM 3A 11.11.2.1 "IA32_MTRR_DEF_TYPE MSR", table 11-8 "Memory Types That Can
 * Be Encoded in MTRRs". */
static bool is_mtrr_type(uint64_t type)
{
	return type < 7 && type != 2 && type != 3;
}

static bool are_mtrr_types(uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++, value >>= 8) {
		if (!is_mtrr_type(value & 0xff))
			return false;
	}
	return true;
}

/* SDM 3A 11.11.2.3 "Variable Range MTRRs": a base, and at the next number its
 * mask. */
static bool is_mtrr_variable(const struct vcpu *vcpu, uint32_t msr,
			     uint64_t value)
{
	uint64_t high = ~0UL << cpuid_address_bits(vcpu->vm->cpuid);

	if (msr & 1)
		return !(value & (high | MTRR_MASK_ZERO));
	return !(value & (high | MTRR_BASE_ZERO)) &&
	       is_mtrr_type(value & MTRR_TYPE);
}

/* Like the MTRRs' types, and 7 is UC-: SDM 3A table 11-10 "Memory Types That Can
 * Be Encoded With PAT". */
static bool write_pat(struct vcpu *vcpu, uint64_t value)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = value >> i & 0xff;

		if (type != 7 && !is_mtrr_type(type))
			return false;
	}
	vcpu->msr.pat = value;
	vcpu_ops->write_msr(vcpu, MSR_IA32_PAT, value);
	return true;
}

/* APM 2 3.1.7 "Extended Feature Enable Register (EFER)"; SDM 3A 2.2.1. LMA
 * follows paging and is not written. Not inline: its stack frame would be that
 * of every write. */
static __attribute__((noinline)) bool write_efer(struct vcpu *vcpu,
						 uint64_t value)
{
	uint64_t old = vcpu_ops->read_msr(vcpu, MSR_EFER);
	struct cpu_mode mode;

	if (value & ~(cpuid_efer_mask(vcpu->vm->cpuid) | EFER_LMA))
		return false;
	vcpu_ops->read_mode(vcpu, &mode);
	if (((value ^ old) & EFER_LME) && (mode.cr0 & CR0_PG))
		return false;
	value = (value & ~EFER_LMA) | (old & EFER_LMA);
	vcpu_ops->write_msr(vcpu, MSR_EFER, value);
	if ((value ^ old) & EFER_NXE)
		vcpu_ops->flush_tlb(vcpu);
	return true;
}

static bool write_hwcr(struct vcpu *vcpu, const struct msr_policy *row,
		       uint64_t value)
{
	value &= ~HWCR_IGNORED;
	if (value & ~row->mask)
		return false;
	vcpu->msr.hwcr = value;
	return true;
}

static bool write_pv_eoi(struct vcpu *vcpu, uint64_t value)
{
	if (value & KVM_RESERVED)
		return false;
	vcpu->msr.kvm_pv_eoi = value;
	lapic_set_pv_eoi(vcpu->lapic,
			 (gpa_t){ value & KVM_ENABLED ? value & ~KVM_ENABLED
						      : 0 });
	return true;
}

/* Whether the guest may write @value into what struct vcpu holds. */
static bool is_field_value(const struct vcpu *vcpu,
			   const struct msr_policy *row, uint32_t msr,
			   uint64_t value)
{
	switch (row->write) {
	case WRITE_FIELD: return !(value & ~row->mask);
	case WRITE_MTRR_FIXED: return are_mtrr_types(value);
	case WRITE_MTRR_VARIABLE: return is_mtrr_variable(vcpu, msr, value);
	case WRITE_MTRR_DEFAULT:
		return !(value & ~MTRR_DEFAULT_BITS) &&
		       is_mtrr_type(value & MTRR_TYPE);
	/* no supervisor state is shown, so none may be enabled */
	case WRITE_XSS: return has_xss(vcpu) && !value;
	case WRITE_TSC_AUX: return has_tsc_aux(vcpu) && value <= UINT32_MAX;
	default: return false;
	}
}

static bool write_field(struct vcpu *vcpu, const struct msr_policy *row,
			uint32_t msr, uint64_t value)
{
	if (!is_field_value(vcpu, row, msr, value))
		return false;
	*field_of(vcpu, row, msr) = value;
	return true;
}

bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_policy *row;
	uint64_t *field;

	if (msr - MSR_X2APIC_BASE <= MSR_X2APIC_LAST - MSR_X2APIC_BASE)
		return lapic_msr_write(vcpu->lapic, msr, value);
	row = find(vcpu, msr);
	if (!row)
		return false;
	switch (row->write) {
	case WRITE_GP: return false;
	case WRITE_IGNORE: return true;
	case WRITE_ZERO: return !(value & ~row->mask);
	case WRITE_KEEP:
		field = field_of(vcpu, row, msr);
		*field = (*field & ~row->mask) | (value & row->mask);
		return true;
	case WRITE_CANONICAL:
		if (!is_canonical(vcpu, value))
			return false;
		vcpu_ops->write_msr(vcpu, msr, value);
		return true;
	case WRITE_BACKEND:
		vcpu_ops->write_msr(vcpu, msr, value & row->mask);
		return true;
	case WRITE_TSC: move_tsc(vcpu, value - vcpu_tsc(vcpu)); return true;
	case WRITE_TSC_ADJUST:
		move_tsc(vcpu, value - vcpu->msr.tsc_adjust);
		return true;
	case WRITE_TSC_DEADLINE:
		lapic_write_tsc_deadline(vcpu->lapic, value);
		return true;
	case WRITE_APIC_BASE:
		return !(value >> cpuid_address_bits(vcpu->vm->cpuid)) &&
		       lapic_write_base(vcpu->lapic, value);
	case WRITE_PAT: return write_pat(vcpu, value);
	case WRITE_EFER: return write_efer(vcpu, value);
	case WRITE_HWCR: return write_hwcr(vcpu, row, value);
	case WRITE_KVM_CLOCK: return pv_clock_write_system_time(vcpu, value);
	case WRITE_KVM_WALL_CLOCK:
		return pv_clock_write_wall_clock(vcpu, value);
	case WRITE_KVM_PV_EOI: return write_pv_eoi(vcpu, value);
	default: return write_field(vcpu, row, msr, value);
	}
}

void exit_msr_read(struct vcpu *vcpu)
{
	uint64_t value;

	if (!msr_read(vcpu, (uint32_t)vcpu->regs.gpr[GPR_RCX], &value)) {
		event_raise_error(vcpu, VECTOR_GP, 0);
		return;
	}
	vcpu_set_edx_eax(vcpu, value);
	vcpu_skip_insn(vcpu);
}

void exit_msr_write(struct vcpu *vcpu)
{
	if (msr_write(vcpu, (uint32_t)vcpu->regs.gpr[GPR_RCX],
		      vcpu_edx_eax(vcpu)))
		vcpu_skip_insn(vcpu);
	else
		event_raise_error(vcpu, VECTOR_GP, 0);
}

static void reset_row(struct vcpu *vcpu, const struct msr_policy *row)
{
	for (uint32_t i = 0; i < row->count; i++) {
		uint32_t msr = row->first + i;

		if (row->field)
			*field_of(vcpu, row, msr) = row->value;
		if (row->read == READ_BACKEND)
			vcpu_ops->write_msr(vcpu, msr, row->value);
	}
}

/* INIT leaves MSRs alone (SDM 3A table 9-1), but what tells the hypervisor to
 * write into memory ends with the kernel that wanted it. The local APIC resets
 * its own. */
void msr_reset(struct vcpu *vcpu, bool is_init)
{
	vcpu->msr.kvm_clock = vcpu->msr.kvm_wall_clock = 0;
	vcpu->msr.kvm_pv_eoi = 0;
	lapic_set_pv_eoi(vcpu->lapic, (gpa_t){ 0 });
	if (is_init)
		return;
	for (uint32_t i = 0; i < msr_policy_count; i++) {
		if (msr_policies[i].write != WRITE_APIC_BASE)
			reset_row(vcpu, &msr_policies[i]);
	}
	vcpu_ops->write_msr(vcpu, MSR_IA32_PAT, vcpu->msr.pat);
}
