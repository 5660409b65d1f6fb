/* ACPI tables as a guest reads them: "Advanced Configuration and Power Interface
 * Specification" 6.4, chapter 5. [pure] */
#ifndef DRIVERS_PC_ACPI_FORMAT_H
#define DRIVERS_PC_ACPI_FORMAT_H

#include <stdint.h>

/* 5.2.6 "System Description Table Header". */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_header) == 36, "5.2.6");

/* 5.2.3.2 "Generic Address Structure". */
enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };

struct acpi_address {
	uint8_t space; /* enum acpi_space */
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access; /* 0: as wide as the register */
	uint64_t address;
} __attribute__((packed));

/* 5.2.5.3 "Root System Description Pointer (RSDP) Structure". */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all */
	uint8_t reserved[3];
} __attribute__((packed));
#define ACPI_RSDP_OLD_SIZE 20
_Static_assert(sizeof(struct acpi_rsdp) == 36, "5.2.5.3");

#define ACPI_ROOT_ENTRIES 4

/* 5.2.7 "Root System Description Table (RSDT)", and 5.2.8 "Extended …". */
struct acpi_rsdt {
	struct acpi_header header;
	uint32_t tables[ACPI_ROOT_ENTRIES];
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t tables[ACPI_ROOT_ENTRIES];
} __attribute__((packed));

/* 5.2.9 "Fixed ACPI Description Table (FADT)". */
#define FADT_WBINVD	    (1U << 0)
#define FADT_PROC_C1	    (1U << 2)
#define FADT_SLP_BUTTON	    (1U << 5) /* set: no fixed one */
#define FADT_FIX_RTC	    (1U << 6) /* set: no fixed wake status */
#define FADT_TMR_VAL_EXT    (1U << 8)
#define FADT_RESET_REG_SUP  (1U << 10)
#define FADT_LEGACY_DEVICES (1U << 0)
#define FADT_8042	    (1U << 1)
#define FADT_NO_VGA	    (1U << 2)

struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved1;
	uint8_t preferred_profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4_bios_request;
	uint8_t pstate_control;
	uint32_t pm1a_event;
	uint32_t pm1b_event;
	uint32_t pm1a_control;
	uint32_t pm1b_control;
	uint32_t pm2_control;
	uint32_t pm_timer;
	uint32_t gpe0;
	uint32_t gpe1;
	uint8_t pm1_event_size;
	uint8_t pm1_control_size;
	uint8_t pm2_control_size;
	uint8_t pm_timer_size;
	uint8_t gpe0_size;
	uint8_t gpe1_size;
	uint8_t gpe1_base;
	uint8_t cstate_control;
	uint16_t c2_latency;
	uint16_t c3_latency;
	uint16_t flush_size;
	uint16_t flush_stride;
	uint8_t duty_offset;
	uint8_t duty_width;
	uint8_t day_alarm;
	uint8_t month_alarm;
	uint8_t century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_flags;
	uint8_t minor_revision;
	uint64_t x_facs;
	uint64_t x_dsdt;
	struct acpi_address x_pm1a_event;
	struct acpi_address x_pm1b_event;
	struct acpi_address x_pm1a_control;
	struct acpi_address x_pm1b_control;
	struct acpi_address x_pm2_control;
	struct acpi_address x_pm_timer;
	struct acpi_address x_gpe0;
	struct acpi_address x_gpe1;
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	uint64_t hypervisor_vendor;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_fadt) == 276, "5.2.9, revision 6");

/* 5.2.10 "Firmware ACPI Control Structure (FACS)". */
struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} __attribute__((packed));
#define ACPI_FACS_ALIGN 64
_Static_assert(sizeof(struct acpi_facs) == 64, "5.2.10");

/* 5.2.12 "Multiple APIC Description Table (MADT)". */
#define MADT_PCAT_COMPAT    1U
#define MADT_ENABLED	    1U
#define MADT_ALL_PROCESSORS 0xff
#define MADT_ACTIVE_HIGH    0x1
#define MADT_LEVEL	    0xc

enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_NMI = 4,
};

struct madt_ioapic {
	uint8_t type, length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type, length;
	uint8_t bus;
	uint8_t source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt_lapic_nmi {
	uint8_t type, length;
	uint8_t uid;
	uint16_t flags;
	uint8_t lint;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length;
	uint8_t uid;
	uint8_t id;
	uint32_t flags;
} __attribute__((packed));

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
	struct madt_ioapic ioapic;
	struct madt_override timer;
	struct madt_override sci;
	struct madt_lapic_nmi nmi;
	struct madt_lapic lapics[];
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_madt) == 44 + 12 + 2 * 10 + 6, "5.2.12");

/* PCI Firmware Specification 3.2, 4.1.2 "MCFG Table Description". */
struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved1;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus;
	uint8_t last_bus;
	uint32_t reserved2;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_mcfg) == 60, "4.1.2");

/* IA-PC HPET Specification 1.0a, 3.2.4 "The ACPI 2.0 HPET Description Table". */
struct acpi_hpet {
	struct acpi_header header;
	uint32_t block_id;
	struct acpi_address address;
	uint8_t number;
	uint16_t minimum_tick;
	uint8_t protection;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_hpet) == 56, "3.2.4");

#endif
