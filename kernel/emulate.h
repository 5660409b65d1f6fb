/*
 * Executing one guest instruction in software: what touches devices in memory,
 * string I/O, and what the CPU did not decode for us. Table driven. [pure]
 */
#ifndef KERNEL_EMULATE_H
#define KERNEL_EMULATE_H

#include "kernel/vcpu.h"

enum emulate_result {
	EMULATE_DONE, /* executed; RIP is behind it (or at it: REP goes on) */
	EMULATE_FAULTED, /* the guest got an exception instead (event_raise) */
	EMULATE_UNKNOWN, /* not an instruction we know */
};

/*
 * Fetch (or take from vcpu->exit.memory.bytes), decode and execute the
 * instruction at RIP. Memory operands go through the guest's page tables, with
 * its rights (SMAP, SMEP, CPL; no protection keys), to RAM or to devices
 * (vm->mmio, the local APIC). Has effects only if it returns EMULATE_DONE, but
 * for REP: elements before one that faults are done. REP is bounded per call. INS
 * and OUTS are not executed, and RIP stays, unless they are what exited (EXIT_IO).
 */
enum emulate_result emulate_insn(struct vcpu *vcpu);

/* Length in bytes of the instruction at RIP; 0: cannot be fetched or is not
 * known. */
uint8_t emulate_insn_length(struct vcpu *vcpu);

/* The byte at RIP + @offset. False: not mapped. Nothing is raised. */
bool emulate_fetch_byte(struct vcpu *vcpu, uint8_t offset, uint8_t *byte);

/* Number of the general register of the MOV to or from CRn at RIP. False: it is
 * something else. */
bool emulate_decode_mov_cr(struct vcpu *vcpu, uint8_t *cr, uint8_t *gpr,
			   bool *is_write);

#endif
