/*
 * A CPU that does the local APIC's work: SDM 3C 30.1 "Virtual APIC State" and 30.2
 * "Evaluation and Delivery of Virtual Interrupts", in x2APIC mode. Included after
 * lapic_fixture.h.
 */
#ifndef FAKE_APIC_CPU_H
#define FAKE_APIC_CPU_H

#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

struct apic_cpu {
	struct vmx_vcpu vmx;
	uint32_t page[1024];
};

static struct apic_cpu apic_cpus[VCPUS_MAX];

/* Of each vCPU, before its local APIC is made: call it of start()'s vCPUs, then
 * turn x2APIC mode on. */
static inline void give_apic_cpu(uint32_t number)
{
	struct apic_cpu *cpu = &apic_cpus[number];

	memset(cpu, 0, sizeof(*cpu));
	cpu->vmx.controls.processor2 = VMCS_PROC2_EPT;
	cpu->vmx.controls.x2apic = VMCS_PROC2_X2APIC | VMCS_PROC2_VIRTUAL_INTR;
	cpu->vmx.msr_map.value = 0x1000;
	cpu->vmx.msr_map_x2apic.value = 0x2000;
	vcpus[number].backend = &cpu->vmx;
	vcpus[number].apic.page = cpu->page;
}

/* As vcpu_loop does it. */
static inline void enter(uint32_t number)
{
	struct vcpu *vcpu = &vcpus[number];

	if (__atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST))
		vcpu->is_event_due = true;
	if (vcpu->is_event_due) {
		vcpu->is_event_due = false;
		assert_int_equal(lapic_next_vector(vcpu->lapic), LAPIC_NONE);
	}
	if (vcpu->apic.is_changed)
		vmx_apic_load(vcpu);
}

static inline uint8_t *status(void)
{
	return (uint8_t *)&fake_vmcs[VMCS_GUEST_INTERRUPT_STATUS];
}

static inline uint8_t highest_in(const uint32_t *group)
{
	for (int i = 255; i > 0; i--) {
		if (group[i / 32 * 4] & 1U << i % 32)
			return (uint8_t)i;
	}
	return 0;
}

/* The vector that the guest is given now; -1: none. */
static inline int cpu_deliver(uint32_t number)
{
	uint32_t *page = apic_cpus[number].page;
	uint8_t tpr = vcpus[number].tpr;
	uint8_t requested = status()[0], in_service = status()[1];
	uint8_t ppr = tpr >> 4 >= in_service >> 4 ? tpr : in_service;

	if (requested >> 4 <= ppr >> 4)
		return -1;
	page[0x200 / 4 + requested / 32 * 4] &= ~(1U << requested % 32);
	page[0x100 / 4 + requested / 32 * 4] |= 1U << requested % 32;
	status()[0] = highest_in(&page[0x200 / 4]);
	status()[1] = requested;
	return requested;
}

/* The guest writes EOI. True: it exits for that. */
static inline bool cpu_end(uint32_t number)
{
	uint32_t *page = apic_cpus[number].page;
	uint8_t vector = status()[1];

	page[0x100 / 4 + vector / 32 * 4] &= ~(1U << vector % 32);
	status()[1] = highest_in(&page[0x100 / 4]);
	return fake_vmcs[VMCS_EOI_EXIT_BITMAP0 + 2 * (vector / 64)] &
	       BIT(vector % 64);
}

static inline void cpu_send_self(uint32_t number, uint8_t vector)
{
	apic_cpus[number].page[0x200 / 4 + vector / 32 * 4] |= 1U
							       << vector % 32;
	if (vector > status()[0])
		status()[0] = vector;
}

#endif
