/* The guest's registers that stay in the CPU while it does not run, because the
 * hypervisor uses none of them. */
#include "kernel/cpu/percpu.h"
#include "vmx/vmx_cpu.h"

/* Registers that are MSRs; the others have numbers of their own. */
static const uint32_t msrs[] = {
	[VMX_LIVE_STAR] = MSR_STAR,
	[VMX_LIVE_LSTAR] = MSR_LSTAR,
	[VMX_LIVE_CSTAR] = MSR_CSTAR,
	[VMX_LIVE_SFMASK] = MSR_SFMASK,
	[VMX_LIVE_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
};

static uint64_t read_cpu(enum vmx_live name)
{
	switch (name) {
	case VMX_LIVE_CR2: return x86_read_cr2();
	case VMX_LIVE_DR6: return x86_read_dr6();
	default: return x86_rdmsr(msrs[name]);
	}
}

static void write_cpu(enum vmx_live name, uint64_t value)
{
	switch (name) {
	case VMX_LIVE_CR2: x86_write_cr2(value); break;
	case VMX_LIVE_DR6: x86_write_dr6(value); break;
	default: x86_wrmsr(msrs[name], value);
	}
}

uint64_t vmx_live_read(const struct vcpu *vcpu, enum vmx_live name)
{
	const struct vmx_vcpu *vmx = vmx_of(vcpu);

	return this_cpu(vmx_cpu)->live == vmx ? read_cpu(name)
					      : vmx->live[name];
}

void vmx_live_write(struct vcpu *vcpu, enum vmx_live name, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_of(vcpu);

	if (this_cpu(vmx_cpu)->live == vmx)
		write_cpu(name, value);
	else
		vmx->live[name] = value;
}

void vmx_live_unload(struct vmx_cpu *cpu)
{
	struct vmx_vcpu *vmx = cpu->live;

	if (!vmx)
		return;
	for (unsigned int i = 0; i < VMX_LIVE_COUNT; i++)
		vmx->live[i] = read_cpu(i);
	cpu->live = NULL;
}

void vmx_live_load(struct vmx_cpu *cpu, struct vmx_vcpu *vmx)
{
	vmx_live_unload(cpu);
	for (unsigned int i = 0; i < VMX_LIVE_COUNT; i++)
		write_cpu(i, vmx->live[i]);
	cpu->live = vmx;
}
