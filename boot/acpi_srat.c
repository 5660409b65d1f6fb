/*
 * ACPI SRAT: which memory and which CPUs belong together.
 *
 * Proximity domains are numbers of the firmware's choice. They become nodes
 * 0, 1, … in the order in which the table's memory names them; CPUs are placed
 * in a second pass, so that a domain without memory comes after all that have
 * some.
 */
#include "boot/acpi_tables.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"

/* "Static Resource Allocation Structure" types, section 5.2.16. */
enum srat_type {
	SRAT_LAPIC = 0,
	SRAT_MEMORY = 1,
	SRAT_X2APIC = 2,
};

static const struct acpi_entry_kind srat_kinds[] = {
	{ SRAT_LAPIC, sizeof(struct srat_lapic) },
	{ SRAT_MEMORY, sizeof(struct srat_memory) },
	{ SRAT_X2APIC, sizeof(struct srat_x2apic) },
};

static const struct acpi_list srat_list = {
	.first = sizeof(struct acpi_srat),
	.type_size = 1,
	.length_size = 1,
	.kind_count = ARRAY_SIZE(srat_kinds),
	.kinds = srat_kinds,
};

#define NODE_NONE UINT32_MAX

struct srat_walk {
	const struct acpi_table *table;
	struct platform *out;
	struct diag *diag;
	bool has_byte_domains; /* revision 1: the rest of the field is reserved
				*/
	uint32_t ranges_left_out;
	uint32_t cpus_left_out;
};

/*
 * The node of a proximity domain, a new one if need be; NODE_NONE if there is
 * no room.
 */
static uint32_t node_of(struct srat_walk *walk, uint32_t proximity)
{
	struct platform *out = walk->out;

	if (walk->has_byte_domains)
		proximity &= 0xff;
	for (uint32_t node = 0; node < out->node_count; node++)
		if (out->node_proximity[node] == proximity)
			return node;
	if (out->node_count == NODES_MAX)
		return NODE_NONE;
	out->node_proximity[out->node_count] = proximity;
	return out->node_count++;
}

/* The caller knows that there is room. */
static void insert_range(struct platform *out, struct platform_node_range range)
{
	uint32_t i = out->node_range_count++;

	for (; i > 0 && out->node_ranges[i - 1].base > range.base; i--)
		out->node_ranges[i] = out->node_ranges[i - 1];
	out->node_ranges[i] = range;
}

/*
 * A range that can be plugged in later is a range like any other: nothing is
 * there until the memory map says so.
 */
static int take_memory(struct srat_walk *walk, const struct acpi_entry *entry)
{
	const struct srat_memory *memory = entry->bytes;
	struct platform *out = walk->out;
	uint32_t node = NODE_NONE;

	if (!(memory->flags & SRAT_ENABLED) || !memory->size)
		return 0;
	if (!range_fits(memory->base, memory->size, ACPI_ADDRESS_LIMIT))
		return acpi_broken(walk->table, walk->diag,
				   "entry at %u: %#lx bytes of memory at %#lx",
				   entry->offset, memory->size, memory->base);
	if (out->node_range_count < PLATFORM_NODE_RANGES_MAX)
		node = node_of(walk, memory->proximity);
	if (node == NODE_NONE) {
		walk->ranges_left_out++;
		return 0;
	}
	insert_range(out, (struct platform_node_range){
				  .base = memory->base,
				  .size = memory->size,
				  .node = node,
			  });
	return 0;
}

/* Unite overlapping ranges of one node; of two nodes they are nonsense. */
static int unite_ranges(struct srat_walk *walk)
{
	struct platform *out = walk->out;
	struct platform_node_range *last = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < out->node_range_count; i++) {
		struct platform_node_range *range = &out->node_ranges[i];

		if (!last || range->base - last->base >= last->size) {
			last = &out->node_ranges[count++];
			*last = *range;
			continue;
		}
		if (range->node != last->node)
			return acpi_broken(
				walk->table, walk->diag,
				"memory at %#lx is in domains %u and %u",
				range->base, out->node_proximity[last->node],
				out->node_proximity[range->node]);
		last->size = max_u64(last->size,
				     range->base - last->base + range->size);
	}
	out->node_range_count = count;
	return 0;
}

static int place_cpu(struct srat_walk *walk, const struct acpi_entry *entry,
		     uint32_t apic_id, uint32_t proximity)
{
	struct platform_cpu *cpu = acpi_find_cpu(walk->out, apic_id);
	uint32_t node;

	if (!cpu)
		return 0;
	node = node_of(walk, proximity);
	if (node == NODE_NONE) {
		walk->cpus_left_out++;
		return 0;
	}
	if (cpu->node != NODE_NONE && cpu->node != node)
		return acpi_broken(walk->table, walk->diag,
				   "entry at %u: APIC id %u is in two domains",
				   entry->offset, apic_id);
	cpu->node = node;
	return 0;
}

static int take_lapic(struct srat_walk *walk, const struct acpi_entry *entry)
{
	const struct srat_lapic *lapic = entry->bytes;
	const uint8_t *high = lapic->proximity_high;

	if (!(lapic->flags & SRAT_ENABLED) || lapic->apic_id == APIC_ID_NONE)
		return 0;
	return place_cpu(walk, entry, lapic->apic_id,
			 lapic->proximity_low | (uint32_t)high[0] << 8 |
				 (uint32_t)high[1] << 16 |
				 (uint32_t)high[2] << 24);
}

static int take_x2apic(struct srat_walk *walk, const struct acpi_entry *entry)
{
	const struct srat_x2apic *x2apic = entry->bytes;

	if (!(x2apic->flags & SRAT_ENABLED))
		return 0;
	return place_cpu(walk, entry, x2apic->apic_id, x2apic->proximity);
}

static int read_memory(struct srat_walk *walk)
{
	struct acpi_entry entry = { 0 };
	int error;

	while ((error = acpi_next_entry(walk->table, &srat_list, &entry,
					walk->diag)) > 0) {
		if (entry.type == SRAT_MEMORY)
			error = take_memory(walk, &entry);
		if (error < 0)
			return error;
	}
	if (error)
		return error;
	return unite_ranges(walk);
}

/* read_memory has walked the same entries: the walk itself cannot fail here. */
static int read_cpus(struct srat_walk *walk)
{
	struct acpi_entry entry = { 0 };
	int error = 0;

	while (!error && acpi_next_entry(walk->table, &srat_list, &entry,
					 walk->diag) > 0) {
		if (entry.type == SRAT_LAPIC)
			error = take_lapic(walk, &entry);
		else if (entry.type == SRAT_X2APIC)
			error = take_x2apic(walk, &entry);
	}
	return error;
}

static void finish(struct srat_walk *walk)
{
	struct platform *out = walk->out;

	for (uint32_t i = 0; i < out->cpu_count; i++)
		if (out->cpus[i].node == NODE_NONE)
			out->cpus[i].node = 0;
	out->node_count = (uint32_t)max_u64(out->node_count, 1);
	if (walk->ranges_left_out)
		log_warn("ACPI SRAT at %#lx: %u memory ranges left out, there "
			 "are too many",
			 walk->table->base.value, walk->ranges_left_out);
	if (walk->cpus_left_out)
		log_warn("ACPI SRAT at %#lx: %u CPUs put in node 0, there are "
			 "too many domains",
			 walk->table->base.value, walk->cpus_left_out);
}

int acpi_srat_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	const struct acpi_srat *srat =
		acpi_fixed_part(table, sizeof(*srat), diag);
	struct srat_walk walk = { .table = table, .out = out, .diag = diag };
	int error;

	if (!srat)
		return -EINVAL;
	walk.has_byte_domains = srat->header.revision < 2;
	out->node_count = 0;
	for (uint32_t i = 0; i < out->cpu_count; i++)
		out->cpus[i].node = NODE_NONE;
	error = read_memory(&walk);
	if (!error)
		error = read_cpus(&walk);
	if (error)
		return error;
	finish(&walk);
	return 0;
}
