/* Which MSRs a guest has, and what reading and writing them does: one row a
 * register. What has no row is #GP. [pure] */
#ifndef KERNEL_MSR_POLICY_H
#define KERNEL_MSR_POLICY_H

#include <stdint.h>

enum msr_read_kind {
	READ_GP,
	READ_VALUE, /* value */
	READ_FIELD, /* of struct vcpu */
	READ_BACKEND,
	READ_TSC,
	READ_TSC_DEADLINE,
	READ_TSC_AUX,
	READ_XSS,
	READ_DE_CFG,
};

enum msr_write_kind {
	WRITE_GP,
	WRITE_IGNORE,
	WRITE_ZERO,	 /* 0; bits of mask are dropped, others: #GP */
	WRITE_FIELD,	 /* bits outside of mask: #GP */
	WRITE_KEEP,	 /* bits outside of mask stay as they are */
	WRITE_BACKEND,	 /* bits outside of mask are dropped */
	WRITE_CANONICAL, /* the back end, an address */
	WRITE_TSC,
	WRITE_TSC_ADJUST,
	WRITE_APIC_BASE,
	WRITE_TSC_DEADLINE,
	WRITE_TSC_AUX,
	WRITE_PAT,
	WRITE_EFER,
	WRITE_XSS,
	WRITE_HWCR,
	WRITE_MTRR_VARIABLE,
	WRITE_MTRR_FIXED,
	WRITE_MTRR_DEFAULT,
	WRITE_KVM_CLOCK,
	WRITE_KVM_WALL_CLOCK,
	WRITE_KVM_PV_EOI,
};

enum msr_vendor { ON_ANY, ON_INTEL, ON_AMD };

struct msr_policy {
	uint32_t first;
	uint16_t count; /* of registers, one behind the other */
	uint8_t read;	/* enum msr_read_kind */
	uint8_t write;	/* enum msr_write_kind */
	uint8_t vendor; /* enum msr_vendor: whose guests have it */
	uint16_t field; /* where in struct vcpu; 0: not there */
	uint64_t value; /* after RESET, or always */
	uint64_t mask;	/* bits that a guest may set */
};

/* By number; all but those of x2APIC, which the local APIC answers. */
extern const struct msr_policy msr_policies[];
extern const uint32_t msr_policy_count;

/* NULL: there is no such MSR. */
const struct msr_policy *msr_policy_find(uint32_t msr);

#endif
