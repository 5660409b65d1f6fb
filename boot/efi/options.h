/* EFI load options -> the hypervisor's command line. [pure] */
#ifndef BOOT_EFI_OPTIONS_H
#define BOOT_EFI_OPTIONS_H

#include "boot/boot_info.h"
#include "kernel/lib/diag.h"

/*
 * Turn the @size bytes of load options into @out, the command line. The EFI
 * shell hands over the whole line typed, so a first word that is the file name
 * @program (any case, any folder, quoted or not, ".efi" left out or not) is
 * dropped; boot entries hold the options alone. -EINVAL: not printable ASCII in
 * UTF-16 (firmware puts binary data there, too); -E2BIG: longer than
 * BOOT_CMDLINE_MAX. Both with @diag, and @out is "".
 */
int options_read(const void *options, size_t size, const char *program,
		 char out[BOOT_CMDLINE_MAX], struct diag *diag);

#endif
