/*
 * Layouts of the firmware's tables, and what their parsers share. [pure]
 *
 * boot/acpi.c finds a table, maps it as one piece and verifies its checksum; a
 * parser then sees a struct acpi_table and reads it through acpi_at,
 * acpi_fixed_part and acpi_next_entry only, which refuse what lies outside. A
 * layout below may be laid over what these return: it is packed, so alignment
 * does not matter.
 */
#ifndef BOOT_ACPI_TABLES_H
#define BOOT_ACPI_TABLES_H

#include "boot/acpi.h"

/*
 * x86-64 has no physical address above (AMD64 APM 2 "Long-Mode Page
 * Translation", section 5.3).
 */
#define ACPI_ADDRESS_LIMIT BIT(52)
#define ACPI_TABLE_MAX	   (1 * MIB)

#define ACPI_LAYOUT __attribute__((packed))

/* "RSDP Structure", section 5.2.5.3. */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	/* from here on: revision 2 and above */
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} ACPI_LAYOUT;
#define ACPI_RSDP_OLD_SIZE offsetof(struct acpi_rsdp, length)
_Static_assert(ACPI_RSDP_OLD_SIZE == 20, "RSDP of ACPI 1.0");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");

/* "System Description Table Header", section 5.2.6. */
struct acpi_header {
	char signature[4];
	uint32_t length; /* of the whole table */
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	uint32_t creator_id;
	uint32_t creator_revision;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct acpi_header) == 36, "table header");

/* "Generic Address Structure", section 5.2.3.2. */
struct acpi_address {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} ACPI_LAYOUT;
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_PORT	  1
_Static_assert(sizeof(struct acpi_address) == 12, "generic address");

/* "Multiple APIC Description Table (MADT)", section 5.2.12. */
struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_base;
	uint32_t flags;
} ACPI_LAYOUT;
#define MADT_PCAT_COMPAT BIT(0)
_Static_assert(sizeof(struct acpi_madt) == 44, "MADT");

#define MADT_CPU_ENABLED BIT(0)

/* "Processor Local APIC Structure", section 5.2.12.2. */
struct madt_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t acpi_uid;
	uint8_t apic_id;
	uint32_t flags;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct madt_lapic) == 8, "MADT type 0");

/* "I/O APIC Structure", section 5.2.12.3. */
struct madt_ioapic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t base;
	uint32_t gsi_base;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct madt_ioapic) == 12, "MADT type 1");

/* "Interrupt Source Override Structure", section 5.2.12.5. */
struct madt_override {
	uint8_t type;
	uint8_t length;
	uint8_t bus;
	uint8_t irq;
	uint32_t gsi;
	uint16_t flags;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct madt_override) == 10, "MADT type 2");

/* "Local APIC Address Override Structure", section 5.2.12.8. */
struct madt_lapic_base {
	uint8_t type;
	uint8_t length;
	uint16_t reserved;
	uint64_t base;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct madt_lapic_base) == 12, "MADT type 5");

/* "Processor Local x2APIC Structure", section 5.2.12.12. */
struct madt_x2apic {
	uint8_t type;
	uint8_t length;
	uint16_t reserved;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t acpi_uid;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct madt_x2apic) == 16, "MADT type 9");

/* "System Resource Affinity Table (SRAT)", section 5.2.16. */
struct acpi_srat {
	struct acpi_header header;
	uint32_t reserved1;
	uint64_t reserved2;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct acpi_srat) == 48, "SRAT");

#define SRAT_ENABLED BIT(0) /* in the flags of all three types */

/* "Processor Local APIC/SAPIC Affinity Structure", section 5.2.16.1. */
struct srat_lapic {
	uint8_t type;
	uint8_t length;
	uint8_t proximity_low;
	uint8_t apic_id;
	uint32_t flags;
	uint8_t sapic_eid;
	uint8_t proximity_high[3];
	uint32_t clock_domain;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct srat_lapic) == 16, "SRAT type 0");

/* "Memory Affinity Structure", section 5.2.16.2. */
struct srat_memory {
	uint8_t type;
	uint8_t length;
	uint32_t proximity;
	uint16_t reserved1;
	uint64_t base;
	uint64_t size;
	uint32_t reserved2;
	uint32_t flags;
	uint64_t reserved3;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct srat_memory) == 40, "SRAT type 1");

/* "Processor Local x2APIC Affinity Structure", section 5.2.16.3. */
struct srat_x2apic {
	uint8_t type;
	uint8_t length;
	uint16_t reserved1;
	uint32_t proximity;
	uint32_t apic_id;
	uint32_t flags;
	uint32_t clock_domain;
	uint32_t reserved2;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct srat_x2apic) == 24, "SRAT type 2");

/*
 * "Fixed ACPI Description Table (FADT)", section 5.2.9: what ACPI 1.0 had
 * already. X_PM_TMR_BLK is read where a table reaches that far.
 */
struct acpi_fadt {
	struct acpi_header header;
	uint8_t unused1[40]; /* FIRMWARE_CTRL to PM2_CNT_BLK */
	uint32_t pm_timer_block;
	uint8_t unused2[11]; /* GPE0_BLK to PM2_CNT_LEN */
	uint8_t pm_timer_length;
	uint8_t unused3[17]; /* GPE0_BLK_LEN to CENTURY */
	uint16_t boot_arch;
	uint8_t reserved;
	uint32_t flags;
} ACPI_LAYOUT;
#define FADT_BOOT_ARCH_NO_CMOS_RTC BIT(5)
#define FADT_TMR_VAL_EXT	   BIT(8)
#define FADT_X_PM_TIMER_OFFSET	   208
_Static_assert(offsetof(struct acpi_fadt, pm_timer_block) == 76, "FADT");
_Static_assert(offsetof(struct acpi_fadt, pm_timer_length) == 91, "FADT");
_Static_assert(offsetof(struct acpi_fadt, boot_arch) == 109, "FADT");
_Static_assert(sizeof(struct acpi_fadt) == 116, "FADT of ACPI 1.0");

/*
 * "IA-PC HPET Specification 1.0a", section 3.2.4 "The ACPI 2.0 HPET Description
 * Table".
 */
struct acpi_hpet {
	struct acpi_header header;
	uint32_t block_id;
	struct acpi_address base;
	uint8_t number;
	uint16_t minimum_tick;
	uint8_t page_protection;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct acpi_hpet) == 56, "HPET");

/* "PCI Firmware Specification 3.2", section 4.1.2 "MCFG Table Description". */
struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct acpi_mcfg) == 44, "MCFG");

struct mcfg_segment {
	uint64_t base; /* of bus 0, even if bus_start is not 0 */
	uint16_t segment;
	uint8_t bus_start;
	uint8_t bus_end;
	uint32_t reserved;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct mcfg_segment) == 16, "MCFG segment");

/*
 * "Intel VT-d Architecture Specification", section 8.1 "DMA Remapping Reporting
 * Structure".
 */
struct acpi_dmar {
	struct acpi_header header;
	uint8_t address_width;
	uint8_t flags;
	uint8_t reserved[10];
} ACPI_LAYOUT;
_Static_assert(sizeof(struct acpi_dmar) == 48, "DMAR");

/*
 * Section 8.3 "DMA Remapping Hardware Unit Definition Structure", less the
 * device scope that follows.
 */
struct dmar_drhd {
	uint16_t type;
	uint16_t length;
	uint8_t flags;
	uint8_t size;
	uint16_t segment;
	uint64_t base;
} ACPI_LAYOUT;
#define DRHD_INCLUDE_PCI_ALL BIT(0)
_Static_assert(sizeof(struct dmar_drhd) == 16, "DRHD");

/*
 * "AMD I/O Virtualization Technology (IOMMU) Specification", section 5.2.1 "I/O
 * Virtualization Reporting Structure".
 */
struct acpi_ivrs {
	struct acpi_header header;
	uint32_t info;
	uint64_t reserved;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct acpi_ivrs) == 48, "IVRS");

/*
 * Section 5.2.2 "I/O Virtualization Hardware Definition (IVHD) Block": what
 * types 10h, 11h and 40h share.
 */
struct ivrs_ivhd {
	uint8_t type;
	uint8_t flags;
	uint16_t length;
	uint16_t device_id;
	uint16_t capability_offset;
	uint64_t base;
	uint16_t segment;
	uint16_t info;
	uint32_t features;
} ACPI_LAYOUT;
_Static_assert(sizeof(struct ivrs_ivhd) == 24, "IVHD type 10h");

/*
 * Broadcast destinations, so no CPU has such an id (SDM 3A "Determining IPI
 * Destination", section 11.6.2, and "… in x2APIC Mode", 11.12.10).
 */
#define APIC_ID_NONE   0xffU
#define X2APIC_ID_NONE 0xffffffffU

/* A table whose whole extent is mapped and sums to zero. */
struct acpi_table {
	const char *name; /* the one people use: MADT, not APIC */
	hpa_t base;
	const uint8_t *bytes; /* gone after the next acpi_map but one */
	uint32_t size;	      /* [sizeof(struct acpi_header), ACPI_TABLE_MAX] */
};

/* An entry type that a parser reads, and the least size that it may have. */
struct acpi_entry_kind {
	uint16_t type;
	uint16_t size;
};

/*
 * How a table's list of entries is built. An entry starts with its type, and
 * has its length, of length_size bytes, at offset length_size.
 */
struct acpi_list {
	uint32_t first;	     /* offset of the first entry in the table */
	uint8_t type_size;   /* 1 or 2 */
	uint8_t length_size; /* 1 or 2 */
	uint8_t kind_count;
	const struct acpi_entry_kind *kinds;
};

struct acpi_entry {
	const void *bytes;
	uint32_t offset; /* in the table */
	uint32_t size;	 /* 0: not begun */
	uint32_t type;
};

/* @size bytes at @offset of the table, or NULL if it does not reach so far. */
const void *acpi_at(const struct acpi_table *table, uint32_t offset,
		    uint32_t size);

/* The first @size bytes, or NULL with @diag. */
const void *acpi_fixed_part(const struct acpi_table *table, uint32_t size,
			    struct diag *diag);

/*
 * Step @entry, all zero at first, to the next entry of the list: 1; 0 at the
 * end of the table; -EINVAL with @diag for one that is too short for its kind
 * or leaves the table. Entries of a kind the list does not name have any size.
 */
int acpi_next_entry(const struct acpi_table *table,
		    const struct acpi_list *list, struct acpi_entry *entry,
		    struct diag *diag);

/* Say in @diag that @table is broken, where it is, and why. -EINVAL. */
int acpi_broken(const struct acpi_table *table, struct diag *diag,
		const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Not 0, a multiple of @align, and an address that x86-64 has. */
bool acpi_is_register_base(uint64_t base, uint64_t align);

/* The CPU of that id among those read so far, or NULL. */
struct platform_cpu *acpi_find_cpu(struct platform *platform, uint32_t apic_id);

/*
 * The parsers: 0, or -EINVAL with @diag. MADT comes before SRAT, which places
 * the CPUs. Those of tables that Basalt can live without leave @out as it was
 * when they fail.
 */
int acpi_madt_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);
int acpi_srat_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);
int acpi_fadt_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);
int acpi_hpet_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);
int acpi_mcfg_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);
int acpi_dmar_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);
int acpi_ivrs_parse(const struct acpi_table *table, struct platform *out,
		    struct diag *diag);

#endif
