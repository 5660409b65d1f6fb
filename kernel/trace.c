/* The trace of exits. */
#include "kernel/trace.h"

#include "kernel/cpu/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/log.h"

PERCPU struct trace_ring trace_ring;

void trace_log(uint32_t count)
{
	const struct trace_ring *ring = this_cpu(trace_ring);
	uint32_t all = (uint32_t)min_u64(ring->next, TRACE_SIZE);

	count = (uint32_t)min_u64(count, all);
	for (uint32_t i = ring->next - count; i != ring->next; i++) {
		const struct trace_record *r = &ring->records[i % TRACE_SIZE];

		log_debug("trace: tsc %lu vcpu %u rip 0x%lx %s 0x%lx", r->tsc,
			  r->vcpu, r->rip, exit_reason_names[r->reason],
			  r->detail);
	}
}

void trace_log_counts(const struct vcpu *vcpu)
{
	char text[200];
	size_t used = 0;

	for (unsigned int i = 0; i < EXIT_REASON_COUNT; i++) {
		if (vcpu->exit_count[i] && used < sizeof(text))
			used += fmt_print(text + used, sizeof(text) - used,
					  " %s %lu", exit_reason_names[i],
					  vcpu->exit_count[i]);
	}
	log_debug("vcpu %u: exits:%s", vcpu->number, used ? text : " none");
}
