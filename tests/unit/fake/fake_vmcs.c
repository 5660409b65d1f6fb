/* The current VMCS of the unit tests, and the live registers of a vCPU that is in
 * no CPU. */
#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

uint64_t fake_vmcs[0x7000];
struct fake_vmcs_use fake_vmcs_use;

void vmx_open(const struct vcpu *vcpu)
{
	(void)vcpu;
	fake_vmcs_use.is_open = true;
	fake_vmcs_use.opens++;
}

void vmx_close(const struct vcpu *vcpu)
{
	(void)vcpu;
	fake_vmcs_use.is_open = false;
	fake_vmcs_use.closes++;
}

uint64_t vmx_live_read(const struct vcpu *vcpu, enum vmx_live name)
{
	fake_vmcs_use.strays += !fake_vmcs_use.is_open;
	return vmx_of(vcpu)->live[name];
}

void vmx_live_write(struct vcpu *vcpu, enum vmx_live name, uint64_t value)
{
	fake_vmcs_use.strays += !fake_vmcs_use.is_open;
	vmx_of(vcpu)->live[name] = value;
}
