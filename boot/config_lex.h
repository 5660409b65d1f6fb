/* The text of basalt.conf -> sections and key = value pairs. [pure] */
#ifndef BOOT_CONFIG_LEX_H
#define BOOT_CONFIG_LEX_H

#include "boot/config.h"

/*
 * The language is a subset of TOML 1.0: comments, [name], [name.name] and
 * [name."name"] heads, key = value with bare keys. Values are one-line strings
 * and arrays of them, and bare words (which the key's type must then accept).
 * Strings are slices of the text, so they have no escapes: what holds a double
 * quote or a backslash is written as a 'literal string'.
 */
enum config_item_kind { CONFIG_END, CONFIG_HEAD, CONFIG_PAIR };
enum config_value_kind { CONFIG_BARE, CONFIG_STRING, CONFIG_ARRAY };

struct config_item {
	enum config_item_kind kind;
	enum config_value_kind value_kind;
	uint32_t line;	   /* of the item's first byte */
	struct slice name; /* of a head the first part; or the key */
	struct slice sub;  /* of a head the second part; ptr NULL: none */
	struct slice raw;  /* the head, or the value, as it is written */
	/* string: what is between the quotes; array: raw less its "[" */
	struct slice text;
};

/*
 * Is @text at most CONFIG_SIZE_MAX bytes of UTF-8 without control characters
 * (but tab, LF, and CR before LF)? 0 or -EINVAL with @diag. Everything below
 * wants this checked.
 */
int config_lex_check(struct slice text, struct diag *diag);

/* Read the next item, to the end of its line: 0, or -EINVAL with @diag. */
int config_lex_item(struct config_cursor *cursor, struct config_item *out,
		    struct diag *diag);

/*
 * Read the next string of an array into @text and @raw (with its quotes), up to
 * the next one: 1; 0 if its "]" came instead; -EINVAL with @diag. @cursor
 * starts behind the "[".
 */
int config_lex_element(struct config_cursor *cursor, struct slice *text,
		       struct slice *raw, struct diag *diag);

/*
 * Go to the next head at or after @cursor, which is at the start of a line, of
 * a text without errors; false if there is none. Looks at line starts only.
 */
bool config_lex_seek_head(struct config_cursor *cursor);

/* The line that @at, a place in @text, is on; from 1. */
uint32_t config_lex_line(struct slice text, const char *at);

/* The part of @raw that an error line shows: of its first line, the start. */
struct slice config_lex_excerpt(struct slice raw);

#endif
