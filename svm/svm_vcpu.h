/* A vCPU as SVM has it. [pure] */
#ifndef SVM_SVM_VCPU_H
#define SVM_SVM_VCPU_H

#include "kernel/vcpu.h"
#include "svm/vmcb.h"

struct svm_vcpu {
	struct vmcb *vmcb;
	hpa_t vmcb_hpa;
	uint64_t asid_generation; /* of the CPU, when the ASID was given */
	uint64_t step_rip;	  /* of the instruction that is_iret_seen or
			      is_stepping speak of */
	bool is_nmi_blocked;
	bool is_iret_seen; /* it ends the NMI handler; not executed yet */
	bool is_stepping;  /* by RFLAGS.TF, because an NMI waits for its end */
};

static inline struct svm_vcpu *svm_of(const struct vcpu *vcpu)
{
	return vcpu->backend;
}

/* Why the guest stopped: the VMCB into vcpu->exit and vcpu->event. */
void svm_decode_exit(struct vcpu *vcpu);

/* The vcpu_ops of svm_event.c and svm_state.c. */
void svm_inject(struct vcpu *vcpu, const struct event *event);
void svm_set_windows(struct vcpu *vcpu, uint32_t windows);
bool svm_is_nmi_blocked(const struct vcpu *vcpu);
void svm_read_mode(const struct vcpu *vcpu, struct cpu_mode *mode);
void svm_read_segment(const struct vcpu *vcpu, enum segment_name name,
		      struct segment *segment);
void svm_read_state(const struct vcpu *vcpu, struct vcpu_state *state);
void svm_write_state(struct vcpu *vcpu, const struct vcpu_state *state);
uint64_t svm_read_msr(const struct vcpu *vcpu, uint32_t msr);
void svm_write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* The exit was behind an instruction that changes what blocks NMIs. */
void svm_note_iret(struct svm_vcpu *svm);
/* Stepping was asked for: set the flags for the next entry. */
void svm_begin_step(struct vcpu *vcpu);

/* Look whether the instruction at step_rip has been executed. */
void svm_check_step(struct svm_vcpu *svm);

/* Nothing blocked, nothing asked for. */
void svm_reset_events(struct vcpu *vcpu);

#endif
