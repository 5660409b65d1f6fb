/* Making, starting and ending VMs: what main.c and vcpu.c need of vm.c. */
#ifndef KERNEL_VM_LIFE_H
#define KERNEL_VM_LIFE_H

#include "boot/boot_info.h"
#include "boot/config.h"
#include "kernel/vm.h"

/* Once, before VMs: where their files are. @info is kept. */
void vm_init(const struct boot_info *info);

/*
 * Make the VM that @config describes and start its vCPUs. @config is copied; its
 * texts are kept. -E with @why; nothing is left then.
 */
int vm_launch(const struct config_vm *config, struct diag *why);

/* A vCPU's thread leaves for good, its registers saved. The last one takes the
 * VM down, and up again if that is how it ended. @vm is gone afterwards. */
void vm_vcpu_left(struct vm *vm);

/* On vCPU 0's thread: let due devices act, and arm for the next. */
void vm_serve_timers(struct vm *vm);

/* Characters typed on the machine's console: to the VM that has its focus. */
void vm_console_input(const char *data, uint32_t size);

#endif
