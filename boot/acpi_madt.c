/* ACPI MADT: CPUs, I/O APICs and where the ISA interrupts arrive. */
#include "boot/acpi_tables.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"

/* "Interrupt Controller Structure Types", section 5.2.12. */
enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_BASE = 5,
	MADT_X2APIC = 9,
};

static const struct acpi_entry_kind madt_kinds[] = {
	{ MADT_LAPIC, sizeof(struct madt_lapic) },
	{ MADT_IOAPIC, sizeof(struct madt_ioapic) },
	{ MADT_OVERRIDE, sizeof(struct madt_override) },
	{ MADT_LAPIC_BASE, sizeof(struct madt_lapic_base) },
	{ MADT_X2APIC, sizeof(struct madt_x2apic) },
};

static const struct acpi_list madt_list = {
	.first = sizeof(struct acpi_madt),
	.type_size = 1,
	.length_size = 1,
	.kind_count = ARRAY_SIZE(madt_kinds),
	.kinds = madt_kinds,
};

#define ISA_BUS	 0
#define ISA_IRQS 16
_Static_assert(PLATFORM_OVERRIDES_MAX >= ISA_IRQS,
	       "room for an override of every ISA interrupt");

enum cpu_form { CPU_AS_LAPIC = 1, CPU_AS_X2APIC = 2 };

/* The table being read. What has no place is counted and told in one line. */
struct madt_walk {
	const struct acpi_table *table;
	struct platform *out;
	struct diag *diag;
	uint32_t cpus_repeated;
	uint32_t cpus_left_out;
	uint32_t ioapics_left_out;
	uint32_t overrides_repeated;
	uint8_t cpu_forms[CPUS_MAX]; /* enum cpu_form: listed as these */
};

/*
 * Firmware may list a CPU once as local APIC and once as x2APIC, with the same
 * id. That is one CPU; only a second entry of the same type is worth a word.
 */
static void add_cpu(struct madt_walk *walk, enum cpu_form form,
		    uint32_t apic_id, uint32_t acpi_uid)
{
	struct platform *out = walk->out;
	struct platform_cpu *cpu = acpi_find_cpu(out, apic_id);
	uint8_t *forms;

	if (!cpu && out->cpu_count == CPUS_MAX) {
		walk->cpus_left_out++;
		return;
	}
	if (!cpu) {
		cpu = &out->cpus[out->cpu_count++];
		cpu->apic_id = apic_id;
		cpu->acpi_uid = acpi_uid;
	}
	forms = &walk->cpu_forms[cpu - out->cpus];
	if (*forms & form)
		walk->cpus_repeated++;
	*forms = (uint8_t)(*forms | form);
}

static int take_lapic(struct madt_walk *walk, const struct acpi_entry *entry)
{
	const struct madt_lapic *lapic = entry->bytes;

	if ((lapic->flags & MADT_CPU_ENABLED) && lapic->apic_id != APIC_ID_NONE)
		add_cpu(walk, CPU_AS_LAPIC, lapic->apic_id, lapic->acpi_uid);
	return 0;
}

static int take_x2apic(struct madt_walk *walk, const struct acpi_entry *entry)
{
	const struct madt_x2apic *x2apic = entry->bytes;

	if ((x2apic->flags & MADT_CPU_ENABLED) &&
	    x2apic->apic_id != X2APIC_ID_NONE)
		add_cpu(walk, CPU_AS_X2APIC, x2apic->apic_id, x2apic->acpi_uid);
	return 0;
}

static int take_ioapic(struct madt_walk *walk, const struct acpi_entry *entry)
{
	const struct madt_ioapic *ioapic = entry->bytes;
	struct platform *out = walk->out;

	if (!acpi_is_register_base(ioapic->base, sizeof(uint32_t)))
		return acpi_broken(walk->table, walk->diag,
				   "entry at %u: I/O APIC registers at %#x",
				   entry->offset, ioapic->base);
	if (out->ioapic_count == PLATFORM_IOAPICS_MAX) {
		walk->ioapics_left_out++;
		return 0;
	}
	out->ioapics[out->ioapic_count++] = (struct platform_ioapic){
		.base = HPA(ioapic->base),
		.id = ioapic->id,
		.gsi_base = ioapic->gsi_base,
	};
	return 0;
}

static bool has_override(const struct platform *platform, uint8_t irq)
{
	for (uint32_t i = 0; i < platform->override_count; i++)
		if (platform->overrides[i].irq == irq)
			return true;
	return false;
}

static int take_override(struct madt_walk *walk, const struct acpi_entry *entry)
{
	const struct madt_override *override = entry->bytes;
	struct platform *out = walk->out;

	if (override->bus != ISA_BUS || override->irq >= ISA_IRQS)
		return acpi_broken(
			walk->table, walk->diag,
			"entry at %u: bus %u, interrupt %u, expected "
			"bus 0 and less than 16",
			entry->offset, override->bus, override->irq);
	if (has_override(out, override->irq)) {
		walk->overrides_repeated++;
		return 0;
	}
	out->overrides[out->override_count++] = (struct platform_override){
		.gsi = override->gsi,
		.flags = override->flags,
		.irq = override->irq,
	};
	return 0;
}

static int take_lapic_base(struct madt_walk *walk,
			   const struct acpi_entry *entry)
{
	const struct madt_lapic_base *override = entry->bytes;

	walk->out->lapic_base = HPA(override->base);
	return 0;
}

static int take_entry(struct madt_walk *walk, const struct acpi_entry *entry)
{
	switch (entry->type) {
	case MADT_LAPIC: return take_lapic(walk, entry);
	case MADT_IOAPIC: return take_ioapic(walk, entry);
	case MADT_OVERRIDE: return take_override(walk, entry);
	case MADT_LAPIC_BASE: return take_lapic_base(walk, entry);
	case MADT_X2APIC: return take_x2apic(walk, entry);
	default: return 0;
	}
}

static void warn_of(const struct madt_walk *walk, uint32_t count,
		    const char *what)
{
	if (count)
		log_warn("ACPI MADT at %#lx: %u %s", walk->table->base.value,
			 count, what);
}

static int check_result(const struct madt_walk *walk)
{
	const struct platform *out = walk->out;

	warn_of(walk, walk->cpus_repeated, "CPUs listed again, taken once");
	warn_of(walk, walk->cpus_left_out, "CPUs left out, there are too many");
	warn_of(walk, walk->ioapics_left_out,
		"I/O APICs left out, there are too many");
	warn_of(walk, walk->overrides_repeated,
		"interrupts overridden again, the first one holds");
	if (!acpi_is_register_base(out->lapic_base.value, PAGE_SIZE))
		return acpi_broken(walk->table, walk->diag,
				   "local APIC registers at %#lx",
				   out->lapic_base.value);
	if (!out->cpu_count)
		return acpi_broken(walk->table, walk->diag, "no usable CPU");
	return 0;
}

int acpi_madt_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag)
{
	const struct acpi_madt *madt =
		acpi_fixed_part(table, sizeof(*madt), diag);
	struct madt_walk walk = { .table = table, .out = out, .diag = diag };
	struct acpi_entry entry = { 0 };
	int error;

	if (!madt)
		return -EINVAL;
	out->lapic_base = HPA(madt->lapic_base);
	out->has_8259 = madt->flags & MADT_PCAT_COMPAT;
	while ((error = acpi_next_entry(table, &madt_list, &entry, diag)) > 0) {
		error = take_entry(&walk, &entry);
		if (error)
			return error;
	}
	if (error)
		return error;
	return check_result(&walk);
}
