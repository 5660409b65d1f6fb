/*
 * basalt.conf and the command line, checked.
 *
 * The text is read three times: its bytes (config_lex_check), its sections in
 * order (each checked alone, into a struct that is thrown away), and the names
 * of its sections against each other. config_next_vm reads a section again
 * when it is asked for, so nothing limits how many there may be. The words
 * "hypervisor" and "control" are names too, so every section has one.
 */
#include "boot/config.h"

#include "boot/config_section.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"

#define EXPECTED_MAX 128 /* bytes of what an error line lists */

static const char *const heads[] = {
	[CONFIG_HYPERVISOR] = "[hypervisor]",
	[CONFIG_CONTROL] = "[control]",
	[CONFIG_VM] = "[vm.NAME]",
};

void config_defaults(struct config_hypervisor *out)
{
	*out = (struct config_hypervisor){
		.has_serial = true,
		.has_framebuffer = true,
		.serial_port = 0x3f8,
		.serial_baud = 115200,
		.log_level = LOG_INFO,
	};
}

static int refuse_value(const struct config_key *key, uint32_t line,
			struct slice raw, struct diag *diag)
{
	char expected[EXPECTED_MAX];

	config_key_describe(key, expected, sizeof(expected));
	return diag_set(diag, -EINVAL,
			CONFIG_FILE ":%u: %s = %.*s: expected %s", line,
			key->name, SLICE_ARGS(config_lex_excerpt(raw)),
			expected);
}

static int set_list(const struct config_key *key,
		    const struct config_item *pair, void *target,
		    struct diag *diag)
{
	struct config_cursor array = { pair->text, 0, pair->line };
	struct slice text, raw;
	uint32_t line;

	config_key_clear(key, target);
	while (config_lex_element(&array, &text, &raw, diag) > 0) {
		line = pair->line + config_lex_line(pair->text, raw.ptr) - 1;
		if (!config_key_set(key, text, target))
			return refuse_value(key, line, raw, diag);
	}
	return 0;
}

static int set_pair(enum config_section_kind kind,
		    const struct config_item *pair, void *target,
		    uint32_t *seen, struct diag *diag)
{
	const struct config_key *key = config_key_find(kind, pair->name);
	struct slice name = config_lex_excerpt(pair->name);
	char names[EXPECTED_MAX];

	if (!key) {
		config_key_list(kind, names, sizeof(names));
		return diag_set(diag, -EINVAL,
				CONFIG_FILE ":%u: %.*s: unknown key: %s"
					    " expected one of %s",
				pair->line, SLICE_ARGS(name), heads[kind],
				names);
	}
	if (*seen & config_key_bit(key))
		return diag_set(diag, -EINVAL,
				CONFIG_FILE ":%u: %s: key given twice: expected"
					    " it once in this section",
				pair->line, key->name);
	*seen |= config_key_bit(key);
	if (pair->value_kind != config_key_kind(key))
		return refuse_value(key, pair->line, pair->raw, diag);
	if (pair->value_kind == CONFIG_ARRAY)
		return set_list(key, pair, target, diag);
	if (!config_key_set(key, pair->text, target))
		return refuse_value(key, pair->line, pair->raw, diag);
	return 0;
}

/* Read pairs into @target up to what follows the section, which is @next. */
static int read_pairs(struct config_cursor *cursor,
		      enum config_section_kind kind, void *target,
		      struct config_item *next, struct diag *diag)
{
	uint32_t seen = 0;
	int err = config_lex_item(cursor, next, diag);

	while (!err && next->kind == CONFIG_PAIR) {
		err = set_pair(kind, next, target, &seen, diag);
		if (!err)
			err = config_lex_item(cursor, next, diag);
	}
	return err;
}

static void init_vm(struct config_vm *vm, const struct config_section *section)
{
	*vm = (struct config_vm){
		.name = section->name,
		.vcpus = 1,
		.line = section->line,
		.is_control = section->kind == CONFIG_CONTROL,
		.is_autostarted = true,
		.has_virtual_interrupts = true,
	};
}

/* What keys of a section want of each other; NULL if all is well. */
static const char *find_conflict(const struct config_vm *vm)
{
	if (!vm->memory)
		return "no memory: expected memory = \"SIZE\"";
	if (!vm->kernel.ptr && !vm->firmware.ptr)
		return "nothing to start: expected kernel or firmware";
	if (vm->kernel.ptr && vm->firmware.ptr)
		return "kernel and firmware: expected one of them";
	if (vm->initrd.ptr && !vm->kernel.ptr)
		return "initrd without kernel: expected both";
	if (vm->cmdline.ptr && !vm->kernel.ptr)
		return "cmdline without kernel: expected both";
	return NULL;
}

static int read_vm(struct config_cursor *cursor,
		   const struct config_section *section,
		   struct config_item *next, struct diag *diag)
{
	struct config_vm vm;
	const char *conflict;
	int err;

	init_vm(&vm, section);
	err = read_pairs(cursor, section->kind, &vm, next, diag);
	if (err)
		return err;
	conflict = find_conflict(&vm);
	if (!conflict)
		return 0;
	return diag_set(diag, -EINVAL, CONFIG_FILE ":%u: %.*s: %s",
			section->line,
			SLICE_ARGS(config_lex_excerpt(section->head)),
			conflict);
}

/* Read the section that *@item is the head of, and the item behind it. */
static int read_section(struct config_cursor *cursor, struct config_item *item,
			struct config_hypervisor *out, struct diag *diag)
{
	struct config_section section;
	int err;

	if (item->kind == CONFIG_PAIR)
		return diag_set(diag, -EINVAL,
				CONFIG_FILE
				":%u: %.*s: expected a section"
				" such as [hypervisor] before the first key",
				item->line,
				SLICE_ARGS(config_lex_excerpt(item->name)));
	err = config_section_identify(item, &section, diag);
	if (err)
		return err;
	if (section.kind == CONFIG_HYPERVISOR)
		return read_pairs(cursor, section.kind, out, item, diag);
	return read_vm(cursor, &section, item, diag);
}

int config_parse(struct slice text, struct config_hypervisor *out,
		 struct diag *diag)
{
	struct config_hypervisor hypervisor = *out;
	struct config_cursor cursor = config_open(text);
	struct config_item item;
	int err;

	err = config_lex_check(text, diag);
	if (!err)
		err = config_lex_item(&cursor, &item, diag);
	while (!err && item.kind != CONFIG_END)
		err = read_section(&cursor, &item, &hypervisor, diag);
	if (!err)
		err = config_section_check_names(text, diag);
	if (!err)
		*out = hypervisor;
	return err;
}

struct config_cursor config_open(struct slice text)
{
	return (struct config_cursor){ text, 0, 1 };
}

int config_next_vm(struct config_cursor *cursor, struct config_vm *out)
{
	struct config_cursor pairs;
	struct config_section section;
	struct config_item next;
	struct diag unused;

	do {
		if (!config_section_next(cursor, &section))
			return 0;
	} while (section.kind == CONFIG_HYPERVISOR);
	init_vm(out, &section);
	pairs = *cursor;
	return read_pairs(&pairs, section.kind, out, &next, &unused) == 0;
}

/*
 * Cut off and return what @rest has before the next of @separators. Without
 * one that is all, and @rest is then { NULL, 0 }.
 */
static struct slice next_part(struct slice *rest, const char *separators)
{
	struct slice part = { rest->ptr, 0 };

	while (part.len < rest->len && !strchr(separators, part.ptr[part.len]))
		part.len++;
	if (part.len == rest->len) {
		*rest = (struct slice){ NULL, 0 };
		return part;
	}
	rest->ptr += part.len + 1;
	rest->len -= part.len + 1;
	return part;
}

/* Without the file's quotes and brackets: console=serial,framebuffer. */
static bool set_word_value(const struct config_key *key, struct slice value,
			   struct config_hypervisor *out)
{
	if (config_key_kind(key) != CONFIG_ARRAY)
		return config_key_set(key, value, out);
	config_key_clear(key, out);
	while (value.len > 0)
		if (!config_key_set(key, next_part(&value, ","), out))
			return false;
	return true;
}

static int set_word(struct slice word, struct config_hypervisor *out,
		    uint32_t *seen, struct diag *diag)
{
	struct slice shown = config_lex_excerpt(word);
	struct slice value = word;
	struct slice name = next_part(&value, "=");
	const struct config_key *key = config_key_find(CONFIG_HYPERVISOR, name);
	char expected[EXPECTED_MAX];

	if (!key || !value.ptr) {
		config_key_list(CONFIG_HYPERVISOR, expected, sizeof(expected));
		return diag_set(diag, -EINVAL,
				"command line: %.*s: expected KEY=VALUE, KEY"
				" one of %s",
				SLICE_ARGS(shown), expected);
	}
	if (*seen & config_key_bit(key))
		return diag_set(diag, -EINVAL,
				"command line: %.*s: expected %s only once",
				SLICE_ARGS(shown), key->name);
	*seen |= config_key_bit(key);
	if (set_word_value(key, value, out))
		return 0;
	config_key_describe(key, expected, sizeof(expected));
	return diag_set(diag, -EINVAL, "command line: %.*s: expected %s",
			SLICE_ARGS(shown), expected);
}

int config_parse_cmdline(struct slice words, struct config_hypervisor *out,
			 struct diag *diag)
{
	struct config_hypervisor hypervisor = *out;
	uint32_t seen = 0;

	for (size_t i = 0; i < words.len; i++)
		if (words.ptr[i] < ' ' || words.ptr[i] > '~')
			return diag_set(diag, -EINVAL,
					"command line: byte 0x%02x at %zu:"
					" expected printable ASCII",
					(uint8_t)words.ptr[i], i);
	while (words.ptr) {
		struct slice word = next_part(&words, " ");
		int err = 0;

		if (word.len > 0)
			err = set_word(word, &hypervisor, &seen, diag);
		if (err)
			return err;
	}
	*out = hypervisor;
	return 0;
}

const struct boot_module *boot_module_find(const struct boot_info *info,
					   struct slice name)
{
	for (uint32_t i = 0; i < info->module_count; i++)
		if (slice_is(name, info->modules[i].name))
			return &info->modules[i];
	return NULL;
}

/* Write the modules' names; of what does not fit there are dots. */
static void list_modules(const struct boot_info *info, char *buf, size_t size)
{
	static const char more[] = ", ...";
	const char *empty = info->module_count ? "" : "none";
	size_t len = fmt_print(buf, size, "%s", empty);

	for (uint32_t i = 0; i < info->module_count; i++) {
		const char *name = info->modules[i].name;

		if (len + strlen(name) + 2 + sizeof(more) > size) {
			fmt_print(buf + len, size - len, "%s", more);
			return;
		}
		len += fmt_print(buf + len, size - len, "%s%s", i ? ", " : "",
				 name);
	}
}

static int check_module(struct slice text, const char *key, struct slice name,
			const struct boot_info *info, struct diag *diag)
{
	char names[EXPECTED_MAX];

	if (!name.ptr || boot_module_find(info, name))
		return 0;
	list_modules(info, names, sizeof(names));
	return diag_set(diag, -ENOENT,
			CONFIG_FILE ":%u: %s: %.*s: expected one of the boot"
				    " modules: %s",
			config_lex_line(text, name.ptr), key,
			SLICE_ARGS(config_lex_excerpt(name)), names);
}

static int check_vm_modules(struct slice text, const struct config_vm *vm,
			    const struct boot_info *info, struct diag *diag)
{
	int err = check_module(text, "kernel", vm->kernel, info, diag);

	if (!err)
		err = check_module(text, "initrd", vm->initrd, info, diag);
	if (!err)
		err = check_module(text, "firmware", vm->firmware, info, diag);
	for (uint32_t i = 0; !err && i < vm->disk_count; i++)
		err = check_module(text, "disks", vm->disks[i].module, info,
				   diag);
	return err;
}

int config_check_modules(struct slice text, const struct boot_info *info,
			 struct diag *diag)
{
	struct config_cursor cursor = config_open(text);
	struct config_vm vm;
	int err = 0;

	while (!err && config_next_vm(&cursor, &vm))
		err = check_vm_modules(text, &vm, info, diag);
	return err;
}
