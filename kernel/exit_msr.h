/*
 * MSRs by policy: one row a register. What has no row is #GP. [pure]
 */
#ifndef KERNEL_EXIT_MSR_H
#define KERNEL_EXIT_MSR_H

#include "kernel/vcpu.h"

/* RDMSR and WRMSR exits: number in RCX; value, skip, or #GP. */
void exit_msr_read(struct vcpu *vcpu);
void exit_msr_write(struct vcpu *vcpu);

/* One access. False: #GP. */
bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* Software-held MSRs to their values after RESET or INIT. */
void msr_reset(struct vcpu *vcpu, bool is_init);

/*
 * MSRs that the guest reads and writes without an exit, because its value is
 * loaded while it runs: the back end makes its MSR bitmap of this list.
 */
struct msr_direct {
	uint32_t msr;
	bool can_write;
};
extern const struct msr_direct msr_direct[];
extern const uint32_t msr_direct_count;

#endif
