# The DSDT: compiled by iasl and embedded as a C array, for the image and for host tests. Include it before PURE is used.

# The first rule of a Makefile is its default otherwise.
.DEFAULT_GOAL := all

PURE += $(BUILD)/gen/acpi_dsdt.c

$(BUILD)/gen/acpi_dsdt.c: drivers/pc/acpi/dsdt.asl scripts/asl-to-c
	@mkdir -p $(@D)
	@echo "  IASL $<"
	@scripts/asl-to-c $< $@ drivers/pc/acpi/dsdt.h acpi_dsdt
