#include "kernel/loader.h"

#include "kernel/lib/errno.h"
#include "kernel/loader_elf.h"

struct loader_protocol {
	bool (*is)(const struct loader_file *kernel);
	int (*load)(struct vm *vm, const struct loader_request *request,
		    struct loader_start *start, struct diag *why);
};

/* In the order of trial: a Linux kernel may be a PVH ELF file, and some kernels
 * are PVH and multiboot. */
static const struct loader_protocol protocols[] = {
	{ loader_linux_is, loader_linux_load },
	{ loader_pvh_is, loader_pvh_load },
	{ loader_multiboot_is, loader_multiboot_load },
};

int loader_load(struct vm *vm, const struct loader_request *request,
		struct loader_start *start, struct diag *why)
{
	struct loader_elf elf;

	*start = (struct loader_start){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		if (protocols[i].is(&request->kernel))
			return protocols[i].load(vm, request, start, why);
	}
	/* a broken ELF file has a better reason */
	if (loader_elf_is(&request->kernel) &&
	    loader_elf_open(&elf, &request->kernel, why))
		return -EINVAL;
	return diag_set(why, -EINVAL,
			"kernel: neither a bzImage, nor an ELF file with a PVH "
			"note, nor a multiboot 1 kernel");
}

uint32_t loader_memory_map(const struct vm *vm,
			   struct loader_map_entry map[LOADER_MAP_MAX])
{
	uint64_t low = min_u64(vm->ram_size, VM_LOW_RAM_MAX);
	const struct loader_map_entry all[] = {
		{ 0, VM_EBDA_BASE, MAP_RAM },
		{ VM_EBDA_BASE, 0xa0000 - VM_EBDA_BASE, MAP_RESERVED },
		{ VM_TABLES_BASE, VM_TABLES_END - VM_TABLES_BASE,
		  MAP_RESERVED },
		{ MIB, low > MIB ? low - MIB : 0, MAP_RAM },
		{ VM_ECAM_BASE, VM_ECAM_SIZE, MAP_RESERVED },
		{ 4 * GIB, vm->ram_size - low, MAP_RAM },
	};
	uint32_t count = 0;

	_Static_assert(ARRAY_SIZE(all) <= LOADER_MAP_MAX, "fits");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].size)
			map[count++] = all[i];
	}
	return count;
}
