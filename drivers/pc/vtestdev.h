/*
 * The test device, for VMs with `testdev = true`. [pure]
 *
 *	0xe0 to 0xe3	 latch: reads back what was written, in bytes, words or all
 *	0xe4		 dword: a guest address whose page is to fault once more
 *	0xe8 to 0xeb	 the same latch
 *	0xf4		 ends the VM with exit code (value << 1) | 1
 *	0x2000 to 0x2017 interrupt lines: level
 *	VM_TESTDEV_BASE	 64 KiB that behave like RAM but are not
 */
#ifndef DRIVERS_PC_VTESTDEV_H
#define DRIVERS_PC_VTESTDEV_H

#include "kernel/vm.h"

#define VTESTDEV_LATCH_PORT	 0xe0
#define VTESTDEV_HIDE_PORT	 0xe4
#define VTESTDEV_LATCH_BYTE_PORT 0xe8
#define VTESTDEV_EXIT_PORT	 0xf4
#define VTESTDEV_LINE_PORT	 0x2000
#define VTESTDEV_MEMORY_SIZE	 (64 * KIB)

/* [l] vm->lock guards all. */
struct vtestdev {
	struct vm *vm;
	bool has_exited;
	uint8_t latch[4];
	uint8_t *memory; /* of the heap; NULL: the VM has no test device */
};

/* Adds ports and memory. -ENOMEM, or -E of io_add. */
int vtestdev_init(struct vtestdev *testdev, struct vm *vm);
void vtestdev_fini(struct vtestdev *testdev);

#endif
