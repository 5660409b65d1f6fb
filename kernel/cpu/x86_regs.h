/*
 * Registers of the CPU, named as in the manuals: Intel SDM ("Intel 64 and IA-32
 * Architectures Software Developer's Manual") and AMD APM ("AMD64 Architecture
 * Programmer's Manual"). [pure]
 */
#ifndef KERNEL_CPU_X86_REGS_H
#define KERNEL_CPU_X86_REGS_H

#include "kernel/lib/bits.h"

/* Control registers: SDM 3A 2.5 "Control Registers". */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_KL	       BIT(19)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)
#define CR4_PKS	       BIT(24)
#define CR4_UINTR      BIT(25)
#define CR4_LASS       BIT(27)
#define CR4_LAM_SUP    BIT(28)
#define CR4_FRED       BIT(32)

/* XCR0: SDM 1 13.3 "Enabling the XSAVE Feature Set and XSAVE-Enabled
 * Features". */
#define XCR0_X87       BIT(0)
#define XCR0_SSE       BIT(1)
#define XCR0_AVX       BIT(2)
#define XCR0_OPMASK    BIT(5)
#define XCR0_ZMM_HI256 BIT(6)
#define XCR0_HI16_ZMM  BIT(7)
#define XCR0_PKRU      BIT(9)
#define XCR0_TILECFG   BIT(17)
#define XCR0_TILEDATA  BIT(18)

/* Debug registers: SDM 3B 17.2 "Debug Registers". */
#define DR6_BS	  BIT(14)
#define DR6_BT	  BIT(15)
#define DR6_RESET 0xffff0ff0UL
#define DR7_RESET 0x400UL
#define DR7_GD	  BIT(13)
/* LE, L0 to L3 */
#define DR7_LOCAL (BIT(8) | BIT(6) | BIT(4) | BIT(2) | BIT(0))

/* SDM 1 3.4.3 "EFLAGS Register". */
#define RFLAGS_CF    BIT(0)
#define RFLAGS_FIXED BIT(1)
#define RFLAGS_PF    BIT(2)
#define RFLAGS_AF    BIT(4)
#define RFLAGS_ZF    BIT(6)
#define RFLAGS_SF    BIT(7)
#define RFLAGS_TF    BIT(8)
#define RFLAGS_IF    BIT(9)
#define RFLAGS_DF    BIT(10)
#define RFLAGS_OF    BIT(11)
#define RFLAGS_NT    BIT(14)
#define RFLAGS_RF    BIT(16)
#define RFLAGS_VM    BIT(17)
#define RFLAGS_AC    BIT(18)

/* Model-specific registers: SDM 4, chapter 2; APM 2, appendix A. */
#define MSR_P5_MC_ADDR		   0x000
#define MSR_P5_MC_TYPE		   0x001
#define MSR_IA32_TSC		   0x010
#define MSR_IA32_PLATFORM_ID	   0x017
#define MSR_IA32_APIC_BASE	   0x01b
#define MSR_EBL_CR_POWERON	   0x02a
#define MSR_SMI_COUNT		   0x034
#define MSR_IA32_FEATURE_CONTROL   0x03a
#define MSR_IA32_TSC_ADJUST	   0x03b
#define MSR_IA32_PRED_CMD	   0x049
#define MSR_IA32_BIOS_UPDT_TRIG	   0x079
#define MSR_IA32_BIOS_SIGN_ID	   0x08b
#define MSR_IA32_ARCH_CAPABILITIES 0x10a
#define MSR_IA32_FLUSH_CMD	   0x10b
#define MSR_PERFCTR0		   0x0c1
#define MSR_PERFCTR1		   0x0c2
#define MSR_PLATFORM_INFO	   0x0ce
#define MSR_IA32_MTRRCAP	   0x0fe
#define MSR_BBL_CR_CTL3		   0x11e
#define MSR_MISC_FEATURES_ENABLES  0x140
#define MSR_IA32_SYSENTER_CS	   0x174
#define MSR_IA32_SYSENTER_ESP	   0x175
#define MSR_IA32_SYSENTER_EIP	   0x176
#define MSR_IA32_MCG_CAP	   0x179
#define MSR_IA32_MCG_STATUS	   0x17a
#define MSR_PERFEVTSEL0		   0x186
#define MSR_PERFEVTSEL1		   0x187
#define MSR_IA32_PERF_STATUS	   0x198
#define MSR_IA32_PERF_CTL	   0x199
#define MSR_IA32_MISC_ENABLE	   0x1a0
#define MSR_IA32_DEBUGCTL	   0x1d9
#define MSR_LASTBRANCHFROMIP	   0x1db
#define MSR_LASTINTTOIP		   0x1de
#define MSR_IA32_MTRR_PHYSBASE0	   0x200
#define MSR_IA32_MTRR_PHYSMASK7	   0x20f
#define MSR_IA32_MTRR_FIX64K	   0x250
#define MSR_IA32_MTRR_FIX16K_80	   0x258
#define MSR_IA32_MTRR_FIX16K_A0	   0x259
#define MSR_IA32_MTRR_FIX4K_C0	   0x268
#define MSR_IA32_MTRR_FIX4K_F8	   0x26f
#define MSR_IA32_PAT		   0x277
#define MSR_IA32_MTRR_DEF_TYPE	   0x2ff
#define MSR_IA32_VMX_BASIC	   0x480
#define MSR_RAPL_POWER_UNIT	   0x606
#define MSR_PKG_ENERGY_STATUS	   0x611
#define MSR_DRAM_ENERGY_STATUS	   0x619
#define MSR_PP0_ENERGY_STATUS	   0x639
#define MSR_PP1_ENERGY_STATUS	   0x641
#define MSR_IA32_TSC_DEADLINE	   0x6e0
#define MSR_X2APIC_BASE		   0x800
#define MSR_X2APIC_LAST		   0x8ff
#define MSR_IA32_XSS		   0xda0
#define MSR_EFER		   0xc0000080
#define MSR_STAR		   0xc0000081
#define MSR_LSTAR		   0xc0000082
#define MSR_CSTAR		   0xc0000083
#define MSR_SFMASK		   0xc0000084
#define MSR_FS_BASE		   0xc0000100
#define MSR_GS_BASE		   0xc0000101
#define MSR_KERNEL_GS_BASE	   0xc0000102
#define MSR_TSC_AUX		   0xc0000103
#define MSR_K7_EVNTSEL0		   0xc0010000
#define MSR_K7_PERFCTR3		   0xc0010007
#define MSR_SYSCFG		   0xc0010010
#define MSR_HWCR		   0xc0010015
#define MSR_CLK_CTL		   0xc001001b
#define MSR_NB_CFG		   0xc001001f
#define MSR_PATCH_LOADER	   0xc0010020
#define MSR_INT_PENDING		   0xc0010055
#define MSR_MMIO_CFG_BASE	   0xc0010058
#define MSR_SMM_ADDR		   0xc0010112
#define MSR_SMM_MASK		   0xc0010113
#define MSR_VM_CR		   0xc0010114
#define MSR_VM_HSAVE_PA		   0xc0010117
#define MSR_DC_CFG		   0xc0011022
#define MSR_TW_CFG		   0xc0011023
#define MSR_DE_CFG		   0xc0011029
#define MSR_BU_CFG2		   0xc001102a
#define MSR_EX_CFG		   0xc001102c

/* MSRs of the KVM guest ABI: Linux Documentation/virt/kvm/x86/msr.rst. */
#define MSR_KVM_WALL_CLOCK	0x011
#define MSR_KVM_SYSTEM_TIME	0x012
#define MSR_KVM_WALL_CLOCK_NEW	0x4b564d00
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01
#define MSR_KVM_PV_EOI_EN	0x4b564d04

#define PRED_CMD_IBPB BIT(0)
#define FLUSH_CMD_L1D BIT(0)

/* IA32_MTRR_DEF_TYPE: SDM 3A 12.11.2.1. */
#define MTRR_DEFAULT_ENABLE BIT(11)
#define MTRR_WRITE_BACK	    6U

#define DE_CFG_LFENCE_SERIALIZE BIT(1)

#define APIC_BASE_IS_BSP BIT(8)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)

#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)
#define EFER_SVME  BIT(12)
#define EFER_FFXSR BIT(14)

/* CPUID.1:ECX */
#define CPUID_1_ECX_VMX		 BIT(5)
#define CPUID_1_ECX_SMX		 BIT(6)
#define CPUID_1_ECX_PCID	 BIT(17)
#define CPUID_1_ECX_X2APIC	 BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define CPUID_1_ECX_XSAVE	 BIT(26)
#define CPUID_1_ECX_OSXSAVE	 BIT(27)
#define CPUID_1_ECX_RDRAND	 BIT(30)
#define CPUID_1_ECX_HYPERVISOR	 BIT(31)
/* CPUID.1:EDX */
#define CPUID_1_EDX_FPU	 BIT(0)
#define CPUID_1_EDX_VME	 BIT(1)
#define CPUID_1_EDX_DE	 BIT(2)
#define CPUID_1_EDX_PSE	 BIT(3)
#define CPUID_1_EDX_TSC	 BIT(4)
#define CPUID_1_EDX_PAE	 BIT(6)
#define CPUID_1_EDX_MCE	 BIT(7)
#define CPUID_1_EDX_APIC BIT(9)
#define CPUID_1_EDX_PGE	 BIT(13)
#define CPUID_1_EDX_FXSR BIT(24)
#define CPUID_1_EDX_SSE	 BIT(25)
#define CPUID_1_EDX_HTT	 BIT(28)
/* CPUID.6:EAX */
#define CPUID_6_EAX_ARAT BIT(2)
/* CPUID.(7,0):EBX, ECX and EDX */
#define CPUID_7_EBX_FSGSBASE	      BIT(0)
#define CPUID_7_EBX_TSC_ADJUST	      BIT(1)
#define CPUID_7_EBX_SMEP	      BIT(7)
#define CPUID_7_EBX_RDSEED	      BIT(18)
#define CPUID_7_EBX_SMAP	      BIT(20)
#define CPUID_7_ECX_UMIP	      BIT(2)
#define CPUID_7_ECX_PKU		      BIT(3)
#define CPUID_7_ECX_OSPKE	      BIT(4)
#define CPUID_7_ECX_CET_SS	      BIT(7)
#define CPUID_7_ECX_LA57	      BIT(16)
#define CPUID_7_ECX_RDPID	      BIT(22)
#define CPUID_7_ECX_KL		      BIT(23)
#define CPUID_7_ECX_PKS		      BIT(31)
#define CPUID_7_EDX_UINTR	      BIT(5)
#define CPUID_7_EDX_CET_IBT	      BIT(20)
#define CPUID_7_EDX_ARCH_CAPABILITIES BIT(29)
/* CPUID.(7,1):EAX */
#define CPUID_7_1_EAX_LASS BIT(6)
#define CPUID_7_1_EAX_FRED BIT(17)
#define CPUID_7_1_EAX_LAM  BIT(26)

#define CPUID_D_1_EAX_XSAVES BIT(3)
/* CPUID.80000001:ECX and EDX */
#define CPUID_EXT1_ECX_CMP_LEGACY BIT(1)
#define CPUID_EXT1_ECX_SVM	  BIT(2)
#define CPUID_EXT1_ECX_TOPOEXT	  BIT(22)
#define CPUID_EXT1_EDX_SYSCALL	  BIT(11)
#define CPUID_EXT1_EDX_NX	  BIT(20)
#define CPUID_EXT1_EDX_FFXSR	  BIT(25)
#define CPUID_EXT1_EDX_PAGE1GB	  BIT(26)
#define CPUID_EXT1_EDX_RDTSCP	  BIT(27)
#define CPUID_EXT1_EDX_LM	  BIT(29)
/* CPUID.80000007:EDX */
#define CPUID_EXT7_EDX_INVARIANT_TSC BIT(8)
/* CPUID.80000008:EBX */
#define CPUID_EXT8_EBX_FP_POINTERS BIT(2) /* RstrFpErrPtrs */
/* CPUID.80000021:EAX */
#define CPUID_EXT21_EAX_LFENCE_SERIALIZING BIT(2)

/* Exception vectors: SDM 3A table 6-1 "Protected-Mode Exceptions and
 * Interrupts". */
#define VECTOR_DE  0
#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define VECTOR_OF  4
#define VECTOR_UD  6
#define VECTOR_DF  8
#define VECTOR_TS  10
#define VECTOR_NP  11
#define VECTOR_SS  12
#define VECTOR_GP  13
#define VECTOR_PF  14
#define VECTOR_AC  17
#define VECTOR_MC  18
#define VECTOR_VE  20
#define VECTOR_CP  21

#endif
