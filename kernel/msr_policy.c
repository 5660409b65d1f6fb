/*
 * The MSRs of a guest. Intel: SDM 4 chapter 2; AMD: APM 2 appendix A and the
 * BKDG of the family. Some that no CPUID bit promises answer as Linux's KVM
 * does, because guests ask for them by the CPU's family alone.
 */
#include "kernel/msr_policy.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_msr.h"

#define FEATURE_CONTROL_LOCKED	 BIT(0)
#define MICROCODE_REVISION	 BIT(32) /* 1, in the upper half */
#define MTRRCAP			 (8 | BIT(8) | BIT(10))
#define L2_CACHE_ON		 0xbe702111
#define MCG_STATUS_BITS		 BITS(2, 0)
#define PERF_STATUS		 (FIELD_PUT(BITS(47, 40), 4) | 1000)
#define MISC_ENABLE_FAST_STRINGS BIT(0)
#define MISC_ENABLE_NO_BTS	 BIT(11)
#define MISC_ENABLE_NO_PEBS	 BIT(12)
#define MISC_ENABLE \
	(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS)
#define PAT_RESET	     0x0007040600070406UL
#define HWCR_MC_STATUS_WRITE BIT(18)
#define HWCR_TSC_FREQ_SEL    BIT(24)
#define CLK_CTL		     0x20000000
#define DEBUGCTL_LBR	     BIT(0)
#define DEBUGCTL_BTF	     BIT(1)
#define VM_CR_LOCKED_OFF     (BIT(3) | BIT(4))

/* The word of struct vcpu that holds it. */
#define AT(member) offsetof(struct vcpu, member)

/* register, how many, reading, writing, on which CPUs, where it is held, value
 * after RESET, bits that may be set */
const struct msr_policy msr_policies[] = {
	/* machine checks: none */
	{ MSR_P5_MC_ADDR, 2, READ_VALUE, WRITE_ZERO, ON_ANY, 0, 0, 0 },
	{ MSR_IA32_TSC, 1, READ_TSC, WRITE_TSC, ON_ANY, 0, 0, 0 },
	/* number of old kernels */
	{ MSR_KVM_WALL_CLOCK, 1, READ_FIELD, WRITE_KVM_WALL_CLOCK, ON_ANY,
	  AT(msr.kvm_wall_clock), 0, 0 },
	/* number of old kernels */
	{ MSR_KVM_SYSTEM_TIME, 1, READ_FIELD, WRITE_KVM_CLOCK, ON_ANY,
	  AT(msr.kvm_clock), 0, 0 },
	/* read by microcode loaders */
	{ MSR_IA32_PLATFORM_ID, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	{ MSR_IA32_APIC_BASE, 1, READ_FIELD, WRITE_APIC_BASE, ON_ANY,
	  AT(msr.apic_base), 0, 0 },
	/* bus frequency of old CPUs */
	{ MSR_EBL_CR_POWERON, 1, READ_VALUE, WRITE_ZERO, ON_INTEL, 0, 0, 0 },
	/* there are no SMIs */
	{ MSR_SMI_COUNT, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* locked, VMX off */
	{ MSR_IA32_FEATURE_CONTROL, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0,
	  FEATURE_CONTROL_LOCKED, 0 },
	{ MSR_IA32_TSC_ADJUST, 1, READ_FIELD, WRITE_TSC_ADJUST, ON_ANY,
	  AT(msr.tsc_adjust), 0, 0 },
	/* guests update no microcode */
	{ MSR_IA32_BIOS_UPDT_TRIG, 1, READ_GP, WRITE_IGNORE, ON_INTEL, 0, 0,
	  0 },
	/* written before CPUID is asked */
	{ MSR_IA32_BIOS_SIGN_ID, 1, READ_VALUE, WRITE_IGNORE, ON_ANY, 0,
	  MICROCODE_REVISION, 0 },
	/* probed without CPUID */
	{ MSR_PERFCTR0, 2, READ_VALUE, WRITE_ZERO, ON_INTEL, 0, 0, 0 },
	/* no CPUID faulting */
	{ MSR_PLATFORM_INFO, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* 8 variable, fixed, WC */
	{ MSR_IA32_MTRRCAP, 1, READ_VALUE, WRITE_GP, ON_ANY, 0, MTRRCAP, 0 },
	/* L2 cache of old CPUs: on */
	{ MSR_BBL_CR_CTL3, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, L2_CACHE_ON,
	  0 },
	/* no CPUID faulting */
	{ MSR_MISC_FEATURES_ENABLES, 1, READ_VALUE, WRITE_ZERO, ON_INTEL, 0, 0,
	  0 },
	{ MSR_IA32_SYSENTER_CS, 1, READ_BACKEND, WRITE_BACKEND, ON_ANY, 0, 0,
	  UINT32_MAX },
	{ MSR_IA32_SYSENTER_ESP, 2, READ_BACKEND, WRITE_CANONICAL, ON_ANY, 0, 0,
	  0 },
	/* no banks */
	{ MSR_IA32_MCG_CAP, 1, READ_VALUE, WRITE_GP, ON_ANY, 0, 0, 0 },
	{ MSR_IA32_MCG_STATUS, 1, READ_FIELD, WRITE_FIELD, ON_ANY,
	  AT(msr.mcg_status), 0, MCG_STATUS_BITS },
	/* probed without CPUID */
	{ MSR_PERFEVTSEL0, 2, READ_VALUE, WRITE_ZERO, ON_INTEL, 0, 0, 0 },
	/* a ratio that divides nothing by 0 */
	{ MSR_IA32_PERF_STATUS, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0,
	  PERF_STATUS, 0 },
	/* probed without CPUID, by kernels that cannot take #GP yet */
	{ MSR_IA32_PERF_CTL, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* no BTS, no PEBS */
	{ MSR_IA32_MISC_ENABLE, 1, READ_FIELD, WRITE_KEEP, ON_ANY,
	  AT(msr.misc_enable), MISC_ENABLE, MISC_ENABLE_FAST_STRINGS },
	/* no branch records; Linux asks no CPUID bit before it writes BTF for a
	 * debugger (PTRACE_SINGLEBLOCK): each block is stepped as instructions */
	{ MSR_IA32_DEBUGCTL, 1, READ_VALUE, WRITE_ZERO, ON_ANY, 0, 0,
	  DEBUGCTL_LBR | DEBUGCTL_BTF },
	/* no branch records */
	{ MSR_LASTBRANCHFROMIP, 4, READ_VALUE, WRITE_GP, ON_ANY, 0, 0, 0 },
	/* without effect */
	{ MSR_IA32_MTRR_PHYSBASE0, 16, READ_FIELD, WRITE_MTRR_VARIABLE, ON_ANY,
	  AT(msr.mtrr_variable), 0, 0 },
	{ MSR_IA32_MTRR_FIX64K, 1, READ_FIELD, WRITE_MTRR_FIXED, ON_ANY,
	  AT(msr.mtrr_fixed[0]), 0, 0 },
	{ MSR_IA32_MTRR_FIX16K_80, 2, READ_FIELD, WRITE_MTRR_FIXED, ON_ANY,
	  AT(msr.mtrr_fixed[1]), 0, 0 },
	{ MSR_IA32_MTRR_FIX4K_C0, 8, READ_FIELD, WRITE_MTRR_FIXED, ON_ANY,
	  AT(msr.mtrr_fixed[3]), 0, 0 },
	{ MSR_IA32_PAT, 1, READ_FIELD, WRITE_PAT, ON_ANY, AT(msr.pat),
	  PAT_RESET, 0 },
	{ MSR_IA32_MTRR_DEF_TYPE, 1, READ_FIELD, WRITE_MTRR_DEFAULT, ON_ANY,
	  AT(msr.mtrr_default), 0, 0 },
	/* power: probed by model */
	{ MSR_RAPL_POWER_UNIT, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* power: probed by model */
	{ MSR_PKG_ENERGY_STATUS, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* power: probed by model */
	{ MSR_DRAM_ENERGY_STATUS, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* power: probed by model */
	{ MSR_PP0_ENERGY_STATUS, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	/* power: probed by model */
	{ MSR_PP1_ENERGY_STATUS, 1, READ_VALUE, WRITE_GP, ON_INTEL, 0, 0, 0 },
	{ MSR_IA32_TSC_DEADLINE, 1, READ_TSC_DEADLINE, WRITE_TSC_DEADLINE,
	  ON_ANY, 0, 0, 0 },
	/* if XSAVES is shown */
	{ MSR_IA32_XSS, 1, READ_XSS, WRITE_XSS, ON_ANY, AT(xss), 0, 0 },
	{ MSR_KVM_WALL_CLOCK_NEW, 1, READ_FIELD, WRITE_KVM_WALL_CLOCK, ON_ANY,
	  AT(msr.kvm_wall_clock), 0, 0 },
	{ MSR_KVM_SYSTEM_TIME_NEW, 1, READ_FIELD, WRITE_KVM_CLOCK, ON_ANY,
	  AT(msr.kvm_clock), 0, 0 },
	{ MSR_KVM_PV_EOI_EN, 1, READ_FIELD, WRITE_KVM_PV_EOI, ON_ANY,
	  AT(msr.kvm_pv_eoi), 0, 0 },
	{ MSR_EFER, 1, READ_BACKEND, WRITE_EFER, ON_ANY, 0, 0, 0 },
	{ MSR_STAR, 1, READ_BACKEND, WRITE_BACKEND, ON_ANY, 0, 0, UINT64_MAX },
	{ MSR_LSTAR, 2, READ_BACKEND, WRITE_CANONICAL, ON_ANY, 0, 0, 0 },
	{ MSR_SFMASK, 1, READ_BACKEND, WRITE_BACKEND, ON_ANY, 0, 0,
	  UINT32_MAX },
	{ MSR_FS_BASE, 3, READ_BACKEND, WRITE_CANONICAL, ON_ANY, 0, 0, 0 },
	/* if RDTSCP or RDPID is shown */
	{ MSR_TSC_AUX, 1, READ_TSC_AUX, WRITE_TSC_AUX, ON_ANY, AT(tsc_aux), 0,
	  0 },
	/* counters that stand still */
	{ MSR_K7_EVNTSEL0, 8, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* nothing to configure */
	{ MSR_SYSCFG, 1, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* TSC counts at the P0 rate */
	{ MSR_HWCR, 1, READ_FIELD, WRITE_HWCR, ON_AMD, AT(msr.hwcr),
	  HWCR_TSC_FREQ_SEL, HWCR_TSC_FREQ_SEL | HWCR_MC_STATUS_WRITE },
	{ MSR_CLK_CTL, 1, READ_VALUE, WRITE_GP, ON_AMD, 0, CLK_CTL, 0 },
	{ MSR_NB_CFG, 1, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* guests update no microcode */
	{ MSR_PATCH_LOADER, 1, READ_GP, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* no C1E */
	{ MSR_INT_PENDING, 1, READ_VALUE, WRITE_GP, ON_AMD, 0, 0, 0 },
	/* ECAM is said by ACPI */
	{ MSR_MMIO_CFG_BASE, 1, READ_VALUE, WRITE_ZERO, ON_AMD, 0, 0, 0 },
	/* no SMM */
	{ MSR_SMM_ADDR, 2, READ_VALUE, WRITE_GP, ON_AMD, 0, 0, 0 },
	/* SVM off, locked */
	{ MSR_VM_CR, 1, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, VM_CR_LOCKED_OFF,
	  0 },
	/* errata of old CPUs */
	{ MSR_DC_CFG, 2, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* as CPUID says */
	{ MSR_DE_CFG, 1, READ_DE_CFG, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* errata of old CPUs */
	{ MSR_BU_CFG2, 1, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
	/* errata of old CPUs */
	{ MSR_EX_CFG, 1, READ_VALUE, WRITE_IGNORE, ON_AMD, 0, 0, 0 },
};
const uint32_t msr_policy_count = ARRAY_SIZE(msr_policies);

/* Rows left after each step of a binary search, whose steps are written out: it
 * is on the way of every exit. */
enum rows_left {
	LEFT_0 = ARRAY_SIZE(msr_policies),
	LEFT_1 = LEFT_0 - LEFT_0 / 2,
	LEFT_2 = LEFT_1 - LEFT_1 / 2,
	LEFT_3 = LEFT_2 - LEFT_2 / 2,
	LEFT_4 = LEFT_3 - LEFT_3 / 2,
	LEFT_5 = LEFT_4 - LEFT_4 / 2,
	LEFT_6 = LEFT_5 - LEFT_5 / 2,
};
_Static_assert(LEFT_6 == 1, "as many steps as the table needs");

static inline const struct msr_policy *narrow(const struct msr_policy *row,
					      enum rows_left left, uint32_t msr)
{
	const struct msr_policy *middle = row + left / 2;

	return middle->first <= msr ? middle : row;
}

const struct msr_policy *msr_policy_find(uint32_t msr)
{
	const struct msr_policy *row = msr_policies;

	row = narrow(row, LEFT_0, msr);
	row = narrow(row, LEFT_1, msr);
	row = narrow(row, LEFT_2, msr);
	row = narrow(row, LEFT_3, msr);
	row = narrow(row, LEFT_4, msr);
	row = narrow(row, LEFT_5, msr);
	return msr - row->first < row->count ? row : NULL;
}

/* Their values are the guest's own while it is loaded, and no value of them can
 * hurt us. TSC_AUX stays in the CPU until another vCPU comes: vcpu->tsc_aux is
 * its value only then. */
const struct msr_direct msr_direct[] = {
	{ MSR_IA32_SYSENTER_CS, true },
	{ MSR_IA32_SYSENTER_ESP, true },
	{ MSR_IA32_SYSENTER_EIP, true },
	{ MSR_STAR, true },
	{ MSR_LSTAR, true },
	{ MSR_CSTAR, true },
	{ MSR_SFMASK, true },
	{ MSR_FS_BASE, true },
	{ MSR_GS_BASE, true },
	{ MSR_KERNEL_GS_BASE, true },
	{ MSR_TSC_AUX, true },
};
const uint32_t msr_direct_count = ARRAY_SIZE(msr_direct);
