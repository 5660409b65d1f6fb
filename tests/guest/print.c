/* Lines on the serial port, and what compilers call. */
#include <stdarg.h>

#include "tests/guest/guest.h"

#define PORT	    0x3f8
#define LINE_STATUS 5
#define CAN_SEND    BIT(5)
#define LINE_MAX    155

struct line {
	uint32_t size;
	char text[LINE_MAX + 1];
};

void *memset(void *to, int value, unsigned long size)
{
	void *at = to;

	asm volatile("rep stosb"
		     : "+D"(at), "+c"(size)
		     : "a"(value)
		     : "memory");
	return to;
}

void *memcpy(void *to, const void *from, unsigned long size)
{
	void *at = to;

	asm volatile("rep movsb"
		     : "+D"(at), "+S"(from), "+c"(size)
		     :
		     : "memory");
	return to;
}

int memcmp(const void *a, const void *b, unsigned long size)
{
	const uint8_t *x = a, *y = b;

	for (unsigned long i = 0; i < size; i++) {
		if (x[i] != y[i])
			return x[i] - y[i];
	}
	return 0;
}

static void put(struct line *line, char c)
{
	if (line->size < LINE_MAX)
		line->text[line->size++] = c;
}

static void put_number(struct line *line, uint64_t value, uint32_t base)
{
	char digits[20];
	uint32_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(line, digits[--count]);
}

static void put_text(struct line *line, const char *text)
{
	while (*text && *text != '\n')
		put(line, *text++);
}

static void put_signed(struct line *line, int64_t value)
{
	if (value < 0)
		put(line, '-');
	put_number(line, (uint64_t)(value < 0 ? -value : value), 10);
}

static const char *put_one(struct line *line, const char *format, va_list *list)
{
	bool is_long = *format == 'l';

	format += is_long;
	switch (*format) {
	case 's': put_text(line, va_arg(*list, const char *)); break;
	case 'c': put(line, (char)va_arg(*list, int)); break;
	case 'd': put_signed(line, va_arg(*list, int)); break;
	case 'u':
	case 'x':
		put_number(line,
			   is_long ? va_arg(*list, uint64_t)
				   : va_arg(*list, uint32_t),
			   *format == 'x' ? 16 : 10);
		break;
	default: put(line, '?'); break;
	}
	return format + 1;
}

void print(const char *format, ...)
{
	static uint32_t lock;
	struct line line = { 0 };
	va_list list;

	va_start(list, format);
	while (*format) {
		if (*format == '%')
			format = put_one(&line, format + 1, &list);
		else
			put(&line, *format++);
	}
	va_end(list);
	line.text[line.size++] = '\n';
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		pause();
	for (uint32_t i = 0; i < line.size; i++) {
		while (!(in8(PORT + LINE_STATUS) & CAN_SEND))
			pause();
		out8(PORT, (uint8_t)line.text[i]);
	}
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}
