/*
 * Boot protocols: from images to guest memory and the first vCPU's registers.
 * [pure]
 *
 * Images are hostile until checked. Each loader reads the file where the boot
 * loader put it (machine memory that nobody writes any more), and writes guest
 * memory by guest_load or guest_mem_share only.
 */
#ifndef KERNEL_LOADER_H
#define KERNEL_LOADER_H

#include "kernel/lib/diag.h"
#include "kernel/lib/slice.h"
#include "kernel/vm.h"

/* A file in machine memory, mapped. */
struct loader_file {
	const uint8_t *data; /* NULL: none */
	uint64_t size;
};

struct loader_request {
	struct loader_file kernel;
	struct loader_file initrd;
	struct slice cmdline;
	gpa_t rsdp; /* ACPI's root pointer, already in guest memory */
};

/* What the first vCPU begins with; zeroed, then filled by the loader. */
struct loader_start {
	struct vcpu_regs regs;
	struct vcpu_state state;
};

/*
 * Recognise the kernel (bzImage, PVH ELF, multiboot 1; in that order of trial)
 * and load it. Nothing is loaded on -EINVAL; -ENOMEM or -EFAULT may leave parts.
 * @why says what and where.
 */
int loader_load(struct vm *vm, const struct loader_request *request,
		struct loader_start *start, struct diag *why);

/* The parts. is_: by magic only. */
bool loader_linux_is(const struct loader_file *kernel);
int loader_linux_load(struct vm *vm, const struct loader_request *request,
		      struct loader_start *start, struct diag *why);
bool loader_pvh_is(const struct loader_file *kernel);
int loader_pvh_load(struct vm *vm, const struct loader_request *request,
		    struct loader_start *start, struct diag *why);
bool loader_multiboot_is(const struct loader_file *kernel);
int loader_multiboot_load(struct vm *vm, const struct loader_request *request,
			  struct loader_start *start, struct diag *why);

/* The guest's memory map, for e820 and its relatives: in order, disjoint. */
#define LOADER_MAP_MAX 8
enum loader_map_type { MAP_RAM = 1, MAP_RESERVED = 2, MAP_ACPI = 3 };
struct loader_map_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type; /* enum loader_map_type, as e820 numbers them */
};
uint32_t loader_memory_map(const struct vm *vm,
			   struct loader_map_entry map[LOADER_MAP_MAX]);

/*
 * Where firmware tables go, reserved in that map: ACPI from VM_TABLES_BASE on,
 * RSDP first; SMBIOS entry point at VM_SMBIOS_BASE.
 */
#define VM_EBDA_BASE   0x9fc00UL
#define VM_TABLES_BASE 0xe0000UL
#define VM_SMBIOS_BASE 0xf0000UL
#define VM_TABLES_END  0x100000UL

/* Write ACPI tables (RSDP, XSDT, RSDT, FADT, FACS, DSDT, MADT, MCFG, HPET) and
 * SMBIOS for @vm. *rsdp is set. */
int acpi_tables_write(struct vm *vm, gpa_t *rsdp, struct diag *why);
int smbios_write(struct vm *vm, struct diag *why);

#endif
