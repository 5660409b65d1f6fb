/* Any bytes as a multiboot2 block: what is taken, struct boot_info promises. */
#include <stdlib.h>

#include "boot/multiboot2.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_regions(const struct boot_info *info)
{
	require(info->region_count <= BOOT_REGIONS_MAX);
	for (uint32_t i = 0; i < info->region_count; i++) {
		const struct memory_region *region = &info->regions[i];

		require(region->size > 0);
		require(region->base + region->size > region->base);
		require(i == 0 || region[-1].base <= region->base);
	}
}

/* Is the byte @at in RAM, and in nothing else? */
static bool is_ram(const struct boot_info *info, uint64_t at)
{
	bool found = false;

	for (uint32_t i = 0; i < info->region_count; i++) {
		const struct memory_region *region = &info->regions[i];

		if (at < region->base || at - region->base >= region->size)
			continue;
		if (region->type != MEMORY_RAM)
			return false;
		found = true;
	}
	return found;
}

static void check_modules(const struct boot_info *info)
{
	require(info->module_count <= BOOT_MODULES_MAX);
	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct boot_module *module = &info->modules[i];
		uint64_t base = module->base.value;

		require(strnlen(module->name, sizeof(module->name)) > 0);
		require(strnlen(module->name, sizeof(module->name)) <
			sizeof(module->name));
		if (module->size == 0)
			continue;
		require(is_ram(info, base));
		require(is_ram(info, base + module->size / 2));
		require(is_ram(info, base + module->size - 1));
		for (uint32_t k = 0; k < i; k++)
			require(!info->modules[k].size ||
				!range_overlaps(base, module->size,
						info->modules[k].base.value,
						info->modules[k].size));
	}
}

static void check_framebuffer(const struct framebuffer_info *framebuffer)
{
	if (framebuffer->width == 0)
		return;
	require(framebuffer->height > 0);
	require(framebuffer->pitch >= 4UL * framebuffer->width);
	require(framebuffer->red_shift <= 24 &&
		framebuffer->green_shift <= 24 &&
		framebuffer->blue_shift <= 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info info;
	struct diag diag = { "" };
	int err = multiboot2_parse(data, size, &info, &diag);

	if (err) {
		require(err == -EINVAL || err == -E2BIG || err == -EEXIST);
		require(strnlen(diag.text, sizeof(diag.text)) > 0);
		return 0;
	}
	require(strnlen(info.cmdline, sizeof(info.cmdline)) <
		sizeof(info.cmdline));
	require(strnlen(info.loader, sizeof(info.loader)) <
		sizeof(info.loader));
	require(info.rsdp_size == 0 || info.rsdp_size == 20 ||
		info.rsdp_size == 36);
	check_regions(&info);
	check_modules(&info);
	check_framebuffer(&info.framebuffer);
	return 0;
}
