/* The keys of basalt.conf, a table row each, and where their values go. */
#include "boot/config_keys.h"

#include "boot/config_value.h"
#include "kernel/lib/fmt.h"

#define CMDLINE_MAX 2047 /* Linux x86: COMMAND_LINE_SIZE less its NUL */
#define WORD_MAX    (sizeof(((struct config_hypervisor *)0)->selftest) - 1)

#define IN_HYPERVISOR BIT(CONFIG_HYPERVISOR)
#define IN_VM	      BIT(CONFIG_VM)
#define IN_DOMAIN     (BIT(CONFIG_CONTROL) | BIT(CONFIG_VM))

#define HYPERVISOR(member) offsetof(struct config_hypervisor, member)
#define DOMAIN(member)	   offsetof(struct config_vm, member)

/* clang-format off */
static const struct config_key keys[] = {
	{ "console",     IN_HYPERVISOR, CONFIG_CONSOLES, 0, 0, 0 },
	{ "serial_port", IN_HYPERVISOR, CONFIG_PORT,     HYPERVISOR(serial_port), 0, 0 },
	{ "serial_baud", IN_HYPERVISOR, CONFIG_BAUD,     HYPERVISOR(serial_baud), 0, 0 },
	{ "log_level",   IN_HYPERVISOR, CONFIG_LEVEL,    HYPERVISOR(log_level), 0, 0 },
	{ "memory",      IN_HYPERVISOR, CONFIG_SIZE,     HYPERVISOR(memory), 0, DIRECT_SIZE },
	{ "selftest",    IN_HYPERVISOR, CONFIG_WORD,     HYPERVISOR(selftest), 0, WORD_MAX },
	{ "kernel",      IN_DOMAIN,     CONFIG_MODULE,   DOMAIN(kernel), 0, 0 },
	{ "initrd",      IN_DOMAIN,     CONFIG_MODULE,   DOMAIN(initrd), 0, 0 },
	{ "firmware",    IN_DOMAIN,     CONFIG_MODULE,   DOMAIN(firmware), 0, 0 },
	{ "cmdline",     IN_DOMAIN,     CONFIG_TEXT,     DOMAIN(cmdline), 0, CMDLINE_MAX },
	{ "memory",      IN_DOMAIN,     CONFIG_SIZE,     DOMAIN(memory), MIB, DIRECT_SIZE },
	{ "vcpus",       IN_DOMAIN,     CONFIG_NUMBER,   DOMAIN(vcpus), 1, CONFIG_VCPUS_MAX },
	{ "disks",       IN_DOMAIN,     CONFIG_DISKS,    0, 0, 0 },
	{ "nics",        IN_DOMAIN,     CONFIG_NICS,     0, 0, 0 },
	{ "label",       IN_DOMAIN,     CONFIG_NAME,     DOMAIN(label), 0, 0 },
	{ "cpu",         IN_VM,         CONFIG_CPU,      DOMAIN(cpu), 0, 0 },
	{ "autostart",   IN_VM,         CONFIG_BOOL,     DOMAIN(is_autostarted), 0, 0 },
	{ "testdev",     IN_VM,         CONFIG_BOOL,     DOMAIN(has_testdev), 0, 0 },
	{ "virtual_interrupts", IN_VM,  CONFIG_BOOL,     DOMAIN(has_virtual_interrupts), 0, 0 },
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(keys) <= 32, "config_key_bit has 32 bits");

/* NULL: made from the row's limits. */
static const char *const descriptions[] = {
	[CONFIG_BOOL] = "true or false",
	[CONFIG_NUMBER] = NULL,
	[CONFIG_SIZE] = NULL,
	[CONFIG_BAUD] = "115200 or a whole part of it, such as 38400 or 9600",
	[CONFIG_PORT] = "\"com1\" to \"com4\", or \"0x100\" to \"0xfff8\" in"
			" steps of 8",
	[CONFIG_LEVEL] = "\"error\", \"warn\", \"info\" or \"debug\"",
	[CONFIG_CPU] = "\"host\", \"x86-64-v1\", \"x86-64-v2\","
		       " \"x86-64-v3\" or \"x86-64-v4\"",
	[CONFIG_WORD] = NULL,
	[CONFIG_MODULE] = "the \"name\" of a boot module, of letters, digits"
			  " and . _ + ~ @ -",
	[CONFIG_NAME] = "a \"name\" of a-z, 0-9 and . _ -, at most 32 bytes",
	[CONFIG_TEXT] = NULL,
	[CONFIG_CONSOLES] = "a list of \"serial\" and \"framebuffer\"",
	[CONFIG_DISKS] = "a list of at most 16, such as [\"MODULE\","
			 " \"MODULE,readonly\", \"ram:64M\"]",
	[CONFIG_NICS] = "a list of at most 8, such as [\"NETWORK\","
			" \"NETWORK,mac=52:54:00:12:34:56\"]",
};

_Static_assert(CONFIG_DISKS_MAX == 16 && CONFIG_NICS_MAX == 8,
	       "the descriptions name the limits");

const struct config_key *config_key_find(enum config_section_kind section,
					 struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if ((keys[i].sections & BIT(section)) &&
		    slice_is(name, keys[i].name))
			return &keys[i];
	return NULL;
}

uint32_t config_key_bit(const struct config_key *key)
{
	return 1U << (key - keys);
}

enum config_value_kind config_key_kind(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_BOOL:
	case CONFIG_NUMBER:
	case CONFIG_BAUD: return CONFIG_BARE;
	case CONFIG_CONSOLES:
	case CONFIG_DISKS:
	case CONFIG_NICS: return CONFIG_ARRAY;
	default: return CONFIG_STRING;
	}
}

static bool add_console(struct slice text, struct config_hypervisor *out)
{
	if (slice_is(text, "serial"))
		out->has_serial = true;
	else if (slice_is(text, "framebuffer"))
		out->has_framebuffer = true;
	else
		return false;
	return true;
}

/* Cut @text at its first comma; what was behind it, ptr NULL if nothing. */
static struct slice cut_option(struct slice *text)
{
	struct slice whole = *text;

	for (size_t i = 0; i < whole.len; i++) {
		if (whole.ptr[i] != ',')
			continue;
		text->len = i;
		return (struct slice){ whole.ptr + i + 1, whole.len - i - 1 };
	}
	return (struct slice){ NULL, 0 };
}

static bool strip_prefix(struct slice *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->ptr, prefix, len) != 0)
		return false;
	text->ptr += len;
	text->len -= len;
	return true;
}

static bool add_disk(struct slice text, struct config_vm *vm)
{
	struct config_disk disk = { 0 };
	struct slice option;

	if (vm->disk_count == CONFIG_DISKS_MAX)
		return false;
	if (strip_prefix(&text, "ram:")) {
		if (!config_value_size(text, PAGE_SIZE, DIRECT_SIZE,
				       &disk.ram_size))
			return false;
	} else {
		option = cut_option(&text);
		disk.module = text;
		disk.is_read_only = option.ptr;
		if (!config_value_is_module(text) ||
		    (option.ptr && !slice_is(option, "readonly")))
			return false;
	}
	vm->disks[vm->disk_count++] = disk;
	return true;
}

static bool add_nic(struct slice text, struct config_vm *vm)
{
	struct slice option = cut_option(&text);
	struct config_nic nic = { .network = text };

	if (vm->nic_count == CONFIG_NICS_MAX || !config_value_is_name(text))
		return false;
	if (option.ptr && (!strip_prefix(&option, "mac=") ||
			   !config_value_mac(option, nic.mac)))
		return false;
	vm->nics[vm->nic_count++] = nic;
	return true;
}

static bool set_slice(struct slice text, bool is_allowed, struct slice *out)
{
	if (is_allowed)
		*out = text;
	return is_allowed;
}

void config_key_clear(const struct config_key *key, void *target)
{
	struct config_hypervisor *hypervisor = target;

	/* disks and nics start out empty, only console has a default */
	if (key->type != CONFIG_CONSOLES)
		return;
	hypervisor->has_serial = false;
	hypervisor->has_framebuffer = false;
}

bool config_key_set(const struct config_key *key, struct slice text,
		    void *target)
{
	void *member = (char *)target + key->offset;

	switch (key->type) {
	case CONFIG_BOOL: return config_value_bool(text, member);
	case CONFIG_NUMBER:
		return config_value_number(text, (uint32_t)key->min,
					   (uint32_t)key->max, member);
	case CONFIG_SIZE:
		return config_value_size(text, key->min, key->max, member);
	case CONFIG_BAUD: return config_value_baud(text, member);
	case CONFIG_PORT: return config_value_port(text, member);
	case CONFIG_LEVEL: return config_value_level(text, member);
	case CONFIG_CPU: return config_value_cpu(text, member);
	case CONFIG_WORD: return config_value_word(text, key->max, member);
	case CONFIG_MODULE:
		return set_slice(text, config_value_is_module(text), member);
	case CONFIG_NAME:
		return set_slice(text, config_value_is_name(text), member);
	case CONFIG_TEXT: return set_slice(text, text.len <= key->max, member);
	case CONFIG_CONSOLES: return add_console(text, member);
	case CONFIG_DISKS: return add_disk(text, member);
	case CONFIG_NICS: return add_nic(text, member);
	}
	return false;
}

static char unit_of(uint64_t size)
{
	return size >= GIB ? 'G' : size >= MIB ? 'M' : 'K';
}

static uint64_t in_units(uint64_t size)
{
	return size >= GIB ? size / GIB : size >= MIB ? size / MIB : size / KIB;
}

void config_key_describe(const struct config_key *key, char *buf, size_t size)
{
	switch (key->type) {
	case CONFIG_NUMBER:
		fmt_print(buf, size, "a number from %lu to %lu", key->min,
			  key->max);
		break;
	case CONFIG_SIZE:
		fmt_print(buf, size,
			  "a size such as \"512M\", from %lu%c to %lu%c in"
			  " steps of 4K",
			  in_units(key->min), unit_of(key->min),
			  in_units(key->max), unit_of(key->max));
		break;
	case CONFIG_WORD:
		fmt_print(buf, size,
			  "a \"word\" of a-z, 0-9, _ and -, at most %lu bytes",
			  key->max);
		break;
	case CONFIG_TEXT:
		fmt_print(buf, size, "a \"string\" of at most %lu bytes",
			  key->max);
		break;
	default: fmt_print(buf, size, "%s", descriptions[key->type]); break;
	}
}

void config_key_list(enum config_section_kind section, char *buf, size_t size)
{
	const char *comma = "";
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys) && len < size; i++) {
		if (!(keys[i].sections & BIT(section)))
			continue;
		len += fmt_print(buf + len, size - len, "%s%s", comma,
				 keys[i].name);
		comma = ", ";
	}
}
