/* CPUID. SDM 2A "CPUID—CPU Identification"; Linux
 * Documentation/virt/kvm/x86/cpuid.rst. */
#include "tests/guest/guest.h"

static bool is_zero(struct words w)
{
	return !(w.eax | w.ebx | w.ecx | w.edx);
}

void case_cpuid_ranges(void)
{
	CHECK(cpuid(0, 0).eax >= 0xd);
	CHECK(cpuid(0x80000000, 0).eax >= 0x80000008);
	CHECK(cpuid(0x40000000, 0).eax >= 0x40000010);
	/* AMD's CPUs say nothing beyond the last leaf */
	if (cpuid(0, 0).ebx == 0x68747541)
		CHECK(is_zero(cpuid(cpuid(0, 0).eax + 1, 0)));
	CHECK(is_zero(cpuid(0x40000100, 0)));
}

void case_cpuid_signature(void)
{
	struct words w = cpuid(0x40000000, 0);

	CHECK(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR);
	CHECK_EQ(w.ebx, 0x4b4d564b); /* KVMKVMKVM\0\0\0 */
	CHECK_EQ(w.ecx, 0x564b4d56);
	CHECK_EQ(w.edx, 0x4d);
}

/* What a guest cannot have: VMX, SVM, MONITOR. */
void case_cpuid_hidden(void)
{
	CHECK(!(cpuid(1, 0).ecx & (BIT(3) | BIT(5))));
	CHECK(!(cpuid(0x80000001, 0).ecx & BIT(2)));
	/* Intel's CPUs answer what is beyond the last leaf with another one */
	CHECK(cpuid(0x80000000, 0).eax < 0x8000000a ||
	      is_zero(cpuid(0x8000000a, 0)));
}

void case_cpuid_always(void)
{
	CHECK(cpuid(1, 0).ecx & BIT(21)); /* x2APIC */
	CHECK(cpuid(1, 0).ecx & BIT(24)); /* TSC deadline */
	CHECK(cpuid(1, 0).edx & BIT(9));  /* APIC */
	CHECK(cpuid(7, 0).ebx & BIT(1));  /* TSC_ADJUST */
}

void case_cpuid_osxsave(void)
{
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return;
	CHECK(!(cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE));
	write_cr4(read_cr4() | CR4_OSXSAVE);
	CHECK(cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE);
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
	CHECK(!(cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE));
}

/* Leaf 1's APIC bit follows the enable bit of the APIC's base. */
void case_cpuid_apic_off(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_ENABLE);
	CHECK(!(cpuid(1, 0).edx & CPUID_1_EDX_APIC));
	wrmsr(MSR_IA32_APIC_BASE, base);
	CHECK(cpuid(1, 0).edx & CPUID_1_EDX_APIC);
}

/* Leaves without subleaves do not look at ECX. */
void case_cpuid_subleaf_plain(void)
{
	struct words a = cpuid(1, 0), b = cpuid(1, 77);

	CHECK(!memcmp(&a, &b, sizeof(a)));
	a = cpuid(0x40000000, 0);
	b = cpuid(0x40000000, 5);
	CHECK(!memcmp(&a, &b, sizeof(a)));
}

void case_cpuid_subleaf_beyond(void)
{
	struct words w = cpuid(0xb, 9);

	CHECK_EQ(w.eax, 0);
	CHECK_EQ(w.ebx, 0);
	CHECK_EQ(w.ecx & 0xff, 9); /* ECX[7:0] comes back */
	CHECK_EQ(w.ecx >> 8, 0);
	CHECK(is_zero(cpuid(7, cpuid(7, 0).eax + 1)));
	CHECK(is_zero(cpuid(0xd, 63)));
}

void case_cpuid_registers(void)
{
	uint64_t a = ~0UL << 32, b = ~0UL, c = BIT(32), d = ~0UL;

	asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	CHECK_EQ(a, cpuid(0, 0).eax);
	CHECK_EQ(b, cpuid(0, 0).ebx);
	CHECK_EQ(c, cpuid(0, 0).ecx);
	CHECK_EQ(d, cpuid(0, 0).edx);
}

/* Prefixes are part of the instruction's length. NOT_TCG: QEMU does not tell the
 * length, and the hypervisor then takes that without prefixes. */
void case_cpuid_prefixes(void)
{
	uint64_t a = ~0UL << 32, b = ~0UL, c = 0, d = ~0UL;

	asm volatile(".byte 0x66, 0x0f, 0xa2"
		     : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	CHECK_EQ(a, cpuid(0, 0).eax);
	CHECK_EQ(b, cpuid(0, 0).ebx);
	CHECK_EQ(c, cpuid(0, 0).ecx);
	CHECK_EQ(d, cpuid(0, 0).edx);
	a = c = 0;
	asm volatile(".byte 0x48, 0x0f, 0xa2"
		     : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	CHECK_EQ(a, cpuid(0, 0).eax);
	a = c = 0;
	asm volatile(".byte 0x2e, 0xf3, 0x66, 0x4f, 0x0f, 0xa2"
		     : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	CHECK_EQ(a, cpuid(0, 0).eax);
}

/* LOCK before CPUID: #UD, and nothing has changed. NOT_TCG: it does not look at
 * LOCK there. */
void case_cpuid_lock(void)
{
	uint64_t a = 0x1234, c = 0;

	trap_clear();
	asm volatile(TRY(".byte 0xf0, 0x0f, 0xa2")
		     : "+a"(a), "+c"(c)
		     :
		     : "rbx", "rdx");
	CHECK_EQ(trap_taken().vector, VECTOR_UD);
	CHECK_EQ(a, 0x1234);
}

static void cpuid_in_user(void *argument)
{
	*(struct words *)argument = cpuid(0x40000000, 0);
}

void case_cpuid_user(void)
{
	struct words w = { 0 };

	user_run(cpuid_in_user, &w);
	CHECK_EQ(w.ebx, 0x4b4d564b);
}

static void read_topology(void *argument)
{
	uint32_t id = cpu_number();

	(void)argument;
	CHECK_EQ(cpuid(1, 0).ebx >> 24, id);
	CHECK_EQ(cpuid(0xb, 0).edx, id);
	CHECK_EQ(cpuid(0xb, 1).edx, id);
	CHECK_EQ(lapic_read(LAPIC_ID) >> 24, id);
	/* one thread a core, all cores in one package */
	CHECK_EQ(cpuid(0xb, 0).ebx & 0xffff, 1);
	CHECK_EQ(cpuid(0xb, 1).ebx & 0xffff, case_vcpus);
	CHECK_EQ(id >> cpuid(0xb, 1).eax, 0);
	CHECK_EQ(cpuid(1, 0).ebx >> 16 & 0xff, case_vcpus);
}

void case_cpuid_topology(void)
{
	smp_start();
	read_topology(0);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_call(i, read_topology, 0);
}

/* The size of the XSAVE area follows XCR0. SDM 1 13.2. */
void case_cpuid_xsave_size(void)
{
	struct words w;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	asm volatile("xsetbv" : : "a"(1), "d"(0), "c"(0));
	CHECK_EQ(cpuid(0xd, 0).ebx, 576);
	CHECK(cpuid(0xd, 0).ecx >= 576);
	if (!(cpuid(0xd, 0).eax & XCR0_AVX))
		return;
	asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
	w = cpuid(0xd, 2);
	CHECK_EQ(cpuid(0xd, 0).ebx, w.eax + w.ebx);
}
