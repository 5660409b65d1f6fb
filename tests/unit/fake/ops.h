/*
 * A back end without a CPU: keeps the state of each vCPU of the fake VM and
 * records what it is asked for. `vcpu_ops` points to it from the start.
 */
#ifndef FAKE_OPS_H
#define FAKE_OPS_H

#include "vm_machine.h"

#define FAKE_MSRS_MAX 32

struct fake_backend {
	struct vcpu_state state; /* read_mode, read_segment, FS_BASE, … too */
	unsigned int inject_count;
	struct event injected; /* the last one */
	unsigned int windows_count;
	uint32_t windows; /* asked for last */
	bool is_nmi_blocked;
	unsigned int tsc_offset_count;
	uint64_t tsc_offset;
	unsigned int flush_count;
	unsigned int write_state_count;
	unsigned int reset_count, run_count;
	unsigned int xcr0_count; /* vcpu_write_xcr0 calls */
	unsigned int msr_count;
	struct {
		uint32_t number;
		uint64_t value;
	} msrs[FAKE_MSRS_MAX];
};

/* By the vCPU's number. */
extern struct fake_backend fake_backends[FAKE_VCPUS_MAX];

/* What run does, after counting; NULL: nothing. It fills vcpu->exit. */
extern void (*fake_run)(struct vcpu *vcpu);

/* Nothing recorded; all vCPUs in 64-bit mode, CPL 0, flat, no paging tables
 * (CR3 0). Call it after fake_vm_reset. */
void fake_ops_reset(void);

/* The same vCPU as a CPU in real mode, in 32-bit protected mode without paging,
 * in 64-bit mode; @cpl of the latter two. */
void fake_ops_real_mode(struct vcpu *vcpu);
void fake_ops_protected_mode(struct vcpu *vcpu, uint8_t cpl);
void fake_ops_long_mode(struct vcpu *vcpu, uint8_t cpl);

#endif
