/*
 * Linux bzImage by the 64-bit boot protocol: "The Linux/x86 Boot Protocol",
 * Documentation/arch/x86/boot.rst; the zero page is in zero-page.rst.
 */
#include "kernel/cpu/x86_regs.h"
#include "kernel/lib/errno.h"
#include "kernel/loader_plan.h"
#include "kernel/loader_start.h"
#include "mm/heap.h"

#define SECTOR_SIZE	  512UL
#define SETUP_SECTS_OLD	  4 /* what setup_sects 0 means */
#define BOOT_FLAG	  0xaa55
#define HEADER_MAGIC	  0x53726448 /* "HdrS" */
#define PROTOCOL_MIN	  0x20c	     /* 2.12: the first with xloadflags */
#define XLF_KERNEL_64	  BIT(0)
#define LOADER_UNKNOWN	  0xff
#define VIDEO_MODE_NORMAL 0xffff
#define ENTRY_64	  0x200UL
#define IDENTITY_TABLES	  6 /* PML4, PDPT and a directory for each GiB */
#define IDENTITY_GIBS	  4
#define PAGE_TABLE_BITS	  3 /* present, writable */
#define PAGE_LARGE_BITS	  (PAGE_TABLE_BITS | BIT(7))
#define ALIGNMENT_MAX	  GIB
#define HEADER_OFFSET	  0x1f1
#define HEADER_SIZE_MAX	  (0x290 - HEADER_OFFSET)
#define JUMP_OPERAND	  0x201 /* distance from 0x202 to the header's end */

/* "The Real-Mode Kernel Header", from HEADER_OFFSET on. */
struct linux_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize;
	uint16_t ram_size;
	uint16_t vid_mode;
	uint16_t root_dev;
	uint16_t boot_flag;
	uint16_t jump;
	uint32_t header;
	uint16_t version;
	uint32_t realmode_swtch;
	uint16_t start_sys_seg;
	uint16_t kernel_version;
	uint8_t type_of_loader;
	uint8_t loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start;
	uint32_t ramdisk_image;
	uint32_t ramdisk_size;
	uint32_t bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver;
	uint8_t ext_loader_type;
	uint32_t cmd_line_ptr;
	uint32_t initrd_addr_max;
	uint32_t kernel_alignment;
	uint8_t relocatable_kernel;
	uint8_t min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size;
	uint32_t hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset;
	uint32_t payload_length;
	uint64_t setup_data;
	uint64_t pref_address;
	uint32_t init_size;
} __attribute__((packed));
_Static_assert(sizeof(struct linux_header) == 0x264 - HEADER_OFFSET, "header");

struct linux_e820 {
	uint64_t base;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

/* The zero page. */
struct linux_params {
	uint8_t screen_and_apm[0x70];
	uint64_t acpi_rsdp_addr;
	uint8_t obsolete[0x1e8 - 0x78];
	uint8_t e820_entries;
	uint8_t edd[HEADER_OFFSET - 0x1e9];
	union {
		struct linux_header header;
		uint8_t header_bytes[HEADER_SIZE_MAX];
	};
	uint8_t edd_signatures[0x2d0 - 0x290];
	struct linux_e820 e820[128];
	uint8_t rest[PAGE_SIZE - 0xcd0];
} __attribute__((packed));
_Static_assert(offsetof(struct linux_params, acpi_rsdp_addr) == 0x70 &&
		       offsetof(struct linux_params, e820_entries) == 0x1e8 &&
		       offsetof(struct linux_params, header) == 0x1f1 &&
		       offsetof(struct linux_params, e820) == 0x2d0 &&
		       sizeof(struct linux_params) == PAGE_SIZE,
	       "zero page");

/* What the kernel finds beside itself in low memory. */
struct linux_info {
	struct linux_params params;
	uint64_t tables[IDENTITY_TABLES][512];
	uint64_t gdt[LOADER_GDT_ENTRIES];
};

/* A kernel whose header has been checked. */
struct linux_image {
	struct linux_header header; /* copied */
	uint64_t header_size;	    /* as the jump instruction says */
	uint64_t setup_size;	    /* of file, before the kernel proper */
	uint64_t code_size;	    /* of file, behind that */
	uint64_t base;		    /* where it runs */
	uint64_t size;		    /* RAM it needs there */
};

/* Where the pieces came to lie. */
struct linux_layout {
	const struct loader_piece *info;
	const struct loader_piece *cmdline;
	const struct loader_piece *initrd; /* NULL: none */
};

static void copy_header(const struct loader_file *kernel,
			struct linux_header *header)
{
	memcpy(header, kernel->data + HEADER_OFFSET, sizeof(*header));
}

bool loader_linux_is(const struct loader_file *kernel)
{
	struct linux_header header;

	if (kernel->size < HEADER_OFFSET + sizeof(header))
		return false;
	copy_header(kernel, &header);
	return header.boot_flag == BOOT_FLAG && header.header == HEADER_MAGIC;
}

/* The fields that have been there only since 2.12 come after the version. */
static int check_version(const struct loader_file *kernel,
			 struct linux_image *image, struct diag *why)
{
	const struct linux_header *header = &image->header;

	if (header->version < PROTOCOL_MIN)
		return diag_set(why, -EINVAL,
				"kernel: bzImage of protocol %u.%02u: 2.12 or "
				"newer is needed",
				header->version >> 8, header->version & 0xff);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return diag_set(why, -EINVAL,
				"kernel: bzImage without a 64-bit entry");
	image->header_size =
		0x202UL - HEADER_OFFSET + kernel->data[JUMP_OPERAND];
	if (image->header_size < sizeof(*header) ||
	    image->header_size > HEADER_SIZE_MAX)
		return diag_set(why, -EINVAL,
				"kernel: bzImage header of %lu bytes: %lu to "
				"%lu are expected",
				image->header_size, sizeof(*header),
				(uint64_t)HEADER_SIZE_MAX);
	return 0;
}

static int check_file_size(const struct loader_file *kernel,
			   struct linux_image *image, struct diag *why)
{
	uint64_t sectors = image->header.setup_sects;
	uint64_t size = image->header.syssize * 16UL;

	image->setup_size =
		((sectors ? sectors : SETUP_SECTS_OLD) + 1) * SECTOR_SIZE;
	/* the last paragraph need not be full */
	if (size <= ENTRY_64 || kernel->size <= image->setup_size ||
	    size > align_up(kernel->size - image->setup_size, 16))
		return diag_set(why, -EINVAL,
				"kernel: bzImage cut short: %lu bytes, its "
				"header says %lu",
				kernel->size, image->setup_size + size);
	image->code_size = min_u64(size, kernel->size - image->setup_size);
	return 0;
}

/*
 * Where it runs. A kernel moves itself up to pref_address before it decompresses
 * itself, be it relocatable or not, so lower places save nothing ("init_size",
 * algorithm of runtime_start).
 */
static int find_base(struct linux_image *image, struct diag *why)
{
	const struct linux_header *header = &image->header;
	uint64_t align = header->kernel_alignment;

	if (!align || align > ALIGNMENT_MAX || (align & (align - 1)) ||
	    header->pref_address > VM_LOW_RAM_MAX)
		return diag_set(why, -EINVAL,
				"kernel: bzImage that wants to be at 0x%lx, "
				"aligned to 0x%lx",
				header->pref_address, align);
	image->base = max_u64(header->pref_address, MIB);
	if (header->relocatable_kernel)
		image->base = align_up(image->base, align);
	image->size = max_u64(header->init_size, image->code_size);
	return 0;
}

static int decode(const struct loader_request *request,
		  struct linux_image *image, struct diag *why)
{
	const struct loader_file *kernel = &request->kernel;
	int error;

	copy_header(kernel, &image->header);
	error = check_version(kernel, image, why);
	if (!error)
		error = check_file_size(kernel, image, why);
	if (!error)
		error = find_base(image, why);
	if (error)
		return error;
	if (request->cmdline.len > image->header.cmdline_size)
		return diag_set(why, -EINVAL,
				"kernel: command line of %lu characters: this "
				"kernel takes %u",
				request->cmdline.len,
				image->header.cmdline_size);
	return 0;
}

/* The usual reason why a kernel does not fit, in words for who chose the size. */
static int check_ram(const struct vm *vm, const struct linux_image *image,
		     struct diag *why)
{
	uint64_t end = image->base + image->size;

	if (end <= min_u64(vm->ram_size, VM_LOW_RAM_MAX))
		return 0;
	return diag_set(why, -EINVAL,
			"kernel: bzImage needs RAM up to 0x%lx (%lu MiB), the "
			"VM has %lu MiB",
			end, align_up(end, MIB) / MIB, vm->ram_size / MIB);
}

static int place_initrd(struct loader_plan *plan,
			const struct loader_file *initrd, uint64_t address_max,
			struct linux_layout *layout, struct diag *why)
{
	uint64_t limit = min_u64(address_max + 1, VM_LOW_RAM_MAX);

	if (!initrd->data || !initrd->size)
		return 0;
	layout->initrd =
		loader_plan_place_file(plan, "initrd", initrd, limit, why);
	return layout->initrd ? 0 : -EINVAL;
}

static int make_plan(struct loader_plan *plan,
		     const struct loader_request *request,
		     const struct linux_image *image,
		     struct linux_layout *layout, struct linux_info *info,
		     struct diag *why)
{
	struct loader_piece *kernel, *piece;
	int error;

	error = check_ram(plan->vm, image, why);
	if (error)
		return error;
	kernel = loader_plan_put(plan, "kernel", image->base, image->size, why);
	if (!kernel)
		return -EINVAL;
	kernel->data = request->kernel.data + image->setup_size;
	kernel->data_size = image->code_size;

	piece = loader_plan_place_info(plan, "kernel: boot parameters",
				       sizeof(*info), why);
	if (!piece)
		return -EINVAL;
	piece->data = info;
	piece->data_size = sizeof(*info);
	layout->info = piece;

	layout->cmdline = loader_plan_place_text(plan, "kernel: command line",
						 request->cmdline, why);
	if (!layout->cmdline)
		return -EINVAL;
	return place_initrd(plan, &request->initrd,
			    image->header.initrd_addr_max, layout, why);
}

static void fill_e820(struct linux_params *params, const struct vm *vm)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(vm, map);

	params->e820_entries = (uint8_t)count;
	for (uint32_t i = 0; i < count; i++)
		params->e820[i] = (struct linux_e820){ map[i].base, map[i].size,
						       map[i].type };
}

static void fill_params(struct linux_params *params,
			const struct loader_request *request,
			const struct linux_image *image,
			const struct linux_layout *layout)
{
	memcpy(params->header_bytes, request->kernel.data + HEADER_OFFSET,
	       image->header_size);
	/* nothing of these comes from the file */
	params->header.setup_data = 0;
	params->header.hardware_subarch = 0;
	params->header.hardware_subarch_data = 0;
	params->header.type_of_loader = LOADER_UNKNOWN;
	params->header.vid_mode = VIDEO_MODE_NORMAL;
	params->header.code32_start = (uint32_t)image->base;
	params->header.cmd_line_ptr = (uint32_t)layout->cmdline->base;
	params->header.ramdisk_image = 0;
	params->header.ramdisk_size = 0;
	if (layout->initrd) {
		params->header.ramdisk_image = (uint32_t)layout->initrd->base;
		params->header.ramdisk_size = (uint32_t)layout->initrd->size;
	}
	params->acpi_rsdp_addr = request->rsdp.value;
}

/* The first IDENTITY_GIBS in pages of 2 MiB, which every 64-bit CPU has. */
static void fill_tables(struct linux_info *info, uint64_t base)
{
	uint64_t pml4 = base + offsetof(struct linux_info, tables);
	uint64_t *entries = info->tables[2];

	info->tables[0][0] = (pml4 + PAGE_SIZE) | PAGE_TABLE_BITS;
	for (uint64_t i = 0; i < IDENTITY_GIBS; i++)
		info->tables[1][i] =
			(pml4 + (2 + i) * PAGE_SIZE) | PAGE_TABLE_BITS;
	for (uint64_t i = 0; i < IDENTITY_GIBS * 512; i++)
		entries[i] = i * LARGE_PAGE_SIZE | PAGE_LARGE_BITS;
}

/* Everything is where it goes: fill what tells the kernel, and write it all. */
static int commit(struct vm *vm, const struct loader_plan *plan,
		  const struct loader_request *request,
		  const struct linux_image *image,
		  const struct linux_layout *layout, struct linux_info *info,
		  struct diag *why)
{
	fill_params(&info->params, request, image, layout);
	fill_e820(&info->params, vm);
	fill_tables(info, layout->info->base);
	loader_start_gdt(info->gdt);
	return loader_plan_write(vm, plan, why);
}

static void set_start(struct loader_start *start,
		      const struct linux_image *image, uint64_t info)
{
	gpa_t gdt = { info + offsetof(struct linux_info, gdt) };
	gpa_t cr3 = { info + offsetof(struct linux_info, tables) };

	loader_start_long_mode(start, image->base + ENTRY_64, gdt, cr3);
	start->regs.gpr[GPR_RSI] = info;
}

int loader_linux_load(struct vm *vm, const struct loader_request *request,
		      struct loader_start *start, struct diag *why)
{
	struct linux_image image = { 0 };
	struct linux_layout layout = { 0 };
	struct loader_plan *plan;
	struct linux_info *info;
	int error;

	error = decode(request, &image, why);
	if (error)
		return error;
	error = loader_plan_create(vm, &plan, why);
	if (error)
		return error;
	info = heap_alloc(sizeof(*info));
	if (info)
		error = make_plan(plan, request, &image, &layout, info, why);
	else
		error = diag_set(why, -ENOMEM, "kernel: no memory to load it");
	if (!error)
		error = commit(vm, plan, request, &image, &layout, info, why);
	if (!error)
		set_start(start, &image, layout.info->base);
	heap_free(info);
	loader_plan_destroy(plan);
	return error;
}
