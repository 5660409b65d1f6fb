/* The files that basalt.conf names. */
#include "boot/efi/names.h"

#include "boot/config.h"
#include "kernel/lib/errno.h"

static bool is_known(const struct names *names, struct slice name)
{
	if (slice_is(name, CONFIG_FILE))
		return true;
	for (uint32_t i = 0; i < names->count; i++) {
		if (slice_equals(names->all[i], name))
			return true;
	}
	return false;
}

static int add(struct names *names, struct slice name, struct diag *diag)
{
	if (!name.ptr || is_known(names, name))
		return 0;
	if (names->count == NAMES_MAX)
		return diag_set(diag, -E2BIG,
				CONFIG_FILE ": more than %d different files",
				NAMES_MAX);
	names->all[names->count++] = name;
	return 0;
}

static int add_vm(struct names *names, const struct config_vm *vm,
		  struct diag *diag)
{
	int error = add(names, vm->kernel, diag);

	if (!error)
		error = add(names, vm->initrd, diag);
	if (!error)
		error = add(names, vm->firmware, diag);
	for (uint32_t i = 0; i < vm->disk_count && !error; i++)
		error = add(names, vm->disks[i].module, diag);
	return error;
}

int names_collect(struct slice text, struct names *out, struct diag *diag)
{
	struct config_hypervisor ignored;
	struct config_cursor cursor;
	struct diag refusal;
	struct config_vm vm;
	int error = 0;

	out->count = 0;
	config_defaults(&ignored);
	if (config_parse(text, &ignored, &refusal))
		return 0;
	cursor = config_open(text);
	while (!error && config_next_vm(&cursor, &vm))
		error = add_vm(out, &vm, diag);
	return error;
}

bool names_is_plain(struct slice name)
{
	if (name.len == 0 || name.len >= BOOT_MODULE_NAME_MAX ||
	    slice_is(name, ".") || slice_is(name, ".."))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c <= ' ' || c > '~' || c == '/' || c == '\\' || c == ':')
			return false;
	}
	return true;
}
