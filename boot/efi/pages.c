/* Memory that outlives boot services. */
#include "boot/efi/pages.h"

#include "kernel/lib/errno.h"
#include "mm/addr.h"

/*
 * The last page below 4 GiB is left out: multiboot2 could not say where it
 * ends.
 */
#define LIMIT (4 * GIB - PAGE_SIZE)

void *pages_alloc(EFI_BOOT_SERVICES *services, uint64_t size, uint64_t align,
		  const char *what, struct diag *diag)
{
	/*
	 * firmware aligns to pages; the room before and behind is lost only
	 * until ExitBootServices
	 */
	uint64_t slack = align - PAGE_SIZE;
	EFI_PHYSICAL_ADDRESS base = LIMIT - 1;
	EFI_STATUS status = EFI_OUT_OF_RESOURCES;

	if (range_fits(slack, max_u64(size, 1), LIMIT))
		status = services->AllocatePages(
			AllocateMaxAddress, EfiLoaderData,
			align_up(max_u64(size, 1) + slack, PAGE_SIZE) >>
				PAGE_SHIFT,
			&base);
	if (EFI_ERROR(status)) {
		diag_set(diag, -ENOMEM,
			 "%s: no %lu KiB of memory below 4 GiB "
			 "(EFI status %#lx)",
			 what, align_up(size, KIB) / KIB, status);
		return NULL;
	}
	return (void *)align_up(base, align);
}
