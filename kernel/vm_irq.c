/* Interrupts and timers of a VM's devices. */
#include "drivers/pc/lapic.h"
#include "drivers/pc/pc.h"
#include "drivers/virtio/virtio.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/vm.h"
#include "kernel/vm_life.h"

/* An MSI's address and data: SDM 3A 11.11 "Message Signalled Interrupts"; bits
 * 11:5 of the address are bits 14:8 of the destination for guests that were told
 * so (KVM_FEATURE_MSI_EXT_DEST_ID). */
#define MSI_ADDRESS_FIXED   BITS(31, 20)
#define MSI_ADDRESS_DEST    BITS(19, 12)
#define MSI_ADDRESS_EXT	    BITS(11, 5)
#define MSI_ADDRESS_LOGICAL BIT(2)
#define MSI_DATA_VECTOR	    BITS(7, 0)
#define MSI_DATA_DELIVERY   BITS(10, 8)
#define MSI_DATA_LEVEL	    BIT(15)

void vm_send_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	uint32_t id = (uint32_t)(FIELD_GET(MSI_ADDRESS_DEST, address) |
				 FIELD_GET(MSI_ADDRESS_EXT, address) << 8);
	struct apic_message message = {
		.destination = id == 0xff ? 0xffffffff : id,
		.vector = (uint8_t)FIELD_GET(MSI_DATA_VECTOR, data),
		.delivery = (uint8_t)FIELD_GET(MSI_DATA_DELIVERY, data),
		.is_logical = address & MSI_ADDRESS_LOGICAL,
		.is_level = data & MSI_DATA_LEVEL,
	};

	/* elsewhere it would be a write to memory, not an interrupt */
	if ((address & ~0xfffffUL) == VM_LAPIC_BASE)
		lapic_deliver(vm, &message);
}

void vm_set_irq(struct vm *vm, uint32_t gsi, bool level)
{
	pc_set_irq(vm, gsi, level);
}

void vm_set_timer(struct vm *vm, enum vm_timer timer, uint64_t deadline)
{
	vm->deadlines[timer] = deadline;
	if (!vm->is_serving_timers)
		vcpu_request(vm->vcpus[0], REQUEST_DEVICE_TIMERS);
}

/* Has the deadline come? It is none any more then. */
static bool take_due(struct vm *vm, enum vm_timer timer, uint64_t now)
{
	if (vm->deadlines[timer] > now)
		return false;
	vm->deadlines[timer] = TIME_NEVER;
	return true;
}

/* The earliest deadline after those that are due have had their turn: once each,
 * so a device that asks for the past again waits for the next round. */
static uint64_t fire_due(struct vm *vm, uint64_t now)
{
	uint64_t earliest = TIME_NEVER;

	vm->is_serving_timers = true;
	for (unsigned int i = 0; i < VM_TIMER_VIRTIO; i++) {
		if (take_due(vm, i, now))
			pc_timer_fire(vm, i);
	}
	vm->is_serving_timers = false;
	for (unsigned int i = 0; i < VM_TIMER_COUNT; i++)
		earliest = min_u64(earliest, vm->deadlines[i]);
	return earliest;
}

void vm_serve_timers(struct vm *vm)
{
	struct timer *timer = &vm->vcpus[0]->device_timer;
	uint64_t now = time_now();
	uint64_t earliest;
	bool is_rest_due;

	spin_lock(&vm->lock);
	is_rest_due = take_due(vm, VM_TIMER_VIRTIO, now);
	earliest = fire_due(vm, now);
	spin_unlock(&vm->lock);
	if (earliest == TIME_NEVER)
		timer_cancel(timer);
	else
		timer_arm(timer, earliest);
	/* last: it takes long, and asks for this function again */
	if (is_rest_due)
		virtio_serve_rest(vm);
}

uint64_t vm_time(const struct vm *vm)
{
	return time_now() - vm->clock_base;
}

uint64_t vm_wall_time(const struct vm *vm)
{
	return vm->wall_base + vm_time(vm);
}
