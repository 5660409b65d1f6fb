/* What a CPU leaks to those that it runs in turn, and what stops it. */
#include "kernel/cpu/speculation.h"

#include "kernel/lib/bits.h"

/* CPUID.7:EDX */
#define HAS_MD_CLEAR  BIT(10)
#define HAS_IBRS      BIT(26) /* and IBPB */
#define HAS_L1D_FLUSH BIT(28)

/* CPUID.80000008:EBX */
#define AMD_HAS_IBPB BIT(12)

/* IA32_ARCH_CAPABILITIES: SDM 4 table 2-2 */
#define IS_L1TF_FREE	    BIT(0)	      /* RDCL_NO */
#define IS_MDS_TAA_FREE	    (BIT(5) | BIT(8)) /* TSX asynchronous aborts */
#define IS_STALE_FREE	    BITS(15, 13) /* SBDR_SSDP_NO, FBSDP_NO, PSDP_NO */
#define IS_LARGE_CODE_SOUND BIT(6)	 /* PSCHANGE_MC_NO */
#define HAS_FB_CLEAR	    BIT(17)
#define IS_RFDS_FREE	    BIT(27)
#define HAS_RFDS_CLEAR	    BIT(28)

/* VERW clears what the microcode says that it clears. */
static bool needs_verw(const struct speculation_words *words)
{
	uint64_t caps = words->arch_capabilities;

	/* guests can use TSX where CPUID does not show it */
	if ((words->structured & HAS_MD_CLEAR) &&
	    (caps & IS_MDS_TAA_FREE) != IS_MDS_TAA_FREE)
		return true;
	if ((caps & HAS_FB_CLEAR) && (caps & IS_STALE_FREE) != IS_STALE_FREE)
		return true;
	return (caps & HAS_RFDS_CLEAR) && !(caps & IS_RFDS_FREE);
}

struct speculation speculation_of(const struct speculation_words *words)
{
	return (struct speculation){
		.has_ibpb = (words->structured & HAS_IBRS) ||
			    (words->sizes & AMD_HAS_IBPB),
		.has_l1d_flush = words->is_intel &&
				 (words->structured & HAS_L1D_FLUSH) &&
				 !(words->arch_capabilities & IS_L1TF_FREE),
		.needs_verw = words->is_intel && needs_verw(words),
		.has_large_code_bug =
			words->is_intel &&
			!(words->arch_capabilities & IS_LARGE_CODE_SOUND),
	};
}
