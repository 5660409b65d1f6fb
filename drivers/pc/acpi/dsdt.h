/* The DSDT of every guest: dsdt.asl, compiled by iasl when Basalt is built.
 * [pure] */
#ifndef DRIVERS_PC_ACPI_DSDT_H
#define DRIVERS_PC_ACPI_DSDT_H

#include <stdint.h>

/* The whole table, with its header and checksum. */
extern const uint8_t acpi_dsdt[];
extern const uint32_t acpi_dsdt_size;

#endif
