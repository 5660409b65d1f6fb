/* The firmware's text console. */
#ifndef BOOT_EFI_CONSOLE_H
#define BOOT_EFI_CONSOLE_H

#include <efi.h>

/* Call first. @out NULL (a machine without a console): nothing is printed. */
void console_init(SIMPLE_TEXT_OUTPUT_INTERFACE *out);

/*
 * Print "basalt.efi: " and one line, cut at 256 characters. Boot services must
 * still be there.
 */
void console_print(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
