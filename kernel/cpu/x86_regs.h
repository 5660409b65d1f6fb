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

#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)

#define RFLAGS_IF BIT(9)
#define RFLAGS_AC BIT(18)

/* Model-specific registers: SDM 4, chapter 2; APM 2, appendix A. */
#define MSR_IA32_TSC		 0x010
#define MSR_IA32_APIC_BASE	 0x01b
#define MSR_IA32_FEATURE_CONTROL 0x03a
#define MSR_IA32_PAT		 0x277
#define MSR_IA32_VMX_BASIC	 0x480
#define MSR_IA32_TSC_DEADLINE	 0x6e0
#define MSR_X2APIC_BASE		 0x800
#define MSR_EFER		 0xc0000080
#define MSR_FS_BASE		 0xc0000100
#define MSR_GS_BASE		 0xc0000101
#define MSR_VM_CR		 0xc0010114

#define APIC_BASE_IS_BSP BIT(8)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)

#define EFER_SCE  BIT(0)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_NXE  BIT(11)
#define EFER_SVME BIT(12)

/* CPUID.1:ECX */
#define CPUID_1_ECX_VMX		 BIT(5)
#define CPUID_1_ECX_X2APIC	 BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define CPUID_1_ECX_HYPERVISOR	 BIT(31)
/* CPUID.1:EDX */
#define CPUID_1_EDX_APIC BIT(9)
#define CPUID_1_EDX_PGE	 BIT(13)
/* CPUID.(7,0):EBX and ECX */
#define CPUID_7_EBX_SMEP BIT(7)
#define CPUID_7_EBX_SMAP BIT(20)
#define CPUID_7_ECX_UMIP BIT(2)
/* CPUID.80000001:ECX and EDX */
#define CPUID_EXT1_ECX_SVM     BIT(2)
#define CPUID_EXT1_EDX_NX      BIT(20)
#define CPUID_EXT1_EDX_PAGE1GB BIT(26)
#define CPUID_EXT1_EDX_LM      BIT(29)
/* CPUID.80000007:EDX */
#define CPUID_EXT7_EDX_INVARIANT_TSC BIT(8)

/* Exception vectors: SDM 3A table 6-1 "Protected-Mode Exceptions and
 * Interrupts". */
#define VECTOR_DE  0
#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define VECTOR_UD  6
#define VECTOR_DF  8
#define VECTOR_GP  13
#define VECTOR_PF  14
#define VECTOR_MC  18

#endif
