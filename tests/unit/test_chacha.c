/* The ChaCha20 block function: RFC 8439, 2.3.2 and appendix A.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/chacha.h"

static void gives_the_blocks_of_the_rfc(void **state)
{
	/* 2.3.2: key 00 01 … 1f, nonce 00:00:00:09:00:00:00:4a:00:00:00:00 */
	static const uint32_t nonce[] = { 0x09000000, 0x4a000000, 0 };
	static const uint32_t expected[] = {
		0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
		0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
		0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
		0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
	};
	uint8_t bytes[32];
	uint32_t key[8], block[16];

	(void)state;
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	memcpy(key, bytes, sizeof(key));
	chacha_block(key, 1, nonce, block);
	assert_memory_equal(block, expected, sizeof(block));
}

/* A.1, test vector 1: all zero. */
static void gives_the_block_of_nothing(void **state)
{
	static const uint32_t zero[8];
	static const uint32_t expected[] = {
		0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653,
		0xb819d2bd, 0x1aed8da0, 0xccef36a8, 0xc70d778b,
		0x7c5941da, 0x8d485751, 0x3fe02477, 0x374ad8b8,
		0xf4b8436a, 0x1ca11815, 0x69b687c3, 0x8665eeb2,
	};
	uint32_t block[16];

	(void)state;
	chacha_block(zero, 0, zero, block);
	assert_memory_equal(block, expected, sizeof(block));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_blocks_of_the_rfc),
		cmocka_unit_test(gives_the_block_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
