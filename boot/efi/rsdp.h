/* The ACPI root pointer among the EFI configuration tables. */
#ifndef BOOT_EFI_RSDP_H
#define BOOT_EFI_RSDP_H

#include <efi.h>

#include "boot/boot_info.h"

/* Copy the newest RSDP into @info; rsdp_size 0: none. */
void rsdp_find(const EFI_SYSTEM_TABLE *table, struct boot_info *info);

#endif
