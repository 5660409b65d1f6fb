/* The local APIC of the CPU that calls. */
#include "tests/guest/guest.h"

void lapic_init(void)
{
	lapic_write(LAPIC_SVR, 0x1ff);
	lapic_write(LAPIC_TPR, 0);
}

bool lapic_is_x2apic(void)
{
	return rdmsr(MSR_IA32_APIC_BASE) & BIT(10);
}

static uint32_t msr_of(uint32_t reg)
{
	return MSR_X2APIC_BASE + reg / 16;
}

uint32_t lapic_read(uint32_t reg)
{
	if (lapic_is_x2apic())
		return (uint32_t)rdmsr(msr_of(reg));
	return mmio32(LAPIC_BASE + reg);
}

void lapic_write(uint32_t reg, uint32_t value)
{
	if (lapic_is_x2apic())
		wrmsr(msr_of(reg), value);
	else
		mmio_put32(LAPIC_BASE + reg, value);
}

void lapic_send(uint32_t destination, uint32_t low)
{
	if (lapic_is_x2apic()) {
		/* no MSR write of x2APIC orders stores before it */
		mfence();
		wrmsr(msr_of(LAPIC_ICR), (uint64_t)destination << 32 | low);
		return;
	}
	mmio_put32(LAPIC_BASE + LAPIC_ICR_HIGH, destination << 24);
	mmio_put32(LAPIC_BASE + LAPIC_ICR, low);
	while (mmio32(LAPIC_BASE + LAPIC_ICR) & BIT(12))
		pause();
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

void lapic_enter_x2apic(void)
{
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | BIT(10));
}

bool lapic_has(uint32_t reg, uint8_t vector)
{
	return lapic_read(reg + vector / 32U * 16) & BIT(vector % 32);
}
