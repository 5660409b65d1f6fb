/*
 * ACPI: from the root pointer to the tables that Basalt reads.
 *
 * RSDP -> XSDT or RSDT -> for every table its header, to learn signature and
 * length -> in the order of table_kinds: the whole table, verified, to its
 * parser. A length is read once, and all that is read later lies within it.
 */
#include "boot/acpi.h"

#include "boot/acpi_tables.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/log.h"
#include "kernel/lib/string.h"

#define TABLES_MAX 256 /* entries of the root table that are looked at */

/* What becomes of a machine whose table is missing or broken. */
enum table_need {
	NEED_PRESENT, /* refused either way */
	NEED_WHOLE,   /* refused if it is broken */
	NEED_NOTHING, /* goes on without it, with a warning if it is broken */
};

struct table_kind {
	const char *signature;
	const char *name;
	enum table_need need;
	int (*parse)(const struct acpi_table *table, struct platform *out,
		     struct diag *diag);
};

/* In the order of parsing: SRAT places the CPUs that MADT lists. */
static const struct table_kind table_kinds[] = {
	{ "APIC", "MADT", NEED_PRESENT, acpi_madt_parse },
	{ "SRAT", "SRAT", NEED_WHOLE, acpi_srat_parse },
	{ "FACP", "FADT", NEED_NOTHING, acpi_fadt_parse },
	{ "HPET", "HPET", NEED_NOTHING, acpi_hpet_parse },
	{ "MCFG", "MCFG", NEED_NOTHING, acpi_mcfg_parse },
	{ "DMAR", "DMAR", NEED_NOTHING, acpi_dmar_parse },
	{ "IVRS", "IVRS", NEED_NOTHING, acpi_ivrs_parse },
};

/*
 * The root table. Its addresses are copied: its mapping does not outlive the
 * look at the first table's header.
 */
struct root {
	struct acpi_table table;
	uint32_t address_size; /* 8 in an XSDT, 4 in an RSDT */
	uint32_t count;
	uint64_t addresses[TABLES_MAX];
};

int acpi_broken(const struct acpi_table *table, struct diag *diag,
		const char *format, ...)
{
	char why[DIAG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	fmt_print_v(why, sizeof(why), format, args);
	va_end(args);
	return diag_set(diag, -EINVAL, "ACPI %s at %#lx: %s", table->name,
			table->base.value, why);
}

const void *acpi_at(const struct acpi_table *table, uint32_t offset,
		    uint32_t size)
{
	if (!range_fits(offset, size, table->size))
		return NULL;
	return table->bytes + offset;
}

const void *acpi_fixed_part(const struct acpi_table *table, uint32_t size,
			    struct diag *diag)
{
	if (size > table->size)
		acpi_broken(table, diag, "length %u, expected at least %u",
			    table->size, size);
	return acpi_at(table, 0, size);
}

static uint32_t read_number(const uint8_t *bytes, uint32_t size)
{
	return size == 1 ? bytes[0] : (uint32_t)(bytes[0] | bytes[1] << 8);
}

/* The head, if the list does not know @type. */
static uint32_t entry_size_min(const struct acpi_list *list, uint32_t type)
{
	for (uint32_t i = 0; i < list->kind_count; i++)
		if (list->kinds[i].type == type)
			return list->kinds[i].size;
	return 2U * list->length_size;
}

int acpi_next_entry(const struct acpi_table *table,
		    const struct acpi_list *list, struct acpi_entry *entry,
		    struct diag *diag)
{
	uint32_t at = entry->size ? entry->offset + entry->size : list->first;
	const uint8_t *head = acpi_at(table, at, 2U * list->length_size);
	uint32_t size_min;

	if (at == table->size)
		return 0;
	if (!head)
		return acpi_broken(table, diag,
				   "entry at %u: cut by the table's end at %u",
				   at, table->size);
	entry->offset = at;
	entry->bytes = head;
	entry->type = read_number(head, list->type_size);
	entry->size = read_number(head + list->length_size, list->length_size);
	size_min = entry_size_min(list, entry->type);
	if (entry->size < size_min)
		return acpi_broken(table, diag,
				   "entry at %u: length %u, expected at least "
				   "%u for type %u",
				   at, entry->size, size_min, entry->type);
	if (!acpi_at(table, at, entry->size))
		return acpi_broken(table, diag,
				   "entry at %u: length %u passes the table's "
				   "end at %u",
				   at, entry->size, table->size);
	return 1;
}

bool acpi_is_register_base(uint64_t base, uint64_t align)
{
	return base && base < ACPI_ADDRESS_LIMIT && is_aligned(base, align);
}

struct platform_cpu *acpi_find_cpu(struct platform *platform, uint32_t apic_id)
{
	for (uint32_t i = 0; i < platform->cpu_count; i++)
		if (platform->cpus[i].apic_id == apic_id)
			return &platform->cpus[i];
	return NULL;
}

static uint8_t sum_bytes(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *at++);
	return sum;
}

static const void *map_bytes(hpa_t base, uint32_t size)
{
	if (!range_fits(base.value, size, ACPI_ADDRESS_LIMIT))
		return NULL;
	return acpi_map(base, size);
}

static int read_header(hpa_t base, struct acpi_header *out)
{
	const void *bytes = map_bytes(base, sizeof(*out));

	if (!bytes)
		return -EFAULT;
	memcpy(out, bytes, sizeof(*out));
	return 0;
}

/* Map all of @table, whose base and size are known, and verify it. */
static int map_table(struct acpi_table *table, struct diag *diag)
{
	uint8_t sum;

	if (table->size < sizeof(struct acpi_header) ||
	    table->size > ACPI_TABLE_MAX)
		return acpi_broken(table, diag,
				   "length %u, expected %zu to %lu",
				   table->size, sizeof(struct acpi_header),
				   ACPI_TABLE_MAX);
	table->bytes = map_bytes(table->base, table->size);
	if (!table->bytes)
		return acpi_broken(table, diag, "%u bytes cannot be mapped",
				   table->size);
	sum = sum_bytes(table->bytes, table->size);
	if (sum)
		return acpi_broken(table, diag,
				   "checksum: the bytes sum to %#x, not 0",
				   sum);
	return 0;
}

/*
 * Verify the copy of the RSDP and learn from it where the root table is. What
 * is new in revision 2 counts if it is there: multiboot2's old tag may have
 * only the first 20 bytes of a newer RSDP. The extended checksum is over the
 * 36 bytes of the layout whatever the length says: the loader hands over no
 * more.
 */
static int read_rsdp(const void *bytes, size_t size, struct root *root,
		     struct diag *diag)
{
	struct acpi_rsdp rsdp = { 0 };
	bool is_new;

	memcpy(&rsdp, bytes, min_u64(size, sizeof(rsdp)));
	if (size < ACPI_RSDP_OLD_SIZE || memcmp(&rsdp, "RSD PTR ", 8) != 0)
		return diag_set(diag, -EINVAL,
				"ACPI RSDP: %zu bytes without the signature "
				"\"RSD PTR \"",
				size);
	is_new = rsdp.revision >= 2 && size >= sizeof(rsdp);
	if (sum_bytes(&rsdp, ACPI_RSDP_OLD_SIZE) ||
	    (is_new && sum_bytes(&rsdp, sizeof(rsdp))))
		return diag_set(diag, -EINVAL,
				"ACPI RSDP: wrong checksum (revision %u)",
				rsdp.revision);
	if (is_new && rsdp.xsdt) {
		root->table.name = "XSDT";
		root->table.base = HPA(rsdp.xsdt);
		root->address_size = 8;
		return 0;
	}
	root->table.name = "RSDT";
	root->table.base = HPA(rsdp.rsdt);
	root->address_size = 4;
	return 0;
}

/* Copy the tables' addresses: 4 or 8 bytes each, at any alignment. */
static int copy_addresses(struct root *root, struct diag *diag)
{
	const struct acpi_table *table = &root->table;
	uint32_t size = table->size - (uint32_t)sizeof(struct acpi_header);
	const uint8_t *at = table->bytes + sizeof(struct acpi_header);
	uint32_t given = size / root->address_size;

	if (size % root->address_size)
		return acpi_broken(table, diag,
				   "length %u, expected %zu and a multiple of "
				   "%u",
				   table->size, sizeof(struct acpi_header),
				   root->address_size);
	root->count = (uint32_t)min_u64(given, TABLES_MAX);
	if (given > root->count)
		log_warn("ACPI %s at %#lx: %u tables left out, only %u are "
			 "looked at",
			 table->name, table->base.value, given - root->count,
			 root->count);
	for (uint32_t i = 0; i < root->count; i++) {
		root->addresses[i] = 0;
		memcpy(&root->addresses[i], at, root->address_size);
		at += root->address_size;
	}
	return 0;
}

/* "Extended System Description Table (XSDT)", section 5.2.8; RSDT: 5.2.7. */
static int read_root(struct root *root, struct diag *diag)
{
	struct acpi_table *table = &root->table;
	struct acpi_header header;
	int error;

	if (!table->base.value)
		return diag_set(diag, -EINVAL,
				"ACPI RSDP: neither an XSDT nor an RSDT");
	if (read_header(table->base, &header))
		return acpi_broken(table, diag, "header cannot be mapped");
	if (memcmp(header.signature, table->name, 4) != 0)
		return acpi_broken(table, diag, "signature is not \"%s\"",
				   table->name);
	table->size = header.length;
	error = map_table(table, diag);
	if (error)
		return error;
	return copy_addresses(root, diag);
}

/* Keep where the table is, if Basalt reads its kind and has none yet. */
static void note_table(struct acpi_table *tables, hpa_t base,
		       const struct acpi_header *header)
{
	for (size_t i = 0; i < ARRAY_SIZE(table_kinds); i++) {
		const struct table_kind *kind = &table_kinds[i];

		if (memcmp(header->signature, kind->signature, 4) != 0)
			continue;
		if (tables[i].base.value) {
			log_warn("ACPI %s at %#lx: ignored, the one at %#lx "
				 "comes first",
				 kind->name, base.value, tables[i].base.value);
			return;
		}
		tables[i].base = base;
		tables[i].size = header->length;
		return;
	}
}

/* Some firmware has empty addresses in its list: these are no tables. */
static void find_tables(const struct root *root, struct acpi_table *tables)
{
	uint32_t lost_count = 0;

	for (uint32_t i = 0; i < root->count; i++) {
		hpa_t base = HPA(root->addresses[i]);
		struct acpi_header header;

		if (!base.value)
			continue;
		if (read_header(base, &header))
			lost_count++;
		else
			note_table(tables, base, &header);
	}
	if (lost_count)
		log_warn("ACPI %s at %#lx: %u of %u tables cannot be mapped, "
			 "ignored",
			 root->table.name, root->table.base.value, lost_count,
			 root->count);
}

/* @table is all zero if the machine has none of @kind. */
static int parse_table(const struct table_kind *kind, struct acpi_table *table,
		       struct platform *out, struct diag *diag)
{
	int error;

	if (!table->base.value && kind->need == NEED_PRESENT)
		return diag_set(diag, -EINVAL, "ACPI %s: missing, expected one",
				kind->name);
	if (!table->base.value)
		return 0;
	table->name = kind->name;
	error = map_table(table, diag);
	if (!error)
		error = kind->parse(table, out, diag);
	if (!error || kind->need != NEED_NOTHING)
		return error;
	log_warn("%s; the table is ignored", diag->text);
	diag->text[0] = '\0';
	return 0;
}

/* Apart from acpi_parse, so that the copied addresses leave the stack early. */
static __attribute__((noinline)) int locate_tables(const void *rsdp,
						   size_t rsdp_size,
						   struct acpi_table *tables,
						   struct diag *diag)
{
	struct root root;
	int error;

	error = read_rsdp(rsdp, rsdp_size, &root, diag);
	if (!error)
		error = read_root(&root, diag);
	if (!error)
		find_tables(&root, tables);
	return error;
}

int acpi_parse(const void *rsdp, size_t rsdp_size, struct platform *out,
	       struct diag *diag)
{
	struct acpi_table tables[ARRAY_SIZE(table_kinds)] = { 0 };
	int error;

	memset(out, 0, sizeof(*out));
	out->node_count = 1;
	error = locate_tables(rsdp, rsdp_size, tables, diag);
	for (size_t i = 0; !error && i < ARRAY_SIZE(table_kinds); i++)
		error = parse_table(&table_kinds[i], &tables[i], out, diag);
	return error;
}
