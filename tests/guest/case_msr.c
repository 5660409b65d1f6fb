/* RDMSR and WRMSR. SDM 4 chapter 2, APM 2 appendix A. */
#include "tests/guest/guest.h"

#define NOT_CANONICAL 0x0123000000000000UL

static void check_refused(uint32_t msr)
{
	uint64_t value;

	CHECK_EQ(rdmsr_try(msr, &value), VECTOR_GP);
	CHECK_EQ(trap_taken().error, 0);
	CHECK_EQ(wrmsr_try(msr, 0), VECTOR_GP);
}

void case_msr_unknown(void)
{
	check_refused(0x12345);
	check_refused(0x3fff);
	check_refused(0x40000000);
	check_refused(0xc0009999);
	check_refused(0xc0012000);
	check_refused(0xffffffff);
	check_refused(0x4b564dff); /* of KVM's range, but none */
}

void case_msr_known(void)
{
	static const uint32_t known[] = {
		MSR_IA32_TSC,
		MSR_IA32_APIC_BASE,
		MSR_IA32_TSC_ADJUST,
		MSR_IA32_MTRRCAP,
		MSR_IA32_SYSENTER_CS,
		MSR_IA32_MCG_CAP,
		MSR_IA32_PAT,
		MSR_EFER,
		MSR_STAR,
		MSR_LSTAR,
		MSR_CSTAR,
		MSR_SFMASK,
		MSR_FS_BASE,
		MSR_GS_BASE,
		MSR_KERNEL_GS_BASE,
	};
	uint64_t value;

	for (unsigned int i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK_EQ(rdmsr_try(known[i], &value), TRAP_NONE);
}

void case_msr_read_only(void)
{
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRRCAP, rdmsr(MSR_IA32_MTRRCAP)),
		 VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MCG_CAP, 0), VECTOR_GP);
}

/* What they hold comes back; upper halves of RAX and RDX are cleared, that of
 * RCX is not looked at. */
void case_msr_registers(void)
{
	uint64_t a = ~0UL, d = ~0UL;
	uint64_t c = BIT(40) | MSR_STAR;

	wrmsr(MSR_STAR, 0x123456789abcdef0);
	asm volatile("rdmsr" : "+a"(a), "+d"(d) : "c"(c));
	CHECK_EQ(a, 0x9abcdef0);
	CHECK_EQ(d, 0x12345678);
	wrmsr(MSR_KERNEL_GS_BASE, 0xffff800012345678);
	CHECK_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0xffff800012345678);
	wrmsr(MSR_LSTAR, 0x7fff12345678);
	CHECK_EQ(rdmsr(MSR_LSTAR), 0x7fff12345678);
	wrmsr(MSR_SFMASK, 0x47700);
	CHECK_EQ(rdmsr(MSR_SFMASK), 0x47700);
	wrmsr(MSR_IA32_SYSENTER_ESP, 0x5000);
	CHECK_EQ(rdmsr(MSR_IA32_SYSENTER_ESP), 0x5000);
}

/* NOT_TCG, see case_cpuid_prefixes. */
void case_msr_prefixes(void)
{
	uint32_t a = 0, d = 0;

	wrmsr(MSR_STAR, 0x1122334455667788);
	asm volatile(".byte 0x66, 0x0f, 0x32"
		     : "=a"(a), "=d"(d)
		     : "c"(MSR_STAR));
	CHECK_EQ(a, 0x55667788);
	asm volatile(".byte 0x2e, 0x48, 0x0f, 0x30"
		     :
		     : "a"(7), "d"(8), "c"(MSR_STAR));
	CHECK_EQ(rdmsr(MSR_STAR), 0x800000007);
}

static void access_in_user(void *argument)
{
	int *vectors = argument;
	uint64_t value = 0;

	/* TRY's own bookkeeping asks for the task register: allowed here */
	vectors[0] = rdmsr_try(MSR_STAR, &value);
	vectors[1] = wrmsr_try(MSR_STAR, 0);
}

void case_msr_user(void)
{
	int vectors[2] = { 0, 0 };

	user_run(access_in_user, vectors);
	CHECK_EQ(vectors[0], VECTOR_GP);
	CHECK_EQ(vectors[1], VECTOR_GP);
}

/* A NOT_TCG case: TCG looks at no address, and the hypervisor lets guests write
 * these MSRs themselves. */
void case_msr_canonical(void)
{
	static const uint32_t addresses[] = {
		MSR_LSTAR,   MSR_CSTAR,		 MSR_FS_BASE,
		MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_IA32_SYSENTER_ESP,
	};

	for (unsigned int i = 0; i < sizeof(addresses) / sizeof(addresses[0]);
	     i++)
		CHECK_EQ(wrmsr_try(addresses[i], NOT_CANONICAL << 8),
			 VECTOR_GP);
}

void case_msr_efer_reserved(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	CHECK_EQ(wrmsr_try(MSR_EFER, efer | BIT(1)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_EFER, efer | BIT(7)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_EFER, efer | BIT(9)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_EFER, efer | BIT(12)), VECTOR_GP); /* SVME */
	CHECK_EQ(wrmsr_try(MSR_EFER, efer | BIT(63)), VECTOR_GP);
	CHECK_EQ(rdmsr(MSR_EFER), efer);
}

/* LME does not change under paging, LMA only with it. */
void case_msr_efer_lme(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	CHECK_EQ(efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
	CHECK_EQ(wrmsr_try(MSR_EFER, efer & ~EFER_LME), VECTOR_GP);
	CHECK_EQ(rdmsr(MSR_EFER), efer);
}

void case_msr_efer_sce(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer & ~EFER_SCE);
	CHECK_EQ(rdmsr(MSR_EFER), efer & ~EFER_SCE);
	trap_clear();
	asm volatile(TRY("syscall") : : : "rcx", "r11", "memory");
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
	wrmsr(MSR_EFER, efer);
}

/* NX is a reserved bit while NXE is clear, at once. */
void case_msr_efer_nxe(void)
{
	uint64_t efer = rdmsr(MSR_EFER);
	volatile uint8_t *page = (volatile uint8_t *)(4UL << 20);

	page_directories[2] |= BIT(63);
	invlpg(page);
	CHECK_EQ(*page, 0);
	wrmsr(MSR_EFER, efer & ~EFER_NXE);
	invlpg(page);
	trap_clear();
	asm volatile(TRY("movb (%0), %%al") : : "r"(page) : "rax");
	CHECK_EQ(trap_taken().vector, VECTOR_PF);
	CHECK_EQ(trap_taken().error & BIT(3), BIT(3)); /* RSVD */
	wrmsr(MSR_EFER, efer);
	invlpg(page);
	CHECK_EQ(*page, 0);
}

/* SDM 3A 11.12.5 "x2APIC State Transitions". */
void case_msr_apic_base_states(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
	uint64_t off = base & ~(BIT(11) | BIT(10));

	CHECK_EQ(base & (BIT(8) | BIT(10) | BIT(11)), BIT(8) | BIT(11));
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, off | BIT(10)), VECTOR_GP);
	wrmsr(MSR_IA32_APIC_BASE, base | BIT(10));
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, base), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, off | BIT(10)), VECTOR_GP);
	wrmsr(MSR_IA32_APIC_BASE, off);
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, base | BIT(10)), VECTOR_GP);
	CHECK_EQ(rdmsr(MSR_IA32_APIC_BASE), off);
	wrmsr(MSR_IA32_APIC_BASE, base);
	CHECK_EQ(rdmsr(MSR_IA32_APIC_BASE), base);
	/* off and on again: as after reset */
	CHECK_EQ(lapic_read(LAPIC_SVR), 0xff);
}

void case_msr_apic_base_reserved(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
	uint32_t width = cpuid(0x80000008, 0).eax & 0xff;

	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, base | BIT(0)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, base | BIT(9)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, base | BIT(width)), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_APIC_BASE, base | BIT(63)), VECTOR_GP);
	CHECK_EQ(rdmsr(MSR_IA32_APIC_BASE), base);
}

void case_msr_apic_base_moved(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
	uint32_t version = mmio32(LAPIC_BASE + LAPIC_VERSION);

	wrmsr(MSR_IA32_APIC_BASE, base + 0x10000);
	CHECK_EQ(mmio32(LAPIC_BASE + 0x10000 + LAPIC_VERSION), version);
	CHECK(mmio32(LAPIC_BASE + LAPIC_VERSION) != version);
	wrmsr(MSR_IA32_APIC_BASE, base);
	CHECK_EQ(mmio32(LAPIC_BASE + LAPIC_VERSION), version);
}

/* SDM 3B 17.17.3 "Time-Stamp Counter Adjustment". */
void case_msr_tsc_write(void)
{
	uint64_t adjust, before, after;

	before = rdtsc();
	wrmsr(MSR_IA32_TSC, before + BIT(40));
	after = rdtsc();
	adjust = rdmsr(MSR_IA32_TSC_ADJUST);
	CHECK(after >= before + BIT(40));
	CHECK(after < before + BIT(40) + 100 * tsc_hz());
	/* the jump, but for what passed between reading and writing */
	CHECK(adjust <= BIT(40) && adjust > BIT(40) - 100 * tsc_hz());
	wrmsr(MSR_IA32_TSC, 0);
	CHECK(rdtsc() < 100 * tsc_hz());
}

void case_msr_tsc_adjust(void)
{
	uint64_t before;

	CHECK_EQ(rdmsr(MSR_IA32_TSC_ADJUST), 0);
	before = rdtsc();
	wrmsr(MSR_IA32_TSC_ADJUST, BIT(42));
	CHECK(rdtsc() - before >= BIT(42));
	CHECK(rdtsc() - before < BIT(42) + 100 * tsc_hz());
	CHECK_EQ(rdmsr(MSR_IA32_TSC_ADJUST), BIT(42));
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	CHECK(rdtsc() - before < 100 * tsc_hz());
	/* RDMSR and RDTSC are the same counter */
	before = rdtsc();
	CHECK(rdmsr(MSR_IA32_TSC) >= before);
}

/* Written only in deadline mode; 0 after it has passed. */
void case_msr_tsc_deadline(void)
{
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + BIT(40));
	CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), 0);
	count_vector(0x40);
	lapic_write(LAPIC_LVT_TIMER, LVT_DEADLINE | 0x40);
	mfence();
	wrmsr(MSR_IA32_TSC_DEADLINE, BIT(60));
	CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), BIT(60));
	wrmsr(MSR_IA32_TSC_DEADLINE, 1); /* long ago */
	sti_hlt_cli();
	CHECK_EQ(counts[0x40], 1);
	CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), 0);
	wrmsr(MSR_IA32_TSC_DEADLINE, BIT(60));
	lapic_write(LAPIC_LVT_TIMER, 0x40); /* leaving the mode disarms */
	CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), 0);
}

/* SDM 3A 11.11.2 "Setting Memory Ranges with MTRRs". */
void case_msr_mtrr_fixed(void)
{
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX64K, 0x0605040100060606),
		 TRAP_NONE);
	CHECK_EQ(rdmsr(MSR_IA32_MTRR_FIX64K), 0x0605040100060606);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX64K, 2), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX64K, 3), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX64K, 7), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX64K, 0x80UL << 56), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX4K_F8, 6), TRAP_NONE);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_FIX4K_F8 + 1, 6), VECTOR_GP);
}

void case_msr_mtrr_variable(void)
{
	uint32_t base = MSR_IA32_MTRR_PHYSBASE0, mask = base + 1;
	uint32_t width = cpuid(0x80000008, 0).eax & 0xff;

	CHECK_EQ(rdmsr(MSR_IA32_MTRRCAP) & 0xff, 8);
	CHECK_EQ(wrmsr_try(base, 0xc0000006), TRAP_NONE);
	CHECK_EQ(wrmsr_try(mask, 0xc0000800), TRAP_NONE);
	CHECK_EQ(rdmsr(base), 0xc0000006);
	CHECK_EQ(wrmsr_try(base, 2), VECTOR_GP);
	CHECK_EQ(wrmsr_try(base, 0x106), VECTOR_GP);
	CHECK_EQ(wrmsr_try(base, BIT(width) | 6), VECTOR_GP);
	CHECK_EQ(wrmsr_try(mask, 0x400), VECTOR_GP);
	CHECK_EQ(wrmsr_try(mask, BIT(width) | 0x800), VECTOR_GP);
	CHECK_EQ(rdmsr(base), 0xc0000006);
	CHECK_EQ(wrmsr_try(base + 16, 0), VECTOR_GP);
}

void case_msr_mtrr_default(void)
{
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_DEF_TYPE, 0xc06), TRAP_NONE);
	CHECK_EQ(rdmsr(MSR_IA32_MTRR_DEF_TYPE), 0xc06);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_DEF_TYPE, 0xc02), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_DEF_TYPE, 0x1006), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_MTRR_DEF_TYPE, 0x206), VECTOR_GP);
	CHECK_EQ(rdmsr(MSR_IA32_MTRR_DEF_TYPE), 0xc06);
}

void case_msr_pat(void)
{
	CHECK_EQ(rdmsr(MSR_IA32_PAT), 0x0007040600070406);
	CHECK_EQ(wrmsr_try(MSR_IA32_PAT, 0x0706050401000607), TRAP_NONE);
	CHECK_EQ(rdmsr(MSR_IA32_PAT), 0x0706050401000607);
	CHECK_EQ(wrmsr_try(MSR_IA32_PAT, 2), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_PAT, 3UL << 56), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_IA32_PAT, 0x800), VECTOR_GP);
	CHECK_EQ(rdmsr(MSR_IA32_PAT), 0x0706050401000607);
}

/* Linux Documentation/virt/kvm/x86/msr.rst: bit 1 of the PV EOI word's address
 * is reserved. */
void case_msr_kvm(void)
{
	CHECK_EQ(wrmsr_try(MSR_KVM_PV_EOI_EN, 0x400003), VECTOR_GP);
	CHECK_EQ(wrmsr_try(MSR_KVM_PV_EOI_EN, 0x400001), TRAP_NONE);
	CHECK_EQ(rdmsr(MSR_KVM_PV_EOI_EN), 0x400001);
	CHECK_EQ(wrmsr_try(MSR_KVM_PV_EOI_EN, 0), TRAP_NONE);
	CHECK_EQ(wrmsr_try(MSR_KVM_SYSTEM_TIME_NEW, 0x400001), TRAP_NONE);
	CHECK_EQ(rdmsr(MSR_KVM_SYSTEM_TIME_NEW), 0x400001);
	/* one register with two numbers */
	CHECK_EQ(rdmsr(MSR_KVM_SYSTEM_TIME), 0x400001);
	CHECK_EQ(wrmsr_try(MSR_KVM_SYSTEM_TIME_NEW, 0), TRAP_NONE);
	/* features that are not shown */
	CHECK_EQ(wrmsr_try(0x4b564d03, 0), VECTOR_GP);
	CHECK_EQ(wrmsr_try(0x4b564d08, 0), VECTOR_GP);
}

void case_msr_tsc_aux(void)
{
	uint32_t low, high, aux;

	if (!(cpuid(0x80000001, 0).edx & BIT(27)))
		return;
	wrmsr(MSR_TSC_AUX, 0x12345678);
	asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	CHECK_EQ(aux, 0x12345678);
	CHECK_EQ(rdmsr(MSR_TSC_AUX), 0x12345678);
}
