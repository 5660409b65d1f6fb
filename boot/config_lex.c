/* The text of basalt.conf -> sections and key = value pairs. */
#include "boot/config_lex.h"

#include "kernel/lib/errno.h"

#define EXCERPT_MAX 48

/* Which second bytes may follow a lead byte, and how long the sequence is. */
struct utf8_row {
	uint8_t lead_first;
	uint8_t lead_last;
	uint8_t second_first;
	uint8_t second_last;
	uint8_t len;
};

/*
 * The Unicode Standard, table 3-7 "Well-Formed UTF-8 Byte Sequences", less the
 * control characters U+0080 to U+009F, which terminals obey.
 */
static const struct utf8_row utf8_rows[] = {
	{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool is_continuation(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

/* Bytes of the multi-byte character that @s starts with; 0: malformed. */
static size_t utf8_len(struct slice s)
{
	uint8_t lead = (uint8_t)s.ptr[0];

	for (size_t i = 0; i < ARRAY_SIZE(utf8_rows); i++) {
		const struct utf8_row *row = &utf8_rows[i];

		if (lead < row->lead_first || lead > row->lead_last)
			continue;
		if (row->len > s.len || (uint8_t)s.ptr[1] < row->second_first ||
		    (uint8_t)s.ptr[1] > row->second_last)
			return 0;
		for (size_t k = 2; k < row->len; k++)
			if (!is_continuation(s.ptr[k]))
				return 0;
		return row->len;
	}
	return 0;
}

/* Bytes of the character that @s starts with; 0: not allowed in the file. */
static size_t char_len(struct slice s)
{
	uint8_t c = (uint8_t)s.ptr[0];

	if (c >= 0x80)
		return utf8_len(s);
	if (c == '\r')
		return s.len > 1 && s.ptr[1] == '\n';
	return c == '\t' || c == '\n' || (c >= ' ' && c != 0x7f);
}

int config_lex_check(struct slice text, struct diag *diag)
{
	uint32_t line = 1;
	size_t len;

	if (text.len > CONFIG_SIZE_MAX)
		return diag_set(diag, -EINVAL,
				CONFIG_FILE ": %zu bytes: expected at most %lu",
				text.len, CONFIG_SIZE_MAX);
	for (size_t i = 0; i < text.len; i += len) {
		struct slice rest = { text.ptr + i, text.len - i };

		len = char_len(rest);
		if (len == 0)
			return diag_set(diag, -EINVAL,
					CONFIG_FILE
					":%u: byte 0x%02x: expected"
					" UTF-8 without control characters",
					line, (uint8_t)rest.ptr[0]);
		if (rest.ptr[0] == '\n')
			line++;
	}
	return 0;
}

struct slice config_lex_excerpt(struct slice raw)
{
	struct slice out = { raw.ptr, 0 };

	while (out.len < raw.len && out.len <= EXCERPT_MAX &&
	       raw.ptr[out.len] != '\n' && raw.ptr[out.len] != '\r')
		out.len++;
	if (out.len <= EXCERPT_MAX)
		return out;
	out.len = EXCERPT_MAX;
	while (is_continuation(out.ptr[out.len]))
		out.len--;
	return out;
}

uint32_t config_lex_line(struct slice text, const char *at)
{
	uint32_t line = 1;

	for (const char *c = text.ptr; c < at; c++)
		line += *c == '\n';
	return line;
}

/* The next byte, -1 at the end. */
static int peek(const struct config_cursor *cursor)
{
	if (cursor->offset >= cursor->text.len)
		return -1;
	return (uint8_t)cursor->text.ptr[cursor->offset];
}

static bool accept(struct config_cursor *cursor, char c)
{
	if (peek(cursor) != c)
		return false;
	cursor->offset++;
	return true;
}

/* The text from @start up to the cursor. */
static struct slice text_since(const struct config_cursor *cursor, size_t start)
{
	return (struct slice){ cursor->text.ptr + start,
			       cursor->offset - start };
}

/* What an error line shows of the text from @start on. */
static struct slice excerpt_from(const struct config_cursor *cursor,
				 size_t start)
{
	if (start == cursor->text.len)
		return slice_from("end of file");
	return config_lex_excerpt((struct slice){ cursor->text.ptr + start,
						  cursor->text.len - start });
}

/* A CR is always followed by LF (config_lex_check), so it may count as blank */
static void skip_blanks(struct config_cursor *cursor)
{
	while (accept(cursor, ' ') || accept(cursor, '\t') ||
	       accept(cursor, '\r'))
		;
}

/* Blanks and a comment, up to the end of the line. */
static void skip_filling(struct config_cursor *cursor)
{
	skip_blanks(cursor);
	if (peek(cursor) == '#')
		while (peek(cursor) >= 0 && peek(cursor) != '\n')
			cursor->offset++;
}

static bool accept_newline(struct config_cursor *cursor)
{
	if (!accept(cursor, '\n'))
		return false;
	cursor->line++;
	return true;
}

static void skip_empty_lines(struct config_cursor *cursor)
{
	do
		skip_filling(cursor);
	while (accept_newline(cursor));
}

/* What TOML allows in a bare key, and @more. */
static bool is_word_char(int c, const char *more)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       (c > 0 && strchr(more, c));
}

/* The word at the cursor; empty if there is none. */
static struct slice read_word(struct config_cursor *cursor, const char *more)
{
	size_t start = cursor->offset;

	while (is_word_char(peek(cursor), more))
		cursor->offset++;
	return text_since(cursor, start);
}

static bool is_quote(int c)
{
	return c == '"' || c == '\'';
}

/* The string at the cursor, which is at its opening quote. */
static int read_string(struct config_cursor *cursor, struct slice *out,
		       struct diag *diag)
{
	size_t start = cursor->offset++;
	char quote = cursor->text.ptr[start];

	while (peek(cursor) >= 0 && peek(cursor) != quote &&
	       peek(cursor) != '\n' && (peek(cursor) != '\\' || quote == '\''))
		cursor->offset++;
	if (peek(cursor) == '\\')
		return diag_set(diag, -EINVAL,
				CONFIG_FILE
				":%u: %.*s: no escapes are known:"
				" expected a string in 'single quotes'",
				cursor->line,
				SLICE_ARGS(excerpt_from(cursor, start)));
	if (peek(cursor) != quote)
		return diag_set(diag, -EINVAL,
				CONFIG_FILE ":%u: %.*s: the string has no end:"
					    " expected %c on this line",
				cursor->line,
				SLICE_ARGS(excerpt_from(cursor, start)), quote);
	*out = text_since(cursor, start + 1);
	cursor->offset++;
	return 0;
}

static int refuse_array(const struct config_cursor *cursor, struct diag *diag)
{
	struct slice shown = excerpt_from(cursor, cursor->offset);

	return diag_set(diag, -EINVAL,
			CONFIG_FILE
			":%u: %.*s: expected an array of strings"
			" with commas between them and ] at its end",
			cursor->line, SLICE_ARGS(shown));
}

int config_lex_element(struct config_cursor *cursor, struct slice *text,
		       struct slice *raw, struct diag *diag)
{
	size_t start;
	int err;

	skip_empty_lines(cursor);
	if (accept(cursor, ']'))
		return 0;
	if (!is_quote(peek(cursor)))
		return refuse_array(cursor, diag);
	start = cursor->offset;
	err = read_string(cursor, text, diag);
	if (err)
		return err;
	*raw = text_since(cursor, start);
	skip_empty_lines(cursor);
	if (accept(cursor, ',') || peek(cursor) == ']')
		return 1;
	return refuse_array(cursor, diag);
}

/* The array whose "[" the cursor has just passed. */
static int read_array(struct config_cursor *cursor, struct config_item *item,
		      struct diag *diag)
{
	size_t start = cursor->offset;
	struct slice text, raw;
	int more;

	do
		more = config_lex_element(cursor, &text, &raw, diag);
	while (more > 0);
	item->text = text_since(cursor, start);
	return more;
}

static int read_value(struct config_cursor *cursor, struct config_item *item,
		      struct diag *diag)
{
	size_t start = cursor->offset;
	int err = 0;

	if (is_quote(peek(cursor))) {
		item->value_kind = CONFIG_STRING;
		err = read_string(cursor, &item->text, diag);
	} else if (accept(cursor, '[')) {
		item->value_kind = CONFIG_ARRAY;
		err = read_array(cursor, item, diag);
	} else {
		item->value_kind = CONFIG_BARE;
		item->text = read_word(cursor, "+.:");
	}
	item->raw = text_since(cursor, start);
	return err;
}

static int read_pair(struct config_cursor *cursor, struct config_item *item,
		     struct diag *diag)
{
	size_t start = cursor->offset;
	int err;

	item->kind = CONFIG_PAIR;
	item->name = read_word(cursor, "");
	skip_blanks(cursor);
	if (item->name.len == 0 || !accept(cursor, '='))
		return diag_set(diag, -EINVAL,
				CONFIG_FILE ":%u: %.*s: expected [SECTION]"
					    " or KEY = VALUE",
				item->line,
				SLICE_ARGS(excerpt_from(cursor, start)));
	skip_blanks(cursor);
	err = read_value(cursor, item, diag);
	if (err || item->raw.len > 0)
		return err;
	return diag_set(diag, -EINVAL,
			CONFIG_FILE
			":%u: %.*s: expected a \"string\", a"
			" number, true, false or an array behind the =",
			item->line, SLICE_ARGS(excerpt_from(cursor, start)));
}

static int read_head(struct config_cursor *cursor, struct config_item *item,
		     struct diag *diag)
{
	size_t start = cursor->offset++;
	int err = 0;

	item->kind = CONFIG_HEAD;
	item->name = read_word(cursor, "");
	if (accept(cursor, '.')) {
		if (is_quote(peek(cursor)))
			err = read_string(cursor, &item->sub, diag);
		else
			item->sub = read_word(cursor, "");
	}
	if (err)
		return err;
	if (!accept(cursor, ']'))
		return diag_set(diag, -EINVAL,
				CONFIG_FILE
				":%u: %.*s: expected [hypervisor],"
				" [control], [vm.NAME] or [vm.\"NAME\"]",
				item->line,
				SLICE_ARGS(excerpt_from(cursor, start)));
	item->raw = text_since(cursor, start);
	return 0;
}

int config_lex_item(struct config_cursor *cursor, struct config_item *out,
		    struct diag *diag)
{
	int err;

	skip_empty_lines(cursor);
	*out = (struct config_item){ .kind = CONFIG_END, .line = cursor->line };
	if (peek(cursor) < 0)
		return 0;
	if (peek(cursor) == '[')
		err = read_head(cursor, out, diag);
	else
		err = read_pair(cursor, out, diag);
	if (err)
		return err;
	skip_filling(cursor);
	if (accept_newline(cursor) || peek(cursor) < 0)
		return 0;
	return diag_set(diag, -EINVAL,
			CONFIG_FILE ":%u: %.*s: expected the end of the line"
				    " behind %.*s",
			cursor->line,
			SLICE_ARGS(excerpt_from(cursor, cursor->offset)),
			SLICE_ARGS(config_lex_excerpt(out->raw)));
}

bool config_lex_seek_head(struct config_cursor *cursor)
{
	while (peek(cursor) >= 0) {
		skip_blanks(cursor);
		/*
		 * No array holds another one, so a "[" that starts a line of a
		 * text without errors is a head.
		 */
		if (peek(cursor) == '[')
			return true;
		while (peek(cursor) >= 0 && !accept_newline(cursor))
			cursor->offset++;
	}
	return false;
}
