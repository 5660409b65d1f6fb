/*
 * The ACPI root pointer ("UEFI Specification 2.10", section 4.6 "EFI
 * Configuration Table & Properties Table").
 */
#include "boot/efi/rsdp.h"

#include "kernel/lib/string.h"

/*
 * "ACPI Specification 6.5", table 5.3 "RSDP Structure": revision 0 ends after
 * 20 bytes, revision 2 after 36.
 */
static const struct {
	EFI_GUID guid;
	uint32_t size;
} kinds[] = {
	{ ACPI_20_TABLE_GUID, 36 }, /* the newest first */
	{ ACPI_TABLE_GUID, 20 },
};
_Static_assert(BOOT_RSDP_MAX == 36, "room for the larger one");

static const void *find_table(const EFI_SYSTEM_TABLE *table,
			      const EFI_GUID *guid)
{
	for (UINTN i = 0; i < table->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *entry =
			&table->ConfigurationTable[i];

		if (memcmp(&entry->VendorGuid, guid, sizeof(*guid)) == 0)
			return entry->VendorTable;
	}
	return NULL;
}

void rsdp_find(const EFI_SYSTEM_TABLE *table, struct boot_info *info)
{
	info->rsdp_size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && !info->rsdp_size; i++) {
		const void *rsdp = find_table(table, &kinds[i].guid);

		if (!rsdp)
			continue;
		memcpy(info->rsdp, rsdp, kinds[i].size);
		info->rsdp_size = kinds[i].size;
	}
}
