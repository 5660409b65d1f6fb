/* What Intel VMX this CPU has, and the controls that we make of it. [pure] */
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
	uint64_t pin, processor, exit, entry; /* the true ones, where it has
						 them */
	uint64_t processor2;
	uint64_t misc;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid;
};

#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX  BIT(2) /* outside SMX */
#define VMX_BASIC_REVISION   BITS(30, 0)
#define VMX_BASIC_TRUE	     BIT(55)
#define VMX_MISC_TIMER_SHIFT BITS(4, 0)
#define VMX_EPT_2M	     BIT(16)
#define VMX_EPT_INVEPT_ONE   BIT(25)
#define VMX_EPT_INVVPID	     (BIT(32) | BIT(42)) /* and of all contexts */

/* The words of controls of a VMCS, without what changes as guests run. */
struct vmx_controls {
	uint32_t pin, processor, processor2, exit, entry;
	uint32_t x2apic; /* on too in processor2 while the CPU does the local
			    APIC's work (vcpu->apic); 0: it cannot */
};

/* 0, -ENODEV (no VMX) or -ENOTSUP (VMX that Basalt cannot use, with the
 * reason). */
int vmx_caps_check(const struct vmx_caps *caps, struct diag *why);

/* Does what is made of @boot, the boot CPU's, hold for a CPU with @other? And is VMX
 * not disabled there? */
bool vmx_caps_match(const struct vmx_caps *boot, const struct vmx_caps *other);
/* The controls that guests run with, of CPUs that vmx_caps_check accepts. */
struct vmx_controls vmx_caps_controls(const struct vmx_caps *caps);

/* "revision 0x…: ept vpid …" into @buf; returns as fmt_print. */
size_t vmx_caps_print(const struct vmx_caps *caps, char *buf, size_t size);

#endif
