/* The guest's own page tables: linear address to guest-physical address. SDM 3A
 * chapter 4 "Paging"; APM 2 chapter 5. [pure] */
#ifndef KERNEL_GUEST_WALK_H
#define KERNEL_GUEST_WALK_H

#include "kernel/vcpu.h"

#define WALK_USER     BIT(2) /* with user rights, beside ACCESS_WRITE, _EXECUTE */
#define WALK_IMPLICIT BIT(3) /* supervisor access to a descriptor table */

/*
 * Translate @address, setting accessed and dirty bits as the CPU would. No
 * paging, 32-bit, PAE, 4 and 5 levels. True: *gpa. False: *error_code is the
 * page fault's.
 */
bool guest_walk(struct vcpu *vcpu, const struct cpu_mode *mode, gva_t address,
		uint32_t access, gpa_t *gpa, uint32_t *error_code);

#endif
