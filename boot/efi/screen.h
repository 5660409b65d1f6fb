/* The firmware's graphics mode, as a framebuffer to go on using. */
#ifndef BOOT_EFI_SCREEN_H
#define BOOT_EFI_SCREEN_H

#include <efi.h>

#include "boot/boot_info.h"

/*
 * The current mode, or width 0: no screen, or none with 32-bit pixels in
 * memory.
 */
struct framebuffer_info screen_find(EFI_BOOT_SERVICES *services);

#endif
