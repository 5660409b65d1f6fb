#include "tests/bench/guest/entropy.h"

#include "tests/bench/guest/pci.h"

#define ID		0x10441af4U
#define COMMAND		4
#define COMMAND_ENABLED 6 /* memory space, bus master */
#define CAP_VENDOR	9
#define CAP_MSIX	0x11
#define MSIX_ENABLE	(1U << 31) /* with the capability's first 16 bits */
#define BAR_MASK	7U
#define MSI_ADDRESS	0xfee00000U /* local APIC 0 */

/* virtio 1.2, 4.1.4 "Virtio Structure PCI Capabilities" */
#define CFG_COMMON	  1
#define CFG_NOTIFY	  2
#define CAP_BAR		  4
#define CAP_OFFSET	  8
#define CAP_NOTIFY_FACTOR 16

/* 2.1 "Device Status Field" */
#define ACKNOWLEDGE 1
#define DRIVER	    2
#define DRIVER_OK   4
#define FEATURES_OK 8

#define VERSION_1     (1U << 0) /* of features 32 to 63 */
#define QUEUE_SIZE    8
#define DEVICE_WRITES 2

/* 4.1.4.3 "Common configuration structure layout" */
struct common {
	uint32_t device_feature_select, device_feature;
	uint32_t driver_feature_select, driver_feature;
	uint16_t config_msix_vector, queue_count;
	uint8_t status, generation;
	uint16_t queue_select, queue_size, queue_msix_vector, queue_enable;
	uint16_t queue_notify_offset;
	uint32_t descriptors[2], available[2], used[2];
};

static struct {
	uint64_t address;
	uint32_t size;
	uint16_t flags, next;
} descriptors[QUEUE_SIZE] __attribute__((aligned(16)));

static struct {
	uint16_t flags, index, ring[QUEUE_SIZE];
} available;

static struct {
	uint16_t flags, index;
	uint32_t ring[2 * QUEUE_SIZE];
} used __attribute__((aligned(4)));

static uint8_t buffer[16];
static volatile uint16_t *notify;
static uint32_t notify_factor;

static uintptr_t location(uint8_t device, uint8_t capability)
{
	uint32_t bar = pci_read(device, (uint8_t)(capability + CAP_BAR));

	return pci_address(device, (uint8_t)(bar & BAR_MASK),
			   pci_read(device,
				    (uint8_t)(capability + CAP_OFFSET)));
}

static void set_msix(uint8_t device, uint8_t capability, uint8_t vector)
{
	uint32_t table = pci_read(device, (uint8_t)(capability + 4));
	volatile uint32_t *entry = (volatile uint32_t *)pci_address(
		device, (uint8_t)(table & BAR_MASK), table & ~BAR_MASK);

	entry[0] = MSI_ADDRESS;
	entry[1] = 0;
	entry[2] = vector;
	entry[3] = 0;
	pci_write(device, capability,
		  pci_read(device, capability) | MSIX_ENABLE);
}

/* What the capabilities tell; the common structure. */
static volatile struct common *set_up_pci(uint8_t device, uint8_t vector)
{
	volatile struct common *common = 0;

	for (uint8_t at = pci_next_capability(device, 0); at;
	     at = pci_next_capability(device, at)) {
		uint32_t head = pci_read(device, at);

		if ((uint8_t)head == CAP_MSIX)
			set_msix(device, at, vector);
		if ((uint8_t)head != CAP_VENDOR)
			continue;
		if (head >> 24 == CFG_COMMON)
			common = (volatile struct common *)location(device, at);
		if (head >> 24 == CFG_NOTIFY) {
			notify = (volatile uint16_t *)location(device, at);
			notify_factor = pci_read(
				device, (uint8_t)(at + CAP_NOTIFY_FACTOR));
		}
	}
	return common;
}

static void set_address(volatile uint32_t at[2], const volatile void *what)
{
	at[0] = (uint32_t)(uintptr_t)what;
	at[1] = 0;
}

static void set_up_queue(volatile struct common *common)
{
	descriptors[0].address = (uintptr_t)buffer;
	descriptors[0].size = sizeof(buffer);
	descriptors[0].flags = DEVICE_WRITES;
	common->queue_select = 0;
	common->queue_size = QUEUE_SIZE;
	common->queue_msix_vector = 0;
	set_address(common->descriptors, descriptors);
	set_address(common->available, &available);
	set_address(common->used, &used);
	notify += common->queue_notify_offset * notify_factor / sizeof(*notify);
	common->queue_enable = 1;
}

bool entropy_init(uint8_t vector)
{
	uint8_t device = pci_find(ID);
	volatile struct common *common;

	if (device == PCI_NONE)
		return false;
	pci_write(device, COMMAND, COMMAND_ENABLED);
	common = set_up_pci(device, vector);
	if (!common || !notify)
		return false;
	common->status = 0;
	common->status = ACKNOWLEDGE | DRIVER;
	common->driver_feature_select = 1;
	common->driver_feature = VERSION_1;
	common->status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
	set_up_queue(common);
	common->status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
	return true;
}

void entropy_request(void)
{
	asm volatile("" : : : "memory");
	*(volatile uint16_t *)&available.index =
		(uint16_t)(available.index + 1);
	*notify = 0;
}
