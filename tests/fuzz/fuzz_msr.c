/*
 * A guest that reads and writes MSRs, control registers and CPUID at random:
 * what the CPU would refuse must never reach the back end.
 *
 * Input: steps of 16 bytes: what, vCPU, 2 bytes unused, number, value.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cpuid.h"
#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_cr.h"
#include "kernel/exit_msr.h"
#include "kernel/hypercall.h"
#include "kernel/msr_policy.h"
#include "kernel/pv_clock.h"
#include "mm/heap.h"
#include "ops.h"

#define VCPUS 2
#define STEPS 64

struct step {
	uint8_t what, vcpu, unused[2];
	uint32_t number;
	uint64_t value;
};
_Static_assert(sizeof(struct step) == 16, "as read");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void begin(enum fake_cpu_model model)
{
	static bool is_set_up;

	if (!is_set_up) {
		fake_vm_reset(VCPUS, 2 * MIB);
		heap_init();
		for (uint32_t i = 0; i < VCPUS; i++)
			fake_vcpus[i].lapic = lapic_create(&fake_vcpus[i]);
		is_set_up = true;
	}
	fake_ops_reset();
	fake_cpuid_use(model);
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = fake_cpuid_table(VCPUS);
	for (uint32_t i = 0; i < VCPUS; i++) {
		msr_reset(&fake_vcpus[i], false);
		lapic_reset(fake_vcpus[i].lapic, false);
		fake_ops_long_mode(&fake_vcpus[i], 0);
		fake_vcpus[i].xcr0 = XCR0_X87;
		fake_vcpus[i].tsc_offset = 0;
	}
}

/* A number as it is, or one of the rows', so that most steps find something. */
static uint32_t msr_of(const struct step *step)
{
	const struct msr_policy *row =
		&msr_policies[(step->number >> 8) % msr_policy_count];

	if (step->what & 0x80)
		return step->number;
	return row->first + (step->number & 0xff) % row->count;
}

static void access_msr(struct vcpu *vcpu, const struct step *step)
{
	vcpu->regs.gpr[GPR_RCX] = msr_of(step);
	vcpu_set_edx_eax(vcpu, step->value);
	if (step->what & 0x40)
		exit_msr_write(vcpu);
	else
		exit_msr_read(vcpu);
}

static void access_cr(struct vcpu *vcpu, const struct step *step)
{
	vcpu->exit.cr.is_decoded = true;
	vcpu->exit.cr.number = step->number & 0xf;
	vcpu->exit.cr.gpr = GPR_RBX;
	vcpu->regs.gpr[GPR_RBX] = step->value;
	if (step->what & 0x40)
		exit_cr_write(vcpu);
	else
		exit_cr_read(vcpu);
}

static void take(struct vcpu *vcpu, const struct step *step)
{
	vcpu->exit.insn_len = 2;
	switch (step->what & 7) {
	case 0:
	case 1:
	case 2: access_msr(vcpu, step); break;
	case 3: access_cr(vcpu, step); break;
	case 4:
		vcpu->regs.gpr[GPR_RAX] = step->number;
		vcpu->regs.gpr[GPR_RCX] = step->value;
		exit_cpuid(vcpu);
		break;
	case 5:
		vcpu->regs.gpr[GPR_RCX] = step->number & 1;
		vcpu_set_edx_eax(vcpu, step->value);
		exit_xsetbv(vcpu);
		break;
	case 6:
		vcpu->regs.gpr[GPR_RAX] = step->value;
		exit_hypercall(vcpu);
		break;
	case 7:
		fake_now += step->number;
		pv_clock_update(vcpu);
		break;
	}
}

static bool is_canonical(uint64_t address)
{
	unsigned int unused = 64U - cpuid_linear_bits(fake_vm.cpuid);

	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static void check_addresses(const struct vcpu *vcpu)
{
	static const uint32_t msrs[] = { MSR_LSTAR,
					 MSR_CSTAR,
					 MSR_FS_BASE,
					 MSR_GS_BASE,
					 MSR_KERNEL_GS_BASE,
					 MSR_IA32_SYSENTER_ESP,
					 MSR_IA32_SYSENTER_EIP };

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		require(is_canonical(vcpu_ops->read_msr(vcpu, msrs[i])));
}

/* What VMRUN and VM entry demand. */
static void check_state(const struct vcpu *vcpu)
{
	const struct vcpu_state *state = &fake_backends[vcpu->number].state;
	bool is_long = state->efer & EFER_LMA;
	uint64_t pat = vcpu_ops->read_msr(vcpu, MSR_IA32_PAT);

	require(!(state->cr0 >> 32));
	require((state->cr0 & CR0_PE) || !(state->cr0 & CR0_PG));
	require((state->cr0 & CR0_CD) || !(state->cr0 & CR0_NW));
	require(is_long == ((state->cr0 & CR0_PG) && (state->efer & EFER_LME)));
	require(!is_long || (state->cr4 & CR4_PAE));
	require(!(state->cr4 & ~cpuid_cr4_mask(fake_vm.cpuid)));
	require(is_long || !(state->cr4 & CR4_PCIDE));
	require(!(state->efer & ~cpuid_efer_mask(fake_vm.cpuid)));
	require(cpuid_is_xcr0_sound(vcpu->xcr0));
	require(!(vcpu->xcr0 & ~cpuid_xcr0_mask(fake_vm.cpuid)));
	require(!vcpu->xss);
	for (; pat; pat >>= 8)
		require((pat & 0xff) < 8 && (pat & 0xff) != 2 &&
			(pat & 0xff) != 3);
	check_addresses(vcpu);
}

/* Either an exception waits or the instruction is done, never both. */
static void check_outcome(struct vcpu *vcpu)
{
	require((vcpu->event.kind == EVENT_NONE) == (vcpu->regs.rip == 2));
	if (vcpu->event.kind != EVENT_NONE)
		require(vcpu->event.kind == EVENT_EXCEPTION &&
			(vcpu->event.vector == VECTOR_GP ||
			 vcpu->event.vector == VECTOR_UD));
	vcpu->event.kind = EVENT_NONE;
	vcpu->regs.rip = 0;
	require(fake_end == VM_END_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	if (!size)
		return 0;
	begin(data[0] & 1 ? FAKE_CPU_AMD : FAKE_CPU_INTEL);
	data++;
	size--;
	for (unsigned int i = 0; i < STEPS && size >= sizeof(step); i++) {
		struct vcpu *vcpu;

		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		vcpu = &fake_vcpus[step.vcpu % VCPUS];
		take(vcpu, &step);
		if ((step.what & 7) != 7)
			check_outcome(vcpu);
		check_state(vcpu);
	}
	return 0;
}
