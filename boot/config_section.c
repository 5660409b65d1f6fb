/* The heads of basalt.conf's sections, and that no name is given twice. */
#include "boot/config_section.h"

#include "boot/config_value.h"
#include "kernel/lib/errno.h"

#define NAMES_MAX 256

/* Names of sections in order, as places in the text: 2 KiB of stack. */
struct name_batch {
	const char *text;
	uint32_t count;
	struct {
		uint32_t offset;
		uint32_t len;
	} names[NAMES_MAX];
};

static int identify_vm(const struct config_item *head, struct diag *diag)
{
	struct slice shown = config_lex_excerpt(head->raw);

	if (!config_value_is_name(head->sub))
		return diag_set(diag, -EINVAL,
				CONFIG_FILE
				":%u: %.*s: expected a NAME of"
				" a-z, 0-9 and . _ -, at most 32 bytes, in"
				" \"quotes\" if it has a dot",
				head->line, SLICE_ARGS(shown));
	if (slice_is(head->sub, "hypervisor") || slice_is(head->sub, "control"))
		return diag_set(diag, -EINVAL,
				CONFIG_FILE ":%u: %.*s: expected a name other"
					    " than hypervisor and control",
				head->line, SLICE_ARGS(shown));
	return 0;
}

int config_section_identify(const struct config_item *head,
			    struct config_section *out, struct diag *diag)
{
	out->name = head->name;
	out->head = head->raw;
	out->line = head->line;
	if (slice_is(head->name, "hypervisor") && !head->sub.ptr) {
		out->kind = CONFIG_HYPERVISOR;
		return 0;
	}
	if (slice_is(head->name, "control") && !head->sub.ptr) {
		out->kind = CONFIG_CONTROL;
		return 0;
	}
	if (slice_is(head->name, "vm") && head->sub.ptr) {
		out->kind = CONFIG_VM;
		out->name = head->sub;
		return identify_vm(head, diag);
	}
	return diag_set(diag, -EINVAL,
			CONFIG_FILE ":%u: %.*s: expected [hypervisor],"
				    " [control] or [vm.NAME]",
			head->line, SLICE_ARGS(config_lex_excerpt(head->raw)));
}

bool config_section_next(struct config_cursor *cursor,
			 struct config_section *out)
{
	struct config_item head;
	struct diag unused;

	return config_lex_seek_head(cursor) &&
	       config_lex_item(cursor, &head, &unused) == 0 &&
	       config_section_identify(&head, out, &unused) == 0;
}

static struct slice name_at(const struct name_batch *batch, uint32_t index)
{
	return (struct slice){ batch->text + batch->names[index].offset,
			       batch->names[index].len };
}

static int compare(struct slice a, struct slice b)
{
	int order = memcmp(a.ptr, b.ptr, min_u64(a.len, b.len));

	if (order)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

/* Where @name is in @batch (true), or would be put (false). */
static bool batch_find(const struct name_batch *batch, struct slice name,
		       uint32_t *index)
{
	uint32_t low = 0, high = batch->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(name_at(batch, middle), name);

		if (order == 0) {
			*index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*index = low;
	return false;
}

static void batch_insert(struct name_batch *batch, struct slice name,
			 uint32_t index)
{
	memmove(&batch->names[index + 1], &batch->names[index],
		(batch->count - index) * sizeof(batch->names[0]));
	batch->names[index].offset = (uint32_t)(name.ptr - batch->text);
	batch->names[index].len = (uint32_t)name.len;
	batch->count++;
}

/*
 * Is no section's name given twice? The names from @cursor on are taken into
 * the batch until it is full, and those behind are compared with it; @cursor
 * is then where the next batch starts. 1: there is more to do.
 */
static int check_names(struct config_cursor *cursor, struct diag *diag)
{
	struct name_batch batch = { .text = cursor->text.ptr, .count = 0 };
	struct config_cursor rest = *cursor;
	struct config_section section;
	uint32_t index;

	while (config_section_next(&rest, &section)) {
		if (batch_find(&batch, section.name, &index))
			return diag_set(
				diag, -EINVAL,
				CONFIG_FILE ":%u: %.*s: expected a name"
					    " that is not taken by line %u",
				section.line, SLICE_ARGS(section.head),
				config_lex_line(rest.text,
						name_at(&batch, index).ptr));
		if (batch.count == NAMES_MAX)
			continue;
		batch_insert(&batch, section.name, index);
		*cursor = rest;
	}
	return batch.count == NAMES_MAX;
}

/*
 * Without an allocator, a text with more than NAMES_MAX sections is walked once
 * for each NAMES_MAX of them. The shortest section there is has 32 bytes
 * (a name of three, memory, kernel), so CONFIG_SIZE_MAX holds at most 32768: at
 * worst 128 walks of half the text on average, each section looked up in eight
 * steps. That is 64 MiB of line starts searched, and a fraction of a second.
 */
int config_section_check_names(struct slice text, struct diag *diag)
{
	struct config_cursor cursor = config_open(text);
	int more;

	do
		more = check_names(&cursor, diag);
	while (more > 0);
	return more;
}
