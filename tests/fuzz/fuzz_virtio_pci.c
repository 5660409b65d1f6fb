/*
 * A hostile driver: seven bytes a step choose an access to a port, to ECAM, to the
 * two BARs of a virtio device or to the memory of its rings. Whatever comes, the
 * hypervisor's own state stays whole.
 *
 *	byte 0	kind and size	1, 2	place	3 to 6	value
 *
 * The shared header's device serves its queues with the real ring code.
 */
#include <stddef.h>
#include <stdint.h>

#include "../unit/virtio_card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEP_SIZE 7
#define STEPS_MAX 400

enum kind { CONFIG, ECAM, BAR, MSIX, PORTS, RINGS, MOVED, READY, KIND_COUNT };

struct step {
	enum kind kind;
	unsigned int size;
	bool is_write;
	uint32_t place;
	uint32_t value;
};

static struct step decode(const uint8_t *data)
{
	struct step step = { .kind = data[0] % KIND_COUNT,
			     .size = 1U << (data[0] >> 3 & 3),
			     .is_write = data[0] & 0x80,
			     .place = data[1] | (uint32_t)data[2] << 8 };

	memcpy(&step.value, data + 3, sizeof(step.value));
	return step;
}

static void access_memory(uint64_t address, const struct step *step)
{
	if (step->is_write)
		mmio_write(address, step->size, step->value * 0x100000001UL);
	else
		mmio_read(address, step->size);
}

static void access_port(uint64_t port, const struct step *step)
{
	unsigned int size = step->size > 4 ? 4 : step->size;

	if (step->is_write)
		port_write(port, size, step->value);
	else
		port_read(port, size);
}

static void take(const struct step *step)
{
	uint32_t place = step->place;

	switch (step->kind) {
	case CONFIG:
		select_config(place >> 8 & 31, place);
		access_port(0xcfc + place % 4, step);
		break;
	case ECAM: access_memory(VM_ECAM_BASE + place * 8UL, step); break;
	case BAR: access_memory(card_bar + place % 0x4008, step); break;
	case MSIX:
		access_memory(bar_address(CARD_SLOT, VIRTIO_PCI_BAR_MSIX) +
				      place % 0x1008,
			      step);
		break;
	case PORTS: access_port(0xcf4 + place % 16, step); break;
	case RINGS:
		guest_write(&fake_vm.memory, (gpa_t){ ring(0) + place },
			    &step->value, step->size > 4 ? 4 : step->size);
		break;
	case MOVED:
		access_memory(
			((uint64_t)config_read(CARD_SLOT, PCI_BAR0 + 20, 4)
			 << 32) +
				bar_address(CARD_SLOT, VIRTIO_PCI_BAR) +
				place % 0x4000,
			step);
		break;
	case READY:
	case KIND_COUNT: card_drive(); break;
	}
}

/* What no driver may bring about. */
static void check(void)
{
	if (fake_vm.lock.next != fake_vm.lock.owner)
		__builtin_trap();
	if (((struct virtio_pci *)card.transport)->busy)
		__builtin_trap();
	for (uint32_t i = 0; i < CARD_QUEUES; i++) {
		if (card.queue_states[i].serving ||
		    card.queues[i].size > VQ_SIZE_MAX ||
		    (card.queues[i].vector > CARD_QUEUES &&
		     card.queues[i].vector != VIRTIO_PCI_VECTOR_NONE))
			__builtin_trap();
	}
	if ((card.status & VIRTIO_STATUS_FEATURES_OK) &&
	    (card.driver_features & ~ALL_FEATURES))
		__builtin_trap();
}

/* The same device again at power-on: building a machine takes too long. */
static void power_on(void)
{
	static bool is_built;

	if (is_built) {
		virtio_pci_detach(&card);
		pci_destroy(&fake_vm);
		fake_vm.end = VM_END_NONE;
		guest_zero(&fake_vm.memory, (gpa_t){ ring(0) }, 0x11000);
		if (fake_vm.mmio.count || fake_vm.ports.count ||
		    pci_create(&fake_vm) || virtio_pci_attach(&card))
			__builtin_trap();
		return;
	}
	card_start();
	is_built = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	power_on();
	for (size_t i = 0; i < STEPS_MAX && size >= STEP_SIZE; i++) {
		struct step step = decode(data);

		take(&step);
		check();
		data += STEP_SIZE;
		size -= STEP_SIZE;
	}
	return 0;
}
