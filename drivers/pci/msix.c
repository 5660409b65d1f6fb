/*
 * MSI-X: PCI 6.8.2 "MSI-X Capability and Table Structures".
 *
 * Who signals a masked vector sets its pending bit, then looks at the masks again;
 * who unmasks clears the mask, then looks at the pending bit. All four are
 * sequentially consistent, so one of the two sees the other; and only who takes
 * the bit away sends. A vector that is not masked costs no atomic exchange.
 */
#include "drivers/pci/pci_root.h"
#include "kernel/lib/errno.h"
#include "mm/heap.h"

#define MSIX_SIZE	   12
#define MSIX_CONTROL	   0x2
#define MSIX_TABLE	   0x4
#define MSIX_PENDING	   0x8
#define MSIX_ENABLE	   BIT(15)
#define MSIX_FUNCTION_MASK BIT(14)

#define BAR_SIZE       0x1000U
#define PENDING_OFFSET 0x800U

/* Words of a table entry. */
enum { ENTRY_ADDRESS, ENTRY_UPPER, ENTRY_DATA, ENTRY_CONTROL, ENTRY_WORDS };
#define ENTRY_MASKED BIT(0)

/* Legend: (o) set once, (a) atomic, [l] changes under vm->lock. */
struct pci_msix {
	uint32_t count;					    /* (o) */
	uint32_t table[PCI_MSIX_VECTORS_MAX * ENTRY_WORDS]; /* (a) [l] */
	uint64_t pending; /* (a) a bit a vector */
};

static uint32_t get(const struct pci_msix *msix, uint32_t vector, uint32_t word)
{
	return __atomic_load_n(&msix->table[vector * ENTRY_WORDS + word],
			       __ATOMIC_SEQ_CST);
}

static uint32_t control(const struct pci_device *device)
{
	return pci_config_get(device, device->msix_offset + MSIX_CONTROL, 2);
}

bool pci_msix_is_on(const struct pci_device *device)
{
	return device->msix && (control(device) & MSIX_ENABLE);
}

uint16_t pci_msix_count(const struct pci_device *device)
{
	return (uint16_t)(device->msix ? device->msix->count : 0);
}

static bool is_masked(const struct pci_device *device, uint32_t vector)
{
	return (control(device) & MSIX_FUNCTION_MASK) ||
	       (get(device->msix, vector, ENTRY_CONTROL) & ENTRY_MASKED);
}

/* Take the pending bit away: true for the one who did. */
static bool take_pending(struct pci_msix *msix, uint32_t vector)
{
	return __atomic_fetch_and(&msix->pending, ~BIT(vector),
				  __ATOMIC_SEQ_CST) &
	       BIT(vector);
}

static void send(struct pci_device *device, uint32_t vector)
{
	const struct pci_msix *msix = device->msix;
	uint64_t address;

	if (!(pci_config_get(device, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
		return;
	address = (uint64_t)get(msix, vector, ENTRY_UPPER) << 32 |
		  get(msix, vector, ENTRY_ADDRESS);
	vm_send_msi(device->root->vm, address, get(msix, vector, ENTRY_DATA));
}

void pci_msix_signal(struct pci_device *device, uint16_t vector)
{
	struct pci_msix *msix = device->msix;

	if (!pci_msix_is_on(device) || vector >= msix->count)
		return;
	if (is_masked(device, vector)) {
		__atomic_fetch_or(&msix->pending, BIT(vector),
				  __ATOMIC_SEQ_CST);
		if (is_masked(device, vector) || !take_pending(msix, vector))
			return;
	}
	send(device, vector);
}

static void send_pending(struct pci_device *device, uint32_t vector)
{
	if (!is_masked(device, vector) && take_pending(device->msix, vector))
		send(device, vector);
}

void pci_msix_update(struct pci_device *device)
{
	struct pci_msix *msix = device->msix;
	uint64_t pending = __atomic_load_n(&msix->pending, __ATOMIC_SEQ_CST);

	if (!pci_msix_is_on(device)) {
		__atomic_store_n(&msix->pending, 0, __ATOMIC_SEQ_CST);
		return;
	}
	for (; pending; pending &= pending - 1)
		send_pending(device, (uint32_t)__builtin_ctzl(pending));
}

static uint32_t read_word(const struct pci_msix *msix, uint64_t offset)
{
	uint64_t pending = __atomic_load_n(&msix->pending, __ATOMIC_RELAXED);
	uint64_t word = offset / 4;

	if (word < msix->count * ENTRY_WORDS)
		return __atomic_load_n(&msix->table[word], __ATOMIC_RELAXED);
	if (offset / 8 == PENDING_OFFSET / 8)
		return (uint32_t)(pending >> offset % 8 * 8);
	return 0;
}

/* Software must use aligned accesses of 4 or 8 bytes; others read as 0 and write
 * nothing. */
static bool is_proper(uint64_t offset, unsigned int size)
{
	return size >= 4 && is_aligned(offset, size);
}

static uint64_t read_table(void *context, uint64_t offset, unsigned int size)
{
	const struct pci_device *device = context;
	uint64_t value;

	if (!is_proper(offset, size))
		return 0;
	value = read_word(device->msix, offset);
	if (size == 8)
		value |= (uint64_t)read_word(device->msix, offset + 4) << 32;
	return value;
}

static void write_word(struct pci_device *device, uint64_t offset,
		       uint32_t value)
{
	static const uint32_t writable[ENTRY_WORDS] = {
		[ENTRY_ADDRESS] = UINT32_MAX & ~3U,
		[ENTRY_UPPER] = UINT32_MAX,
		[ENTRY_DATA] = UINT32_MAX,
		[ENTRY_CONTROL] = ENTRY_MASKED,
	};
	struct pci_msix *msix = device->msix;
	uint32_t word = (uint32_t)offset / 4;

	if (word >= msix->count * ENTRY_WORDS)
		return;
	__atomic_store_n(&msix->table[word],
			 value & writable[word % ENTRY_WORDS],
			 __ATOMIC_SEQ_CST);
	if (word % ENTRY_WORDS == ENTRY_CONTROL && pci_msix_is_on(device))
		send_pending(device, word / ENTRY_WORDS);
}

static void write_table(void *context, uint64_t offset, unsigned int size,
			uint64_t value)
{
	if (!is_proper(offset, size))
		return;
	write_word(context, offset, (uint32_t)value);
	if (size == 8)
		write_word(context, offset + 4, (uint32_t)(value >> 32));
}

static const struct io_ops table_ops = { read_table, write_table };

int pci_add_msix(struct pci_device *device, unsigned int bar, uint16_t count)
{
	struct pci_msix *msix;
	uint8_t at;

	if (count == 0 || count > PCI_MSIX_VECTORS_MAX)
		return -ENOSPC;
	at = pci_add_capability(device, PCI_CAP_MSIX, MSIX_SIZE);
	if (!at)
		return -ENOSPC;
	msix = heap_alloc(sizeof(*msix));
	if (!msix)
		return -ENOMEM;
	msix->count = count;
	for (uint32_t i = 0; i < count; i++)
		msix->table[i * ENTRY_WORDS + ENTRY_CONTROL] = ENTRY_MASKED;
	device->msix = msix;
	device->msix_offset = at;
	pci_config_set(device, at + MSIX_CONTROL, 2, count - 1U);
	pci_config_allow(device, at + MSIX_CONTROL, 2,
			 MSIX_ENABLE | MSIX_FUNCTION_MASK);
	pci_config_set(device, at + MSIX_TABLE, 4, bar);
	pci_config_set(device, at + MSIX_PENDING, 4, PENDING_OFFSET | bar);
	pci_add_bar(device, bar, PCI_BAR_MEMORY32, BAR_SIZE, &table_ops, device,
		    false);
	return 0;
}

void pci_free_msix(struct pci_device *device)
{
	heap_free(device->msix);
	device->msix = NULL;
}
