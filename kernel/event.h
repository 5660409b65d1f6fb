/*
 * Events that a vCPU is given at its next entry: interrupts, NMIs, exceptions.
 * [pure]
 *
 * At most one event is on its way into the guest: `vcpu->event`. It is put there
 * by an exit handler (an exception), by the back end (delivery of it was cut
 * short by an exit, so it must be delivered again) or, if there is none, by
 * event_next() (NMI, then interrupts of the local APIC or the 8259).
 */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
	EVENT_NONE,
	EVENT_INTERRUPT, /* external */
	EVENT_NMI,
	EVENT_EXCEPTION, /* of hardware; INT n and its kin are executed again */
};

struct event {
	uint8_t kind; /* enum event_kind */
	uint8_t vector;
	bool has_error;
	uint32_t error_code;
	uint64_t address; /* CR2, of #PF */
};

struct vcpu;

/*
 * Raise an exception in the guest. With an event on its way already the tables
 * of nested exceptions decide: deliver it first (then @vector again by the
 * guest's own means), #DF, or triple fault (vm_triple_fault).
 */
void event_raise(struct vcpu *vcpu, uint8_t vector);
void event_raise_error(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);
void event_raise_page_fault(struct vcpu *vcpu, uint64_t address,
			    uint32_t error_code);

/*
 * Choose what to give the guest at the next entry and hand it to the back end
 * (vcpu_ops.inject), or ask the back end for the exit that says when it can be
 * taken (vcpu_ops.set_windows). Called when REQUEST_EVENT was set or an event
 * is on its way.
 */
void event_prepare(struct vcpu *vcpu);

/* Would the vCPU, halted, wake up now? */
bool event_is_waking(const struct vcpu *vcpu);

#endif
