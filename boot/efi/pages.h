/* Memory that outlives boot services. */
#ifndef BOOT_EFI_PAGES_H
#define BOOT_EFI_PAGES_H

#include <efi.h>

#include "kernel/lib/diag.h"

/*
 * At least @size bytes below 4 GiB, where the hypervisor's entry can read them,
 * as EfiLoaderData: aligned to @align (a power of two, from the page size up),
 * content undefined. NULL: none, with @diag naming @what.
 */
void *pages_alloc(EFI_BOOT_SERVICES *services, uint64_t size, uint64_t align,
		  const char *what, struct diag *diag);

#endif
