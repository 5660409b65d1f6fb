/* The virtual PC. */
#include "drivers/pc/pc.h"

#include "drivers/pc/pc_state.h"
#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio_console.h"
#include "kernel/lib/errno.h"
#include "mm/heap.h"

/* The devices without a bus, each with its ports and memory. */
static int create_devices(struct pc *pc, struct vm *vm)
{
	int error = vpic_init(&pc->pic, vm);

	if (!error)
		error = vioapic_init(&pc->ioapic, vm);
	if (!error)
		error = vpit_init(&pc->pit, vm);
	if (!error)
		error = vrtc_init(&pc->rtc, vm);
	if (!error)
		error = vhpet_init(&pc->hpet, vm, &pc->pit, &pc->rtc);
	if (!error)
		error = vacpi_pm_init(&pc->pm, vm);
	if (!error)
		error = vserial_init(&pc->serial, vm);
	if (!error)
		error = vi8042_init(&pc->i8042, vm);
	if (!error)
		error = vfw_cfg_init(&pc->fw_cfg, vm);
	if (!error)
		error = vdebug_port_init(&pc->debug_port, vm);
	if (!error)
		error = vpvpanic_init(&pc->pvpanic, vm);
	if (!error && vm->config->has_testdev)
		error = vtestdev_init(&pc->testdev, vm);
	return error;
}

static void remove_regions(struct io_space *space)
{
	while (space->count)
		io_remove(space, space->regions[0].base);
}

/* Every region of a VM is of one of its devices. */
static void destroy_devices(struct vm *vm)
{
	struct pc *pc = vm->pc;

	remove_regions(&vm->ports);
	remove_regions(&vm->mmio);
	vtestdev_fini(&pc->testdev);
	/* the console's thread may be looking at it: pc_console_input */
	spin_lock(&vm->lock);
	vm->pc = NULL;
	spin_unlock(&vm->lock);
	heap_free(pc);
}

int pc_create(struct vm *vm, struct diag *why)
{
	int error;

	vm->pc = heap_alloc(sizeof(*vm->pc));
	if (!vm->pc)
		return diag_set(why, -ENOMEM, "not enough memory for devices");
	error = create_devices(vm->pc, vm);
	if (!error)
		error = pci_create(vm);
	if (error) {
		diag_set(why, error, "its devices: error %d", error);
		goto destroy_devices;
	}
	error = pc_virtio_create(vm, why);
	if (error)
		goto destroy_pci;
	return 0;

destroy_pci:
	pci_destroy(vm);
destroy_devices:
	destroy_devices(vm);
	return error;
}

void pc_destroy(struct vm *vm)
{
	pci_destroy(vm);
	destroy_devices(vm);
}

void pc_timer_fire(struct vm *vm, enum vm_timer timer)
{
	struct pc *pc = vm->pc;

	switch (timer) {
	case VM_TIMER_PIT: vpit_timer_fire(&pc->pit); break;
	case VM_TIMER_RTC: vrtc_timer_fire(&pc->rtc); break;
	case VM_TIMER_PM: vacpi_pm_timer_fire(&pc->pm); break;
	case VM_TIMER_HPET0:
	case VM_TIMER_HPET1:
	case VM_TIMER_HPET2:
		vhpet_timer_fire(&pc->hpet, timer - VM_TIMER_HPET0);
		break;
	case VM_TIMER_VIRTIO: /* not the PC's, nor under the lock */
	case VM_TIMER_COUNT: break;
	}
}

void pc_set_irq(struct vm *vm, uint32_t gsi, bool level)
{
	vpic_set_line(&vm->pc->pic, gsi, level);
	vioapic_set_line(&vm->pc->ioapic, gsi, level);
}

void pc_end_of_interrupt(struct vm *vm, uint8_t vector)
{
	spin_lock(&vm->lock);
	vioapic_eoi(&vm->pc->ioapic, vector);
	spin_unlock(&vm->lock);
}

bool pc_has_extint(const struct vm *vm)
{
	return vpic_has_interrupt(&vm->pc->pic);
}

uint8_t pc_take_extint(struct vm *vm)
{
	uint8_t vector;

	spin_lock(&vm->lock);
	vector = vpic_acknowledge(&vm->pc->pic);
	spin_unlock(&vm->lock);
	return vector;
}

void pc_set_console(struct vm *vm, struct virtio_device *console)
{
	if (!vm->pc)
		return;
	spin_lock(&vm->lock);
	vm->pc->console = console;
	spin_unlock(&vm->lock);
}

void pc_note_console_use(struct vm *vm)
{
	if (!vm->pc)
		return;
	__atomic_store_n(&vm->pc->serial.has_sent, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->pc->is_console_used, true, __ATOMIC_RELAXED);
}

/* The virtio console if that is where the guest wrote last, else NULL. */
static struct virtio_device *console_in_use(struct pc *pc)
{
	if (!pc->console || !virtio_is_live(pc->console) ||
	    !__atomic_load_n(&pc->is_console_used, __ATOMIC_RELAXED) ||
	    __atomic_load_n(&pc->serial.has_sent, __ATOMIC_RELAXED))
		return NULL;
	return pc->console;
}

/* A virtio console raises its interrupt under vm->lock, so it gets its characters
 * without that; it is held instead. A VM that restarts has no devices for a
 * moment. */
void pc_console_input(struct vm *vm, const char *data, uint32_t size)
{
	struct virtio_device *console = NULL;

	spin_lock(&vm->lock);
	if (vm->pc)
		console = console_in_use(vm->pc);
	if (console)
		virtio_console_hold(console);
	else if (vm->pc)
		vserial_input(&vm->pc->serial, data, size);
	spin_unlock(&vm->lock);
	if (console) {
		virtio_console_input(console, data, size);
		virtio_console_put(console);
	}
}

void pc_console_ready(struct vm *vm)
{
	spin_lock(&vm->lock);
	if (vm->pc)
		vserial_settle(&vm->pc->serial);
	spin_unlock(&vm->lock);
}

void pc_press_power_button(struct vm *vm)
{
	spin_lock(&vm->lock);
	vacpi_pm_press_power_button(&vm->pc->pm);
	spin_unlock(&vm->lock);
}
