/* QEMU's firmware configuration device. */
#include "drivers/pc/vfw_cfg.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

/* "Selector (Control) Register", and what QEMU keeps where. */
enum vfw_cfg_key {
	KEY_SIGNATURE = 0x0000,
	KEY_ID = 0x0001,
	KEY_RAM_SIZE = 0x0003,
	KEY_CPU_COUNT = 0x0005,
	KEY_CPU_COUNT_MAX = 0x000f,
	KEY_DIRECTORY = 0x0019,
	KEY_FILES = 0x0020,
	KEY_WRITE = 0x4000, /* ignored in a selector: nothing can be written */
};

#define ID_TRADITIONAL BIT(0)
#define ID_DMA	       BIT(1)

/* "DMA Interface": bits of the control word. */
#define DMA_ERROR     BIT(0)
#define DMA_READ      BIT(1)
#define DMA_SKIP      BIT(2)
#define DMA_SELECT    BIT(3)
#define DMA_WRITE     BIT(4)
#define DMA_KEY	      BITS(31, 16)
#define DMA_SIGNATURE 0x51454d5520434647UL /* "QEMU CFG" */

#define E820_RAM 1

/* All numbers are big-endian. */
struct dma_access {
	uint32_t control;
	uint32_t length;
	uint64_t address;
};

_Static_assert(sizeof(struct dma_access) == 16, "fw_cfg DMA layout");
_Static_assert(sizeof(struct vfw_cfg_file) == 64, "fw_cfg file layout");
_Static_assert(offsetof(struct vfw_cfg_directory, files) == 4,
	       "fw_cfg directory layout");
_Static_assert(sizeof(struct vfw_cfg_e820) == 20, "etc/e820 layout");

struct item {
	const void *data;
	uint32_t size;
};

/* What the selected key holds; of none, nothing. */
static struct item find_item(const struct vfw_cfg *fw_cfg)
{
	uint32_t key = fw_cfg->key & ~(uint32_t)KEY_WRITE;
	uint32_t file = key - KEY_FILES;

	switch (key) {
	case KEY_SIGNATURE: return (struct item){ "QEMU", 4 };
	case KEY_ID: return (struct item){ &fw_cfg->id, 4 };
	case KEY_RAM_SIZE: return (struct item){ &fw_cfg->vm->ram_size, 8 };
	case KEY_CPU_COUNT:
	case KEY_CPU_COUNT_MAX: return (struct item){ &fw_cfg->cpu_count, 2 };
	case KEY_DIRECTORY:
		return (struct item){ &fw_cfg->directory,
				      sizeof(fw_cfg->directory) };
	default: break;
	}
	if (file >= fw_cfg->file_count)
		return (struct item){ NULL, 0 };
	return (struct item){
		fw_cfg->data[file],
		__builtin_bswap32(fw_cfg->directory.files[file].size),
	};
}

static void select_key(struct vfw_cfg *fw_cfg, uint16_t key)
{
	fw_cfg->key = key;
	fw_cfg->offset = 0;
}

static void advance(struct vfw_cfg *fw_cfg, uint32_t size)
{
	fw_cfg->offset =
		(uint32_t)min_u64((uint64_t)fw_cfg->offset + size, UINT32_MAX);
}

static uint8_t read_byte(struct vfw_cfg *fw_cfg)
{
	struct item item = find_item(fw_cfg);
	uint32_t offset = fw_cfg->offset;

	advance(fw_cfg, 1);
	return offset < item.size ? ((const uint8_t *)item.data)[offset] : 0;
}

/* @size bytes of the item to guest memory: what there is of it, then zeroes. */
static int dma_read(struct vfw_cfg *fw_cfg, uint64_t address, uint32_t size)
{
	struct guest_mem *memory = &fw_cfg->vm->memory;
	struct item item = find_item(fw_cfg);
	uint64_t left = item.size - min_u64(fw_cfg->offset, item.size);
	uint64_t part = min_u64(left, size);
	int error = 0;

	if (size > VFW_CFG_DMA_MAX || size > UINT64_MAX - address)
		return -EINVAL;
	if (part)
		error = guest_write(memory, (gpa_t){ address },
				    (const uint8_t *)item.data + fw_cfg->offset,
				    part);
	if (!error && size > part)
		error = guest_zero(memory, (gpa_t){ address + part },
				   size - part);
	return error;
}

static int dma_transfer(struct vfw_cfg *fw_cfg, uint32_t control,
			uint64_t address, uint32_t size)
{
	int error = 0;

	if (control & DMA_SELECT)
		select_key(fw_cfg, (uint16_t)FIELD_GET(DMA_KEY, control));
	if (control & DMA_READ)
		error = dma_read(fw_cfg, address, size);
	else if (control & DMA_WRITE)
		return -EPERM;
	else if (!(control & DMA_SKIP))
		return 0;
	if (!error)
		advance(fw_cfg, size);
	return error;
}

/* The guest's descriptor is copied once; its control word says how it went. If
 * not even that can be written there is nobody to tell. */
static void dma_run(struct vfw_cfg *fw_cfg, gpa_t at)
{
	struct guest_mem *memory = &fw_cfg->vm->memory;
	struct dma_access access;
	uint32_t result = 0;

	if (guest_read(memory, at, &access, sizeof(access)))
		return;
	if (dma_transfer(fw_cfg, __builtin_bswap32(access.control),
			 __builtin_bswap64(access.address),
			 __builtin_bswap32(access.length)))
		result = __builtin_bswap32(DMA_ERROR);
	guest_write(memory, at, &result, sizeof(result));
}

/* The selector is a word, the data a byte behind it that overlaps its upper
 * half. */
static uint64_t port_read(void *device, uint64_t offset, unsigned int size)
{
	(void)size;
	return offset == 1 ? read_byte(device) : 0;
}

static void port_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	if (offset == 0 && size == 2)
		select_key(device, (uint16_t)value);
}

/* The bytes of a big-endian number of 8 bytes, as a little-endian port shows
 * them. */
static uint64_t dma_read_port(void *device, uint64_t offset, unsigned int size)
{
	uint64_t bytes = __builtin_bswap64(DMA_SIGNATURE);

	(void)device;
	return bytes >> (8 * offset) & BITS(8 * size - 1, 0);
}

/* Two dwords, high first; the low one starts the transfer. */
static void dma_write_port(void *device, uint64_t offset, unsigned int size,
			   uint64_t value)
{
	struct vfw_cfg *fw_cfg = device;
	uint64_t half = __builtin_bswap32((uint32_t)value);

	if (size != 4 || offset % 4)
		return;
	if (offset == 0) {
		fw_cfg->dma_address = half << 32;
		return;
	}
	half |= fw_cfg->dma_address;
	fw_cfg->dma_address = 0;
	dma_run(fw_cfg, (gpa_t){ half });
}

static const struct io_ops port_ops = { port_read, port_write };
static const struct io_ops dma_ops = { dma_read_port, dma_write_port };

static bool has_file(const struct vfw_cfg *fw_cfg, const char *name)
{
	for (uint32_t i = 0; i < fw_cfg->file_count; i++) {
		if (strcmp(fw_cfg->directory.files[i].name, name) == 0)
			return true;
	}
	return false;
}

int vfw_cfg_add_file(struct vfw_cfg *fw_cfg, const char *name, const void *data,
		     uint32_t size)
{
	uint32_t number = fw_cfg->file_count;
	struct vfw_cfg_file *file = &fw_cfg->directory.files[number];
	size_t length = strnlen(name, VFW_CFG_NAME_MAX);

	if (length == 0 || length == VFW_CFG_NAME_MAX)
		return -EINVAL;
	if (has_file(fw_cfg, name))
		return -EEXIST;
	if (number == VFW_CFG_FILES_MAX)
		return -ENOSPC;
	memcpy(file->name, name, length);
	file->size = __builtin_bswap32(size);
	file->key = __builtin_bswap16((uint16_t)(KEY_FILES + number));
	fw_cfg->data[number] = data;
	fw_cfg->file_count++;
	fw_cfg->directory.count = __builtin_bswap32(fw_cfg->file_count);
	return 0;
}

/* RAM as SeaBIOS and OVMF read it; what is reserved in it they know or are told
 * by other means. */
static int add_e820(struct vfw_cfg *fw_cfg)
{
	uint64_t low = min_u64(fw_cfg->vm->ram_size, VM_LOW_RAM_MAX);
	uint64_t high = fw_cfg->vm->ram_size - low;
	uint32_t count = high ? 2 : 1;

	fw_cfg->e820[0] = (struct vfw_cfg_e820){ 0, low, E820_RAM };
	fw_cfg->e820[1] = (struct vfw_cfg_e820){ 4 * GIB, high, E820_RAM };
	return vfw_cfg_add_file(fw_cfg, "etc/e820", fw_cfg->e820,
				count * (uint32_t)sizeof(fw_cfg->e820[0]));
}

int vfw_cfg_init(struct vfw_cfg *fw_cfg, struct vm *vm)
{
	const struct io_region port = { VFW_CFG_PORT, 2, &port_ops, fw_cfg,
					false };
	const struct io_region dma = { VFW_CFG_DMA_PORT, 8, &dma_ops, fw_cfg,
				       false };
	int error;

	fw_cfg->vm = vm;
	fw_cfg->id = ID_TRADITIONAL | ID_DMA;
	fw_cfg->cpu_count = (uint16_t)vm->vcpu_count;
	error = add_e820(fw_cfg);
	if (!error)
		error = io_add(&vm->ports, &port);
	return error ? error : io_add(&vm->ports, &dma);
}
