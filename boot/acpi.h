/* ACPI tables -> struct platform. [pure] */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "boot/platform.h"
#include "kernel/lib/diag.h"

/*
 * Read RSDP (a copy of @rsdp_size bytes), XSDT or RSDT, MADT, and where present
 * FADT, HPET, SRAT, MCFG, DMAR and IVRS. MADT must be there. A broken MADT,
 * SRAT or root table is -EINVAL with @diag ("ACPI MADT at 0x7fe1a2c: entry at
 * 44: length 0"); a broken table that Basalt can live without is logged as a
 * warning and ignored. Sections cited are those of "ACPI Specification 6.5".
 */
int acpi_parse(const void *rsdp, size_t rsdp_size, struct platform *out,
	       struct diag *diag);

/*
 * @size bytes of firmware memory at @base, readable until the next but one
 * call, or NULL if it cannot be mapped. In the image this is host_space's; tests
 * have their own.
 */
const void *acpi_map(hpa_t base, size_t size);

#endif
