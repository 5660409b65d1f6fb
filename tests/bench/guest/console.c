#include "tests/bench/guest/console.h"

#include "tests/bench/guest/instructions.h"

#define COM1	  0x3f8
#define COM1_LSR  (COM1 + 5)
#define LSR_EMPTY 0x20
#define XEN_DEBUG 0xe9 /* Xen prints what is written there, line by line */
#define EXIT_PORT 0xf4 /* of a test device */

/* What this PC's ACPI tables call PM1a_CNT, and S5 there. */
#define PM_CONTROL 0x604
#define PM_S5	   0x2000

void print(const char *text)
{
	for (; *text; text++) {
		while (!(in8(COM1_LSR) & LSR_EMPTY))
			;
		out8(COM1, (uint8_t)*text);
		out8(XEN_DEBUG, (uint8_t)*text);
	}
}

void print_number(uint64_t value)
{
	char text[21];
	char *at = &text[20];

	*at = 0;
	do
		*--at = (char)('0' + value % 10);
	while (value /= 10);
	print(at);
}

_Noreturn void end(uint8_t status)
{
	out8(EXIT_PORT, status);
	out16(PM_CONTROL, PM_S5);
	for (;;)
		asm volatile("cli; hlt");
}
