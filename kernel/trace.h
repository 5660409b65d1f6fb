/*
 * The trace: what each CPU's guests exited for, the last TRACE_SIZE exits. Always
 * on; shown when a VM ends by a fault.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include "kernel/cpu/percpu.h"
#include "kernel/vcpu.h"

#define TRACE_SIZE 256 /* a power of two */

struct trace_record {
	uint64_t tsc;
	uint64_t rip;
	uint64_t detail; /* RAX, or what was touched */
	uint32_t vcpu;
	uint8_t reason; /* enum exit_reason */
};

struct trace_ring {
	uint32_t next; /* counts up */
	struct trace_record records[TRACE_SIZE];
};

extern struct trace_ring trace_ring;

/* Count and record vcpu->exit. */
static inline void trace_exit(struct vcpu *vcpu)
{
	struct trace_ring *ring = this_cpu(trace_ring);
	struct trace_record *record = &ring->records[ring->next++ % TRACE_SIZE];
	uint8_t reason = vcpu->exit.reason;

	vcpu->exit_count[reason]++;
	record->tsc = x86_rdtsc();
	record->rip = vcpu->regs.rip;
	record->detail = reason == EXIT_MEMORY ? vcpu->exit.memory.gpa.value
			 : reason == EXIT_IO   ? vcpu->exit.io.port
					       : vcpu->regs.gpr[GPR_RCX];
	record->vcpu = vcpu->number;
	record->reason = reason;
}

/* The last exits of this CPU into the log, newest last, for debugging. */
void trace_log(uint32_t count);

/* How often @vcpu exited for what, one line. */
void trace_log_counts(const struct vcpu *vcpu);

#endif
