/* What the boot loader said, copied out of its memory, checked and bounded.
 * [pure] */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "mm/addr.h"

#define BOOT_CMDLINE_MAX     1024
#define BOOT_LOADER_NAME_MAX 64
#define BOOT_MODULES_MAX     64
#define BOOT_MODULE_NAME_MAX 64
#define BOOT_REGIONS_MAX     512
#define BOOT_RSDP_MAX	     36

enum memory_type {
	MEMORY_RAM,
	MEMORY_RESERVED,
	MEMORY_ACPI_RECLAIM,
	MEMORY_ACPI_NVS,
	MEMORY_BAD,
};

/* A range of the firmware's memory map: bytes, not page aligned, never
 * wrapping, never empty. */
struct memory_region {
	uint64_t base;
	uint64_t size;
	enum memory_type type;
};

/* A file that the loader put into RAM. @name is the first word of its command
 * line, less its folder. */
struct boot_module {
	hpa_t base;
	uint64_t size;
	char name[BOOT_MODULE_NAME_MAX];
};

/* A linear framebuffer of 32 bits a pixel. width 0: none. */
struct framebuffer_info {
	hpa_t base;
	uint32_t pitch;	 /* bytes a line */
	uint32_t width;	 /* pixels */
	uint32_t height; /* pixels */
	uint8_t red_shift;
	uint8_t green_shift;
	uint8_t blue_shift;
};

struct boot_info {
	char cmdline[BOOT_CMDLINE_MAX];
	char loader[BOOT_LOADER_NAME_MAX];
	uint8_t rsdp[BOOT_RSDP_MAX]; /* the newest RSDP given */
	uint32_t rsdp_size;	     /* bytes in rsdp, 0: none given */
	struct framebuffer_info framebuffer;
	hpa_t image_base; /* where the image really is */
	uint64_t image_size;
	uint32_t region_count;
	uint32_t module_count;
	struct memory_region
		regions[BOOT_REGIONS_MAX]; /* by base; loader's order kept for
					      equal bases */
	struct boot_module
		modules[BOOT_MODULES_MAX]; /* in the loader's order */
};

/*
 * May [base, base + size) be registers or a framebuffer: not empty, below
 * 2^@address_bits, and nowhere in what the memory map calls RAM?
 */
bool boot_info_is_device(const struct boot_info *info, uint64_t base,
			 uint64_t size, uint8_t address_bits);

#endif
