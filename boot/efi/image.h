/* boot/efi/image.asm: basalt.elf inside basalt.efi, and the jump into it. */
#ifndef BOOT_EFI_IMAGE_H
#define BOOT_EFI_IMAGE_H

#include <stdint.h>

extern const uint8_t image_file[];
extern const uint8_t image_file_end[];

/*
 * Jump to @entry, interrupts off, with the multiboot2 magic and @block as its
 * arguments.
 */
_Noreturn void image_enter(void *entry, void *block);

#endif
