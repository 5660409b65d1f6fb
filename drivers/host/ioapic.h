/* An I/O APIC of the machine. */
#ifndef DRIVERS_HOST_IOAPIC_H
#define DRIVERS_HOST_IOAPIC_H

/* Mask every pin of the I/O APIC whose registers are mapped at @registers. */
void ioapic_mask_all(volatile void *registers);

#endif
