/* Hypercalls of the KVM guest ABI. */
#include "kernel/hypercall.h"

#include "kernel/cpu/x86_regs.h"

enum hypercall {
	KVM_HC_VAPIC_POLL_IRQ = 1,
};

#define KVM_EPERM  1L
#define KVM_ENOSYS 1000L

static int64_t call(uint64_t number)
{
	switch (number) {
	/* The exit itself was what the guest wanted: a look at interrupts. */
	case KVM_HC_VAPIC_POLL_IRQ: return 0;
	default: return -KVM_ENOSYS;
	}
}

/* Outside of 64-bit code numbers, arguments and the result have 32 bits. */
void exit_hypercall(struct vcpu *vcpu)
{
	uint64_t number = vcpu->regs.gpr[GPR_RAX];
	struct cpu_mode mode;
	uint64_t result;

	vcpu_ops->read_mode(vcpu, &mode);
	if (mode.code_size != 8)
		number = (uint32_t)number;
	result = (uint64_t)(mode.cpl ? -KVM_EPERM : call(number));
	if (mode.code_size != 8)
		result = (uint32_t)result;
	vcpu->regs.gpr[GPR_RAX] = result;
	vcpu_skip_insn(vcpu);
}
