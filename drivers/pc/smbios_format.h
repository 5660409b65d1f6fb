/* SMBIOS structures as a guest reads them: DMTF DSP0134, "System Management BIOS
 * (SMBIOS) Reference Specification" 3.0, chapters 5 and 7. [pure] */
#ifndef DRIVERS_PC_SMBIOS_FORMAT_H
#define DRIVERS_PC_SMBIOS_FORMAT_H

#include "kernel/lib/bits.h"

/* 5.2.1 "SMBIOS 2.1 (32-bit) Entry Point". */
struct smbios_entry32 {
	char anchor[4];
	uint8_t checksum; /* of all */
	uint8_t length;
	uint8_t major, minor;
	uint16_t structure_size_max;
	uint8_t revision;
	uint8_t formatted[5];
	char middle_anchor[5];
	uint8_t middle_checksum; /* from middle_anchor on */
	uint16_t table_size;
	uint32_t table;
	uint16_t structure_count;
	uint8_t bcd_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_entry32) == 31, "5.2.1");

/* 5.2.2 "SMBIOS 3.0 (64-bit) Entry Point". */
struct smbios_entry64 {
	char anchor[5];
	uint8_t checksum;
	uint8_t length;
	uint8_t major, minor, document_revision;
	uint8_t revision;
	uint8_t reserved;
	uint32_t table_size_max;
	uint64_t table;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_entry64) == 24, "5.2.2");

/* 6.1.2 "Structure header format". Fields called s_ are numbers of strings, from
 * 1; 0: none. */
struct smbios_header {
	uint8_t type, length;
	uint16_t handle;
} __attribute__((packed));

enum smbios_type {
	SMBIOS_FIRMWARE = 0,
	SMBIOS_SYSTEM = 1,
	SMBIOS_CHASSIS = 3,
	SMBIOS_PROCESSOR = 4,
	SMBIOS_MEMORY_ARRAY = 16,
	SMBIOS_MEMORY_DEVICE = 17,
	SMBIOS_MEMORY_RANGE = 19,
	SMBIOS_BOOT = 32,
	SMBIOS_END = 127,
};

/* 7.1 "BIOS Information (Type 0)". */
#define FIRMWARE_NO_CHARACTERISTICS 0x08 /* they are not told */
#define FIRMWARE_EXT2_VM	    0x10

struct smbios_firmware {
	struct smbios_header header;
	uint8_t s_vendor, s_version;
	uint16_t segment;
	uint8_t s_date;
	uint8_t rom_size;
	uint64_t characteristics;
	uint8_t extension1, extension2;
	uint8_t major, minor;
	uint8_t controller_major, controller_minor;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_firmware) == 0x18, "7.1");

/* 7.2 "System Information (Type 1)". */
#define WAKE_UP_POWER_SWITCH 6

struct smbios_system {
	struct smbios_header header;
	uint8_t s_manufacturer, s_product, s_version, s_serial;
	uint8_t uuid[16];
	uint8_t wake_up;
	uint8_t s_sku, s_family;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_system) == 0x1b, "7.2");

/* 7.4 "System Enclosure or Chassis (Type 3)". */
#define CHASSIS_OTHER	1
#define CHASSIS_SAFE	3
#define CHASSIS_UNKNOWN 2

struct smbios_chassis {
	struct smbios_header header;
	uint8_t s_manufacturer;
	uint8_t type;
	uint8_t s_version, s_serial, s_asset;
	uint8_t boot_state, power_state, thermal_state, security;
	uint32_t oem;
	uint8_t height, power_cords;
	uint8_t element_count, element_size;
	uint8_t s_sku;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_chassis) == 0x16, "7.4");

/* 7.5 "Processor Information (Type 4)". */
#define PROCESSOR_CENTRAL	3
#define PROCESSOR_UNKNOWN	2    /* family, and upgrade */
#define PROCESSOR_SOCKET_IN_USE 0x41 /* populated, enabled */
#define PROCESSOR_64_BIT	0x04
#define CACHE_NONE		0xffff

struct smbios_processor {
	struct smbios_header header;
	uint8_t s_socket;
	uint8_t type, family;
	uint8_t s_manufacturer;
	uint64_t id;
	uint8_t s_version;
	uint8_t voltage;
	uint16_t clock, speed_max, speed;
	uint8_t status, upgrade;
	uint16_t cache[3];
	uint8_t s_serial, s_asset, s_part;
	uint8_t core_count, core_enabled, thread_count; /* 255: see below */
	uint16_t characteristics;
	uint16_t family2;
	uint16_t core_count2, core_enabled2, thread_count2;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_processor) == 0x30, "7.5");

/* 7.17 "Physical Memory Array (Type 16)". */
#define ARRAY_SYSTEM_BOARD	3
#define ARRAY_SYSTEM_MEMORY	3
#define ARRAY_NO_CORRECTION	3
#define ARRAY_CAPACITY_EXTENDED 0x80000000U
#define NO_ERROR_INFORMATION	0xfffe

struct smbios_memory_array {
	struct smbios_header header;
	uint8_t location, use, correction;
	uint32_t capacity; /* KiB */
	uint16_t error;
	uint16_t device_count;
	uint64_t extended_capacity; /* bytes */
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_memory_array) == 0x17, "7.17");

/* 7.18 "Memory Device (Type 17)". */
#define DEVICE_WIDTH_UNKNOWN 0xffff
#define DEVICE_SIZE_EXTENDED 0x7fff
#define DEVICE_DIMM	     9
#define DEVICE_RAM	     7
#define DEVICE_DETAIL_OTHER  BIT(1)

struct smbios_memory_device {
	struct smbios_header header;
	uint16_t array;
	uint16_t error;
	uint16_t total_width, data_width;
	uint16_t size; /* MiB */
	uint8_t form_factor, set;
	uint8_t s_locator, s_bank;
	uint8_t type;
	uint16_t detail;
	uint16_t speed;
	uint8_t s_manufacturer, s_serial, s_asset, s_part;
	uint8_t attributes;
	uint32_t extended_size; /* MiB */
	uint16_t configured_speed;
	uint16_t voltage_min, voltage_max, voltage;
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_memory_device) == 0x28, "7.18");

/* 7.20 "Memory Array Mapped Address (Type 19)". */
#define RANGE_EXTENDED 0xffffffffU

struct smbios_memory_range {
	struct smbios_header header;
	uint32_t start, end; /* KiB; end included */
	uint16_t array;
	uint8_t partition_width;
	uint64_t extended_start, extended_end; /* bytes */
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_memory_range) == 0x1f, "7.20");

/* 7.33 "System Boot Information (Type 32)". */
struct smbios_boot {
	struct smbios_header header;
	uint8_t reserved[6];
	uint8_t status; /* 0: no error */
} __attribute__((packed));
_Static_assert(sizeof(struct smbios_boot) == 0x0b, "7.33");

#endif
