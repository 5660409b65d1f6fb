/* boot_main: read what the loader, the configuration and the firmware say;
 * everything else is hv_main's. */
#include "boot/acpi.h"
#include "boot/config.h"
#include "boot/multiboot2.h"
#include "drivers/host/console.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/descriptors.h"
#include "kernel/cpu/percpu_area.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/main.h"
#include "kernel/smp.h"
#include "kernel/lib/stop.h"
#include "mm/host_space.h"
#include "mm/phys.h"

#define LOW_MEMORY_END	1UL * MIB
#define FRAMEBUFFER_MAX (256 * MIB) /* 8K, 32 bits a pixel, twice */
#define RAM_MIN		(64 * MIB)

/* Called by start.asm. */
_Noreturn void boot_main(uint32_t magic, uint32_t block, uint32_t image_base);

extern char image_start[], image_end[];

static struct boot_state boot;

static void start_cpu(void)
{
	percpu_area_init(percpu_start, 0, 0);
	percpu_area_use(0);
	stop_set_canary();
	time_mark_boot();
	idt_init();
	descriptors_load();
	cpu_detect();
	cpu_init();
}

/* A framebuffer that is none would let the console draw over memory. */
static void check_framebuffer(void)
{
	struct framebuffer_info *info = &boot.info.framebuffer;
	uint64_t size = (uint64_t)info->pitch * info->height;

	if (!info->width ||
	    (size <= FRAMEBUFFER_MAX &&
	     boot_info_is_device(&boot.info, info->base.value, size,
				 cpu_features.address_bits)))
		return;
	log_warn("console: no framebuffer can be at 0x%lx, %lu KiB",
		 info->base.value, size / KIB);
	info->width = 0;
}

static void show_framebuffer(void *pixels)
{
	const struct framebuffer_info *info = &boot.info.framebuffer;

	if (boot.config.has_framebuffer && info->width && pixels)
		console_use_framebuffer(info, pixels);
}

/* The early tables reach 4 GiB; a framebuffer above waits for the final ones.
 */
static void *early_framebuffer(void)
{
	const struct framebuffer_info *info = &boot.info.framebuffer;
	uint64_t size = (uint64_t)info->pitch * info->height;

	return range_fits(info->base.value, size, 4 * GIB)
		       ? phys_to_virt(info->base)
		       : NULL;
}

/* A module that shares a byte with the image would be written by it, or be run. */
static void check_modules(void)
{
	for (uint32_t i = 0; i < boot.info.module_count; i++) {
		const struct boot_module *module = &boot.info.modules[i];

		if (module->size &&
		    range_overlaps(module->base.value, module->size,
				   boot.info.image_base.value,
				   boot.info.image_size))
			stop("module %s at 0x%lx overlaps the image at 0x%lx",
			     module->name, module->base.value,
			     boot.info.image_base.value);
	}
}

static void read_loader(uint32_t block, uint32_t image_base)
{
	uint64_t readable = min_u64(4 * GIB - block, MULTIBOOT2_INFO_MAX);
	struct diag why;

	if (multiboot2_parse(phys_to_virt(HPA(block)), readable, &boot.info,
			     &why))
		stop("%s", why.text);
	boot.info.image_base = HPA(image_base);
	boot.info.image_size = (uint64_t)(image_end - image_start);
	check_modules();
	check_framebuffer();
	show_framebuffer(early_framebuffer());
	log_info("boot: started by %s, image at 0x%x, %u module%s",
		 boot.info.loader[0] ? boot.info.loader : "an unnamed loader",
		 image_base, boot.info.module_count,
		 boot.info.module_count == 1 ? "" : "s");
}

static void apply_consoles(void)
{
	const struct config_hypervisor *config = &boot.config;

	log_set_level(config->log_level);
	console_drop_serial();
	if (config->has_serial &&
	    !console_use_serial(config->serial_port, config->serial_baud))
		log_warn("console: no UART at port 0x%x", config->serial_port);
	if (!config->has_framebuffer)
		console_drop_framebuffer();
}

/* The file first, then the command line, which wins. */
static void read_config(void)
{
	const struct boot_module *file =
		boot_module_find(&boot.info, slice_from(CONFIG_FILE));
	struct diag why;

	if (file && file->size)
		boot.config_text =
			(struct slice){ phys_to_virt(file->base), file->size };
	if (boot.config_text.len &&
	    config_parse(boot.config_text, &boot.config, &why))
		stop("%s", why.text);
	if (config_parse_cmdline(slice_from(boot.info.cmdline), &boot.config,
				 &why))
		stop("%s", why.text);
	apply_consoles();
	if (boot.config_text.len &&
	    config_check_modules(boot.config_text, &boot.info, &why))
		stop("%s", why.text);
}

/* The part of RAM region @region that the CPU and the direct map reach. */
static uint64_t reachable_size(const struct memory_region *region)
{
	uint64_t limit = min_u64(BIT(cpu_features.address_bits), DIRECT_SIZE);

	if (region->base >= limit)
		return 0;
	return min_u64(region->size, limit - region->base);
}

static int add_ram(struct memmap *map)
{
	uint64_t lost = 0;
	int err = 0;

	for (uint32_t i = 0; i < boot.info.region_count && !err; i++) {
		const struct memory_region *region = &boot.info.regions[i];

		if (region->type != MEMORY_RAM)
			continue;
		lost += region->size - reachable_size(region);
		boot.ram_size += reachable_size(region);
		err = memmap_add(map, region->base, reachable_size(region));
	}
	if (lost)
		log_warn("memory: %lu KiB cannot be used: beyond %u address "
			 "bits",
			 lost / KIB, cpu_features.address_bits);
	/* what the firmware calls both RAM and something else is not RAM */
	for (uint32_t i = 0; i < boot.info.region_count && !err; i++) {
		const struct memory_region *region = &boot.info.regions[i];

		if (region->type != MEMORY_RAM)
			err = memmap_reserve(map, region->base, region->size);
	}
	return err;
}

static int reserve_used(struct memmap *map)
{
	int err = memmap_reserve(map, boot.info.image_base.value,
				 boot.info.image_size);

	for (uint32_t i = 0; i < boot.info.module_count && !err; i++) {
		const struct boot_module *module = &boot.info.modules[i];

		if (module->size)
			err = memmap_reserve(map, module->base.value,
					     module->size);
	}
	return err;
}

static void read_memory(void)
{
	struct memmap *map = &boot.memory;

	memmap_init(map);
	if (add_ram(map) || reserve_used(map))
		stop("memory map: more than %u separate ranges of RAM",
		     MEMMAP_RANGES_MAX);
	boot.free_at_start = memmap_total(map);
	if (boot.ram_size < RAM_MIN)
		stop("%lu MiB of memory; Basalt needs %lu MiB",
		     boot.ram_size / MIB, RAM_MIN / MIB);
	if (boot.config.memory > boot.free_at_start)
		stop("hypervisor: memory = %lu MiB: this machine has %lu MiB "
		     "free",
		     boot.config.memory / MIB, boot.free_at_start / MIB);
	smp_reserve(map);
	/* the rest below 1 MiB is the firmware's and real mode's */
	memmap_reserve(map, 0, LOW_MEMORY_END);
}

static void enter_host_space(void)
{
	const struct framebuffer_info *info = &boot.info.framebuffer;

	if (host_space_init(&boot.memory, boot.info.image_base))
		stop("not enough memory below 4 GiB for page tables");
	if (boot.config_text.len &&
	    host_space_map_ram(virt_to_phys(boot.config_text.ptr),
			       boot.config_text.len))
		stop("not enough memory to map %s", CONFIG_FILE);
	if (info->width)
		show_framebuffer(host_space_map_device(
			info->base, (uint64_t)info->pitch * info->height,
			PT_WRITE | PT_WRITE_COMBINING));
}

const void *acpi_map(hpa_t base, size_t size)
{
	static unsigned int slot;

	slot = (slot + 1) % HOST_SPACE_WINDOWS;
	return host_space_window(slot, base, size);
}

static void read_firmware(void)
{
	struct platform *platform = &boot.platform;
	struct diag why;

	if (!boot.info.rsdp_size)
		stop("the loader gave no ACPI root pointer (RSDP)");
	if (acpi_parse(boot.info.rsdp, boot.info.rsdp_size, platform, &why))
		stop("%s", why.text);
	for (uint32_t i = 0; i < platform->node_range_count; i++) {
		const struct platform_node_range *range =
			&platform->node_ranges[i];

		if (memmap_set_node(&boot.memory, range->base, range->size,
				    range->node))
			stop("memory map: more than %u separate ranges of RAM",
			     MEMMAP_RANGES_MAX);
	}
}

_Noreturn void boot_main(uint32_t magic, uint32_t block, uint32_t image_base)
{
	(void)magic; /* start.asm has checked it */
	start_cpu();
	config_defaults(&boot.config);
	console_use_serial(boot.config.serial_port, boot.config.serial_baud);
	log_info("basalt %s", BASALT_VERSION);
	log_info("cpu: %s (%s)", cpu_features.model, cpu_features.vendor);
	read_loader(block, image_base); /* multiboot2 tags */
	read_config();			/* basalt.conf, command line */
	read_memory();			/* RAM that nobody uses */
	enter_host_space();		/* the final page tables */
	read_firmware();		/* ACPI */
	hv_main(&boot);
}
