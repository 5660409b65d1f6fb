/*
 * A vCPU as VMX has it. [pure]
 *
 * A VMCS is *active* on at most one CPU, which may hold parts of it in itself;
 * there it stays while its vCPU's thread lives. Who works on it between, from
 * another CPU, takes it and gives it back cleared: every operation does so
 * between vmx_open and vmx_close, which on the vCPU's own CPU only look.
 *
 * Registers that the VMCS has no field for and the hypervisor does not use stay in
 * the CPU until another vCPU is loaded there: they are *live* (vmx_live.c).
 */
#ifndef VMX_VMX_VCPU_H
#define VMX_VMX_VCPU_H

#include "kernel/vcpu.h"
#include "vmx/vmx_caps.h"

enum vmx_live {
	VMX_LIVE_STAR,
	VMX_LIVE_LSTAR,
	VMX_LIVE_CSTAR,
	VMX_LIVE_SFMASK,
	VMX_LIVE_KERNEL_GS_BASE,
	VMX_LIVE_CR2,
	VMX_LIVE_DR6,
	VMX_LIVE_COUNT
};

#define VMX_NO_CPU UINT32_MAX

/* For vmx_enter; vmx_entry.asm knows them too. */
#define VMX_ENTER_LAUNCHED 1U /* since the last VMCLEAR */
#define VMX_ENTER_VERW	   2U /* clear the CPU's buffers before */

struct vmx_vcpu {
	hpa_t vmcs;
	uint8_t *virtual_apic; /* page that holds TPR for the CPU */
	uint64_t eptp;
	struct vmx_controls controls;
	bool is_apic_on;       /* as the VMCS has it: controls.x2apic, */
	uint64_t eoi_exits[4]; /* these, */
	hpa_t msr_map, msr_map_x2apic; /* and the latter of these */
	uint32_t active_cpu;	       /* VMX_NO_CPU: none's */
	uint32_t enter_flags;	       /* VMX_ENTER_* */
	bool is_host_set; /* the host's fields are those of active_cpu */
	bool is_flush_due;
	uint32_t run_ticks; /* of the preemption timer, see vmx_decode_exit */
	uint64_t vpid_generation; /* of the CPU, when the VPID was given */

	/* What the VMCS has, so as not to ask or tell it. */
	uint64_t rip, rsp, rflags, host_rsp;
	uint32_t interruptibility;
	uint32_t blocking;  /* interruptibility as it is to be */
	uint32_t nmi_block; /* VMCS_BLOCKED_BY_NMI since an NMI was injected,
			       until an exit shows it gone */

	uint64_t cr0_mask, cr4_mask;   /* bits whose values the guest sees, not
					  sets */
	uint64_t cr0_fixed, cr4_fixed; /* what those bits are */
	uint64_t live[VMX_LIVE_COUNT]; /* while not in a CPU */
};

static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu)
{
	return vcpu->backend;
}

/* Make @vcpu's VMCS the CPU's current one, for the fields' sake. */
void vmx_open(const struct vcpu *vcpu);
void vmx_close(const struct vcpu *vcpu);

/* Of @vcpu's registers that are live. */
uint64_t vmx_live_read(const struct vcpu *vcpu, enum vmx_live name);
void vmx_live_write(struct vcpu *vcpu, enum vmx_live name, uint64_t value);

/* Why the guest stopped (@reason: field VMCS_EXIT_REASON): the VMCS into
 * vcpu->exit and vcpu->event. */
void vmx_decode_exit(struct vcpu *vcpu, uint32_t reason);

/* The vcpu_ops of vmx_event.c and vmx_state.c. */
void vmx_inject(struct vcpu *vcpu, const struct event *event);
void vmx_set_windows(struct vcpu *vcpu, uint32_t windows);
bool vmx_is_nmi_blocked(const struct vcpu *vcpu);
void vmx_read_mode(const struct vcpu *vcpu, struct cpu_mode *mode);
void vmx_read_segment(const struct vcpu *vcpu, enum segment_name name,
		      struct segment *segment);
void vmx_read_state(const struct vcpu *vcpu, struct vcpu_state *state);
void vmx_write_state(struct vcpu *vcpu, const struct vcpu_state *state);
uint64_t vmx_read_msr(const struct vcpu *vcpu, uint32_t msr);
void vmx_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* vcpu->apic has changed: tell the VMCS, which is current. */
void vmx_apic_load(struct vcpu *vcpu);

/* Tell the VMCS what blocks interrupts. */
void vmx_write_blocking(struct vcpu *vcpu);

/* Nothing blocked, nothing asked for. */
void vmx_reset_events(struct vcpu *vcpu);

#endif
