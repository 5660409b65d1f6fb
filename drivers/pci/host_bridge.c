/*
 * The host bridge of Q35: Intel, "3 Series Express Chipset Family Datasheet",
 * 5.1 "DRAM Controller Registers (D0:F0)".
 *
 * PCIEXBAR says where ECAM is. Ours is always at VM_ECAM_BASE, as ACPI's MCFG,
 * written before firmware runs, says; where firmware moves it (SeaBIOS: to
 * 0xb0000000, and uses it there) a second window answers as well, unless RAM or
 * something else is at that address.
 *
 * PAM0 to PAM6 choose what answers from 0xc0000 to 0xfffff. Here it is always
 * RAM, into which the loader has copied the firmware: the registers say so at
 * power-on, keep what is written, and do nothing.
 */
#include "drivers/pci/pci_root.h"

#define PCIEXBAR	0x60
#define PCIEXBAR_UPPER	0x64
#define PCIEXBAR_ENABLE BIT(0)
#define PCIEXBAR_LENGTH BITS(2, 1)
#define PCIEXBAR_BASE	BITS(31, 26)

#define PAM0	   0x90
#define PAM_COUNT  7
#define PAM0_RAM   0x30U /* 0xf0000-0xfffff: read and write go to RAM */
#define PAM_RAM	   0x33U
#define PAM_FIELDS 0x33U

static void move_ecam(struct pci_device *device)
{
	struct pci_root *root = device->root;
	uint64_t low = pci_config_get(device, PCIEXBAR, 4);
	uint64_t length = FIELD_GET(PCIEXBAR_LENGTH, low);
	uint64_t size = VM_ECAM_SIZE >> length;
	uint64_t base = (uint64_t)pci_config_get(device, PCIEXBAR_UPPER, 4)
				<< 32 |
			(low & PCIEXBAR_BASE);

	if (root->ecam_base)
		io_remove(&root->vm->mmio, root->ecam_base);
	root->ecam_base = 0;
	/* the bits of the base below the size do not count; length 3 is
	 * reserved */
	base = align_down(base, size);
	if (!(low & PCIEXBAR_ENABLE) || length == 3 || base == 0 ||
	    pci_access_add_ecam(root, base, size))
		return;
	root->ecam_base = base;
}

static void config_written(struct pci_device *device, uint32_t offset)
{
	if (offset == PCIEXBAR || offset == PCIEXBAR_UPPER)
		move_ecam(device);
}

static const struct pci_ops ops = { .config_written = config_written };

void pci_host_bridge_init(struct pci_device *device)
{
	device->ops = &ops;
	pci_set_identity(device, 0x8086, 0x29c0, 0x060000, 0);
	pci_set_subsystem(device, 0x1af4, 0x1100);
	pci_config_set(device, PCIEXBAR, 4, VM_ECAM_BASE | PCIEXBAR_ENABLE);
	pci_config_allow(device, PCIEXBAR, 4,
			 PCIEXBAR_BASE | PCIEXBAR_LENGTH | PCIEXBAR_ENABLE);
	pci_config_allow(device, PCIEXBAR_UPPER, 4, BITS(3, 0));
	pci_config_set(device, PAM0, 1, PAM0_RAM);
	pci_config_allow(device, PAM0, 1, PAM_FIELDS & PAM0_RAM);
	for (uint32_t i = 1; i < PAM_COUNT; i++) {
		pci_config_set(device, PAM0 + i, 1, PAM_RAM);
		pci_config_allow(device, PAM0 + i, 1, PAM_FIELDS);
	}
}
