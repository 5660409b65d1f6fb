/* What firmware finds in CMOS RAM. */
#include "drivers/pc/vcmos.h"

enum vcmos_byte {
	CMOS_BASE_MEMORY = 0x15,     /* KiB below 640 KiB */
	CMOS_EXTENDED_MEMORY = 0x17, /* KiB above 1 MiB */
	CMOS_EXTENDED_COPY = 0x30,   /* the same */
	CMOS_ABOVE_16_MIB = 0x34,    /* in 64 KiB, below 4 GiB */
	CMOS_ABOVE_4_GIB = 0x5b,     /* in 64 KiB, three bytes */
	CMOS_CPU_COUNT = 0x5f,	     /* less 1 */
};

/* As much of @value as @size bytes hold. */
static void put(uint8_t *cmos, enum vcmos_byte at, uint64_t value,
		unsigned int size)
{
	value = min_u64(value, BIT(8 * size) - 1);
	for (unsigned int i = 0; i < size; i++)
		cmos[at + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t beyond(uint64_t size, uint64_t start)
{
	return size > start ? size - start : 0;
}

void vcmos_fill(uint8_t cmos[VCMOS_SIZE], const struct vm *vm)
{
	uint64_t low = min_u64(vm->ram_size, VM_LOW_RAM_MAX);
	uint64_t high = vm->ram_size - low;

	put(cmos, CMOS_BASE_MEMORY, min_u64(low / KIB, 640), 2);
	put(cmos, CMOS_EXTENDED_MEMORY, beyond(low, MIB) / KIB, 2);
	put(cmos, CMOS_EXTENDED_COPY, beyond(low, MIB) / KIB, 2);
	put(cmos, CMOS_ABOVE_16_MIB, beyond(low, 16 * MIB) / (64 * KIB), 2);
	put(cmos, CMOS_ABOVE_4_GIB, high / (64 * KIB), 3);
	put(cmos, CMOS_CPU_COUNT, vm->vcpu_count - 1, 1);
}
