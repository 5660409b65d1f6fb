/* VMX's instructions. VMLAUNCH and VMRESUME are in vmx_entry.asm. */
#ifndef VMX_VMX_ASM_H
#define VMX_VMX_ASM_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/cpu/percpu.h"
#include "mm/addr.h"
#include "vmx/vmcs.h"

/* How often this CPU's VMCSs were read and written: debug builds count, because
 * each costs tens of cycles on the way of every exit (`make bench`). */
struct vmcs_count {
	uint64_t reads, writes, runs;
};
#ifdef DEBUG
extern PERCPU struct vmcs_count vmcs_count;
#define VMCS_COUNT(what) (this_cpu(vmcs_count)->what++)
#else
#define VMCS_COUNT(what) ((void)0)
#endif

/* Both act on the CPU's current VMCS. The field is one that the CPU has: else the
 * instruction fails and does nothing. */
static inline uint64_t vmcs_read(enum vmcs_field field)
{
	uint64_t value = 0;

	VMCS_COUNT(reads);
	asm volatile("vmread %1, %0"
		     : "+r"(value)
		     : "r"((uint64_t)field)
		     : "cc", "memory");
	return value;
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
	VMCS_COUNT(writes);
	asm volatile("vmwrite %1, %0" ::"r"((uint64_t)field), "r"(value)
		     : "cc", "memory");
}

/* False: the CPU refused. SDM 3C 31.2 "Conventions". */
static inline bool vmx_vmxon(hpa_t region)
{
	bool has_failed;

	asm volatile("vmxon %1"
		     : "=@ccbe"(has_failed)
		     : "m"(region.value)
		     : "memory");
	return !has_failed;
}

/* Make the VMCS at @vmcs current. */
static inline bool vmx_vmptrld(hpa_t vmcs)
{
	bool has_failed;

	asm volatile("vmptrld %1"
		     : "=@ccbe"(has_failed)
		     : "m"(vmcs.value)
		     : "memory");
	return !has_failed;
}

/* Write the VMCS at @vmcs back to memory: no CPU's any more, not launched. */
static inline bool vmx_vmclear(hpa_t vmcs)
{
	bool has_failed;

	asm volatile("vmclear %1"
		     : "=@ccbe"(has_failed)
		     : "m"(vmcs.value)
		     : "memory");
	return !has_failed;
}

/* What INVEPT and INVVPID forget: SDM 3C chapter 31. */
enum vmx_scope { VMX_ONE_CONTEXT = 1, VMX_ALL_CONTEXTS = 2 };

/* Translations of the EPT tables at @eptp. */
static inline bool vmx_invept(enum vmx_scope scope, uint64_t eptp)
{
	uint64_t descriptor[2] = { eptp, 0 };
	bool has_failed;

	asm volatile("invept %1, %2"
		     : "=@ccbe"(has_failed)
		     : "m"(descriptor), "r"((uint64_t)scope)
		     : "memory");
	return !has_failed;
}

/* Translations of linear addresses with tag @vpid. */
static inline bool vmx_invvpid(enum vmx_scope scope, uint16_t vpid)
{
	uint64_t descriptor[2] = { vpid, 0 };
	bool has_failed;

	asm volatile("invvpid %1, %2"
		     : "=@ccbe"(has_failed)
		     : "m"(descriptor), "r"((uint64_t)scope)
		     : "memory");
	return !has_failed;
}

/* An NMI that ended the guest's run was not delivered: run its handler. Its IRET
 * lets NMIs in again (SDM 3C 28.3.3 "Saving Non-Register State"). */
static inline void vmx_take_nmi(void)
{
	asm volatile("int $2" ::: "memory");
}

#endif
