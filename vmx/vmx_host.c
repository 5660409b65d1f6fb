/* What the CPU has after an exit: SDM 3C 25.5 "Host-State Area". */
#include "kernel/cpu/descriptors.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_cpu.h"

/* Base of the TSS, from the GDT: SDM 3A 8.2.3 "TSS Descriptor in 64-bit mode". */
static uint64_t tss_base(uint64_t gdt)
{
	const uint64_t *entry = (const uint64_t *)(gdt + SELECTOR_TSS);

	return (entry[0] >> 16 & 0xffffff) | (entry[0] >> 56 & 0xff) << 24 |
	       entry[1] << 32;
}

static void write_segments(void)
{
	uint64_t gdt = x86_gdt_base();

	vmcs_write(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
	vmcs_write(VMCS_HOST_SS_SELECTOR, SELECTOR_DATA);
	vmcs_write(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);
	vmcs_write(VMCS_HOST_ES_SELECTOR, SELECTOR_DATA);
	vmcs_write(VMCS_HOST_FS_SELECTOR, SELECTOR_DATA);
	vmcs_write(VMCS_HOST_GS_SELECTOR, SELECTOR_DATA);
	vmcs_write(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	vmcs_write(VMCS_HOST_FS_BASE, x86_rdmsr(MSR_FS_BASE));
	vmcs_write(VMCS_HOST_GS_BASE, x86_rdmsr(MSR_GS_BASE));
	vmcs_write(VMCS_HOST_TR_BASE, tss_base(gdt));
	vmcs_write(VMCS_HOST_GDTR_BASE, gdt);
	vmcs_write(VMCS_HOST_IDTR_BASE, x86_idt_base());
}

void vmx_host_write(void (*exit)(void))
{
	write_segments();
	vmcs_write(VMCS_HOST_CR0, x86_read_cr0());
	vmcs_write(VMCS_HOST_CR3, x86_read_cr3());
	vmcs_write(VMCS_HOST_CR4, x86_read_cr4());
	vmcs_write(VMCS_HOST_EFER, x86_rdmsr(MSR_EFER));
	vmcs_write(VMCS_HOST_PAT, x86_rdmsr(MSR_IA32_PAT));
	/* no system calls here: nobody may come in by SYSENTER */
	vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
	vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
	vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
	vmcs_write(VMCS_HOST_RIP, (uint64_t)exit);
}
