/* fw_cfg: items by port and by DMA, and descriptors that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device_bench.h"
#include "drivers/pc/vfw_cfg.h"
#include "kernel/lib/errno.h"

#define RAM_SIZE (4 * MIB)
#define ACCESS	 0x1000U /* where descriptors go */
#define BUFFER	 0x3ff0U /* crosses a page */

#define DMA_ERROR  1U
#define DMA_READ   2U
#define DMA_SKIP   4U
#define DMA_SELECT 8U
#define DMA_WRITE  16U

static struct vfw_cfg fw_cfg;
static uint8_t big[3 * KIB];

static int reset(void **state)
{
	(void)state;
	bench_reset(5, RAM_SIZE);
	memset(&fw_cfg, 0, sizeof(fw_cfg));
	assert_int_equal(vfw_cfg_init(&fw_cfg, &fake_vm), 0);
	for (unsigned int i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + 1);
	assert_int_equal(vfw_cfg_add_file(&fw_cfg, "opt/big", big, sizeof(big)),
			 0);
	return 0;
}

static void pick(uint16_t key)
{
	bench_out(VFW_CFG_PORT, 2, key);
}

static uint64_t next(unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)in8(VFW_CFG_PORT + 1) << (8 * i);
	return value;
}

static uint64_t item(uint16_t key, unsigned int size)
{
	pick(key);
	return next(size);
}

/* Run a descriptor at ACCESS; its control word afterwards. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
	struct guest_mem *memory = &fake_vm.memory;
	uint32_t words[4] = {
		__builtin_bswap32(control),
		__builtin_bswap32(length),
		__builtin_bswap32((uint32_t)(address >> 32)),
		__builtin_bswap32((uint32_t)address),
	};

	guest_write(memory, (gpa_t){ ACCESS }, words, sizeof(words));
	bench_out(VFW_CFG_DMA_PORT, 4, 0);
	bench_out(VFW_CFG_DMA_PORT + 4, 4, __builtin_bswap32(ACCESS));
	guest_read(memory, (gpa_t){ ACCESS }, words, sizeof(words[0]));
	return __builtin_bswap32(words[0]);
}

static void assert_memory(uint64_t at, const void *bytes, size_t size)
{
	static uint8_t copy[sizeof(big)];

	assert_int_equal(guest_read(&fake_vm.memory, (gpa_t){ at }, copy, size),
			 0);
	assert_memory_equal(copy, bytes, size);
}

static void describes_the_vm(void **state)
{
	(void)state;
	pick(0);
	assert_int_equal(next(4), 0x554d4551); /* "QEMU" */
	assert_int_equal(next(4), 0);
	assert_int_equal(item(1, 4), 3);
	assert_int_equal(item(3, 8), RAM_SIZE);
	assert_int_equal(item(5, 2), 5);
	assert_int_equal(item(0x0f, 2), 5);
	assert_int_equal(item(0x4005, 2), 5);
	assert_int_equal(item(2, 8), 0);
	assert_int_equal(item(0x22, 8), 0);
	assert_int_equal(item(0xffff, 8), 0);
	assert_int_equal(bench_in(VFW_CFG_DMA_PORT, 4), 0x554d4551);
	assert_int_equal(bench_in(VFW_CFG_DMA_PORT + 4, 4), 0x47464320);
}

static void lists_its_files(void **state)
{
	char name[VFW_CFG_NAME_MAX];

	(void)state;
	pick(0x19);
	assert_int_equal(__builtin_bswap32((uint32_t)next(4)), 2);
	assert_int_equal(__builtin_bswap32((uint32_t)next(4)), 20);
	assert_int_equal(__builtin_bswap16((uint16_t)next(2)), 0x20);
	next(2);
	for (unsigned int i = 0; i < sizeof(name); i++)
		name[i] = (char)next(1);
	assert_string_equal(name, "etc/e820");
	assert_int_equal(__builtin_bswap32((uint32_t)next(4)), sizeof(big));
	assert_int_equal(__builtin_bswap16((uint16_t)next(2)), 0x21);
	assert_int_equal(item(0x20, 8), 0);
	assert_int_equal(next(8), RAM_SIZE);
	assert_int_equal(next(4), 1);
	assert_int_equal(next(4), 0);
	pick(0x21);
	for (unsigned int i = 0; i < sizeof(big); i++)
		assert_int_equal(next(1), big[i]);
	assert_int_equal(next(1), 0);
}

static void high_memory_is_an_entry_of_its_own(void **state)
{
	(void)state;
	memset(&fake_vm.ports, 0, sizeof(fake_vm.ports));
	memset(&fw_cfg, 0, sizeof(fw_cfg));
	fake_vm.ram_size = 5 * GIB;
	vfw_cfg_init(&fw_cfg, &fake_vm);
	assert_int_equal(item(0x20, 8), 0);
	assert_int_equal(next(8), 3 * GIB);
	next(4);
	assert_int_equal(next(8), 4 * GIB);
	assert_int_equal(next(8), 2 * GIB);
	assert_int_equal(next(4), 1);
}

static void reads_by_dma(void **state)
{
	(void)state;
	assert_int_equal(dma(0x21U << 16 | DMA_SELECT | DMA_READ, 100, BUFFER),
			 0);
	assert_memory(BUFFER, big, 100);
	assert_int_equal(dma(DMA_SKIP, 1000, 0), 0);
	assert_int_equal(dma(DMA_READ, 100, BUFFER), 0);
	assert_memory(BUFFER, big + 1100, 100);
	assert_int_equal(next(1), big[1200]);
	assert_int_equal(dma(0x21U << 16 | DMA_SELECT, 100, BUFFER), 0);
	assert_int_equal(next(1), big[0]);
}

static void beyond_the_end_are_zeroes(void **state)
{
	static const uint8_t zeroes[64];

	(void)state;
	guest_write(&fake_vm.memory, (gpa_t){ BUFFER }, big, sizeof(big));
	dma(0x21U << 16 | DMA_SELECT | DMA_SKIP, sizeof(big) - 10, 0);
	assert_int_equal(dma(DMA_READ, 70, BUFFER), 0);
	assert_memory(BUFFER, big + sizeof(big) - 10, 10);
	assert_memory(BUFFER + 10, zeroes, 60);
	assert_memory(BUFFER + 70, big + 70, 10);
	assert_int_equal(dma(DMA_READ, 8, BUFFER), 0);
	assert_memory(BUFFER, zeroes, 8);
	/* the offset sticks at the top */
	assert_int_equal(dma(DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(dma(DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(next(1), 0);
	guest_write(&fake_vm.memory, (gpa_t){ BUFFER }, big, 8);
	assert_int_equal(dma(DMA_READ, 8, BUFFER), 0);
	assert_memory(BUFFER, zeroes, 8);
}

static void refuses_by_the_error_bit(void **state)
{
	(void)state;
	pick(0x21);
	assert_int_equal(dma(DMA_READ, 16, RAM_SIZE - 8), DMA_ERROR);
	assert_int_equal(dma(DMA_READ, 16, UINT64_MAX - 7), DMA_ERROR);
	assert_int_equal(dma(DMA_READ, UINT32_MAX, 0), DMA_ERROR);
	assert_int_equal(dma(DMA_READ, 64 * KIB + 1, 0x10000), DMA_ERROR);
	assert_int_equal(dma(DMA_WRITE, 4, BUFFER), DMA_ERROR);
	assert_int_equal(next(1), big[0]); /* nothing moved */
	assert_int_equal(dma(DMA_READ, 64 * KIB, 0x10000), 0);
	/* a descriptor outside memory: nothing to be said */
	bench_out(VFW_CFG_DMA_PORT, 4, 0xffffffff);
	bench_out(VFW_CFG_DMA_PORT + 4, 4, 0xf8ffffff);
	bench_out(VFW_CFG_DMA_PORT + 4, 4, __builtin_bswap32(RAM_SIZE - 8));
	bench_out(VFW_CFG_DMA_PORT + 2, 4, 0);
	bench_out(VFW_CFG_DMA_PORT + 4, 2, 0);
}

static void refuses_files(void **state)
{
	static char names[VFW_CFG_FILES_MAX][4];
	char name[VFW_CFG_NAME_MAX + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[VFW_CFG_NAME_MAX] = '\0';
	assert_int_equal(vfw_cfg_add_file(&fw_cfg, name, big, 1), -EINVAL);
	assert_int_equal(vfw_cfg_add_file(&fw_cfg, "", big, 1), -EINVAL);
	assert_int_equal(vfw_cfg_add_file(&fw_cfg, "opt/big", big, 1), -EEXIST);
	name[VFW_CFG_NAME_MAX - 1] = '\0';
	assert_int_equal(vfw_cfg_add_file(&fw_cfg, name, big, 1), 0);
	for (unsigned int i = 3; i < VFW_CFG_FILES_MAX; i++) {
		memcpy(names[i], (char[]){ 'f', (char)('0' + i), 0 }, 3);
		assert_int_equal(vfw_cfg_add_file(&fw_cfg, names[i], big, i),
				 0);
	}
	assert_int_equal(vfw_cfg_add_file(&fw_cfg, "one more", big, 1),
			 -ENOSPC);
	assert_int_equal(item(0x20 + VFW_CFG_FILES_MAX - 1, 1), big[0]);
	assert_int_equal(item(0x20 + VFW_CFG_FILES_MAX, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(describes_the_vm, reset),
		cmocka_unit_test_setup(lists_its_files, reset),
		cmocka_unit_test_setup(high_memory_is_an_entry_of_its_own,
				       reset),
		cmocka_unit_test_setup(reads_by_dma, reset),
		cmocka_unit_test_setup(beyond_the_end_are_zeroes, reset),
		cmocka_unit_test_setup(refuses_by_the_error_bit, reset),
		cmocka_unit_test_setup(refuses_files, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
