/* A guest's SMBIOS, read as a guest reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/pc/smbios_format.h"
#include "kernel/loader.h"
#include "mm/heap.h"
#include "vm_machine.h"

#define AREA_SIZE (VM_TABLES_END - VM_SMBIOS_BASE)

static uint8_t area[AREA_SIZE]; /* from VM_SMBIOS_BASE on */
static struct diag diag;

static void write_for(const char *name, uint32_t vcpu_count, uint64_t ram_size)
{
	fake_vm_reset(1, 64 * MIB);
	heap_init();
	strcpy(fake_vm.name, name);
	fake_vm.vcpu_count = vcpu_count;
	fake_vm.ram_size = ram_size;
	assert_int_equal(smbios_write(&fake_vm, &diag), 0);
	assert_int_equal(guest_read(&fake_vm.memory, (gpa_t){ VM_SMBIOS_BASE },
				    area, AREA_SIZE),
			 0);
}

static int setup(void **state)
{
	(void)state;
	write_for("web", 3, 64 * MIB);
	return 0;
}

static uint8_t sum(const void *bytes, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total = (uint8_t)(total + ((const uint8_t *)bytes)[i]);
	return total;
}

static const struct smbios_entry32 *entry32(void)
{
	return (const struct smbios_entry32 *)area;
}

/* Behind the strings of @header's structure. */
static const uint8_t *skip_strings(const struct smbios_header *header)
{
	const uint8_t *at = (const uint8_t *)header + header->length;

	while (at[0] || at[1])
		at++;
	return at + 2;
}

/* Structure @number of @type; NULL: there are fewer. */
static const void *find(enum smbios_type type, unsigned int number)
{
	const uint8_t *at = area + (entry32()->table - VM_SMBIOS_BASE);

	for (uint32_t i = 0; i < entry32()->structure_count; i++) {
		const void *structure = at;
		const struct smbios_header *header = structure;

		if (header->type == type && number-- == 0)
			return structure;
		at = skip_strings(header);
	}
	return NULL;
}

static const char *string_of(const void *structure, uint8_t number)
{
	const struct smbios_header *header = structure;
	const char *at = (const char *)structure + header->length;

	assert_int_not_equal(number, 0);
	while (--number)
		at += strlen(at) + 1;
	return at;
}

static void has_entry_points(void **state)
{
	const struct smbios_entry32 *old = entry32();
	const struct smbios_entry64 *new = (const void *)(area + 0x20);

	(void)state;
	assert_memory_equal(old->anchor, "_SM_", 4);
	assert_memory_equal(old->middle_anchor, "_DMI_", 5);
	assert_int_equal(sum(old, 31), 0);
	assert_int_equal(sum(old->middle_anchor, 15), 0);
	assert_int_equal(old->major, 2);
	assert_int_equal(old->minor, 8);
	assert_memory_equal(new->anchor, "_SM3_", 5);
	assert_int_equal(sum(new, 24), 0);
	assert_int_equal(new->major, 3);
	assert_int_equal(new->table, old->table);
	assert_int_equal(new->table_size_max, old->table_size);
}

/* Count, sizes and handles are those of a walk, which ends with type 127. */
static void walks_to_the_end(void **state)
{
	const uint8_t *start = area + (entry32()->table - VM_SMBIOS_BASE);
	const uint8_t *at = start;
	uint16_t handles[32];
	ptrdiff_t largest = 0;

	(void)state;
	assert_in_range(entry32()->structure_count, 1, 32);
	for (uint32_t i = 0; i < entry32()->structure_count; i++) {
		const struct smbios_header *header = (const void *)at;
		const uint8_t *next = skip_strings(header);

		handles[i] = header->handle;
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(handles[k], handles[i]);
		assert_int_equal(header->type == SMBIOS_END,
				 i + 1U == entry32()->structure_count);
		if (next - at > largest)
			largest = next - at;
		at = next;
	}
	assert_int_equal(at - start, entry32()->table_size);
	assert_int_equal(largest, entry32()->structure_size_max);
}

static void names_basalt(void **state)
{
	const struct smbios_firmware *firmware = find(SMBIOS_FIRMWARE, 0);
	const struct smbios_system *system = find(SMBIOS_SYSTEM, 0);
	const struct smbios_chassis *chassis = find(SMBIOS_CHASSIS, 0);

	(void)state;
	assert_string_equal(string_of(firmware, firmware->s_vendor), "Basalt");
	assert_string_equal(string_of(firmware, firmware->s_version),
			    BASALT_VERSION);
	assert_int_equal(strlen(string_of(firmware, firmware->s_date)), 10);
	assert_true(firmware->extension2 & FIRMWARE_EXT2_VM);
	assert_string_equal(string_of(system, system->s_manufacturer),
			    "Basalt");
	assert_string_equal(string_of(system, system->s_product),
			    "Basalt Virtual Machine");
	assert_string_equal(string_of(system, system->s_family),
			    "Virtual Machine");
	assert_string_equal(string_of(chassis, chassis->s_manufacturer),
			    "Basalt");
	assert_non_null(find(SMBIOS_BOOT, 0));
}

static void get_uuid(const char *name, uint8_t uuid[16])
{
	const struct smbios_system *system;

	write_for(name, 1, 64 * MIB);
	system = find(SMBIOS_SYSTEM, 0);
	memcpy(uuid, system->uuid, 16);
}

static void makes_uuid_from_name(void **state)
{
	uint8_t first[16], second[16], again[16];

	(void)state;
	get_uuid("web", first);
	get_uuid("wec", second);
	get_uuid("web", again);
	assert_memory_equal(first, again, 16);
	assert_memory_not_equal(first, second, 8);
	assert_memory_not_equal(first + 8, second + 8, 8);
	assert_int_equal(first[7] >> 4, 8);
	assert_int_equal(first[8] >> 6, 2);
}

static void counts_vcpus(void **state)
{
	const struct smbios_processor *processor = find(SMBIOS_PROCESSOR, 0);

	(void)state;
	assert_int_equal(processor->core_count, 3);
	assert_int_equal(processor->thread_count2, 3);
	assert_string_equal(string_of(processor, processor->s_socket), "CPU 0");
	write_for("many", VM_VCPUS_MAX, 64 * MIB);
	processor = find(SMBIOS_PROCESSOR, 0);
	assert_int_equal(processor->core_count, 255);
	assert_int_equal(processor->core_count2, 255);
}

static void tells_small_memory(void **state)
{
	const struct smbios_memory_array *array = find(SMBIOS_MEMORY_ARRAY, 0);
	const struct smbios_memory_device *device =
		find(SMBIOS_MEMORY_DEVICE, 0);
	const struct smbios_memory_range *range = find(SMBIOS_MEMORY_RANGE, 0);

	(void)state;
	assert_int_equal(array->capacity, 64 * 1024);
	assert_int_equal(device->size, 64);
	assert_int_equal(device->extended_size, 0);
	assert_int_equal(device->array, array->header.handle);
	assert_int_equal(range->start, 0);
	assert_int_equal(range->end, 64 * 1024 - 1);
	assert_int_equal(range->array, array->header.handle);
	assert_null(find(SMBIOS_MEMORY_RANGE, 1));
}

static void tells_large_memory(void **state)
{
	const struct smbios_memory_array *array;
	const struct smbios_memory_device *device;
	const struct smbios_memory_range *range;

	(void)state;
	write_for("large", 1, 256 * GIB);
	array = find(SMBIOS_MEMORY_ARRAY, 0);
	device = find(SMBIOS_MEMORY_DEVICE, 0);
	range = find(SMBIOS_MEMORY_RANGE, 1);
	assert_int_equal(array->capacity, 256 * MIB);
	assert_int_equal(device->size, 0x7fff);
	assert_int_equal(device->extended_size, 256 * 1024);
	assert_int_equal(range->start, 4 * MIB);
	assert_int_equal(range->end, 4 * MIB + 253 * MIB - 1);

	write_for("larger", 1, 8 * TIB);
	array = find(SMBIOS_MEMORY_ARRAY, 0);
	range = find(SMBIOS_MEMORY_RANGE, 1);
	assert_int_equal(array->capacity, 0x80000000U);
	assert_int_equal(array->extended_capacity, 8 * TIB);
	assert_int_equal(range->start, UINT32_MAX);
	assert_int_equal(range->end, UINT32_MAX);
	assert_int_equal(range->extended_start, 4 * GIB);
	assert_int_equal(range->extended_end, 8 * TIB + GIB - 1);
}

static void fails_without_ram(void **state)
{
	(void)state;
	fake_vm_reset(1, 512 * KIB);
	heap_init();
	assert_int_equal(smbios_write(&fake_vm, &diag), -14);
	assert_string_equal(diag.text, "vm: error 14 writing SMBIOS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(has_entry_points, setup),
		cmocka_unit_test_setup(walks_to_the_end, setup),
		cmocka_unit_test_setup(names_basalt, setup),
		cmocka_unit_test(makes_uuid_from_name),
		cmocka_unit_test_setup(counts_vcpus, setup),
		cmocka_unit_test_setup(tells_small_memory, setup),
		cmocka_unit_test(tells_large_memory),
		cmocka_unit_test(fails_without_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
