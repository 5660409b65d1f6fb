/*
 * The machine's console, shared by VMs. One VM has its focus: its output goes
 * through as it is, and it gets what is typed. The output of the others comes line
 * by line, each with the VM's name in front. Ctrl-] gives the focus to the next.
 */
#ifndef KERNEL_VM_CONSOLE_H
#define KERNEL_VM_CONSOLE_H

#include "kernel/vm.h"

/* The first one starts the thread that shows output. No lock held. */
void vm_console_open(struct vm *vm);
/* Nobody writes any more; vm_console_flush, too. */
void vm_console_close(struct vm *vm);

/* Does the VM have devices that take what is typed? Not while it is made, taken
 * down or restarted. */
void vm_console_connect(struct vm *vm, bool is_connected);

/* Show all that was written, and what there is of an incomplete line. On a thread,
 * no lock held. */
void vm_console_flush(struct vm *vm);

/* Characters typed. On a thread, with no lock held. */
void vm_console_type(const char *data, uint32_t size);

#endif
