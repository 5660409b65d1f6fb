/* Where the log is shown: a 16550 and a framebuffer, each if chosen and there.
 */
#ifndef DRIVERS_HOST_CONSOLE_H
#define DRIVERS_HOST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/boot_info.h"

/* Use the UART at @port from now on; false (and no serial console) if none
 * answers. */
bool console_use_serial(uint16_t port, uint32_t baud);
void console_drop_serial(void);

/* Use the framebuffer, mapped at @pixels, from now on; calling it again moves
 * to another mapping of the same one. */
void console_use_framebuffer(const struct framebuffer_info *info, void *pixels);
void console_drop_framebuffer(void);

/* @text of @length bytes; "\n" ends a line. The caller serialises. */
void console_write(const char *text, size_t length);

/* The same without adding carriage returns: what a guest's terminal driver sent. */
void console_write_raw(const char *text, size_t length);

/* Let the UART interrupt for what is typed; -1: there is no UART. The ISA
 * interrupt it has by convention. */
int console_enable_input(void);

/* Characters typed since the last call, at most @size; 0: none. */
size_t console_read(char *text, size_t size);

#endif
