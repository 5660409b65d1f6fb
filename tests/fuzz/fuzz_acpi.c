/*
 * The ACPI reader over hostile firmware: the input is the machine's memory from
 * address 0, with the RSDP there. Checksums are made right as bytes are mapped,
 * or hardly an input would get past them; unit tests have the wrong ones.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"

static const uint8_t *memory;
static size_t memory_size;
static void *older, *newer;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t checksum(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum - *bytes++);
	return sum;
}

static void fix_byte(uint8_t *bytes, size_t size, size_t at)
{
	bytes[at] = 0;
	bytes[at] = checksum(bytes, size);
}

/* A block of exact size that lives to the next call but one: ASan sees all. */
const void *acpi_map(hpa_t base, size_t size)
{
	free(older);
	older = newer;
	newer = NULL;
	if (!range_fits(base.value, size, memory_size))
		return NULL;
	newer = malloc(size);
	memcpy(newer, memory + base.value, size);
	if (size >= 36)
		fix_byte(newer, size, 9);
	return newer;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What boot/platform.h promises of the CPUs. */
static void check_cpus(const struct platform *platform)
{
	const struct platform_cpu *cpus = platform->cpus;

	check(platform->cpu_count >= 1 && platform->cpu_count <= CPUS_MAX);
	for (uint32_t i = 0; i < platform->cpu_count; i++) {
		check(cpus[i].node < platform->node_count);
		for (uint32_t j = 0; j < i; j++)
			check(cpus[i].apic_id != cpus[j].apic_id);
	}
}

static void check_nodes(const struct platform *platform)
{
	const struct platform_node_range *ranges = platform->node_ranges;
	uint64_t end = 0;

	check(platform->node_count >= 1 && platform->node_count <= NODES_MAX);
	check(platform->node_range_count <= PLATFORM_NODE_RANGES_MAX);
	for (uint32_t i = 0; i < platform->node_range_count; i++) {
		check(ranges[i].node < platform->node_count);
		check(ranges[i].size && ranges[i].base >= end);
		end = ranges[i].base + ranges[i].size;
		check(end > ranges[i].base);
	}
}

static void check_devices(const struct platform *platform)
{
	uint64_t any_base =
		platform->lapic_base.value | platform->hpet_base.value;

	check(platform->ioapic_count <= PLATFORM_IOAPICS_MAX);
	check(platform->override_count <= PLATFORM_OVERRIDES_MAX);
	check(platform->pci_segment_count <= PLATFORM_PCI_SEGMENTS_MAX);
	check(platform->iommu_count <= PLATFORM_IOMMUS_MAX);
	for (uint32_t i = 0; i < platform->override_count; i++)
		check(platform->overrides[i].irq < 16);
	for (uint32_t i = 0; i < platform->pci_segment_count; i++)
		check(platform->pci_segments[i].bus_start <=
		      platform->pci_segments[i].bus_end);
	for (uint32_t i = 0; i < platform->iommu_count; i++)
		any_base |= platform->iommus[i].base.value;
	check(any_base < BIT(52));
	check(platform->pm_timer_port <= 0xfffc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct platform platform;
	struct diag diag = { "" };
	size_t rsdp_size = size < 36 ? size : 36;
	uint8_t *rsdp = malloc(rsdp_size);

	memcpy(rsdp, data, rsdp_size);
	if (rsdp_size >= 20)
		fix_byte(rsdp, 20, 8);
	if (rsdp_size == 36)
		fix_byte(rsdp, 36, 32);
	memory = data;
	memory_size = size;
	if (acpi_parse(rsdp, rsdp_size, &platform, &diag)) {
		check(diag.text[0] != '\0');
	} else {
		check(diag.text[0] == '\0');
		check_cpus(&platform);
		check_nodes(&platform);
		check_devices(&platform);
	}
	free(rsdp);
	return 0;
}
