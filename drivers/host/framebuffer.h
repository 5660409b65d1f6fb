/* Text on a linear framebuffer. */
#ifndef DRIVERS_HOST_FRAMEBUFFER_H
#define DRIVERS_HOST_FRAMEBUFFER_H

#include <stdbool.h>

#include "boot/boot_info.h"

/*
 * Show text on the framebuffer mapped at @pixels. The first call clears the
 * screen; a later one for the same screen goes on where the text is. False: no
 * framebuffer (width 0) or one too small for a line.
 */
bool framebuffer_init(const struct framebuffer_info *info, void *pixels);
void framebuffer_write(char c);

#endif
