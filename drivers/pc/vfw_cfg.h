/*
 * QEMU's firmware configuration device, with its DMA interface. [pure]
 * QEMU, docs/specs/fw_cfg "QEMU Firmware Configuration (fw_cfg) Device".
 *
 * Items are read-only. A guest selects one by key and reads it from its start,
 * byte by byte or by DMA; beyond its end, and where there is none, are zeroes.
 */
#ifndef DRIVERS_PC_VFW_CFG_H
#define DRIVERS_PC_VFW_CFG_H

#include "kernel/vm.h"

#define VFW_CFG_PORT	  0x510
#define VFW_CFG_DMA_PORT  0x514
#define VFW_CFG_FILES_MAX 24
#define VFW_CFG_NAME_MAX  56 /* with the NUL */
/* Longest single DMA read: it is done with vm->lock held and interrupts off. More
 * is an error, also of a file that is longer: read it in parts. */
#define VFW_CFG_DMA_MAX	 (64 * KIB)
#define VFW_CFG_E820_MAX 2

/* An entry of the file directory, as the guest reads it. Big-endian. */
struct vfw_cfg_file {
	uint32_t size;
	uint16_t key;
	uint16_t reserved;
	char name[VFW_CFG_NAME_MAX];
};

struct vfw_cfg_directory {
	uint32_t count; /* big-endian */
	struct vfw_cfg_file files[VFW_CFG_FILES_MAX];
};

/* An entry of "etc/e820". */
struct vfw_cfg_e820 {
	uint64_t base;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

/* Legend: (o) set before the VM runs, else [l] vm->lock. */
struct vfw_cfg {
	struct vm *vm;				    /* (o) */
	struct vfw_cfg_directory directory;	    /* (o) */
	const void *data[VFW_CFG_FILES_MAX];	    /* (o) of the files */
	struct vfw_cfg_e820 e820[VFW_CFG_E820_MAX]; /* (o) */
	uint32_t file_count;			    /* (o) */
	uint32_t id;				    /* (o) */
	uint16_t cpu_count;			    /* (o) */
	uint16_t key;				    /* selected */
	uint32_t offset;      /* next byte to read of it; sticks at the top */
	uint64_t dma_address; /* as far as written */
};

/* The items that describe @vm, and "etc/e820". Adds ports. -E of io_add. */
int vfw_cfg_init(struct vfw_cfg *fw_cfg, struct vm *vm);

/*
 * Show @size bytes at @data, which stay the caller's and as they are as long as
 * the VM runs, as file @name. Before the VM runs. -EEXIST, -ENOSPC, -EINVAL: no
 * name, or too long.
 */
int vfw_cfg_add_file(struct vfw_cfg *fw_cfg, const char *name, const void *data,
		     uint32_t size);

#endif
