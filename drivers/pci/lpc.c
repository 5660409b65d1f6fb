/*
 * The LPC bridge of ICH9: Intel, "I/O Controller Hub 9 (ICH9) Family Datasheet",
 * 13.1 "PCI Configuration Registers (LPC I/F - D31:F0)".
 *
 *	PMBASE, ACPI_CNTL	power management is at VM_PM_PORT and on, for good:
 *				firmware that finds it so leaves it so
 *	PIRQn_ROUT		route PIRQs to the 8259s; power-on as SeaBIOS would
 *				set them
 *	RCBA			keeps what is written; nothing answers there
 *
 * An ISA device that drives an interrupt to which the guest routes a PIRQ as well
 * disturbs it, and the other way round: the guest's choice.
 */
#include "drivers/pci/pci_root.h"

#define PMBASE		 0x40
#define PMBASE_IS_PORTS	 BIT(0)
#define ACPI_CNTL	 0x44
#define ACPI_CNTL_ENABLE BIT(7) /* bits 2:0: SCI on IRQ 9 */
#define PIRQA_ROUT	 0x60	/* to D */
#define PIRQE_ROUT	 0x68	/* to H */
#define PIRQ_ROUT_OFF	 BIT(7)
#define PIRQ_ROUT_IRQ	 BITS(3, 0)
#define RCBA		 0xf0
#define RCBA_FIELDS	 (BITS(31, 14) | BIT(0))

/* ISA interrupts a PIRQ may be routed to: not 0, 1, 2, 8 and 13. */
#define ROUTABLE_IRQS 0xdef8U

static uint32_t rout_offset(uint32_t pirq)
{
	return pirq < 4 ? PIRQA_ROUT + pirq : PIRQE_ROUT + pirq - 4;
}

uint8_t pci_lpc_isa_irq(uint8_t pirq)
{
	return pirq & 2 ? 11 : 10;
}

/* The 8259 inputs that PIRQs drive now, a bit each. */
static uint16_t find_lines(const struct pci_root *root)
{
	uint32_t lines = 0;

	for (uint32_t i = 0; i < PCI_PIRQS; i++) {
		uint32_t rout = pci_config_get(&root->lpc, rout_offset(i), 1);

		if (root->pirq_count[i] && !(rout & PIRQ_ROUT_OFF))
			lines |= 1U << (rout & PIRQ_ROUT_IRQ);
	}
	return (uint16_t)(lines & ROUTABLE_IRQS);
}

void pci_lpc_update_lines(struct pci_root *root)
{
	uint16_t lines = find_lines(root);
	uint32_t changed = lines ^ root->isa_lines;

	root->isa_lines = lines;
	for (; changed; changed &= changed - 1) {
		uint32_t irq = (uint32_t)__builtin_ctz(changed);

		vm_set_irq(root->vm, irq, lines >> irq & 1);
	}
}

static void config_written(struct pci_device *device, uint32_t offset)
{
	if (offset == PIRQA_ROUT || offset == PIRQE_ROUT)
		pci_lpc_update_lines(device->root);
}

static const struct pci_ops ops = { .config_written = config_written };

void pci_lpc_init(struct pci_device *device)
{
	device->ops = &ops;
	pci_set_identity(device, 0x8086, 0x2918, 0x060100, 2);
	pci_set_subsystem(device, 0x1af4, 0x1100);
	pci_config_set(device, PMBASE, 4, VM_PM_PORT | PMBASE_IS_PORTS);
	pci_config_set(device, ACPI_CNTL, 1, ACPI_CNTL_ENABLE);
	for (uint8_t i = 0; i < PCI_PIRQS; i++) {
		pci_config_set(device, rout_offset(i), 1, pci_lpc_isa_irq(i));
		pci_config_allow(device, rout_offset(i), 1,
				 PIRQ_ROUT_OFF | PIRQ_ROUT_IRQ);
	}
	pci_config_allow(device, RCBA, 4, RCBA_FIELDS);
}
