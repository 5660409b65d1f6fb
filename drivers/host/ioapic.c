/* An I/O APIC: 82093AA data sheet, section 3.0 "Register Description". */
#include "drivers/host/ioapic.h"

#include "kernel/cpu/x86_asm.h"

#define IOAPIC_SELECT	       0x00
#define IOAPIC_WINDOW	       0x10
#define IOAPIC_VERSION	       0x01
#define IOAPIC_REDIRECTION     0x10 /* two registers a pin, low half first */
#define REDIRECTION_ACTIVE_LOW BIT(13)
#define REDIRECTION_LEVEL      BIT(15)
#define REDIRECTION_MASKED     BIT(16)

static uint32_t ioapic_read(volatile void *registers, uint32_t index)
{
	x86_mmio_write32(registers, IOAPIC_SELECT, index);
	return x86_mmio_read32(registers, IOAPIC_WINDOW);
}

static void ioapic_write(volatile void *registers, uint32_t index,
			 uint32_t value)
{
	x86_mmio_write32(registers, IOAPIC_SELECT, index);
	x86_mmio_write32(registers, IOAPIC_WINDOW, value);
}

uint32_t ioapic_pin_count(volatile void *registers)
{
	return (ioapic_read(registers, IOAPIC_VERSION) >> 16 & 0xff) + 1;
}

void ioapic_mask_all(volatile void *registers)
{
	uint32_t pins = ioapic_pin_count(registers);

	for (uint32_t pin = 0; pin < pins; pin++)
		ioapic_write(registers, IOAPIC_REDIRECTION + 2 * pin,
			     (uint32_t)REDIRECTION_MASKED);
}

void ioapic_route(volatile void *registers, uint32_t pin, uint8_t vector,
		  uint32_t apic_id, bool is_level, bool is_active_low)
{
	uint32_t index = IOAPIC_REDIRECTION + 2 * pin;
	uint32_t low = vector;

	if (is_level)
		low |= (uint32_t)REDIRECTION_LEVEL;
	if (is_active_low)
		low |= (uint32_t)REDIRECTION_ACTIVE_LOW;
	/* the half with the mask last */
	ioapic_write(registers, index + 1, apic_id << 24);
	ioapic_write(registers, index, low);
}
