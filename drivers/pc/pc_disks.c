/* The disks of a VM: they outlive its restarts. */
#include "drivers/pc/pc.h"
#include "drivers/virtio/blk_backend.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "mm/phys.h"

static struct blk_backend *create(const struct config_disk *disk,
				  const struct boot_module *module)
{
	if (!module)
		return ramdisk_create(disk->ram_size);
	return overlay_create(phys_to_virt(module->base), module->size,
			      disk->is_read_only);
}

/* Disk @number, which the guest finds by the id "diskN" too. */
static int open_disk(struct vm *vm, const struct boot_info *info,
		     uint32_t number, struct diag *why)
{
	const struct config_disk *disk = &vm->config->disks[number];
	const struct boot_module *module = NULL;
	struct blk_backend *backend;

	if (disk->module.ptr) {
		module = boot_module_find(info, disk->module);
		if (!module)
			return diag_set(why, -ENOENT, "disk %u: no module %.*s",
					number, SLICE_ARGS(disk->module));
	}
	backend = create(disk, module);
	if (!backend)
		return diag_set(why, -ENOMEM, "disk %u: not enough memory",
				number);
	fmt_print(backend->id, sizeof(backend->id), "disk%u", number);
	vm->disks[number] = backend;
	return 0;
}

int pc_open_disks(struct vm *vm, const struct boot_info *info, struct diag *why)
{
	int error = 0;

	for (uint32_t i = 0; i < vm->config->disk_count && !error; i++)
		error = open_disk(vm, info, i, why);
	if (error)
		pc_close_disks(vm);
	return error;
}

void pc_close_disks(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->config->disk_count; i++) {
		if (vm->disks[i])
			vm->disks[i]->ops->destroy(vm->disks[i]);
		vm->disks[i] = NULL;
	}
}
