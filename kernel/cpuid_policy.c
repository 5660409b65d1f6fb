/*
 * Which bits of CPUID a guest may have. Of these it is shown what the machine
 * has and the back end can run (cpuid_hide).
 *
 * Left out because it does not work in a guest, or not yet: VMX, SVM, SMX, SGX,
 * SEV, MONITOR and MONITORX, performance counters, IBS, processor trace, debug
 * store, last branch records, thermal and power control, RDT, MPX, CET, PKS,
 * WAITPKG, user interrupts, key locker, HRESET, LAM, bus lock detection, RDPRU,
 * INVLPGB, XFD. TSX is left out for the sake of who shares the core. SPEC_CTRL
 * and its kin (IBRS, IBPB, STIBP, SSBD, PSFD, ARCH_CAPABILITIES) wait for a back
 * end that holds them. The invariant TSC is left to the host: kvm-clock is what
 * follows a VM that moves to a machine of another frequency.
 */
#include "kernel/cpuid_policy.h"

#include "kernel/cpu/x86_regs.h"

#define STATES_512  (XCR0_AVX | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)
#define STATES_TILE (XCR0_TILECFG | XCR0_TILEDATA)

/* leaf, subleaf, register, verdict, bits, states */
const struct cpuid_policy cpuid_policies[] = {
	/* clang-format off */
	/* CPUID.0: vendor. SDM 2A "CPUID", APM 3 appendix E. */
	{ 0, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* vendor */
	{ 0, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* vendor */
	{ 0, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* vendor */

	/* CPUID.1 */
	{ 1, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* family, model, stepping */
	{ 1, 0, CPUID_EBX, CPUID_PASS, BITS(15, 0), 0 }, /* brand index, CLFLUSH size */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(0), 0 }, /* SSE3 */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(1), 0 }, /* PCLMULQDQ */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(9), 0 }, /* SSSE3 */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(12), XCR0_AVX }, /* FMA */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(13), 0 }, /* CMPXCHG16B */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(17), 0 }, /* PCID */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(19), 0 }, /* SSE4.1 */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(20), 0 }, /* SSE4.2 */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(22), 0 }, /* MOVBE */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(23), 0 }, /* POPCNT */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(25), 0 }, /* AESNI */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(26), XCR0_X87 }, /* XSAVE */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(28), XCR0_AVX }, /* AVX */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(29), XCR0_AVX }, /* F16C */
	{ 1, 0, CPUID_ECX, CPUID_PASS, BIT(30), 0 }, /* RDRAND */
	{ 1, 0, CPUID_ECX, CPUID_ALWAYS, BIT(21), 0 }, /* x2APIC */
	{ 1, 0, CPUID_ECX, CPUID_ALWAYS, BIT(24), 0 }, /* TSC-deadline */
	{ 1, 0, CPUID_ECX, CPUID_ALWAYS, BIT(31), 0 }, /* hypervisor */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(0), 0 }, /* FPU */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(1), 0 }, /* VME */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(2), 0 }, /* DE */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(3), 0 }, /* PSE */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(4), 0 }, /* TSC */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(5), 0 }, /* MSR */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(6), 0 }, /* PAE */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(7), 0 }, /* MCE */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(8), 0 }, /* CMPXCHG8B */
	{ 1, 0, CPUID_EDX, CPUID_ALWAYS, BIT(9), 0 }, /* APIC */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(11), 0 }, /* SYSENTER */
	{ 1, 0, CPUID_EDX, CPUID_ALWAYS, BIT(12), 0 }, /* MTRR */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(13), 0 }, /* PGE */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(14), 0 }, /* MCA */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(15), 0 }, /* CMOV */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(16), 0 }, /* PAT */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(17), 0 }, /* PSE-36 */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(19), 0 }, /* CLFLUSH */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(23), 0 }, /* MMX */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(24), 0 }, /* FXSR */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(25), 0 }, /* SSE */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(26), 0 }, /* SSE2 */
	{ 1, 0, CPUID_EDX, CPUID_PASS, BIT(27), 0 }, /* self-snoop */

	/* CPUID.2: caches and TLBs, Intel */
	{ 2, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* descriptors */
	{ 2, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* descriptors */
	{ 2, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* descriptors */
	{ 2, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* descriptors */

	/* CPUID.6: power */
	{ 6, 0, CPUID_EAX, CPUID_ALWAYS, BIT(2), 0 }, /* ARAT */

	/* CPUID.7 */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(0), 0 }, /* FSGSBASE */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(3), 0 }, /* BMI1 */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(5), XCR0_AVX }, /* AVX2 */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(6), 0 }, /* FDP_EXCPTN_ONLY */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(7), 0 }, /* SMEP */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(8), 0 }, /* BMI2 */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(9), 0 }, /* ERMS */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(10), 0 }, /* INVPCID */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(13), 0 }, /* no FPU CS and DS */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(16), STATES_512 }, /* AVX512F */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(17), STATES_512 }, /* AVX512DQ */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(18), 0 }, /* RDSEED */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(19), 0 }, /* ADX */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(20), 0 }, /* SMAP */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(21), STATES_512 }, /* AVX512_IFMA */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(23), 0 }, /* CLFLUSHOPT */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(24), 0 }, /* CLWB */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(26), STATES_512 }, /* AVX512PF */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(27), STATES_512 }, /* AVX512ER */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(28), STATES_512 }, /* AVX512CD */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(29), 0 }, /* SHA */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(30), STATES_512 }, /* AVX512BW */
	{ 7, 0, CPUID_EBX, CPUID_PASS, BIT(31), STATES_512 }, /* AVX512VL */
	{ 7, 0, CPUID_EBX, CPUID_ALWAYS, BIT(1), 0 }, /* TSC_ADJUST */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(0), 0 }, /* PREFETCHWT1 */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(1), STATES_512 }, /* AVX512_VBMI */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(2), 0 }, /* UMIP */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(3), XCR0_PKRU }, /* PKU */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(6), STATES_512 }, /* AVX512_VBMI2 */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(8), 0 }, /* GFNI */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(9), XCR0_AVX }, /* VAES */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(10), XCR0_AVX }, /* VPCLMULQDQ */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(11), STATES_512 }, /* AVX512_VNNI */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(12), STATES_512 }, /* AVX512_BITALG */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(14), STATES_512 }, /* AVX512_VPOPCNTDQ */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(16), 0 }, /* LA57 */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(22), 0 }, /* RDPID */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(25), 0 }, /* CLDEMOTE */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(27), 0 }, /* MOVDIRI */
	{ 7, 0, CPUID_ECX, CPUID_PASS, BIT(28), 0 }, /* MOVDIR64B */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(2), STATES_512 }, /* AVX512_4VNNIW */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(3), STATES_512 }, /* AVX512_4FMAPS */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(4), 0 }, /* FSRM */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(8), STATES_512 }, /* AVX512_VP2INTERSECT */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(10), 0 }, /* MD_CLEAR: VERW, no MSR */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(14), 0 }, /* SERIALIZE */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(22), STATES_TILE }, /* AMX-BF16 */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(23), STATES_512 }, /* AVX512_FP16 */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(24), STATES_TILE }, /* AMX-TILE */
	{ 7, 0, CPUID_EDX, CPUID_PASS, BIT(25), STATES_TILE }, /* AMX-INT8 */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(0), XCR0_AVX }, /* SHA512 */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(1), XCR0_AVX }, /* SM3 */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(2), XCR0_AVX }, /* SM4 */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(4), XCR0_AVX }, /* AVX-VNNI */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(5), STATES_512 }, /* AVX512_BF16 */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(7), 0 }, /* CMPCCXADD */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(10), 0 }, /* FZRM */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(11), 0 }, /* FSRS */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(12), 0 }, /* FSRC */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(21), STATES_TILE }, /* AMX-FP16 */
	{ 7, 1, CPUID_EAX, CPUID_PASS, BIT(23), XCR0_AVX }, /* AVX-IFMA */
	{ 7, 1, CPUID_EDX, CPUID_PASS, BIT(4), XCR0_AVX }, /* AVX-VNNI-INT8 */
	{ 7, 1, CPUID_EDX, CPUID_PASS, BIT(5), XCR0_AVX }, /* AVX-NE-CONVERT */
	{ 7, 1, CPUID_EDX, CPUID_PASS, BIT(8), STATES_TILE }, /* AMX-COMPLEX */
	{ 7, 1, CPUID_EDX, CPUID_PASS, BIT(10), XCR0_AVX }, /* AVX-VNNI-INT16 */
	{ 7, 1, CPUID_EDX, CPUID_PASS, BIT(14), 0 }, /* PREFETCHI */

	/* CPUID.(0xd,1): XSAVE; its sizes and states are computed */
	{ 0xd, 1, CPUID_EAX, CPUID_PASS, BIT(0), XCR0_X87 }, /* XSAVEOPT */
	{ 0xd, 1, CPUID_EAX, CPUID_PASS, BIT(1), XCR0_X87 }, /* XSAVEC */
	{ 0xd, 1, CPUID_EAX, CPUID_PASS, BIT(2), XCR0_X87 }, /* XGETBV of ECX 1 */
	{ 0xd, 1, CPUID_EAX, CPUID_PASS, BIT(3), XCR0_X87 }, /* XSAVES */

	/* CPUID.0x1d, 0x1e: tiles */
	{ 0x1d, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), STATES_TILE }, /* palettes */
	{ 0x1d, 1, CPUID_EAX, CPUID_PASS, BITS(31, 0), STATES_TILE }, /* palette 1 */
	{ 0x1d, 1, CPUID_EBX, CPUID_PASS, BITS(31, 0), STATES_TILE }, /* palette 1 */
	{ 0x1d, 1, CPUID_ECX, CPUID_PASS, BITS(31, 0), STATES_TILE }, /* palette 1 */
	{ 0x1e, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), STATES_TILE }, /* TMUL */

	/* The hypervisor: Linux Documentation/virt/kvm/x86/cpuid.rst. 0x40000001: features */
	{ 0x40000001, 0, CPUID_EAX, CPUID_ALWAYS, BIT(0), 0 }, /* CLOCKSOURCE */
	{ 0x40000001, 0, CPUID_EAX, CPUID_ALWAYS, BIT(1), 0 }, /* NOP_IO_DELAY */
	{ 0x40000001, 0, CPUID_EAX, CPUID_ALWAYS, BIT(3), 0 }, /* CLOCKSOURCE2 */
	{ 0x40000001, 0, CPUID_EAX, CPUID_ALWAYS, BIT(6), 0 }, /* PV_EOI */
	{ 0x40000001, 0, CPUID_EAX, CPUID_ALWAYS, BIT(15), 0 }, /* MSI_EXT_DEST_ID */
	{ 0x40000001, 0, CPUID_EAX, CPUID_ALWAYS, BIT(24), 0 }, /* CLOCKSOURCE_STABLE */

	/* CPUID.80000000, 80000001 */
	{ 0x80000000, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* vendor, AMD */
	{ 0x80000000, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* vendor, AMD */
	{ 0x80000000, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* vendor, AMD */
	{ 0x80000001, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* family, AMD */
	{ 0x80000001, 0, CPUID_EBX, CPUID_PASS, BITS(31, 28), 0 }, /* package type, AMD */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(0), 0 }, /* LAHF in 64-bit mode */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(5), 0 }, /* LZCNT */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(6), 0 }, /* SSE4A */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(7), 0 }, /* misaligned SSE */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(8), 0 }, /* PREFETCHW */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(11), XCR0_AVX }, /* XOP */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(16), XCR0_AVX }, /* FMA4 */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(21), 0 }, /* TBM */
	{ 0x80000001, 0, CPUID_ECX, CPUID_PASS, BIT(22), 0 }, /* topology leaves */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(0), 0 }, /* FPU */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(1), 0 }, /* VME */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(2), 0 }, /* DE */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(3), 0 }, /* PSE */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(4), 0 }, /* TSC */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(5), 0 }, /* MSR */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(6), 0 }, /* PAE */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(7), 0 }, /* MCE */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(8), 0 }, /* CMPXCHG8B */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(9), 0 }, /* APIC */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(11), 0 }, /* SYSCALL */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(12), 0 }, /* MTRR */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(13), 0 }, /* PGE */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(14), 0 }, /* MCA */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(15), 0 }, /* CMOV */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(16), 0 }, /* PAT */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(17), 0 }, /* PSE-36 */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(20), 0 }, /* NX */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(22), 0 }, /* MmxExt */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(23), 0 }, /* MMX */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(24), 0 }, /* FXSR */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(25), 0 }, /* FFXSR */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(26), 0 }, /* 1 GiB pages */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(27), 0 }, /* RDTSCP */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(29), 0 }, /* long mode */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(30), 0 }, /* 3DNowExt */
	{ 0x80000001, 0, CPUID_EDX, CPUID_PASS, BIT(31), 0 }, /* 3DNow */

	/* CPUID.80000002 to 80000006: name, caches, TLBs */
	{ 0x80000002, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000002, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000002, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000002, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000003, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000003, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000003, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000003, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000004, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000004, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000004, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000004, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* name */
	{ 0x80000005, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000005, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000005, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000005, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000006, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000006, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000006, 0, CPUID_ECX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */
	{ 0x80000006, 0, CPUID_EDX, CPUID_PASS, BITS(31, 0), 0 }, /* caches */

	/* CPUID.80000007, 80000008 */
	{ 0x80000008, 0, CPUID_EBX, CPUID_PASS, BIT(0), 0 }, /* CLZERO */
	{ 0x80000008, 0, CPUID_EBX, CPUID_PASS, BIT(2), 0 }, /* FP error pointers saved */

	/* CPUID.80000019, 8000001a: TLBs of 1 GiB pages, speed of SSE; AMD */
	{ 0x80000019, 0, CPUID_EAX, CPUID_PASS, BITS(31, 0), 0 }, /* TLBs */
	{ 0x80000019, 0, CPUID_EBX, CPUID_PASS, BITS(31, 0), 0 }, /* TLBs */
	{ 0x8000001a, 0, CPUID_EAX, CPUID_PASS, BITS(2, 0), 0 }, /* FP128, MOVU, FP256 */

	/* CPUID.80000021: AMD */
	{ 0x80000021, 0, CPUID_EAX, CPUID_PASS, BIT(0), 0 }, /* no nested data breakpoints */
	{ 0x80000021, 0, CPUID_EAX, CPUID_PASS, BIT(2), 0 }, /* LFENCE serializes */
	{ 0x80000021, 0, CPUID_EAX, CPUID_PASS, BIT(6), 0 }, /* null selector clears base */
	{ 0x80000021, 0, CPUID_EAX, CPUID_PASS, BIT(10), 0 }, /* FSRS */
	{ 0x80000021, 0, CPUID_EAX, CPUID_PASS, BIT(11), 0 }, /* FSRC */
	/* clang-format on */
};
const uint32_t cpuid_policy_count = ARRAY_SIZE(cpuid_policies);

/* SDM 3A 2.5 "Control Registers". Those that guests are not shown are here for
 * what the machine has. */
const struct cpuid_cr4_bit cpuid_cr4_bits[] = {
	/* clang-format off */
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_VME, CR4_VME | CR4_PVI },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_TSC, CR4_TSD },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_DE, CR4_DE },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_PSE, CR4_PSE },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_PAE, CR4_PAE },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_MCE, CR4_MCE },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_PGE, CR4_PGE },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_FXSR, CR4_OSFXSR },
	{ 1, 0, CPUID_EDX, CPUID_1_EDX_SSE, CR4_OSXMMEXCPT },
	{ 1, 0, CPUID_ECX, CPUID_1_ECX_VMX, CR4_VMXE },
	{ 1, 0, CPUID_ECX, CPUID_1_ECX_SMX, CR4_SMXE },
	{ 1, 0, CPUID_ECX, CPUID_1_ECX_PCID, CR4_PCIDE },
	{ 1, 0, CPUID_ECX, CPUID_1_ECX_XSAVE, CR4_OSXSAVE },
	{ 7, 0, CPUID_EBX, CPUID_7_EBX_FSGSBASE, CR4_FSGSBASE },
	{ 7, 0, CPUID_EBX, CPUID_7_EBX_SMEP, CR4_SMEP },
	{ 7, 0, CPUID_EBX, CPUID_7_EBX_SMAP, CR4_SMAP },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX_UMIP, CR4_UMIP },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX_PKU, CR4_PKE },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX_CET_SS, CR4_CET },
	{ 7, 0, CPUID_EDX, CPUID_7_EDX_CET_IBT, CR4_CET },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX_LA57, CR4_LA57 },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX_KL, CR4_KL },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX_PKS, CR4_PKS },
	{ 7, 0, CPUID_EDX, CPUID_7_EDX_UINTR, CR4_UINTR },
	{ 7, 1, CPUID_EAX, CPUID_7_1_EAX_LASS, CR4_LASS },
	{ 7, 1, CPUID_EAX, CPUID_7_1_EAX_LAM, CR4_LAM_SUP },
	{ 7, 1, CPUID_EAX, CPUID_7_1_EAX_FRED, CR4_FRED },
	/* clang-format on */
};
const uint32_t cpuid_cr4_bit_count = ARRAY_SIZE(cpuid_cr4_bits);
