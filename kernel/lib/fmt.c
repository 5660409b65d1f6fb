/* Formatting text. */
#include "kernel/lib/fmt.h"

#include <stdbool.h>
#include <stdint.h>

#include "kernel/lib/string.h"

/* Where the text goes, and how long it has become (which may be past the end).
 */
struct sink {
	char *buf;
	size_t size;
	size_t len;
};

/* One conversion, as read from the format. */
struct spec {
	bool is_left;
	bool is_zero_padded;
	bool is_alternate;
	bool has_precision;
	int width;
	int precision;
	int long_count; /* 1 for l and z, 2 for ll */
	char conversion;
};

static void put(struct sink *sink, char c)
{
	if (sink->len + 1 < sink->size)
		sink->buf[sink->len] = c;
	sink->len++;
}

static void put_repeated(struct sink *sink, char c, int count)
{
	while (count-- > 0)
		put(sink, c);
}

/* @prefix and @digits, padded to the width on the side and with the character
 * the spec asks for. */
static void put_padded(struct sink *sink, const struct spec *spec,
		       const char *prefix, const char *digits, size_t len)
{
	int pad = spec->width - (int)strlen(prefix) - (int)len;

	if (!spec->is_left && !spec->is_zero_padded)
		put_repeated(sink, ' ', pad);
	while (*prefix)
		put(sink, *prefix++);
	if (!spec->is_left && spec->is_zero_padded)
		put_repeated(sink, '0', pad);
	for (size_t i = 0; i < len; i++)
		put(sink, digits[i]);
	if (spec->is_left)
		put_repeated(sink, ' ', pad);
}

static void put_number(struct sink *sink, const struct spec *spec,
		       uint64_t value, unsigned int base, const char *prefix)
{
	const char *digit = spec->conversion == 'X' ? "0123456789ABCDEF"
						    : "0123456789abcdef";
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = digit[value % base];
		value /= base;
	} while (value);
	put_padded(sink, spec, prefix, digits + at, sizeof(digits) - at);
}

static void put_signed(struct sink *sink, const struct spec *spec,
		       int64_t value)
{
	uint64_t magnitude = (uint64_t)value;

	if (value < 0)
		magnitude = 0 - magnitude;
	put_number(sink, spec, magnitude, 10, value < 0 ? "-" : "");
}

static void put_string(struct sink *sink, const struct spec *spec,
		       const char *s)
{
	struct spec plain = *spec;
	size_t max = SIZE_MAX;

	if (!s)
		s = "(null)";
	if (spec->has_precision)
		max = spec->precision < 0 ? 0 : (size_t)spec->precision;
	plain.is_zero_padded = false;
	put_padded(sink, &plain, "", s, strnlen(s, max));
}

static const char *read_number(const char *at, int *out)
{
	*out = 0;
	while (*at >= '0' && *at <= '9' && *out < 10000)
		*out = *out * 10 + (*at++ - '0');
	return at;
}

static const char *read_flags(const char *at, struct spec *spec)
{
	for (;; at++) {
		if (*at == '-')
			spec->is_left = true;
		else if (*at == '0')
			spec->is_zero_padded = true;
		else if (*at == '#')
			spec->is_alternate = true;
		else
			return at;
	}
}

static const char *read_size(const char *at, struct spec *spec)
{
	for (; *at == 'l' || *at == 'z'; at++)
		spec->long_count++;
	return at;
}

/* va_list is passed on by pointer, so that each step consumes its own
 * arguments. */
struct arguments {
	va_list list;
};

static uint64_t next_unsigned(struct arguments *args, const struct spec *spec)
{
	if (spec->long_count)
		return va_arg(args->list, unsigned long);
	return va_arg(args->list, unsigned int);
}

static int64_t next_signed(struct arguments *args, const struct spec *spec)
{
	if (spec->long_count)
		return va_arg(args->list, long);
	return va_arg(args->list, int);
}

static const char *read_spec(const char *at, struct spec *spec,
			     struct arguments *args)
{
	at = read_flags(at, spec);
	if (*at == '*') {
		spec->width = va_arg(args->list, int);
		at++;
	} else {
		at = read_number(at, &spec->width);
	}
	if (*at == '.') {
		spec->has_precision = true;
		if (at[1] == '*') {
			spec->precision = va_arg(args->list, int);
			at += 2;
		} else {
			at = read_number(at + 1, &spec->precision);
		}
	}
	at = read_size(at, spec);
	spec->conversion = *at;
	return at;
}

static void put_conversion(struct sink *sink, const struct spec *spec,
			   struct arguments *args)
{
	char c;

	switch (spec->conversion) {
	case 'd':
	case 'i': put_signed(sink, spec, next_signed(args, spec)); break;
	case 'u':
		put_number(sink, spec, next_unsigned(args, spec), 10, "");
		break;
	case 'x':
	case 'X':
		put_number(sink, spec, next_unsigned(args, spec), 16,
			   spec->is_alternate ? "0x" : "");
		break;
	case 'p':
		put_number(sink, spec, (uintptr_t)va_arg(args->list, void *),
			   16, "0x");
		break;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_padded(sink, spec, "", &c, 1);
		break;
	case 's':
		put_string(sink, spec, va_arg(args->list, const char *));
		break;
	default: put(sink, spec->conversion); break;
	}
}

size_t fmt_print_v(char *buf, size_t size, const char *format, va_list list)
{
	struct sink sink = { buf, size, 0 };
	struct arguments args;

	va_copy(args.list, list);
	for (const char *at = format; *at; at++) {
		struct spec spec = { 0 };

		if (*at != '%') {
			put(&sink, *at);
			continue;
		}
		at = read_spec(at + 1, &spec, &args);
		if (!*at)
			break;
		put_conversion(&sink, &spec, &args);
	}
	va_end(args.list);
	if (size)
		buf[sink.len < size ? sink.len : size - 1] = '\0';
	return sink.len;
}

size_t fmt_print(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	size_t len;

	va_start(args, format);
	len = fmt_print_v(buf, size, format, args);
	va_end(args);
	return len;
}
