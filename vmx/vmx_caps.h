/* What Intel VMX this CPU has. [pure] */
#ifndef VMX_VMX_CAPS_H
#define VMX_VMX_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/lib/bits.h"
#include "kernel/lib/diag.h"

/* The capability MSRs (SDM 3D appendix A "VMX Capability Reporting Facility");
 * 0 where the CPU lacks one. */
struct vmx_caps {
	bool has_vmx;		  /* CPUID.1:ECX.VMX */
	uint64_t feature_control; /* SDM 3C 24.7 "Enabling and Entering VMX
				     Operation" */
	uint64_t basic;
	uint64_t pin;
	uint64_t processor;
	uint64_t processor2;
	uint64_t ept_vpid;
};

#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX  BIT(2) /* outside SMX */
#define VMX_BASIC_TRUE	     BIT(55)

/* 0, -ENODEV (no VMX) or -ENOTSUP (VMX that Basalt cannot use, with the
 * reason). */
int vmx_caps_check(const struct vmx_caps *caps, struct diag *why);

/* "revision 0x…: ept vpid …" into @buf; returns as fmt_print. */
size_t vmx_caps_print(const struct vmx_caps *caps, char *buf, size_t size);

#endif
