/*
 * The virtual PC: every device of a VM, made and destroyed with it. A restart of
 * the VM is a new PC.
 */
#ifndef DRIVERS_PC_PC_H
#define DRIVERS_PC_PC_H

#include "boot/boot_info.h"
#include "boot/config.h"
#include "kernel/vm.h"

/* The disks that @vm->config wants, from the boot modules of @info; they are kept
 * when the VM restarts. -ENOMEM or -ENOENT with @why. */
int pc_open_disks(struct vm *vm, const struct boot_info *info,
		  struct diag *why);
void pc_close_disks(struct vm *vm);

/* Devices as @vm->config wants them, on its open disks. -ENOMEM, or another
 * error, with @why. Registers ports and memory of @vm. */
int pc_create(struct vm *vm, struct diag *why);
void pc_destroy(struct vm *vm);

/* A deadline of vm_set_timer has come. vm->lock held. */
void pc_timer_fire(struct vm *vm, enum vm_timer timer);

/* Lines of vm_set_irq. vm->lock held. */
void pc_set_irq(struct vm *vm, uint32_t gsi, bool level);

/* EOI of a level-triggered @vector: the I/O APIC looks at its lines again. Takes
 * vm->lock. */
void pc_end_of_interrupt(struct vm *vm, uint8_t vector);

/* Do the 8259s have an interrupt? Without a lock; and take its vector, as INTA
 * does (takes vm->lock). */
bool pc_has_extint(const struct vm *vm);
uint8_t pc_take_extint(struct vm *vm);

/* Characters typed on the VM's console; those that do not fit are dropped. They go
 * to the one of serial port and virtio console that the guest wrote to last; to
 * the serial port if the console has no driver. Takes vm->lock; the locks before
 * that may be held. */
void pc_console_input(struct vm *vm, const char *data, uint32_t size);

/* The virtio console for typed characters; NULL: it is there no longer. Takes
 * vm->lock. Nothing if @vm has no devices. */
struct virtio_device;
void pc_set_console(struct vm *vm, struct virtio_device *console);
/* The guest writes to it. No lock needed. */
void pc_note_console_use(struct vm *vm);

/* vm_console_has_room after it had none. Takes vm->lock; the locks before that may
 * be held. Nothing if @vm has no devices. */
void pc_console_ready(struct vm *vm);

/* Press the power button: SCI with PWRBTN_STS. Takes vm->lock. */
void pc_press_power_button(struct vm *vm);

#endif
