/* From boot services to the hypervisor. */
#ifndef BOOT_EFI_HANDOFF_H
#define BOOT_EFI_HANDOFF_H

#include <efi.h>

#include "boot/boot_info.h"
#include "kernel/lib/diag.h"

/*
 * Read the memory map into @info, write @info for the hypervisor, leave boot
 * services and jump to @entry (struct elf_header64's start64, as it lies in
 * memory). Returns only if that fails: a negative errno with @diag.
 */
int handoff_run(EFI_HANDLE program, EFI_BOOT_SERVICES *services,
		struct boot_info *info, void *entry, struct diag *diag);

#endif
