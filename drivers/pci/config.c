/* Configuration space of one function: words, what the guest may change of them,
 * and what follows when it does. */
#include "drivers/pci/pci_root.h"

#define WORD_COMMAND  (PCI_COMMAND / 4)
#define MSI_WORDS     4
#define WORD_BAR_LAST (PCI_BAR0 / 4 + PCI_BARS - 1)

uint32_t pci_config_get(const struct pci_device *device, uint32_t offset,
			unsigned int size)
{
	uint32_t word =
		__atomic_load_n(&device->config[offset / 4], __ATOMIC_SEQ_CST);

	return word >> pci_config_shift(offset) & pci_size_mask(size);
}

void pci_config_set(struct pci_device *device, uint32_t offset,
		    unsigned int size, uint32_t value)
{
	unsigned int shift = pci_config_shift(offset);
	uint32_t mask = pci_size_mask(size) << shift;
	uint32_t *word = &device->config[offset / 4];

	/* the only writers hold vm->lock, so this needs no exchange */
	__atomic_store_n(word, (*word & ~mask) | (value << shift & mask),
			 __ATOMIC_SEQ_CST);
}

void pci_config_allow(struct pci_device *device, uint32_t offset,
		      unsigned int size, uint32_t mask)
{
	device->writable[offset / 4] |= (mask & pci_size_mask(size))
					<< pci_config_shift(offset);
}

void pci_set_identity(struct pci_device *device, uint16_t vendor, uint16_t id,
		      uint32_t class_code, uint8_t revision)
{
	pci_config_set(device, PCI_VENDOR, 2, vendor);
	pci_config_set(device, PCI_DEVICE, 2, id);
	pci_config_set(device, PCI_REVISION, 4, class_code << 8 | revision);
}

void pci_set_subsystem(struct pci_device *device, uint16_t vendor, uint16_t id)
{
	pci_config_set(device, PCI_SUBSYS_VENDOR, 2, vendor);
	pci_config_set(device, PCI_SUBSYS, 2, id);
}

/* The last "next" byte of the list, or the pointer in the header: both are 0. */
static uint32_t find_list_end(const struct pci_device *device)
{
	uint32_t at = PCI_CAP_POINTER;
	uint32_t next = pci_config_get(device, at, 1);

	while (next) {
		at = next + 1;
		next = pci_config_get(device, at, 1);
	}
	return at;
}

uint8_t pci_add_capability(struct pci_device *device, uint8_t id,
			   unsigned int size)
{
	uint32_t at = device->cap_end ? device->cap_end : PCI_CAP_FIRST;
	uint32_t end = (uint32_t)align_up(at + size, 4);

	/* one that ended at 256 would leave cap_end 0 */
	if (size < 2 || end >= PCI_CONFIG_SIZE)
		return 0;
	pci_config_set(device, find_list_end(device), 1, at);
	pci_config_set(device, at, 1, id);
	pci_config_set(device, PCI_STATUS, 2,
		       pci_config_get(device, PCI_STATUS, 2) |
			       PCI_STATUS_CAP_LIST);
	device->cap_end = (uint8_t)end;
	return (uint8_t)at;
}

/* Does the capability of @words words at @cap (0: none) hold @offset? */
static bool is_in_cap(uint32_t offset, uint32_t cap, uint32_t words)
{
	return cap && offset >= cap && offset < cap + words * 4;
}

static void apply(struct pci_device *device, uint32_t offset)
{
	uint32_t word = offset / 4;

	if (word == WORD_COMMAND) {
		pci_bar_update(device);
		pci_intx_update(device);
	} else if (word >= PCI_BAR0 / 4 && word <= WORD_BAR_LAST) {
		pci_bar_update(device);
	} else if (is_in_cap(offset, device->msi_offset, MSI_WORDS)) {
		pci_intx_update(device);
	} else if (is_in_cap(offset, device->msix_offset, 1)) {
		pci_intx_update(device);
		pci_msix_update(device);
	} else if (offset >= PCI_CAP_FIRST && device->ops &&
		   device->ops->config_written) {
		device->ops->config_written(device, offset);
	}
}

void pci_config_write(struct pci_device *device, uint32_t offset,
		      unsigned int size, uint32_t value)
{
	unsigned int shift = pci_config_shift(offset);
	uint32_t mask =
		pci_size_mask(size) << shift & device->writable[offset / 4];
	uint32_t old = device->config[offset / 4];
	uint32_t new = (old & ~mask) | (value << shift & mask);

	if (new == old)
		return;
	__atomic_store_n(&device->config[offset / 4], new, __ATOMIC_SEQ_CST);
	apply(device, offset & ~3U);
}
