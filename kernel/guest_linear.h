/* What the CPU itself touches by linear address: descriptor tables, task states,
 * stacks that it pushes to. [pure] */
#ifndef KERNEL_GUEST_LINEAR_H
#define KERNEL_GUEST_LINEAR_H

#include "kernel/guest_walk.h"

#define GUEST_LINEAR_SIZE_MAX 256

/* Bytes that were translated: no access to them faults. */
struct guest_linear {
	uint64_t gpa[2];     /* of the first byte, and of the second page */
	uint32_t first_size; /* bytes in the first page */
};

/* Why not: of a page fault. */
struct guest_linear_fault {
	uint64_t address;
	uint32_t error_code;
};

/*
 * Translate [address, address + size), which wraps at 4 GiB: outside long mode
 * only. @access: as guest_walk has it. @size: 1 to GUEST_LINEAR_SIZE_MAX. False:
 * *fault.
 */
bool guest_linear_open(struct vcpu *vcpu, uint64_t address, uint32_t size,
		       uint32_t access, struct guest_linear *linear,
		       struct guest_linear_fault *fault);

/* Bytes [offset, offset + size) of what was opened. Where there is no memory they
 * are ones, and writes are lost; so are writes to ROM. */
void guest_linear_read(struct vcpu *vcpu, const struct guest_linear *linear,
		       uint32_t offset, void *to, uint32_t size);
void guest_linear_write(struct vcpu *vcpu, const struct guest_linear *linear,
			uint32_t offset, const void *from, uint32_t size);

/* Make byte @offset @value if it is still @old, as one step. False: it is not. */
bool guest_linear_replace(struct vcpu *vcpu, const struct guest_linear *linear,
			  uint32_t offset, uint8_t old, uint8_t value);

#endif
