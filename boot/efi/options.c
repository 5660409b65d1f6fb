/* EFI load options. */
#include "boot/efi/options.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool equals_any_case(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

/* The text up to its NUL or its end, as ASCII. */
static int decode(const void *options, size_t size, char *out,
		  struct diag *diag)
{
	size_t len = 0;

	for (size_t at = 0; at < size; at += sizeof(uint16_t)) {
		uint16_t unit = 0xffff;

		if (size - at >= sizeof(unit))
			memcpy(&unit, (const uint8_t *)options + at,
			       sizeof(unit));
		if (unit == 0)
			break;
		if (unit == '\t')
			unit = ' ';
		if (unit < ' ' || unit > '~')
			return diag_set(diag, -EINVAL,
					"load options: byte %zu of %zu: "
					"expected ASCII text in UTF-16",
					at, size);
		if (len == BOOT_CMDLINE_MAX - 1)
			return diag_set(diag, -E2BIG,
					"load options: %zu characters, at most "
					"%d",
					size / sizeof(unit),
					BOOT_CMDLINE_MAX - 1);
		out[len++] = (char)unit;
	}
	out[len] = '\0';
	return 0;
}

static bool is_program(const char *word, size_t len, const char *program)
{
	size_t program_len = strlen(program);

	for (size_t i = len; i > 0; i--) {
		if (strchr("\\/:", word[i - 1])) {
			word += i;
			len -= i;
			break;
		}
	}
	if (program_len > 4 && len == program_len - 4 &&
	    equals_any_case(program + len, ".efi", 4))
		program_len = len;
	return len && len == program_len && equals_any_case(word, program, len);
}

static const char *skip_spaces(const char *at)
{
	while (*at == ' ')
		at++;
	return at;
}

/* Past the first word of @text, if that is the program. */
static const char *skip_program(const char *text, const char *program)
{
	char end = ' ';
	const char *word = skip_spaces(text);
	size_t len = 0;

	if (*word == '"')
		end = *word++;
	while (word[len] && word[len] != end)
		len++;
	if (!is_program(word, len, program))
		return text;
	return word + len + (word[len] ? 1 : 0);
}

int options_read(const void *options, size_t size, const char *program,
		 char out[BOOT_CMDLINE_MAX], struct diag *diag)
{
	int error = decode(options, size, out, diag);
	const char *start;
	size_t len;

	if (error) {
		out[0] = '\0';
		return error;
	}
	start = skip_spaces(skip_program(out, program));
	len = strlen(start);
	while (len && start[len - 1] == ' ')
		len--;
	memmove(out, start, len);
	out[len] = '\0';
	return 0;
}
