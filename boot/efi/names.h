/* The files that basalt.conf names. [pure] */
#ifndef BOOT_EFI_NAMES_H
#define BOOT_EFI_NAMES_H

#include "boot/boot_info.h"
#include "kernel/lib/diag.h"
#include "kernel/lib/slice.h"

#define NAMES_MAX (BOOT_MODULES_MAX - 1) /* basalt.conf is a module, too */

/* Each name once, in the order of the file, whose text they point into. */
struct names {
	uint32_t count;
	struct slice all[NAMES_MAX];
};

/*
 * Collect the kernels, initrds, firmwares and module disks of @text, but
 * basalt.conf itself. A text that config_parse refuses names nothing: the
 * hypervisor will say what is wrong with it. -E2BIG with @diag: more than
 * NAMES_MAX.
 */
int names_collect(struct slice text, struct names *out, struct diag *diag);

/*
 * Can @name be a file beside basalt.conf and a module: printable, no spaces, no
 * separators, of fitting length?
 */
bool names_is_plain(struct slice name);

#endif
