/* From what boot found out to a running hypervisor. */
#ifndef KERNEL_MAIN_H
#define KERNEL_MAIN_H

#include "boot/boot_info.h"
#include "boot/config.h"
#include "boot/platform.h"
#include "mm/memmap.h"

/* Everything boot_main hands over. */
struct boot_state {
	struct boot_info info;
	struct platform platform;
	struct config_hypervisor config;
	struct slice config_text; /* of basalt.conf; len 0: there is none */
	struct memmap memory;	  /* RAM that nobody uses */
	uint64_t ram_size;	  /* bytes of all RAM, used or not */
	uint64_t free_at_start;	  /* bytes in memory before the hypervisor took
				     any */
};

_Noreturn void hv_main(struct boot_state *boot);

#endif
