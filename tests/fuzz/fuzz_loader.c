/*
 * Any bytes as a kernel. What is loaded begins in the guest's RAM and leaves the
 * firmware's tables alone; what is refused leaves no trace and says why.
 *
 *	byte 0	the VM's RAM, in MiB less 16
 *	byte 1	bit 0: there is an initrd, bit 1: page-aligned, bit 2: large
 *	then	the file
 */
#include <stdlib.h>

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/loader.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "svm/npt.h"
#include "vm_machine.h"

#define INITRD_ORDER 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static hpa_t initrd;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* An empty guest; the machine is made once. */
static void start(uint64_t ram_size)
{
	struct guest_mem *gm = &fake_vm.memory;
	static bool is_started;

	if (!is_started) {
		fake_vm_reset(1, MIB);
		heap_init();
		initrd = frame_alloc_zeroed(INITRD_ORDER, 0);
		is_started = true;
	}
	guest_mem_fini(gm);
	require(guest_mem_init(gm, &pt_format_npt, 2, 0) == 0);
	require(guest_mem_add(gm, GUEST_RAM, (gpa_t){ 0 }, ram_size) == 0);
	fake_vm.ram_size = ram_size;
}

static struct loader_file make_initrd(uint8_t kind)
{
	struct loader_file file = { phys_to_virt(initrd), 5000 };

	if (!(kind & 1))
		return (struct loader_file){ 0 };
	if (kind & 4)
		file.size = PAGE_SIZE << INITRD_ORDER;
	return file;
}

static bool is_ram(uint64_t address)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(&fake_vm, map);

	for (uint32_t i = 0; i < count; i++) {
		if (map[i].type == MAP_RAM && address >= map[i].base &&
		    address - map[i].base < map[i].size)
			return true;
	}
	return false;
}

static void check_tables_are_empty(void)
{
	static const uint8_t zeroes[PAGE_SIZE];
	static uint8_t page[PAGE_SIZE];

	for (uint64_t at = 0xa0000; at < VM_TABLES_END; at += PAGE_SIZE) {
		require(guest_read(&fake_vm.memory, (gpa_t){ at }, page,
				   PAGE_SIZE) == 0);
		require(memcmp(page, zeroes, PAGE_SIZE) == 0);
	}
}

static void load(const struct loader_request *request)
{
	struct loader_start entry;
	struct diag why = { "" };
	int error = loader_load(&fake_vm, request, &entry, &why);

	if (error) {
		require(error == -EINVAL);
		require(why.text[0] != '\0');
		require(fake_vm.memory.own_size == 0);
		require(fake_vm.memory.foreign_size == 0);
		return;
	}
	require(is_ram(entry.regs.rip));
	require(is_ram(entry.state.cr3));
	require(is_ram(entry.regs.gpr[GPR_RBX]));
	require(is_ram(entry.regs.gpr[GPR_RSI]));
	check_tables_are_empty();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loader_request request = { .cmdline = { "quiet", 5 },
					  .rsdp = { VM_TABLES_BASE } };

	if (size < 3)
		return 0;
	start((data[0] + 16UL) * MIB);
	request.initrd = make_initrd(data[1]);
	request.kernel = (struct loader_file){ data + 2, size - 2 };
	load(&request);
	return 0;
}
