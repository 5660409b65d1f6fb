/* A piece of text inside somebody else's buffer; not NUL-terminated. [pure] */
#ifndef KERNEL_LIB_SLICE_H
#define KERNEL_LIB_SLICE_H

#include "kernel/lib/string.h"

struct slice {
	const char *ptr; /* NULL: not given at all */
	size_t len;
};

/* The two arguments of printf's "%.*s". */
#define SLICE_ARGS(s) (int)(s).len, (s).ptr

static inline struct slice slice_from(const char *text)
{
	return (struct slice){ text, strlen(text) };
}

static inline bool slice_equals(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_is(struct slice s, const char *text)
{
	return slice_equals(s, slice_from(text));
}

#endif
