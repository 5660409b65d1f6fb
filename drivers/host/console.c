/* Where the log is shown. */
#include "drivers/host/console.h"

#include "drivers/host/framebuffer.h"
#include "drivers/host/uart.h"

static struct uart uart;
static bool has_serial;
static bool has_framebuffer;

bool console_use_serial(uint16_t port, uint32_t baud)
{
	has_serial = uart_init(&uart, port, baud);
	return has_serial;
}

void console_drop_serial(void)
{
	has_serial = false;
}

void console_use_framebuffer(const struct framebuffer_info *info, void *pixels)
{
	has_framebuffer = framebuffer_init(info, pixels);
}

void console_drop_framebuffer(void)
{
	has_framebuffer = false;
}

void console_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (has_serial && text[i] == '\n')
			uart_write(&uart, '\r');
		if (has_serial)
			uart_write(&uart, (uint8_t)text[i]);
		if (has_framebuffer)
			framebuffer_write(text[i]);
	}
}
