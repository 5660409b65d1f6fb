/*
 * ELF kernels by the PVH boot protocol: Xen, docs/misc/pvh.pandoc "x86/HVM
 * direct boot ABI" and public/arch-x86/hvm/start_info.h.
 */
#include "kernel/lib/errno.h"
#include "kernel/loader_elf.h"
#include "kernel/loader_start.h"
#include "mm/heap.h"

#define NOTE_PHYS32_ENTRY 18
#define START_MAGIC	  0x336ec578
#define START_VERSION	  1

struct pvh_start {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t map;
	uint32_t map_count;
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_start) == 56, "start_info.h");

struct pvh_module {
	uint64_t base;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};
_Static_assert(sizeof(struct pvh_module) == 32, "start_info.h");

struct pvh_map_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type; /* as e820 */
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_map_entry) == 24, "start_info.h");

struct pvh_info {
	struct pvh_start start;
	struct pvh_module initrd;
	struct pvh_map_entry map[LOADER_MAP_MAX];
};

static bool find_entry(const struct loader_elf *elf, uint64_t *entry)
{
	return loader_elf_find_note(elf, "Xen", NOTE_PHYS32_ENTRY, entry);
}

bool loader_pvh_is(const struct loader_file *kernel)
{
	struct loader_elf elf;
	struct diag ignored;
	uint64_t entry;

	return loader_elf_is(kernel) &&
	       loader_elf_open(&elf, kernel, &ignored) == 0 &&
	       find_entry(&elf, &entry);
}

static int put_kernel(const struct loader_file *kernel,
		      struct loader_plan *plan, uint64_t *entry,
		      struct diag *why)
{
	struct loader_elf elf;
	int error = loader_elf_open(&elf, kernel, why);

	if (!error)
		error = loader_elf_put(&elf, plan, why);
	if (error)
		return error;
	if (!find_entry(&elf, entry) || *entry > UINT32_MAX ||
	    !loader_plan_has(plan, *entry))
		return diag_set(why, -EINVAL,
				"kernel: PVH entry point 0x%lx is not in what "
				"is loaded",
				*entry);
	return 0;
}

static void fill_map(struct pvh_info *info, const struct vm *vm)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(vm, map);

	info->start.map_count = count;
	for (uint32_t i = 0; i < count; i++)
		info->map[i] = (struct pvh_map_entry){ .base = map[i].base,
						       .size = map[i].size,
						       .type = map[i].type };
}

static void fill_info(struct pvh_info *info, uint64_t base,
		      const struct loader_piece *cmdline,
		      const struct loader_piece *initrd, gpa_t rsdp)
{
	info->start.magic = START_MAGIC;
	info->start.version = START_VERSION;
	info->start.cmdline = cmdline->base;
	info->start.rsdp = rsdp.value;
	info->start.map = base + offsetof(struct pvh_info, map);
	if (!initrd)
		return;
	info->start.module_count = 1;
	info->start.modules = base + offsetof(struct pvh_info, initrd);
	info->initrd.base = initrd->base;
	info->initrd.size = initrd->size;
}

/* Everything but the kernel itself; *base is where @info will be. */
static int place_info(struct loader_plan *plan,
		      const struct loader_request *request,
		      struct pvh_info *info, uint64_t *base, struct diag *why)
{
	struct loader_piece *piece, *cmdline, *initrd = NULL;

	piece = loader_plan_place_info(plan, "kernel: PVH start info",
				       sizeof(*info), why);
	if (!piece)
		return -EINVAL;
	cmdline = loader_plan_place_text(plan, "kernel: command line",
					 request->cmdline, why);
	if (!cmdline)
		return -EINVAL;
	if (request->initrd.data && request->initrd.size) {
		initrd = loader_plan_place_file(
			plan, "initrd", &request->initrd, VM_LOW_RAM_MAX, why);
		if (!initrd)
			return -EINVAL;
	}
	fill_info(info, piece->base, cmdline, initrd, request->rsdp);
	fill_map(info, plan->vm);
	piece->data = info;
	piece->data_size = sizeof(*info);
	*base = piece->base;
	return 0;
}

static int load(struct vm *vm, struct loader_plan *plan,
		const struct loader_request *request, struct pvh_info *info,
		struct loader_start *start, struct diag *why)
{
	uint64_t entry = 0, base = 0;
	int error;

	error = put_kernel(&request->kernel, plan, &entry, why);
	if (!error)
		error = place_info(plan, request, info, &base, why);
	if (error)
		return error;
	error = loader_plan_write(vm, plan, why);
	if (error)
		return error;
	loader_start_flat32(start, (uint32_t)entry);
	start->regs.gpr[GPR_RBX] = base;
	return 0;
}

int loader_pvh_load(struct vm *vm, const struct loader_request *request,
		    struct loader_start *start, struct diag *why)
{
	struct pvh_info *info;
	struct loader_plan *plan;
	int error;

	error = loader_plan_create(vm, &plan, why);
	if (error)
		return error;
	info = heap_alloc(sizeof(*info));
	if (info)
		error = load(vm, plan, request, info, start, why);
	else
		error = diag_set(why, -ENOMEM, "kernel: no memory to load it");
	heap_free(info);
	loader_plan_destroy(plan);
	return error;
}
