/* The one line that says why input was refused. */
#include "kernel/lib/diag.h"

#include "kernel/lib/fmt.h"

int diag_set(struct diag *diag, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fmt_print_v(diag->text, sizeof(diag->text), format, args);
	va_end(args);
	return error;
}
