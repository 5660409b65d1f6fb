/*
 * A virtual machine: guest memory, vCPUs, devices, and how it ends.
 *
 *	            vm_start            vm_end            last vCPU has left
 *	CREATED ------------> RUNNING ----------> ENDING -------------------> GONE
 *	   ^                                         |
 *	   +-----------------------------------------+
 *	              restart (reboot, triple fault)
 *
 * vm->lock is the lock of all devices but the local APICs and the queues of
 * virtio devices. It is taken by io_read and io_write and is the outermost lock.
 */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include "boot/config.h"
#include "kernel/io.h"
#include "kernel/lib/char_ring.h"
#include "kernel/lib/diag.h"
#include "kernel/lib/list.h"
#include "kernel/lib/spinlock.h"
#include "kernel/vcpu.h"
#include "mm/guest_mem.h"

#define VM_NAME_MAX  33
#define VM_VCPUS_MAX 255

/* Where things are in every guest's physical address space. */
#define VM_LOW_RAM_MAX	(3 * GIB) /* the rest of RAM begins at 4 GiB */
#define VM_PCI_BASE	0xc0000000UL
#define VM_PCI_SIZE	0x20000000UL
#define VM_ECAM_BASE	0xe0000000UL
#define VM_ECAM_SIZE	0x10000000UL /* 256 buses */
#define VM_IOAPIC_BASE	0xfec00000UL
#define VM_HPET_BASE	0xfed00000UL
#define VM_LAPIC_BASE	0xfee00000UL
#define VM_TESTDEV_BASE 0xff000000UL
#define VM_PM_PORT	0x600
#define VM_SCI_GSI	9
#define VM_GSI_COUNT	24

enum vm_state { VM_CREATED, VM_RUNNING, VM_ENDING, VM_GONE };

/* Why a VM ends; the first reason wins. */
enum vm_end {
	VM_END_NONE,
	VM_END_POWER_OFF,    /* the guest asked for it */
	VM_END_RESET,	     /* the guest asked for it: restarted */
	VM_END_TRIPLE_FAULT, /* restarted */
	VM_END_EXIT,	     /* test device: exit_code says with what */
	VM_END_FAULT,	     /* vm_fault: fault says why */
	VM_END_STOPPED,	     /* the operator asked for it */
};

/* Deadlines of devices; pc_timer_fire is the one switch over those before
 * VM_TIMER_VIRTIO, which is virtio_serve_rest's. */
enum vm_timer {
	VM_TIMER_PIT,
	VM_TIMER_RTC,
	VM_TIMER_PM,
	VM_TIMER_HPET0,
	VM_TIMER_HPET1,
	VM_TIMER_HPET2,
	VM_TIMER_VIRTIO,
	VM_TIMER_COUNT
};

struct blk_backend;
struct pc;
struct pci_root;

/* Console output of a VM that does not have the console's focus. */
#define VM_LINE_MAX 160
struct vm_line {
	uint32_t size;
	char text[VM_LINE_MAX];
};

/* Console output that waits to be shown: vm_console.c, by its lock of rings. */
struct vm_output {
	struct list link; /* in the list of those that wait */
	bool is_awaited;  /* a device waits for room */
	uint64_t lost;	  /* characters written without room */
	struct char_ring ring;
};

/* What a vCPU's CPUID shows: exit_cpuid.h. */
struct cpuid_table;

/* Legend: (o) set once before the VM runs, (a) atomic, [l] guarded by lock. */
struct vm {
	char name[VM_NAME_MAX];			     /* (o) */
	uint32_t vcpu_count;			     /* (o) */
	struct vcpu **vcpus;			     /* (o) */
	struct spinlock lock;			     /* LOCK_RANK_VM */
	struct guest_mem memory;		     /* has its own lock */
	struct io_space ports;			     /* changes [l] */
	struct io_space mmio;			     /* changes [l] */
	struct pc *pc;				     /* (o) the devices */
	struct blk_backend *disks[CONFIG_DISKS_MAX]; /* (o) */
	struct pci_root *pci;			     /* (o) its PCI bus */
	struct cpuid_table *cpuid;		     /* (o) */
	uint64_t ram_size;			     /* (o) bytes */
	uint64_t clock_base; /* (o) time_now() when it started: its
					   clocks begin at 0 */
	uint64_t tsc_offset; /* (o) its vCPUs' at first: their TSCs were
					   0 at clock_base */
	uint64_t wall_base;  /* (o) wall clock then, ns since 1970 */
	uint64_t deadlines[VM_TIMER_COUNT]; /* [l] TIME_NEVER: not armed */
	struct list virtio_rests;	    /* [l] queues left unfinished */
	uint32_t state;			    /* (a) enum vm_state */
	uint32_t end;			    /* (a) enum vm_end */
	uint32_t exit_code;		    /* of VM_END_EXIT */
	struct diag fault;		    /* of VM_END_FAULT */
	uint32_t fault_claimed;		    /* (a) somebody writes fault */
	bool is_serving_timers;		    /* [l] */
	uint32_t running_vcpus; /* (a) whose threads have not left yet */
	bool has_firmware;	/* (o) */
	uint32_t panicked;	/* the guest's kernel said so (pvpanic) */
	struct list link;	/* in the list of consoles */
	bool has_input;		/* by the console's list lock */
	struct vm_line line;	/* of console output, by the same lock */
	struct vm_output output;
	const struct config_vm *config; /* (o) */
};

/* End the VM: all vCPUs leave at their next exit. From any CPU, with any lock
 * but a run queue's. Only the first reason counts. */
void vm_end(struct vm *vm, enum vm_end how);

/* The guest did what cannot go on; never our own bug. Ends the VM with the
 * line. */
void vm_fault(struct vm *vm, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A triple fault on @vcpu. */
void vm_triple_fault(struct vcpu *vcpu);

/*
 * Set the level of interrupt line @gsi (0 to 23), wired to the I/O APIC and, 0 to
 * 15, to the 8259s. A pulse is two calls. vm->lock held.
 */
void vm_set_irq(struct vm *vm, uint32_t gsi, bool level);

/* A message-signalled interrupt, as a device writes it. No lock needed. */
void vm_send_msi(struct vm *vm, uint64_t address, uint32_t data);

/* A device wants to act at @deadline (time_now()'s clock; enum vm_timer says
 * how); TIME_NEVER: no longer. vm->lock held. */
void vm_set_timer(struct vm *vm, enum vm_timer timer, uint64_t deadline);

/* Nanoseconds since the VM started. */
uint64_t vm_time(const struct vm *vm);

/* Nanoseconds since 1970-01-01 UTC as the VM is to believe. */
uint64_t vm_wall_time(const struct vm *vm);

/* Bytes that the guest sent to its console (serial port or virtio console port
 * 0); a thread shows them soon. What there is no room for is lost. Any lock but
 * the console's. */
void vm_console_write(struct vm *vm, const char *data, uint32_t size);

/* Is there room for what a device sends at once? If not, pc_console_ready comes
 * when there is. Locks as above. */
#define VM_CONSOLE_ROOM 512
bool vm_console_has_room(struct vm *vm);

/* Sleep until there is, or the VM ends. On a thread, no lock held. */
void vm_console_wait(struct vm *vm);

#endif
