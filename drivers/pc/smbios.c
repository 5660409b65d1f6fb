/*
 * SMBIOS of a guest: both entry points, 3.0 beside 2.8, lead to one table. The
 * names of sections are in smbios_format.h.
 */
#include "drivers/pc/checksum.h"
#include "drivers/pc/smbios_format.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "kernel/loader.h"
#include "mm/heap.h"

#define ENTRY64_BASE (VM_SMBIOS_BASE + 0x20)
#define TABLE_BASE   (VM_SMBIOS_BASE + 0x40)
#define TABLE_SIZE   2048U /* all structures have a fixed size */

#define HANDLE(type, number) ((uint16_t)((type) << 8 | (number)))

/* Structures one after the other. */
struct smbios_table {
	uint16_t size; /* used bytes */
	uint16_t structure_count;
	uint16_t structure_size_max;
	uint8_t bytes[TABLE_SIZE];
};

static void append(struct smbios_table *table, const void *bytes, size_t size)
{
	CHECK(range_fits(table->size, size, TABLE_SIZE));
	memcpy(table->bytes + table->size, bytes, size);
	table->size = (uint16_t)(table->size + size);
}

/* Add a structure, and its @strings, each with a NUL, one after the other. */
static void add(struct smbios_table *table, struct smbios_header *header,
		enum smbios_type type, unsigned int number, size_t size,
		const char *strings)
{
	uint16_t start = table->size;
	uint16_t whole;

	*header = (struct smbios_header){ (uint8_t)type, (uint8_t)size,
					  HANDLE(type, number) };
	append(table, header, size);
	/* 6.1.3 "Text strings": two NULs at the end, without strings too */
	if (!*strings)
		append(table, "", 1);
	for (; *strings; strings += strlen(strings) + 1)
		append(table, strings, strlen(strings) + 1);
	append(table, "", 1);
	whole = (uint16_t)(table->size - start);
	if (whole > table->structure_size_max)
		table->structure_size_max = whole;
	table->structure_count++;
}

static void add_firmware(struct smbios_table *table)
{
	struct smbios_firmware firmware = {
		.s_vendor = 1,
		.s_version = 2,
		.s_date = 3,
		.characteristics = FIRMWARE_NO_CHARACTERISTICS,
		.extension2 = FIRMWARE_EXT2_VM,
		.controller_major = 0xff, /* there is none */
		.controller_minor = 0xff,
	};

	add(table, &firmware.header, SMBIOS_FIRMWARE, 0, sizeof(firmware),
	    "Basalt\0" BASALT_VERSION "\0"
	    "01/01/2026\0");
}

static uint64_t hash_name(const char *name, uint64_t hash)
{
	/* FNV-1a */
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3UL;
	return hash;
}

/* The same name gets the same UUID, at every start: RFC 9562, 5.8 "UUID Version
 * 8". The first three fields are little-endian (7.2.1). */
static void make_uuid(uint8_t uuid[16], const char *name)
{
	uint64_t halves[2];

	halves[0] = hash_name(name, 0xcbf29ce484222325UL);
	halves[1] = hash_name(name, halves[0]);
	memcpy(uuid, halves, sizeof(halves));
	uuid[7] = (uint8_t)((uuid[7] & 0x0f) | 0x80); /* version */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80); /* variant */
}

static void add_system(struct smbios_table *table, const char *name)
{
	struct smbios_system system = {
		.s_manufacturer = 1,
		.s_product = 2,
		.s_version = 3,
		.wake_up = WAKE_UP_POWER_SWITCH,
		.s_family = 4,
	};

	make_uuid(system.uuid, name);
	add(table, &system.header, SMBIOS_SYSTEM, 0, sizeof(system),
	    "Basalt\0Basalt Virtual Machine\0" BASALT_VERSION "\0"
	    "Virtual Machine\0");
}

static void add_chassis(struct smbios_table *table)
{
	struct smbios_chassis chassis = {
		.s_manufacturer = 1,
		.type = CHASSIS_OTHER,
		.boot_state = CHASSIS_SAFE,
		.power_state = CHASSIS_SAFE,
		.thermal_state = CHASSIS_SAFE,
		.security = CHASSIS_UNKNOWN,
	};

	add(table, &chassis.header, SMBIOS_CHASSIS, 0, sizeof(chassis),
	    "Basalt\0");
}

/* One socket with a core for each vCPU. */
static void add_processor(struct smbios_table *table, uint32_t vcpu_count)
{
	uint8_t count = (uint8_t)min_u64(vcpu_count, UINT8_MAX);
	uint16_t count2 = (uint16_t)vcpu_count;
	struct smbios_processor processor = {
		.s_socket = 1,
		.type = PROCESSOR_CENTRAL,
		.family = PROCESSOR_UNKNOWN,
		.s_manufacturer = 2,
		.status = PROCESSOR_SOCKET_IN_USE,
		.upgrade = PROCESSOR_UNKNOWN,
		.cache = { CACHE_NONE, CACHE_NONE, CACHE_NONE },
		.core_count = count,
		.core_enabled = count,
		.thread_count = count,
		.characteristics = PROCESSOR_64_BIT,
		.family2 = PROCESSOR_UNKNOWN,
		.core_count2 = count2,
		.core_enabled2 = count2,
		.thread_count2 = count2,
	};

	add(table, &processor.header, SMBIOS_PROCESSOR, 0, sizeof(processor),
	    "CPU 0\0Basalt\0");
}

static void add_memory_array(struct smbios_table *table, uint64_t ram_size)
{
	struct smbios_memory_array array = {
		.location = ARRAY_SYSTEM_BOARD,
		.use = ARRAY_SYSTEM_MEMORY,
		.correction = ARRAY_NO_CORRECTION,
		.capacity = (uint32_t)(ram_size / KIB),
		.error = NO_ERROR_INFORMATION,
		.device_count = 1,
	};

	if (ram_size / KIB >= ARRAY_CAPACITY_EXTENDED) {
		array.capacity = ARRAY_CAPACITY_EXTENDED;
		array.extended_capacity = ram_size;
	}
	add(table, &array.header, SMBIOS_MEMORY_ARRAY, 0, sizeof(array), "");
}

static void add_memory_device(struct smbios_table *table, uint64_t ram_size)
{
	struct smbios_memory_device device = {
		.array = HANDLE(SMBIOS_MEMORY_ARRAY, 0),
		.error = NO_ERROR_INFORMATION,
		.total_width = DEVICE_WIDTH_UNKNOWN,
		.data_width = DEVICE_WIDTH_UNKNOWN,
		.size = (uint16_t)(ram_size / MIB),
		.form_factor = DEVICE_DIMM,
		.s_locator = 1,
		.type = DEVICE_RAM,
		.detail = DEVICE_DETAIL_OTHER,
		.s_manufacturer = 2,
	};

	if (ram_size / MIB >= DEVICE_SIZE_EXTENDED) {
		device.size = DEVICE_SIZE_EXTENDED;
		device.extended_size = (uint32_t)(ram_size / MIB);
	}
	add(table, &device.header, SMBIOS_MEMORY_DEVICE, 0, sizeof(device),
	    "DIMM 0\0Basalt\0");
}

static void add_memory_range(struct smbios_table *table, unsigned int number,
			     uint64_t base, uint64_t size)
{
	uint64_t last = base + size - 1;
	struct smbios_memory_range range = {
		.start = (uint32_t)(base / KIB),
		.end = (uint32_t)(last / KIB),
		.array = HANDLE(SMBIOS_MEMORY_ARRAY, 0),
		.partition_width = 1,
	};

	if (last / KIB >= RANGE_EXTENDED) {
		range.start = RANGE_EXTENDED;
		range.end = RANGE_EXTENDED;
		range.extended_start = base;
		range.extended_end = last;
	}
	add(table, &range.header, SMBIOS_MEMORY_RANGE, number, sizeof(range),
	    "");
}

static void fill_table(struct smbios_table *table, const struct vm *vm)
{
	uint64_t low = min_u64(vm->ram_size, VM_LOW_RAM_MAX);
	struct smbios_boot boot = { .status = 0 };
	struct smbios_header end;

	add_firmware(table);
	add_system(table, vm->name);
	add_chassis(table);
	add_processor(table, vm->vcpu_count);
	add_memory_array(table, vm->ram_size);
	add_memory_device(table, vm->ram_size);
	add_memory_range(table, 0, 0, low);
	if (vm->ram_size > low)
		add_memory_range(table, 1, 4 * GIB, vm->ram_size - low);
	add(table, &boot.header, SMBIOS_BOOT, 0, sizeof(boot), "");
	add(table, &end, SMBIOS_END, 0, sizeof(end), "");
}

static int write_entry32(struct vm *vm, const struct smbios_table *table)
{
	struct smbios_entry32 entry = {
		.anchor = { '_', 'S', 'M', '_' },
		.length = sizeof(entry),
		.major = 2,
		.minor = 8,
		.structure_size_max = table->structure_size_max,
		.middle_anchor = { '_', 'D', 'M', 'I', '_' },
		.table_size = table->size,
		.table = TABLE_BASE,
		.structure_count = table->structure_count,
		.bcd_revision = 0x28,
	};
	size_t middle = offsetof(struct smbios_entry32, middle_anchor);

	entry.middle_checksum = checksum_make((const char *)&entry + middle,
					      sizeof(entry) - middle);
	entry.checksum = checksum_make(&entry, sizeof(entry));
	return guest_load(&vm->memory, (gpa_t){ VM_SMBIOS_BASE }, &entry,
			  sizeof(entry));
}

static int write_entry64(struct vm *vm, const struct smbios_table *table)
{
	struct smbios_entry64 entry = {
		.anchor = { '_', 'S', 'M', '3', '_' },
		.length = sizeof(entry),
		.major = 3,
		.revision = 1,
		.table_size_max = table->size,
		.table = TABLE_BASE,
	};

	entry.checksum = checksum_make(&entry, sizeof(entry));
	return guest_load(&vm->memory, (gpa_t){ ENTRY64_BASE }, &entry,
			  sizeof(entry));
}

int smbios_write(struct vm *vm, struct diag *why)
{
	struct smbios_table *table = heap_alloc(sizeof(*table));
	int error;

	if (!table)
		return diag_set(why, -ENOMEM, "vm: no memory for SMBIOS");
	fill_table(table, vm);
	error = guest_load(&vm->memory, (gpa_t){ TABLE_BASE }, table->bytes,
			   table->size);
	if (!error)
		error = write_entry32(vm, table);
	if (!error)
		error = write_entry64(vm, table);
	heap_free(table);
	if (!error)
		return 0;
	return diag_set(why, error, "vm: error %d writing SMBIOS", -error);
}
