/* The virtio devices of a virtual PC, as its configuration wants them. */
#include "drivers/pc/pc_state.h"
#include "drivers/virtio/blk_backend.h"
#include "drivers/virtio/virtio.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "mm/phys.h"

static struct blk_backend *create_backend(const struct config_disk *disk,
					  const struct boot_module *module)
{
	if (!module)
		return ramdisk_create(disk->ram_size);
	return overlay_create(phys_to_virt(module->base), module->size,
			      disk->is_read_only);
}

/* Disk @number, which a guest finds by the id "diskN" too. */
static int create_disk(struct vm *vm, const struct boot_info *info,
		       uint32_t number, struct diag *why)
{
	const struct config_disk *disk = &vm->config->disks[number];
	const struct boot_module *module = NULL;
	struct blk_backend *backend;
	int error;

	if (disk->module.ptr) {
		module = boot_module_find(info, disk->module);
		if (!module)
			return diag_set(why, -ENOENT, "disk %u: no module %.*s",
					number, SLICE_ARGS(disk->module));
	}
	backend = create_backend(disk, module);
	if (!backend)
		return diag_set(why, -ENOMEM, "disk %u: not enough memory",
				number);
	fmt_print(backend->id, sizeof(backend->id), "disk%u", number);
	error = virtio_blk_create(vm, backend);
	if (error) {
		backend->ops->destroy(backend);
		return diag_set(why, error, "disk %u: error %d", number, error);
	}
	return 0;
}

/*
 * An address for card @number if the configuration names none: locally
 * administered, the same at every start, and as different between VMs as 24 bits
 * of a hash (FNV-1a) of the VM's name and the number make it.
 */
static void choose_mac(const struct vm *vm, uint32_t number, uint8_t mac[6])
{
	static const uint8_t prefix[3] = { 0x52, 0x54, 0x00 };
	uint32_t hash = 2166136261U;

	for (const char *c = vm->name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619U;
	hash = (hash ^ number) * 16777619U;
	memcpy(mac, prefix, sizeof(prefix));
	mac[3] = (uint8_t)(hash >> 16);
	mac[4] = (uint8_t)(hash >> 8);
	mac[5] = (uint8_t)hash;
}

static int create_nic(struct vm *vm, uint32_t number, struct diag *why)
{
	static const uint8_t none[6];
	const struct config_nic *nic = &vm->config->nics[number];
	uint8_t mac[6];
	int error;

	memcpy(mac, nic->mac, sizeof(mac));
	if (memcmp(mac, none, sizeof(mac)) == 0)
		choose_mac(vm, number, mac);
	error = virtio_net_create(vm, nic->network, mac);
	if (error)
		return diag_set(why, error, "network card %u: error %d", number,
				error);
	return 0;
}

int pc_virtio_create(struct vm *vm, const struct boot_info *info,
		     struct diag *why)
{
	int error = 0;

	for (uint32_t i = 0; i < vm->config->disk_count && !error; i++)
		error = create_disk(vm, info, i, why);
	for (uint32_t i = 0; i < vm->config->nic_count && !error; i++)
		error = create_nic(vm, i, why);
	if (error)
		return error;
	error = virtio_console_create(vm);
	if (!error)
		error = virtio_rng_create(vm);
	if (error)
		return diag_set(why, error, "virtio devices: error %d", error);
	return 0;
}
