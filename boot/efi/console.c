/* The firmware's text console. */
#include "boot/efi/console.h"

#include <stdarg.h>

#include "kernel/lib/bits.h"
#include "kernel/lib/fmt.h"

#define LINE_MAX 256

static SIMPLE_TEXT_OUTPUT_INTERFACE *console;

void console_init(SIMPLE_TEXT_OUTPUT_INTERFACE *out)
{
	console = out;
}

/* The ASCII @text in the 16-bit units that EFI takes. */
static void print_ascii(const char *text)
{
	CHAR16 wide[LINE_MAX];
	size_t i = 0;

	for (; text[i] && i < ARRAY_SIZE(wide) - 1; i++)
		wide[i] = (CHAR16)(unsigned char)text[i];
	wide[i] = 0;
	console->OutputString(console, wide);
}

void console_print(const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;

	if (!console)
		return;
	va_start(args, format);
	fmt_print_v(line, sizeof(line), format, args);
	va_end(args);
	print_ascii("basalt.efi: ");
	print_ascii(line);
	print_ascii("\r\n");
}
