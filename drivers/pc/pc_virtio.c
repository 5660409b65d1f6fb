/* The virtio devices of a virtual PC, as its configuration wants them. */
#include "drivers/pc/pc_state.h"
#include "drivers/virtio/virtio.h"
#include "kernel/lib/errno.h"

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

int pc_virtio_create(struct vm *vm, struct diag *why)
{
	int error = 0;

	for (uint32_t i = 0; i < vm->config->disk_count && !error; i++)
		error = virtio_blk_create(vm, vm->disks[i]);
	if (error)
		return diag_set(why, error, "disks: error %d", error);
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
