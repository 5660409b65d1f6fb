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
	uint64_t detail; /* RCX, or what was touched */
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
	uint8_t reason = vcpu->exit.reason;
	uint64_t detail = vcpu->regs.gpr[GPR_RCX];
	struct trace_record *record;

	if (reason == EXIT_IO)
		detail = vcpu->exit.io.port;
	else if (reason == EXIT_MEMORY)
		detail = vcpu->exit.memory.gpa.value;
	record = &ring->records[ring->next++ % TRACE_SIZE];
	record->tsc = x86_rdtsc();
	record->rip = vcpu->regs.rip;
	record->detail = detail;
	record->vcpu = vcpu->number;
	record->reason = reason;
	vcpu->exit_count[reason]++;
}

/* The last exits of this CPU into the log, newest last, for debugging. */
void trace_log(uint32_t count);

/* How often @vcpu exited for what, one line. */
void trace_log_counts(const struct vcpu *vcpu);

#endif
