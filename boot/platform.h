/* What the firmware's ACPI tables say the machine is. [pure] */
#ifndef BOOT_PLATFORM_H
#define BOOT_PLATFORM_H

#include "mm/addr.h"

#define CPUS_MAX		  1024
#define NODES_MAX		  64
#define PLATFORM_IOAPICS_MAX	  32
#define PLATFORM_OVERRIDES_MAX	  16
#define PLATFORM_NODE_RANGES_MAX  128
#define PLATFORM_PCI_SEGMENTS_MAX 16
#define PLATFORM_IOMMUS_MAX	  32

/* A CPU that the firmware calls usable. */
struct platform_cpu {
	uint32_t apic_id;
	uint32_t acpi_uid;
	uint32_t node; /* index below node_count */
};

struct platform_ioapic {
	hpa_t base;
	uint32_t id;
	uint32_t gsi_base; /* global system interrupt of pin 0 */
};

/* ISA interrupt @irq arrives as @gsi; @flags as in MADT type 2 (polarity bits
 * 0-1, trigger bits 2-3). */
struct platform_override {
	uint32_t gsi;
	uint16_t flags;
	uint8_t irq;
};

struct platform_node_range {
	uint64_t base;
	uint64_t size;
	uint32_t node; /* index below node_count */
};

/* MCFG: configuration space of buses [bus_start, bus_end] of a segment. */
struct platform_pci_segment {
	hpa_t base; /* of bus 0, even if bus_start is not 0 */
	uint16_t segment;
	uint8_t bus_start;
	uint8_t bus_end;
};

enum iommu_kind { IOMMU_INTEL, IOMMU_AMD };

struct platform_iommu {
	hpa_t base; /* registers */
	enum iommu_kind kind;
	uint16_t segment;
	bool is_catch_all; /* VT-d: every device that no other unit names */
};

struct platform {
	hpa_t lapic_base;	/* xAPIC registers */
	hpa_t hpet_base;	/* 0: no HPET */
	hpa_t facp_base;	/* whole FADT, for later readers; 0: none */
	uint16_t pm_timer_port; /* 0: none or not in port space */
	bool pm_timer_is_32bit; /* else 24 bits */
	bool has_8259;		/* MADT PCAT_COMPAT */
	bool has_no_cmos_rtc;	/* FADT IAPC_BOOT_ARCH bit 5 */
	uint32_t cpu_count;	/* >= 1 */
	uint32_t node_count;	/* >= 1 */
	uint32_t ioapic_count;
	uint32_t override_count;
	uint32_t node_range_count;
	uint32_t pci_segment_count;
	uint32_t iommu_count;
	uint32_t node_proximity[NODES_MAX]; /* SRAT proximity domain of each
					       node */
	struct platform_cpu
		cpus[CPUS_MAX]; /* in MADT order, no APIC id twice */
	struct platform_ioapic ioapics[PLATFORM_IOAPICS_MAX];
	struct platform_override overrides[PLATFORM_OVERRIDES_MAX];
	struct platform_node_range
		node_ranges[PLATFORM_NODE_RANGES_MAX]; /* by base, disjoint */
	struct platform_pci_segment pci_segments[PLATFORM_PCI_SEGMENTS_MAX];
	struct platform_iommu iommus[PLATFORM_IOMMUS_MAX];
};

#endif
