/*
 * Files beside basalt.efi ("UEFI Specification 2.10", section 13.5 "File
 * Protocol").
 */
#include "boot/efi/files.h"

#include "boot/efi/console.h"
#include "boot/efi/pages.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

/* Some firmware fails at larger reads from slow media. */
#define READ_MAX (1 * MIB)

static EFI_GUID volume_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

/*
 * EFI_FILE_INFO with room for the name behind it: at most 255 characters on
 * FAT.
 */
union file_info {
	EFI_FILE_INFO info;
	uint8_t room[sizeof(EFI_FILE_INFO) + 256 * sizeof(CHAR16)];
};

int files_open(EFI_BOOT_SERVICES *services, EFI_LOADED_IMAGE *loaded,
	       struct files *out, struct diag *diag)
{
	EFI_FILE_IO_INTERFACE *volume;
	EFI_STATUS status;
	int error;

	*out = (struct files){ .services = services };
	error = path_read(loaded->FilePath, &out->program, diag);
	if (error)
		return error;
	status = services->HandleProtocol(loaded->DeviceHandle, &volume_guid,
					  (void **)&volume);
	if (EFI_ERROR(status))
		return diag_set(diag, -ENOENT,
				"not started from a file system");
	status = volume->OpenVolume(volume, &out->root);
	if (EFI_ERROR(status))
		return diag_set(diag, -EIO,
				"cannot open the volume it was started from "
				"(EFI status %#lx)",
				status);
	return 0;
}

static int open_file(struct files *files, const char *name,
		     EFI_FILE_HANDLE *out, struct diag *diag)
{
	struct path path;
	EFI_STATUS status;
	int error;

	error = path_sibling(&files->program, name, &path, diag);
	if (error)
		return error;
	status = files->root->Open(files->root, out, path.text,
				   EFI_FILE_MODE_READ, 0);
	if (status == EFI_NOT_FOUND)
		return -ENOENT;
	if (EFI_ERROR(status))
		return diag_set(diag, -EIO,
				"%s: cannot be opened (EFI status %#lx)", name,
				status);
	return 0;
}

static int read_size(EFI_FILE_HANDLE file, const char *name, uint64_t *out,
		     struct diag *diag)
{
	union file_info buffer;
	UINTN size = sizeof(buffer);
	EFI_STATUS status;

	status = file->GetInfo(file, &file_info_guid, &size, &buffer);
	if (EFI_ERROR(status))
		return diag_set(diag, -EIO,
				"%s: size unknown (EFI status %#lx)", name,
				status);
	if (buffer.info.Attribute & EFI_FILE_DIRECTORY)
		return -ENOENT;
	*out = buffer.info.FileSize;
	return 0;
}

static int read_content(EFI_FILE_HANDLE file, const char *name, uint8_t *to,
			uint64_t size, struct diag *diag)
{
	uint64_t at = 0;

	while (at < size) {
		UINTN count = min_u64(size - at, READ_MAX);
		EFI_STATUS status = file->Read(file, &count, to + at);

		if (EFI_ERROR(status) || count == 0 || count > size - at)
			return diag_set(diag, -EIO,
					"%s: cannot be read at %lu of %lu "
					"bytes (EFI status %#lx)",
					name, at, size, status);
		at += count;
	}
	return 0;
}

static int load_open_file(struct files *files, EFI_FILE_HANDLE file,
			  const char *name, struct boot_module *out,
			  struct diag *diag)
{
	uint64_t size;
	void *to;
	int error;

	error = read_size(file, name, &size, diag);
	if (error)
		return error;
	console_print("loading %s (%lu KiB)", name, align_up(size, KIB) / KIB);
	to = pages_alloc(files->services, size, PAGE_SIZE, name, diag);
	if (!to)
		return -ENOMEM;
	*out = (struct boot_module){ .base = HPA((uint64_t)to), .size = size };
	fmt_print(out->name, sizeof(out->name), "%s", name);
	return read_content(file, name, to, size, diag);
}

int files_load(struct files *files, const char *name, struct boot_module *out,
	       struct diag *diag)
{
	EFI_FILE_HANDLE file;
	int error;

	error = open_file(files, name, &file, diag);
	if (error)
		return error;
	error = load_open_file(files, file, name, out, diag);
	file->Close(file);
	return error;
}
