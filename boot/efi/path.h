/*
 * Where basalt.efi was started from: the file paths inside an EFI device path.
 * [pure]
 */
#ifndef BOOT_EFI_PATH_H
#define BOOT_EFI_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/lib/diag.h"

#define PATH_LEN_MAX 256 /* units, with the final 0 */

/*
 * An absolute path in UTF-16 as EFI file protocols take it:
 * "\EFI\BOOT\BOOTX64.EFI".
 */
struct path {
	size_t len; /* without the final 0 */
	uint16_t text[PATH_LEN_MAX];
};

/*
 * Join the file path nodes of @device_path, ignoring all others; NULL and none
 * give "\". Doubled separators become one. -EINVAL (broken node, no end in
 * sight) or -E2BIG with @diag.
 */
int path_read(const void *device_path, struct path *out, struct diag *diag);

/*
 * The file @name (ASCII) in the folder where the file @path lies. -E2BIG with
 * @diag.
 */
int path_sibling(const struct path *path, const char *name, struct path *out,
		 struct diag *diag);

/*
 * The last part of @path, cut to @size bytes with a NUL; what is not ASCII
 * becomes '?'.
 */
void path_file_name(const struct path *path, char *out, size_t size);

#endif
