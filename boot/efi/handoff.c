/*
 * From boot services to the hypervisor.
 *
 * ExitBootServices takes the key of the newest memory map. Firmware's own
 * events may change the map between the two calls; then it fails with
 * EFI_INVALID_PARAMETER, and from then on only memory services may be called:
 * get the map again and retry ("UEFI Specification 2.10", section 7.4.6
 * "EFI_BOOT_SERVICES.ExitBootServices()"). So all memory is allocated before,
 * and everything that can be refused is refused before the first try.
 */
#include "boot/efi/handoff.h"

#include "boot/efi/efi_map.h"
#include "boot/efi/image.h"
#include "boot/efi/mbi.h"
#include "boot/efi/pages.h"
#include "kernel/lib/errno.h"

/* Room for what allocating and a retry add to the map. */
#define SPARE_ENTRIES 64
#define TRIES_MAX     8

struct map_buffer {
	EFI_MEMORY_DESCRIPTOR *entries;
	UINTN size; /* bytes of room */
};

static int alloc_map(EFI_BOOT_SERVICES *services, struct map_buffer *out,
		     struct diag *diag)
{
	UINTN size = 0;
	UINTN stride = 0;
	UINTN key;
	UINT32 version;
	EFI_STATUS status;

	status = services->GetMemoryMap(&size, NULL, &key, &stride, &version);
	if (status != EFI_BUFFER_TOO_SMALL)
		return diag_set(diag, -EIO,
				"memory map: size unknown (EFI status %#lx)",
				status);
	out->size = size + SPARE_ENTRIES * stride;
	status = services->AllocatePool(EfiLoaderData, out->size,
					(void **)&out->entries);
	if (EFI_ERROR(status))
		return diag_set(diag, -ENOMEM,
				"memory map: no %lu bytes of memory "
				"(EFI status %#lx)",
				out->size, status);
	return 0;
}

/* Read the map into @info, and its key. */
static int read_map(EFI_BOOT_SERVICES *services,
		    const struct map_buffer *buffer, struct boot_info *info,
		    UINTN *key, struct diag *diag)
{
	UINTN size = buffer->size;
	UINTN stride;
	UINT32 version;
	EFI_STATUS status;

	status = services->GetMemoryMap(&size, buffer->entries, key, &stride,
					&version);
	if (EFI_ERROR(status))
		return diag_set(diag, -EIO,
				"memory map: cannot be read (EFI status %#lx)",
				status);
	return efi_map_read(buffer->entries, size, stride, info, diag);
}

int handoff_run(EFI_HANDLE program, EFI_BOOT_SERVICES *services,
		struct boot_info *info, void *entry, struct diag *diag)
{
	struct map_buffer buffer;
	EFI_STATUS status;
	UINTN key;
	void *block;
	int error;

	block = pages_alloc(services, MBI_SIZE_MAX, PAGE_SIZE,
			    "boot information", diag);
	if (!block)
		return -ENOMEM;
	error = alloc_map(services, &buffer, diag);
	if (error)
		return error;
	for (int i = 0; i < TRIES_MAX; i++) {
		error = read_map(services, &buffer, info, &key, diag);
		if (error)
			return error;
		mbi_write(info, block);
		status = services->ExitBootServices(program, key);
		if (!EFI_ERROR(status))
			image_enter(entry, block);
		if (status != EFI_INVALID_PARAMETER)
			break;
	}
	return diag_set(diag, -EIO,
			"cannot leave boot services (EFI status %#lx)", status);
}
