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

/* Of all CPUs. Written once, while the machine starts. */
struct vmx_machine {
	struct vmx_caps caps;
	struct vmx_controls controls;
	hpa_t msr_map; /* the same for all guests: all exit but msr_direct, */
	hpa_t msr_map_x2apic; /* and of x2APIC what the CPU does */
};
extern struct vmx_machine vmx_machine;

/* vcpu_ops */
int vmx_cpu_start(void);
int vmx_create(struct vcpu *vcpu);
void vmx_destroy(struct vcpu *vcpu);

/* A frame that begins with the revision of the CPU's format: for VMXON, or a
 * VMCS. HPA_NONE: no memory. */
hpa_t vmx_region_alloc(void);

/* Take @vmx from the CPU that has it: it is nobody's then. */
void vmx_leave(struct vmx_vcpu *vmx);

/* A new tag for its translations; @cpu is the calling one, and the VMCS current. */
void vmx_give_vpid(struct vmx_vcpu *vmx, struct vmx_cpu *cpu);
/* Forget on this CPU what it knows of the guest's memory. */
void vmx_flush(struct vmx_vcpu *vmx);

/* Exchange the live registers of the calling CPU. */
void vmx_live_load(struct vmx_cpu *cpu, struct vmx_vcpu *vmx);
void vmx_live_unload(struct vmx_cpu *cpu);

/* Fill the host's fields of the current VMCS with what this CPU has; @exit: where
 * an exit goes on. */
void vmx_host_write(void (*exit)(void));

#endif
