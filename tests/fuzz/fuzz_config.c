/*
 * Any bytes as basalt.conf and as the command line. What config_parse takes can
 * be walked: every VM is whole, and its slices lie inside the text.
 */
#include <stdlib.h>

#include "boot/config.h"
#include "kernel/lib/errno.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_inside(struct slice s, struct slice text)
{
	if (!s.ptr)
		return;
	require(s.ptr >= text.ptr);
	require(range_fits((size_t)(s.ptr - text.ptr), s.len, text.len));
}

static void check_devices(const struct config_vm *vm, struct slice text)
{
	require(vm->disk_count <= CONFIG_DISKS_MAX);
	require(vm->nic_count <= CONFIG_NICS_MAX);
	for (uint32_t i = 0; i < vm->disk_count; i++) {
		check_inside(vm->disks[i].module, text);
		require(!vm->disks[i].module.ptr == !!vm->disks[i].ram_size);
	}
	for (uint32_t i = 0; i < vm->nic_count; i++) {
		check_inside(vm->nics[i].network, text);
		require(vm->nics[i].network.len > 0);
		require(!(vm->nics[i].mac[0] & 1));
	}
}

static void check_vm(const struct config_vm *vm, struct slice text)
{
	check_inside(vm->name, text);
	check_inside(vm->kernel, text);
	check_inside(vm->initrd, text);
	check_inside(vm->firmware, text);
	check_inside(vm->cmdline, text);
	check_inside(vm->label, text);
	require(vm->name.len > 0 && vm->name.len <= 32);
	require(vm->is_control == slice_is(vm->name, "control"));
	require(!vm->kernel.ptr != !vm->firmware.ptr);
	require(vm->memory >= MIB && vm->memory % 4096 == 0);
	require(vm->vcpus >= 1 && vm->vcpus <= CONFIG_VCPUS_MAX);
	check_devices(vm, text);
}

/* Heads begin lines, so there are at most as many VMs as lines. */
static void check_walk(struct slice text)
{
	struct config_cursor cursor = config_open(text);
	struct config_vm vm;
	uint32_t line = 0;

	while (config_next_vm(&cursor, &vm)) {
		require(vm.line > line);
		line = vm.line;
		check_vm(&vm, text);
	}
	require(line <= text.len + 1);
}

static void check_refusal(int err, const struct diag *diag)
{
	require(err == -EINVAL || err == -ENOENT);
	require(strnlen(diag->text, sizeof(diag->text)) > 0);
	require(strnlen(diag->text, sizeof(diag->text)) < sizeof(diag->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct boot_info info = {
		.module_count = 1,
		.modules = { { .name = "k" } },
	};
	struct slice text = { (const char *)data, size };
	struct config_hypervisor hypervisor;
	struct diag diag = { "" };
	int err;

	config_defaults(&hypervisor);
	err = config_parse(text, &hypervisor, &diag);
	if (err) {
		check_refusal(err, &diag);
	} else {
		check_walk(text);
		err = config_check_modules(text, &info, &diag);
		if (err)
			check_refusal(err, &diag);
	}
	err = config_parse_cmdline(text, &hypervisor, &diag);
	if (err)
		check_refusal(err, &diag);
	require(strnlen(hypervisor.selftest, sizeof(hypervisor.selftest)) <
		sizeof(hypervisor.selftest));
	return 0;
}
