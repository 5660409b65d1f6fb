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

void console_write_raw(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (has_serial)
			uart_write(&uart, (uint8_t)text[i]);
		if (has_framebuffer && text[i] != '\r')
			framebuffer_write(text[i]);
	}
}

int console_enable_input(void)
{
	if (!has_serial)
		return -1;
	uart_enable_input(&uart);
	/* COM1 and COM3 share one, COM2 and COM4 the other */
	return uart.port & 0x100 ? 4 : 3;
}

size_t console_read(char *text, size_t size)
{
	size_t count = 0;

	while (count < size && has_serial &&
	       uart_read(&uart, (uint8_t *)&text[count]))
		count++;
	return count;
}
