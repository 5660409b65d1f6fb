/* Files beside basalt.efi, on the volume it was started from. */
#ifndef BOOT_EFI_FILES_H
#define BOOT_EFI_FILES_H

#include <efi.h>

#include "boot/boot_info.h"
#include "boot/efi/path.h"

struct files {
	EFI_BOOT_SERVICES *services;
	EFI_FILE_HANDLE root;
	struct path program; /* basalt.efi itself */
};

/*
 * Find the volume and the path that @loaded was read from. out->program is set
 * even where there is no volume (a network boot): -ENOENT. Else -EINVAL or
 * -EIO. All with @diag.
 */
int files_open(EFI_BOOT_SERVICES *services, EFI_LOADED_IMAGE *loaded,
	       struct files *out, struct diag *diag);

/*
 * Read the file @name (names_is_plain) into memory of its own below 4 GiB,
 * saying so on the console. -ENOENT without @diag: no such file, or a folder.
 * -EIO, -ENOMEM, -E2BIG with @diag.
 */
int files_load(struct files *files, const char *name, struct boot_module *out,
	       struct diag *diag);

#endif
