/*
 * A VM without a machine below it: what kernel/vm.c, kernel/vcpu.c and time do,
 * recorded. Its guest memory is the real mm/guest_mem.c over fake RAM.
 */
#ifndef FAKE_VM_MACHINE_H
#define FAKE_VM_MACHINE_H

#include "kernel/vm.h"

#define FAKE_VCPUS_MAX 16

struct fake_irq {
	uint32_t gsi;
	bool level;
};

extern struct vm fake_vm;
extern struct vcpu fake_vcpus[FAKE_VCPUS_MAX];
extern uint64_t fake_now;	     /* time_now() */
extern uint64_t fake_wall;	     /* time_wall() */
extern uint64_t fake_tsc_hz;	     /* time_tsc_hz() */
extern uint32_t fake_windows;	     /* thread_window() calls */
extern void (*fake_in_window)(void); /* what others do then; NULL: nothing */
extern enum vm_end fake_end;	     /* of the first vm_end or vm_fault */
extern char fake_fault[DIAG_TEXT_MAX];
extern unsigned int fake_irq_count;    /* vm_set_irq calls */
extern struct fake_irq fake_irqs[256]; /* the last ones, by count % 256 */
extern unsigned int fake_msi_count;
extern uint64_t fake_msi_address;
extern uint32_t fake_msi_data;
extern char fake_console[4096]; /* vm_console_write */
extern uint32_t fake_console_size;
extern bool fake_console_is_full;   /* !vm_console_has_room() */
extern uint32_t fake_console_waits; /* vm_console_wait() calls */

/* All zero again; @vcpu_count vCPUs without local APICs; guest RAM of @ram_size
 * bytes at 0 (0: none, and no fake RAM is set up). */
void fake_vm_reset(uint32_t vcpu_count, uint64_t ram_size);

#endif
