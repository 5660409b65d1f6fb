/* Exchanging the registers that stay in the CPU. */
#include "kernel/vcpu_load.h"

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/exit_cpuid.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

/* kernel/cpu/xmm.asm */
void xmm_read(uint64_t number, struct xmm *to);
void xmm_write(uint64_t number, const struct xmm *from);

PERCPU struct vcpu *vcpu_loaded;

/* Written once by vcpu_load_init. */
static uint64_t xcr0_all; /* states that guests may have; 0: no XSAVE */
static uint32_t xsave_size = 512;
static bool has_rdtscp;
static bool has_fp_pointers; /* XRSTOR always loads them */

void vcpu_load_init(void)
{
	uint32_t extended = x86_cpuid_or_zero(0x80000001, 0).edx;

	has_rdtscp = extended & CPUID_EXT1_EDX_RDTSCP;
	has_fp_pointers = strcmp(cpu_features.vendor, "AuthenticAMD") != 0 ||
			  x86_cpuid_or_zero(0x80000008, 0).ebx &
				  CPUID_EXT8_EBX_FP_POINTERS;
	if (!(x86_cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return;
	xcr0_all = cpuid_machine_xcr0_mask();
	x86_write_cr4(x86_read_cr4() | CR4_OSXSAVE);
	x86_xsetbv(0, xcr0_all);
	xsave_size = x86_cpuid(0xd, 0).ebx;
}

void vcpu_load_cpu_start(void)
{
	uint64_t cr4 = x86_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (xcr0_all)
		cr4 |= CR4_OSXSAVE;
	x86_write_cr4(cr4);
	x86_write_cr0((x86_read_cr0() | CR0_MP) & ~(CR0_EM | CR0_TS));
	if (!xcr0_all)
		return;
	x86_xsetbv(0, xcr0_all);
	/* guests have no supervisor states, whatever firmware turned on */
	if (x86_cpuid_or_zero(0xd, 1).eax & CPUID_D_1_EAX_XSAVES)
		x86_wrmsr(MSR_IA32_XSS, 0);
}

unsigned int vcpu_load_order(void)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < xsave_size)
		order++;
	return order;
}

/* All states, whatever of them the guest has enabled: none may stay behind for
 * the next guest. */
static void save(struct vcpu *vcpu)
{
	if (xcr0_all) {
		vcpu->xcr0 = x86_xgetbv(0);
		x86_xsetbv(0, xcr0_all);
		x86_xsave(vcpu->xsave, xcr0_all);
	} else {
		x86_fxsave(vcpu->xsave);
	}
	x86_read_debug_addresses(vcpu->dr);
	if (has_rdtscp)
		vcpu->tsc_aux = x86_rdmsr(MSR_TSC_AUX);
}

static void restore(struct vcpu *vcpu)
{
	/* AMD CPUs that do not say otherwise load the x87 pointers only with an
	 * exception pending: another guest's must not stay (CVE-2006-1056) */
	if (!has_fp_pointers)
		x86_clear_fp_pointers();
	if (xcr0_all) {
		x86_xrstor(vcpu->xsave, xcr0_all);
		x86_xsetbv(0, vcpu->xcr0);
	} else {
		x86_fxrstor(vcpu->xsave);
	}
	x86_write_debug_addresses(vcpu->dr);
	if (has_rdtscp)
		x86_wrmsr(MSR_TSC_AUX, vcpu->tsc_aux);
}

/* What one VM taught the branch predictors must not steer another, nor may what it
 * left in the L1 cache be read by one. */
static void separate(const struct vcpu *from, const struct vcpu *to)
{
	const struct speculation *leaks = &cpu_features.speculation;

	if (from && from->vm == to->vm)
		return;
	if (leaks->has_ibpb)
		x86_wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	if (leaks->has_l1d_flush)
		x86_wrmsr(MSR_IA32_FLUSH_CMD, FLUSH_CMD_L1D);
}

void vcpu_exchange(struct vcpu *vcpu)
{
	struct vcpu *before = *this_cpu(vcpu_loaded);

	if (before)
		save(before);
	else if (xcr0_all)
		x86_xsetbv(0, xcr0_all);
	separate(before, vcpu);
	restore(vcpu);
	*this_cpu(vcpu_loaded) = vcpu;
}

void vcpu_unload(struct vcpu *vcpu)
{
	if (*this_cpu(vcpu_loaded) != vcpu)
		return;
	save(vcpu);
	*this_cpu(vcpu_loaded) = NULL;
}

uint64_t vcpu_read_xcr0(const struct vcpu *vcpu)
{
	if (*this_cpu(vcpu_loaded) != vcpu || !xcr0_all)
		return vcpu->xcr0;
	return x86_xgetbv(0);
}

void vcpu_write_xcr0(struct vcpu *vcpu, uint64_t value)
{
	vcpu_load(vcpu);
	vcpu->xcr0 = value;
	x86_xsetbv(0, value);
}

struct xmm vcpu_read_xmm(struct vcpu *vcpu, unsigned int number)
{
	struct xmm value;

	vcpu_load(vcpu); /* a device access may have given way before */
	xmm_read(number, &value);
	return value;
}

void vcpu_write_xmm(struct vcpu *vcpu, unsigned int number, struct xmm value)
{
	vcpu_load(vcpu); /* likewise */
	xmm_write(number, &value);
}

struct cpuid_words cpuid_machine(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r = x86_cpuid(leaf, subleaf);

	return (struct cpuid_words){ r.eax, r.ebx, r.ecx, r.edx };
}
