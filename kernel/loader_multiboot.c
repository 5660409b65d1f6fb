/*
 * Multiboot 1 kernels: "Multiboot Specification", version 0.6.96. As GRUB does,
 * ELF files of 64 bits are taken too, and the command line begins with the
 * kernel's name.
 */
#include "boot/config.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/loader_elf.h"
#include "kernel/loader_start.h"
#include "mm/heap.h"

/* 3.1 "OS image format". */
#define HEADER_MAGIC   0x1badb002
#define SEARCH_SIZE    8192UL
#define WANT_MUST      0xffffU /* bits that may not be ignored */
#define WANT_KNOWN     0x3U    /* modules page-aligned, memory information */
#define WANT_ADDRESSES BIT(16)

/* 3.2 "Machine state", 3.3 "Boot information format". */
#define BOOTED_MAGIC 0x2badb002
#define HAS_MEMORY   BIT(0)
#define HAS_CMDLINE  BIT(2)
#define HAS_MODULES  BIT(3)
#define HAS_MAP	     BIT(6)
#define HAS_LOADER   BIT(9)
#define LOADER_NAME  "Basalt"

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr;
	uint32_t entry_addr;
};
#define HEADER_SIZE_MIN offsetof(struct multiboot_header, header_addr)

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_and_framebuffer[12];
};
_Static_assert(offsetof(struct multiboot_info, boot_loader_name) == 64 &&
		       sizeof(struct multiboot_info) == 120,
	       "3.3");

struct multiboot_module {
	uint32_t start, end;
	uint32_t string;
	uint32_t reserved;
};

struct multiboot_map_entry {
	uint32_t size; /* of what follows */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct multiboot_map_entry) == 24, "3.3");

/* All that EBX leads to, but the module. The texts follow one another. */
struct multiboot_block {
	struct multiboot_info info;
	struct multiboot_module module;
	struct multiboot_map_entry map[LOADER_MAP_MAX];
	char loader_name[sizeof(LOADER_NAME)];
	char texts[];
};

/* The texts, in their order. */
struct multiboot_texts {
	struct slice kernel, cmdline, initrd;
};

static uint64_t cmdline_size(const struct multiboot_texts *texts)
{
	return texts->kernel.len + 1 + texts->cmdline.len + 1;
}

static uint64_t block_size(const struct multiboot_texts *texts)
{
	return sizeof(struct multiboot_block) + cmdline_size(texts) +
	       texts->initrd.len + 1;
}

/* Where the header is in the file; -1: nowhere. */
static int64_t find_header(const struct loader_file *kernel,
			   struct multiboot_header *header)
{
	uint64_t end = min_u64(kernel->size, SEARCH_SIZE);

	for (uint64_t at = 0; range_fits(at, HEADER_SIZE_MIN, end); at += 4) {
		*header = (struct multiboot_header){ 0 };
		memcpy(header, kernel->data + at, HEADER_SIZE_MIN);
		if (header->magic != HEADER_MAGIC ||
		    header->magic + header->flags + header->checksum != 0)
			continue;
		memcpy(header, kernel->data + at,
		       min_u64(sizeof(*header), end - at));
		return (int64_t)at;
	}
	return -1;
}

bool loader_multiboot_is(const struct loader_file *kernel)
{
	struct multiboot_header header;

	return find_header(kernel, &header) >= 0;
}

static int put_elf(const struct loader_file *kernel, struct loader_plan *plan,
		   uint64_t *entry, struct diag *why)
{
	struct loader_elf elf;
	int error = loader_elf_open(&elf, kernel, why);

	if (error)
		return error;
	*entry = loader_elf_entry(&elf);
	return loader_elf_put(&elf, plan, why);
}

/* 3.1.3 "The address fields of Multiboot header". */
static int put_addressed(const struct loader_file *kernel,
			 const struct multiboot_header *header, uint64_t at,
			 struct loader_plan *plan, struct diag *why)
{
	uint64_t before = (uint64_t)header->header_addr - header->load_addr;
	uint64_t size, end;
	struct loader_piece *piece;

	if (header->header_addr < header->load_addr || before > at)
		return diag_set(why, -EINVAL,
				"kernel: multiboot header at 0x%x, load "
				"address 0x%x, 0x%lx in the file: does not fit",
				header->header_addr, header->load_addr, at);
	size = kernel->size - (at - before);
	if (header->load_end_addr)
		size = (uint64_t)header->load_end_addr - header->load_addr;
	if (!range_fits(at - before, size, kernel->size))
		return diag_set(why, -EINVAL,
				"kernel: multiboot load addresses 0x%x to 0x%x "
				"are not in the file",
				header->load_addr, header->load_end_addr);
	end = max_u64(header->load_addr + size, header->bss_end_addr);
	piece = loader_plan_put(plan, "kernel", header->load_addr,
				end - header->load_addr, why);
	if (!piece)
		return -EINVAL;
	piece->data = kernel->data + (at - before);
	piece->data_size = size;
	return 0;
}

static int put_kernel(const struct loader_file *kernel,
		      struct loader_plan *plan, uint64_t *entry,
		      struct diag *why)
{
	struct multiboot_header header;
	int64_t at = find_header(kernel, &header);
	uint32_t unknown = header.flags & WANT_MUST & ~WANT_KNOWN;
	int error;

	if (at < 0 || unknown)
		return diag_set(why, -EINVAL,
				"kernel: multiboot header demands 0x%x, which "
				"is not known",
				unknown);
	*entry = header.entry_addr;
	if (header.flags & WANT_ADDRESSES)
		error = put_addressed(kernel, &header, (uint64_t)at, plan, why);
	else
		error = put_elf(kernel, plan, entry, why);
	if (error)
		return error;
	if (*entry > UINT32_MAX || !loader_plan_has(plan, *entry))
		return diag_set(why, -EINVAL,
				"kernel: entry point 0x%lx is not in what is "
				"loaded",
				*entry);
	return 0;
}

static void fill_map(struct multiboot_block *block, const struct vm *vm)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(vm, map);

	for (uint32_t i = 0; i < count; i++)
		block->map[i] = (struct multiboot_map_entry){
			.size = sizeof(block->map[i]) - sizeof(uint32_t),
			.base = map[i].base,
			.length = map[i].size,
			.type = map[i].type,
		};
	block->info.mmap_length = count * (uint32_t)sizeof(block->map[0]);
}

static void fill_texts(struct multiboot_block *block,
		       const struct multiboot_texts *texts)
{
	uint64_t size = cmdline_size(texts);
	bool has_gap = texts->kernel.len && texts->cmdline.len;

	memcpy(block->loader_name, LOADER_NAME, sizeof(LOADER_NAME));
	fmt_print(block->texts, size, "%.*s%s%.*s", SLICE_ARGS(texts->kernel),
		  has_gap ? " " : "", SLICE_ARGS(texts->cmdline));
	fmt_print(block->texts + size, texts->initrd.len + 1, "%.*s",
		  SLICE_ARGS(texts->initrd));
}

static void fill_module(struct multiboot_block *block,
			const struct loader_piece *initrd, uint32_t string)
{
	if (!initrd)
		return;
	block->module.start = (uint32_t)initrd->base;
	block->module.end = (uint32_t)(initrd->base + initrd->size);
	block->module.string = string;
	block->info.mods_count = 1;
}

static void fill_block(struct multiboot_block *block, uint32_t base,
		       const struct vm *vm, const struct multiboot_texts *texts,
		       const struct loader_piece *initrd)
{
	struct multiboot_info *info = &block->info;
	uint32_t at = base + (uint32_t)offsetof(struct multiboot_block, texts);
	uint64_t low = min_u64(vm->ram_size, VM_LOW_RAM_MAX);

	info->flags =
		HAS_MEMORY | HAS_CMDLINE | HAS_MODULES | HAS_MAP | HAS_LOADER;
	info->mem_lower = VM_EBDA_BASE / KIB;
	info->mem_upper = (uint32_t)((max_u64(low, MIB) - MIB) / KIB);
	info->cmdline = at;
	info->mods_addr =
		base + (uint32_t)offsetof(struct multiboot_block, module);
	info->mmap_addr =
		base + (uint32_t)offsetof(struct multiboot_block, map);
	info->boot_loader_name =
		base + (uint32_t)offsetof(struct multiboot_block, loader_name);
	fill_map(block, vm);
	fill_texts(block, texts);
	fill_module(block, initrd, at + (uint32_t)cmdline_size(texts));
}

static int load(struct vm *vm, struct loader_plan *plan,
		const struct loader_request *request,
		const struct multiboot_texts *texts,
		struct multiboot_block *block, struct loader_start *start,
		struct diag *why)
{
	struct loader_piece *piece, *initrd = NULL;
	uint64_t entry = 0;
	int error;

	error = put_kernel(&request->kernel, plan, &entry, why);
	if (error)
		return error;
	piece = loader_plan_place_info(plan, "kernel: multiboot information",
				       block_size(texts), why);
	if (!piece)
		return -EINVAL;
	piece->data = block;
	piece->data_size = block_size(texts);
	if (request->initrd.data && request->initrd.size) {
		initrd = loader_plan_place_file(
			plan, "initrd", &request->initrd, VM_LOW_RAM_MAX, why);
		if (!initrd)
			return -EINVAL;
	}
	fill_block(block, (uint32_t)piece->base, vm, texts, initrd);
	error = loader_plan_write(vm, plan, why);
	if (error)
		return error;
	loader_start_flat32(start, (uint32_t)entry);
	start->regs.gpr[GPR_RAX] = BOOTED_MAGIC;
	start->regs.gpr[GPR_RBX] = piece->base;
	return 0;
}

int loader_multiboot_load(struct vm *vm, const struct loader_request *request,
			  struct loader_start *start, struct diag *why)
{
	struct multiboot_texts texts = { .cmdline = request->cmdline };
	struct multiboot_block *block;
	struct loader_plan *plan;
	int error;

	if (vm->config) {
		texts.kernel = vm->config->kernel;
		texts.initrd = vm->config->initrd;
	}
	error = loader_plan_create(vm, &plan, why);
	if (error)
		return error;
	block = heap_alloc(block_size(&texts));
	if (block)
		error = load(vm, plan, request, &texts, block, start, why);
	else
		error = diag_set(why, -ENOMEM, "kernel: no memory to load it");
	heap_free(block);
	loader_plan_destroy(plan);
	return error;
}
