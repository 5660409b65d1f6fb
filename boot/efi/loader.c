/*
 * basalt.efi: the UEFI loader.
 *
 * It stands in for GRUB: reads basalt.conf and the files it names from its own
 * folder, writes a multiboot2 information block, leaves boot services and jumps
 * to the image it carries. What basalt.conf says beyond names is the
 * hypervisor's to judge; so is a file that is missing. Up to ExitBootServices a
 * failure is one line on the firmware's console and an EFI error, upon which
 * the firmware goes on to its next boot option; what is allocated stays so
 * then.
 */
#include <efi.h>

#include "boot/boot_info.h"
#include "boot/config.h"
#include "boot/efi/console.h"
#include "boot/efi/elf.h"
#include "boot/efi/files.h"
#include "boot/efi/handoff.h"
#include "boot/efi/image.h"
#include "boot/efi/names.h"
#include "boot/efi/options.h"
#include "boot/efi/pages.h"
#include "boot/efi/rsdp.h"
#include "boot/efi/screen.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"

static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;

/* What the hypervisor will be told, and the files that belong to it. */
static struct boot_info info;
static struct names names;

/* Lay the hypervisor out in memory; @entry: where to jump. */
static int load_image(EFI_BOOT_SERVICES *services, void **entry,
		      struct diag *diag)
{
	struct elf_image image;
	uint8_t *base;
	int error;

	error = elf_check(image_file, (size_t)(image_file_end - image_file),
			  &image, diag);
	if (error)
		return error;
	base = pages_alloc(services, IMAGE_SIZE_MAX, LARGE_PAGE_SIZE,
			   "hypervisor", diag);
	if (!base)
		return -ENOMEM;
	elf_load(&image, base);
	*entry = base + image.entry;
	return 0;
}

/* One more module, if there is such a file. */
static int load_module(struct files *files, struct slice name,
		       struct diag *diag)
{
	struct boot_module *module = &info.modules[info.module_count];
	char text[BOOT_MODULE_NAME_MAX];
	int error;

	if (!names_is_plain(name)) {
		console_print("%.*s: not a plain file name; not loaded",
			      SLICE_ARGS(name));
		return 0;
	}
	fmt_print(text, sizeof(text), "%.*s", SLICE_ARGS(name));
	error = files_load(files, text, module, diag);
	if (error == -ENOENT)
		return 0;
	if (!error)
		info.module_count++;
	return error;
}

static int load_modules(struct files *files, struct diag *diag)
{
	const struct boot_module *config = &info.modules[0];
	struct slice text;
	int error;

	error = load_module(files, slice_from(CONFIG_FILE), diag);
	if (error || info.module_count == 0)
		return error;
	text = (struct slice){ (const char *)config->base.value, config->size };
	error = names_collect(text, &names, diag);
	for (uint32_t i = 0; i < names.count && !error; i++)
		error = load_module(files, names.all[i], diag);
	return error;
}

static int read_options(const EFI_LOADED_IMAGE *loaded, const struct path *path,
			struct diag *diag)
{
	char program[BOOT_MODULE_NAME_MAX];
	int error;

	path_file_name(path, program, sizeof(program));
	error = options_read(loaded->LoadOptions, loaded->LoadOptionsSize,
			     program, info.cmdline, diag);
	if (error != -EINVAL)
		return error;
	console_print("%s; ignored", diag->text);
	return 0;
}

/* Everything that comes from the volume or whoever started us. */
static int read_inputs(EFI_HANDLE handle, EFI_BOOT_SERVICES *services,
		       struct diag *diag)
{
	EFI_LOADED_IMAGE *loaded;
	struct files files;
	EFI_STATUS status;
	int volume_error;
	int error;

	status = services->HandleProtocol(handle, &loaded_image_guid,
					  (void **)&loaded);
	if (EFI_ERROR(status))
		return diag_set(diag, -EIO,
				"not told how it was started "
				"(EFI status %#lx)",
				status);
	volume_error = files_open(services, loaded, &files, diag);
	if (volume_error && volume_error != -ENOENT)
		return volume_error;
	if (volume_error)
		console_print("%s; no " CONFIG_FILE, diag->text);
	error = read_options(loaded, &files.program, diag);
	if (!error && !volume_error)
		error = load_modules(&files, diag);
	return error;
}

static int run(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table, struct diag *diag)
{
	EFI_BOOT_SERVICES *services = table->BootServices;
	void *entry;
	int error;

	fmt_print(info.loader, sizeof(info.loader),
		  "basalt.efi " BASALT_VERSION);
	error = load_image(services, &entry, diag);
	if (!error)
		error = read_inputs(handle, services, diag);
	if (error)
		return error;
	info.framebuffer = screen_find(services);
	rsdp_find(table, &info);
	return handoff_run(handle, services, &info, entry, diag);
}

/* Called by gnu-efi's start-up code, by the C compiler's own convention. */
EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table);

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table)
{
	struct diag diag = { "" };

	console_init(table->ConOut);
	console_print("Basalt " BASALT_VERSION);
	run(handle, table, &diag);
	console_print("%s", diag.text);
	return EFI_LOAD_ERROR;
}
