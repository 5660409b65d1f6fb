/*
 * ACPI tables of a guest: RSDP -> RSDT and XSDT -> FADT (-> FACS, DSDT), MADT,
 * MCFG, HPET. The names of sections are in acpi_format.h.
 */
#include "drivers/pc/acpi/dsdt.h"
#include "drivers/pc/acpi_format.h"
#include "drivers/pc/checksum.h"
#include "drivers/pc/vacpi_pm.h"
#include "drivers/pc/vhpet.h"
#include "drivers/pc/vreset_port.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/loader.h"
#include "mm/heap.h"

#define TABLE_ALIGN	  16
#define NEVER_LATENCY_C2  0xfff /* over 100: no C2 */
#define NEVER_LATENCY_C3  0xfff /* over 1000: no C3 */
#define CMOS_CENTURY	  0x32
#define RESET_VALUE	  0x0f /* full reset of the register at 0xcf9 */
#define ISA_IRQ_TIMER	  0
#define GSI_TIMER	  2
#define NMI_LINT	  1
#define HPET_MINIMUM_TICK 100

_Static_assert(VM_VCPUS_MAX <= 255, "every APIC id fits a local APIC entry");

/* Tables one after the other; the first error stays, and nothing is written
 * after it. */
struct table_writer {
	struct vm *vm;
	struct diag *why;
	uint64_t at; /* the next free byte */
	int error;
};

/* Write @size bytes at the next multiple of @align; where that is. */
static uint64_t write_bytes(struct table_writer *writer, const void *bytes,
			    uint32_t size, uint64_t align)
{
	gpa_t at = { align_up(writer->at, align) };

	if (writer->error)
		return 0;
	if (!range_fits(at.value, size, VM_SMBIOS_BASE)) {
		writer->error = diag_set(writer->why, -ENOSPC,
					 "vm: ACPI tables do not fit below "
					 "0x%lx",
					 VM_SMBIOS_BASE);
		return 0;
	}
	writer->error = guest_load(&writer->vm->memory, at, bytes, size);
	if (writer->error)
		diag_set(writer->why, writer->error,
			 "vm: error %d writing ACPI tables", -writer->error);
	writer->at = at.value + size;
	return at.value;
}

/* Fill the header of a table whose other fields are filled, and write it. */
static uint64_t write_table(struct table_writer *writer,
			    struct acpi_header *header, const char *signature,
			    uint8_t revision, uint32_t size)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	memcpy(header->oem_id, "BASALT", sizeof(header->oem_id));
	memcpy(header->oem_table_id, "BASALTPC", sizeof(header->oem_table_id));
	memcpy(header->creator_id, "BSLT", sizeof(header->creator_id));
	header->length = size;
	header->revision = revision;
	header->oem_revision = 1;
	header->creator_revision = 1;
	header->checksum = 0;
	header->checksum = checksum_make(header, size);
	return write_bytes(writer, header, size, TABLE_ALIGN);
}

static uint64_t write_facs(struct table_writer *writer)
{
	struct acpi_facs facs = {
		.signature = { 'F', 'A', 'C', 'S' },
		.length = sizeof(facs),
		.version = 2,
	};

	return write_bytes(writer, &facs, sizeof(facs), ACPI_FACS_ALIGN);
}

static struct acpi_address make_io(uint64_t port, uint8_t size)
{
	return (struct acpi_address){
		.space = ACPI_SPACE_IO,
		.bit_width = (uint8_t)(size * 8),
		.address = port,
	};
}

/* The registers, in both forms. */
static void fill_pm_blocks(struct acpi_fadt *fadt)
{
	fadt->pm1a_event = VACPI_PM_EVENT_PORT;
	fadt->pm1_event_size = VACPI_PM_EVENT_SIZE;
	fadt->x_pm1a_event = make_io(VACPI_PM_EVENT_PORT, VACPI_PM_EVENT_SIZE);
	fadt->pm1a_control = VACPI_PM_CONTROL_PORT;
	fadt->pm1_control_size = VACPI_PM_CONTROL_SIZE;
	fadt->x_pm1a_control =
		make_io(VACPI_PM_CONTROL_PORT, VACPI_PM_CONTROL_SIZE);
	fadt->pm_timer = VACPI_PM_TIMER_PORT;
	fadt->pm_timer_size = VACPI_PM_TIMER_SIZE;
	fadt->x_pm_timer = make_io(VACPI_PM_TIMER_PORT, VACPI_PM_TIMER_SIZE);
	fadt->gpe0 = VACPI_PM_GPE0_PORT;
	fadt->gpe0_size = VACPI_PM_GPE0_SIZE;
	fadt->x_gpe0 = make_io(VACPI_PM_GPE0_PORT, VACPI_PM_GPE0_SIZE);
	fadt->reset = make_io(VRESET_PORT, 1);
	fadt->reset_value = RESET_VALUE;
}

static uint64_t write_fadt(struct table_writer *writer, uint64_t facs,
			   uint64_t dsdt)
{
	/* SMI_CMD 0: the machine has no legacy mode to leave */
	struct acpi_fadt fadt = {
		.facs = (uint32_t)facs,
		.dsdt = (uint32_t)dsdt,
		.x_dsdt = dsdt,
		.sci = VM_SCI_GSI,
		.c2_latency = NEVER_LATENCY_C2,
		.c3_latency = NEVER_LATENCY_C3,
		.century = CMOS_CENTURY,
		.boot_flags = FADT_LEGACY_DEVICES | FADT_8042 | FADT_NO_VGA,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON |
			 FADT_FIX_RTC | FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP,
	};

	fill_pm_blocks(&fadt);
	return write_table(writer, &fadt.header, "FACP", 6, sizeof(fadt));
}

static void fill_madt(struct acpi_madt *madt, uint32_t vcpu_count)
{
	madt->lapic_address = VM_LAPIC_BASE;
	madt->flags = MADT_PCAT_COMPAT;
	madt->ioapic = (struct madt_ioapic){ .type = MADT_IOAPIC,
					     .length = sizeof(madt->ioapic),
					     .address = VM_IOAPIC_BASE };
	madt->timer = (struct madt_override){ .type = MADT_OVERRIDE,
					      .length = sizeof(madt->timer),
					      .source = ISA_IRQ_TIMER,
					      .gsi = GSI_TIMER };
	madt->sci = (struct madt_override){ .type = MADT_OVERRIDE,
					    .length = sizeof(madt->sci),
					    .source = VM_SCI_GSI,
					    .gsi = VM_SCI_GSI,
					    .flags = MADT_ACTIVE_HIGH |
						     MADT_LEVEL };
	madt->nmi = (struct madt_lapic_nmi){ .type = MADT_LAPIC_NMI,
					     .length = sizeof(madt->nmi),
					     .uid = MADT_ALL_PROCESSORS,
					     .lint = NMI_LINT };
	for (uint32_t i = 0; i < vcpu_count; i++)
		madt->lapics[i] = (struct madt_lapic){
			.type = MADT_LAPIC,
			.length = sizeof(madt->lapics[i]),
			.uid = (uint8_t)i,
			.id = (uint8_t)i,
			.flags = MADT_ENABLED,
		};
}

static uint64_t write_madt(struct table_writer *writer)
{
	uint32_t count = writer->vm->vcpu_count;
	uint32_t size = (uint32_t)(sizeof(struct acpi_madt) +
				   count * sizeof(struct madt_lapic));
	struct acpi_madt *madt = heap_alloc(size);
	uint64_t at;

	if (!madt) {
		writer->error = diag_set(writer->why, -ENOMEM,
					 "vm: no memory for ACPI tables");
		return 0;
	}
	fill_madt(madt, count);
	at = write_table(writer, &madt->header, "APIC", 5, size);
	heap_free(madt);
	return at;
}

/* There are no bridges, so bus 0 is all: Linux looks for devices on every bus up to
 * the last one (pcibios_fixup_peer_bridges), 16 thousand exits for 255. */
static uint64_t write_mcfg(struct table_writer *writer)
{
	struct acpi_mcfg mcfg = { .base = VM_ECAM_BASE, .last_bus = 0 };

	return write_table(writer, &mcfg.header, "MCFG", 1, sizeof(mcfg));
}

static uint64_t write_hpet(struct table_writer *writer)
{
	struct acpi_hpet hpet = {
		.block_id = VHPET_ID,
		.address = { .space = ACPI_SPACE_MEMORY,
			     .bit_width = 64,
			     .address = VM_HPET_BASE },
		.minimum_tick = HPET_MINIMUM_TICK,
	};

	return write_table(writer, &hpet.header, "HPET", 1, sizeof(hpet));
}

static void write_roots(struct table_writer *writer,
			const uint64_t tables[ACPI_ROOT_ENTRIES],
			struct acpi_rsdp *rsdp)
{
	struct acpi_rsdt rsdt = { 0 };
	struct acpi_xsdt xsdt = { 0 };

	for (int i = 0; i < ACPI_ROOT_ENTRIES; i++) {
		rsdt.tables[i] = (uint32_t)tables[i];
		xsdt.tables[i] = tables[i];
	}
	rsdp->rsdt = (uint32_t)write_table(writer, &rsdt.header, "RSDT", 1,
					   sizeof(rsdt));
	rsdp->xsdt = write_table(writer, &xsdt.header, "XSDT", 1, sizeof(xsdt));
}

static void write_rsdp(struct table_writer *writer, struct acpi_rsdp *rsdp)
{
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "BASALT", sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->checksum = checksum_make(rsdp, ACPI_RSDP_OLD_SIZE);
	rsdp->extended_checksum = checksum_make(rsdp, sizeof(*rsdp));
	writer->at = VM_TABLES_BASE;
	write_bytes(writer, rsdp, sizeof(*rsdp), TABLE_ALIGN);
}

int acpi_tables_write(struct vm *vm, gpa_t *rsdp_at, struct diag *why)
{
	struct table_writer writer = {
		.vm = vm,
		.why = why,
		.at = VM_TABLES_BASE + sizeof(struct acpi_rsdp),
	};
	uint64_t facs = write_facs(&writer);
	uint64_t dsdt =
		write_bytes(&writer, acpi_dsdt, acpi_dsdt_size, TABLE_ALIGN);
	uint64_t tables[ACPI_ROOT_ENTRIES];
	struct acpi_rsdp rsdp = { 0 };

	tables[0] = write_fadt(&writer, facs, dsdt);
	tables[1] = write_madt(&writer);
	tables[2] = write_mcfg(&writer);
	tables[3] = write_hpet(&writer);
	write_roots(&writer, tables, &rsdp);
	write_rsdp(&writer, &rsdp);
	*rsdp_at = (gpa_t){ VM_TABLES_BASE };
	return writer.error;
}
