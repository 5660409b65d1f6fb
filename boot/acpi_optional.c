/*
 * ACPI tables that Basalt can live without: timers, PCI configuration space and
 * IOMMUs.
 *
 * acpi_parse goes on without a table that is refused here, so a parser commits
 * to struct platform only when all of it is good.
 */
#include "boot/acpi_tables.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"

#define PM_TIMER_SIZE 4 /* bytes; "PM_TMR_LEN" is 0 if there is no timer */
#define PORTS	      BIT(16)

/*
 * "X_PM_TMR_BLK" counts where the table has it (ACPI 2.0, revision 3) and it
 * is a port; "PM_TMR_BLK" otherwise.
 */
static uint64_t pm_timer_port(const struct acpi_table *table,
			      const struct acpi_fadt *fadt)
{
	const struct acpi_address *extended =
		acpi_at(table, FADT_X_PM_TIMER_OFFSET, sizeof(*extended));

	if (fadt->pm_timer_length != PM_TIMER_SIZE)
		return 0;
	if (extended && fadt->header.revision >= 3 && extended->address &&
	    extended->space == ACPI_SPACE_PORT)
		return extended->address;
	return fadt->pm_timer_block;
}

int acpi_fadt_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	const struct acpi_fadt *fadt =
		acpi_fixed_part(table, sizeof(*fadt), diag);
	uint64_t port;

	if (!fadt)
		return -EINVAL;
	port = pm_timer_port(table, fadt);
	if (!range_fits(port, PM_TIMER_SIZE, PORTS))
		return acpi_broken(table, diag,
				   "PM timer at port %#lx, expected less than "
				   "%#lx",
				   port, PORTS - PM_TIMER_SIZE + 1);
	out->facp_base = table->base;
	out->pm_timer_port = (uint16_t)port;
	out->pm_timer_is_32bit = fadt->flags & FADT_TMR_VAL_EXT;
	/*
	 * "IA-PC Boot Architecture Flags", section 5.2.9.3: the field is from
	 * revision 3; bit 5 is from revision 5 (ACPI 5.0), and 0 before.
	 */
	out->has_no_cmos_rtc = fadt->header.revision >= 3 &&
			       (fadt->boot_arch & FADT_BOOT_ARCH_NO_CMOS_RTC);
	return 0;
}

int acpi_hpet_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	const struct acpi_hpet *hpet =
		acpi_fixed_part(table, sizeof(*hpet), diag);

	if (!hpet)
		return -EINVAL;
	if (hpet->base.space != ACPI_SPACE_MEMORY ||
	    !acpi_is_register_base(hpet->base.address, sizeof(uint64_t)))
		return acpi_broken(table, diag,
				   "registers at %#lx in address space %u, "
				   "expected memory",
				   hpet->base.address, hpet->base.space);
	out->hpet_base = HPA(hpet->base.address);
	return 0;
}

/*
 * 32 devices of 8 functions of 4 KiB each; a segment's area is as aligned as
 * the space of one bus.
 */
#define PCI_BUS_SIZE MIB

static int check_segment(const struct acpi_table *table, uint32_t offset,
			 const struct mcfg_segment *segment, struct diag *diag)
{
	if (segment->bus_start > segment->bus_end)
		return acpi_broken(table, diag, "entry at %u: buses %u to %u",
				   offset, segment->bus_start,
				   segment->bus_end);
	if (!acpi_is_register_base(segment->base, PCI_BUS_SIZE) ||
	    !range_fits(segment->base, (segment->bus_end + 1) * PCI_BUS_SIZE,
			ACPI_ADDRESS_LIMIT))
		return acpi_broken(table, diag,
				   "entry at %u: configuration space at %#lx",
				   offset, segment->base);
	return 0;
}

int acpi_mcfg_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	const struct mcfg_segment *segment;
	uint32_t count = 0, left_out_count = 0;
	uint32_t at = sizeof(struct acpi_mcfg);

	if (!acpi_fixed_part(table, at, diag))
		return -EINVAL;
	for (; at < table->size; at += (uint32_t)sizeof(*segment)) {
		segment = acpi_at(table, at, sizeof(*segment));
		if (!segment)
			return acpi_broken(table, diag,
					   "entry at %u: cut by the table's "
					   "end at %u",
					   at, table->size);
		if (check_segment(table, at, segment, diag))
			return -EINVAL;
		if (count == PLATFORM_PCI_SEGMENTS_MAX) {
			left_out_count++;
			continue;
		}
		out->pci_segments[count++] = (struct platform_pci_segment){
			.base = HPA(segment->base),
			.segment = segment->segment,
			.bus_start = segment->bus_start,
			.bus_end = segment->bus_end,
		};
	}
	if (left_out_count)
		log_warn("ACPI MCFG at %#lx: %u segments left out, there are "
			 "too many",
			 table->base.value, left_out_count);
	out->pci_segment_count = count;
	return 0;
}

/* "Remapping Structure Types" of VT-d, section 8.2. */
#define DMAR_DRHD 0

static const struct acpi_entry_kind dmar_kinds[] = {
	{ DMAR_DRHD, sizeof(struct dmar_drhd) },
};

static const struct acpi_list dmar_list = {
	.first = sizeof(struct acpi_dmar),
	.type_size = 2,
	.length_size = 2,
	.kind_count = ARRAY_SIZE(dmar_kinds),
	.kinds = dmar_kinds,
};

/*
 * The generations of AMD's block. A table has the same IOMMUs in each that it
 * has.
 */
#define IVHD_OLD 0x10
#define IVHD_EFR 0x11
#define IVHD_HID 0x40

static const struct acpi_entry_kind ivrs_kinds[] = {
	{ IVHD_OLD, sizeof(struct ivrs_ivhd) },
	{ IVHD_EFR, sizeof(struct ivrs_ivhd) + 16 },
	{ IVHD_HID, sizeof(struct ivrs_ivhd) + 16 },
};

static const struct acpi_list ivrs_list = {
	.first = sizeof(struct acpi_ivrs),
	.type_size = 1,
	.length_size = 2,
	.kind_count = ARRAY_SIZE(ivrs_kinds),
	.kinds = ivrs_kinds,
};

/* The IOMMUs of one table, behind those that are in struct platform already. */
struct iommu_walk {
	const struct acpi_table *table;
	struct platform *out;
	struct diag *diag;
	uint32_t count; /* becomes iommu_count when the table is read */
};

static bool has_iommu(const struct iommu_walk *walk, uint64_t base)
{
	for (uint32_t i = 0; i < walk->count; i++)
		if (walk->out->iommus[i].base.value == base)
			return true;
	return false;
}

/*
 * A table with more IOMMUs than there is room for is refused, not cut: behind a
 * forgotten IOMMU devices would reach all memory while the others look
 * confined.
 */
static int add_iommu(struct iommu_walk *walk, const struct acpi_entry *entry,
		     struct platform_iommu iommu)
{
	if (!acpi_is_register_base(iommu.base.value, PAGE_SIZE))
		return acpi_broken(walk->table, walk->diag,
				   "entry at %u: IOMMU registers at %#lx",
				   entry->offset, iommu.base.value);
	if (walk->count == PLATFORM_IOMMUS_MAX)
		return acpi_broken(walk->table, walk->diag,
				   "entry at %u: more than %u IOMMUs",
				   entry->offset, PLATFORM_IOMMUS_MAX);
	walk->out->iommus[walk->count++] = iommu;
	return 0;
}

static int take_drhd(struct iommu_walk *walk, const struct acpi_entry *entry)
{
	const struct dmar_drhd *drhd = entry->bytes;

	if (entry->type != DMAR_DRHD)
		return 0;
	if (has_iommu(walk, drhd->base))
		return acpi_broken(walk->table, walk->diag,
				   "entry at %u: second IOMMU with registers "
				   "at %#lx",
				   entry->offset, drhd->base);
	return add_iommu(walk, entry,
			 (struct platform_iommu){
				 .base = HPA(drhd->base),
				 .kind = IOMMU_INTEL,
				 .segment = drhd->segment,
				 .is_catch_all =
					 drhd->flags & DRHD_INCLUDE_PCI_ALL,
			 });
}

static int take_ivhd(struct iommu_walk *walk, const struct acpi_entry *entry)
{
	const struct ivrs_ivhd *ivhd = entry->bytes;

	if (entry->type != IVHD_OLD && entry->type != IVHD_EFR &&
	    entry->type != IVHD_HID)
		return 0;
	if (has_iommu(walk, ivhd->base))
		return 0;
	return add_iommu(walk, entry,
			 (struct platform_iommu){
				 .base = HPA(ivhd->base),
				 .kind = IOMMU_AMD,
				 .segment = ivhd->segment,
			 });
}

static int parse_iommus(const struct acpi_table *table,
			const struct acpi_list *list, struct platform *out,
			struct diag *diag)
{
	struct iommu_walk walk = { table, out, diag, out->iommu_count };
	struct acpi_entry entry = { 0 };
	int error;

	if (!acpi_fixed_part(table, list->first, diag))
		return -EINVAL;
	while ((error = acpi_next_entry(table, list, &entry, diag)) > 0) {
		error = list == &dmar_list ? take_drhd(&walk, &entry)
					   : take_ivhd(&walk, &entry);
		if (error)
			return error;
	}
	if (!error)
		out->iommu_count = walk.count;
	return error;
}

int acpi_dmar_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	return parse_iommus(table, &dmar_list, out, diag);
}

int acpi_ivrs_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	return parse_iommus(table, &ivrs_list, out, diag);
}
