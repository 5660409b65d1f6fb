/* The I/O APIC of a virtual PC. */
#include "drivers/pc/vioapic.h"

#include "drivers/pc/lapic.h"

/* In memory. */
#define IOREGSEL     0x00
#define IOWIN	     0x10
#define EOI_REGISTER 0x40

/* Behind IOREGSEL and IOWIN. */
enum vioapic_register {
	REGISTER_ID = 0x00,
	REGISTER_VERSION = 0x01,
	REGISTER_ARBITRATION = 0x02,
	REGISTER_ENTRIES = 0x10, /* low half, high half */
};

#define ID_FIELD BITS(27, 24)

/* 3.2.4 "I/O Redirection Table Registers". Bits 55:49 are those of KVM's extended
 * destination id (Linux Documentation/virt/kvm/x86/cpuid.rst,
 * KVM_FEATURE_MSI_EXT_DEST_ID). Delivery status always reads as idle. */
#define ENTRY_VECTOR	  BITS(7, 0)
#define ENTRY_DELIVERY	  BITS(10, 8)
#define ENTRY_LOGICAL	  BIT(11)
#define ENTRY_POLARITY	  BIT(13)
#define ENTRY_REMOTE_IRR  BIT(14)
#define ENTRY_LEVEL	  BIT(15)
#define ENTRY_MASKED	  BIT(16)
#define ENTRY_EXTENDED	  BITS(55, 49)
#define ENTRY_DESTINATION BITS(63, 56)
#define ENTRY_SETTABLE                                                    \
	(ENTRY_VECTOR | ENTRY_DELIVERY | ENTRY_LOGICAL | ENTRY_POLARITY | \
	 ENTRY_LEVEL | ENTRY_MASKED | ENTRY_EXTENDED | ENTRY_DESTINATION)

/* Only fixed and lowest priority know levels; NMI, INIT and the others are edges
 * whatever the bit says. */
static bool is_level(uint64_t entry)
{
	return entry & ENTRY_LEVEL &&
	       FIELD_GET(ENTRY_DELIVERY, entry) <= APIC_LOWEST;
}

/* Remote IRR says that a local APIC has it and owes an EOI. */
static void deliver(struct vioapic *ioapic, unsigned int pin)
{
	uint64_t *entry = &ioapic->entries[pin];
	struct apic_message message = {
		.destination =
			(uint32_t)(FIELD_GET(ENTRY_DESTINATION, *entry) |
				   FIELD_GET(ENTRY_EXTENDED, *entry) << 8),
		.vector = (uint8_t)FIELD_GET(ENTRY_VECTOR, *entry),
		.delivery = (uint8_t)FIELD_GET(ENTRY_DELIVERY, *entry),
		.is_logical = *entry & ENTRY_LOGICAL,
		.is_level = is_level(*entry),
	};

	if (lapic_deliver(ioapic->vm, &message) && message.is_level)
		*entry |= ENTRY_REMOTE_IRR;
}

/* A level pin interrupts while it is active and nobody owes an EOI. */
static void deliver_level(struct vioapic *ioapic, unsigned int pin)
{
	uint64_t entry = ioapic->entries[pin];

	if (is_level(entry) && ioapic->lines & BIT(pin) &&
	    !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
		deliver(ioapic, pin);
}

void vioapic_set_line(struct vioapic *ioapic, uint32_t gsi, bool level)
{
	uint32_t pin = gsi == 0 ? 2 : gsi;
	uint32_t before = ioapic->lines;
	uint64_t entry;

	if (gsi == 2 || gsi >= VIOAPIC_PINS)
		return;
	if (!level) {
		ioapic->lines &= ~(uint32_t)BIT(pin);
		return;
	}
	ioapic->lines |= (uint32_t)BIT(pin);
	entry = ioapic->entries[pin];
	if (is_level(entry))
		deliver_level(ioapic, pin);
	else if (!(before & BIT(pin)) && !(entry & ENTRY_MASKED))
		deliver(ioapic, pin);
	/* an edge on a masked pin is lost: 3.2.4, interrupt mask */
}

void vioapic_eoi(struct vioapic *ioapic, uint8_t vector)
{
	for (unsigned int pin = 0; pin < VIOAPIC_PINS; pin++) {
		uint64_t *entry = &ioapic->entries[pin];

		if (!(*entry & ENTRY_REMOTE_IRR) ||
		    FIELD_GET(ENTRY_VECTOR, *entry) != vector)
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		deliver_level(ioapic, pin);
	}
}

/* Is @reg half of an entry? Then @pin is whose. */
static bool is_entry(uint8_t reg, unsigned int *pin)
{
	if (reg < REGISTER_ENTRIES)
		return false;
	*pin = (reg - (unsigned int)REGISTER_ENTRIES) / 2U;
	return *pin < VIOAPIC_PINS;
}

static uint32_t read_register(const struct vioapic *ioapic)
{
	uint8_t reg = ioapic->selected;
	unsigned int pin;

	if (is_entry(reg, &pin))
		return (uint32_t)(ioapic->entries[pin] >> (reg % 2 * 32));
	switch (reg) {
	case REGISTER_ID:
	case REGISTER_ARBITRATION:
		return (uint32_t)FIELD_PUT(ID_FIELD, ioapic->id);
	case REGISTER_VERSION:
		return VIOAPIC_VERSION | (VIOAPIC_PINS - 1) << 16;
	default: return 0;
	}
}

/* A pin made edge-triggered has no EOI to wait for; guests use that to drop a
 * remote IRR. */
static void write_entry(struct vioapic *ioapic, unsigned int pin,
			unsigned int shift, uint32_t value)
{
	uint64_t half = (uint64_t)UINT32_MAX << shift;
	uint64_t new =
		(uint64_t)value << shift | (ioapic->entries[pin] & ~half);

	new = (new &ENTRY_SETTABLE) | (ioapic->entries[pin] & ENTRY_REMOTE_IRR);
	if (!is_level(new))
		new &= ~ENTRY_REMOTE_IRR;
	ioapic->entries[pin] = new;
	deliver_level(ioapic, pin);
}

static void write_register(struct vioapic *ioapic, uint32_t value)
{
	unsigned int pin;

	if (is_entry(ioapic->selected, &pin))
		write_entry(ioapic, pin, ioapic->selected % 2 * 32, value);
	else if (ioapic->selected == REGISTER_ID)
		ioapic->id = (uint8_t)FIELD_GET(ID_FIELD, (uint64_t)value);
}

/* IOWIN takes 32 bits at a time, as 3.1 "Memory Mapped Registers" says. */
static uint64_t vioapic_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vioapic *ioapic = device;

	if (offset == IOREGSEL)
		return ioapic->selected;
	if (offset == IOWIN && size == 4)
		return read_register(ioapic);
	return 0;
}

static void vioapic_write(void *device, uint64_t offset, unsigned int size,
			  uint64_t value)
{
	struct vioapic *ioapic = device;

	switch (offset) {
	case IOREGSEL: ioapic->selected = (uint8_t)value; break;
	case IOWIN:
		if (size == 4)
			write_register(ioapic, (uint32_t)value);
		break;
	case EOI_REGISTER: vioapic_eoi(ioapic, (uint8_t)value); break;
	default: break;
	}
}

const struct io_ops vioapic_ops = {
	.read = vioapic_read,
	.write = vioapic_write,
};

int vioapic_init(struct vioapic *ioapic, struct vm *vm)
{
	const struct io_region region = {
		.base = VM_IOAPIC_BASE,
		.size = VIOAPIC_SIZE,
		.ops = &vioapic_ops,
		.device = ioapic,
	};

	*ioapic = (struct vioapic){ .vm = vm };
	for (unsigned int pin = 0; pin < VIOAPIC_PINS; pin++)
		ioapic->entries[pin] = ENTRY_MASKED;
	return io_add(&vm->mmio, &region);
}
