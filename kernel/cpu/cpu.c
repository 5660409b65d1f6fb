/* CPU features, and the control registers that use them. */
#include "kernel/cpu/cpu.h"

#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/string.h"

/*
 * Page attribute table: entry 0 write-back, 1 write-combining, 2 UC-, 3
 * uncached; the rest as after reset. SDM 3A 12.12 "Page Attribute Table (PAT)".
 * Entries 0, 2 and 3 are the reset values; enum pt_memory relies on 0, 1 and 3.
 */
#define PAT_VALUE 0x0007040600070106UL

struct cpu_features cpu_features;

static void read_vendor(struct cpu_features *f)
{
	struct cpuid r = x86_cpuid(0, 0);

	memcpy(f->vendor, &r.ebx, 4);
	memcpy(f->vendor + 4, &r.edx, 4);
	memcpy(f->vendor + 8, &r.ecx, 4);
}

/* Processor brand string: SDM 2A "CPUID", "Processor Brand String". */
static void read_model(struct cpu_features *f)
{
	char text[49] = "unnamed CPU";
	const char *from = text;

	if (x86_cpuid(0x80000000, 0).eax >= 0x80000004) {
		for (uint32_t i = 0; i < 3; i++) {
			struct cpuid r = x86_cpuid(0x80000002 + i, 0);

			memcpy(text + 16 * i, &r, 16);
		}
		text[48] = '\0';
	}
	while (*from == ' ')
		from++;
	memcpy(f->model, from, strlen(from) + 1);
	for (size_t len = strlen(f->model); len && f->model[len - 1] == ' ';)
		f->model[--len] = '\0';
}

static struct speculation read_speculation(const struct cpu_features *f)
{
	struct speculation_words words = {
		.is_intel = strcmp(f->vendor, "GenuineIntel") == 0,
		.structured = x86_cpuid_or_zero(7, 0).edx,
		.sizes = x86_cpuid_or_zero(0x80000008, 0).ebx,
	};

	if (words.structured & CPUID_7_EDX_ARCH_CAPABILITIES)
		words.arch_capabilities = x86_rdmsr(MSR_IA32_ARCH_CAPABILITIES);
	return speculation_of(&words);
}

void cpu_detect(void)
{
	struct cpu_features *f = &cpu_features;
	struct cpuid basic = x86_cpuid(1, 0);
	struct cpuid structured = x86_cpuid_or_zero(7, 0);
	struct cpuid extended = x86_cpuid(0x80000001, 0);
	struct cpuid power = x86_cpuid_or_zero(0x80000007, 0);
	struct cpuid address = x86_cpuid_or_zero(0x80000008, 0);

	read_vendor(f);
	read_model(f);
	f->address_bits = address.eax ? (uint8_t)address.eax : 36;
	f->has_1gib_pages = extended.edx & CPUID_EXT1_EDX_PAGE1GB;
	f->has_x2apic = basic.ecx & CPUID_1_ECX_X2APIC;
	f->has_tsc_deadline = basic.ecx & CPUID_1_ECX_TSC_DEADLINE;
	f->has_invariant_tsc = power.edx & CPUID_EXT7_EDX_INVARIANT_TSC;
	f->has_smep = structured.ebx & CPUID_7_EBX_SMEP;
	f->has_smap = structured.ebx & CPUID_7_EBX_SMAP;
	f->has_umip = structured.ecx & CPUID_7_ECX_UMIP;
	f->has_pge = basic.edx & CPUID_1_EDX_PGE;
	f->speculation = read_speculation(f);
}

void cpu_init(void)
{
	const struct cpu_features *f = &cpu_features;
	uint64_t cr4 = CR4_PAE | CR4_MCE;

	cr4 |= f->has_pge ? CR4_PGE : 0;
	cr4 |= f->has_smep ? CR4_SMEP : 0;
	cr4 |= f->has_smap ? CR4_SMAP : 0;
	cr4 |= f->has_umip ? CR4_UMIP : 0;
	x86_write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	x86_write_cr4(cr4);
	x86_wrmsr(MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE);
	x86_wrmsr(MSR_IA32_PAT, PAT_VALUE);
}

const char *cpu_missing_feature(void)
{
	struct cpu_features boot = cpu_features;
	struct cpuid basic = x86_cpuid(1, 0);
	struct cpuid structured = x86_cpuid_or_zero(7, 0);
	struct cpuid extended = x86_cpuid(0x80000001, 0);

	const struct {
		const char *name;
		bool is_needed;
		bool is_here;
	} rows[] = {
		{ "1 GiB pages", boot.has_1gib_pages,
		  extended.edx & CPUID_EXT1_EDX_PAGE1GB },
		{ "x2APIC", boot.has_x2apic, basic.ecx & CPUID_1_ECX_X2APIC },
		{ "TSC deadline", boot.has_tsc_deadline,
		  basic.ecx & CPUID_1_ECX_TSC_DEADLINE },
		{ "SMEP", boot.has_smep, structured.ebx & CPUID_7_EBX_SMEP },
		{ "SMAP", boot.has_smap, structured.ebx & CPUID_7_EBX_SMAP },
		{ "UMIP", boot.has_umip, structured.ecx & CPUID_7_ECX_UMIP },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].is_needed && !rows[i].is_here)
			return rows[i].name;
	}
	return NULL;
}
