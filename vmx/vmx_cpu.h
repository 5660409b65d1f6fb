/* A CPU of the machine as VMX has it. */
#ifndef VMX_VMX_CPU_H
#define VMX_VMX_CPU_H

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86_regs.h"
#include "vmx/vmx_vcpu.h"

/* Legend: only the CPU itself. */
struct vmx_cpu {
	struct vmx_vcpu *current; /* whose VMCS VMREAD reads */
	struct vmx_vcpu *live;	  /* whose registers are in the CPU */
	uint64_t vpid_generation;
	uint32_t next_vpid;
};

extern PERCPU struct vmx_cpu vmx_cpu;

/* Exchange the live registers of the calling CPU. */
void vmx_live_load(struct vmx_cpu *cpu, struct vmx_vcpu *vmx);
void vmx_live_unload(struct vmx_cpu *cpu);

/* Fill the host's fields of the current VMCS with what this CPU has; @exit: where
 * an exit goes on. */
void vmx_host_write(void (*exit)(void));

#endif
